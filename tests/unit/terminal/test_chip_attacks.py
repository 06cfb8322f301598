"""Attacks on chips, each named as the attack: refused at the counter, or flagged in its journal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1 import Khb1Open
from card_codec.chip.khb1_files import CREDENTIAL_FILE
from card_codec.chip.record import CardRecord, RecordKind, day_of
from card_codec.chip.tmac import reader_id
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.chip_keys import ChipKeys
from ledger.entry import Observed, Pending, Refusal
from terminal.counter import Presentation, Redeemed, Request
from tests.chip_recovery import flush
from tests.chip_town import HOME, PANGAN, Town, make_town
from tests.world import KEC_1, NOW
from virtual_card.desfire import DesfireCard
from virtual_card.factory import clone_of
from virtual_card.link import Exchange, Fault
from virtual_card.memory import CyclicFile, DataFile

PASAR = Request("pasar-murah")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    yield town
    town.close()


def refused(town: Town, at: int, card: DesfireCard, request: Request = PANGAN) -> Reason:
    """The reason of a refusal, which the journal holds, and that nothing else came of it."""
    before = card.mac_file.counter
    outcome = town.tap(at, card, request=request)
    assert isinstance(outcome, Refused), outcome
    last = town.entries(at)[-1].content
    assert isinstance(last, Refusal)
    assert (last.reason, card.mac_file.counter) == (outcome.reason, before)
    assert town.journal_holds(at) == ()
    return outcome.reason


def observed(town: Town, at: int) -> list[Observed]:
    return [e.content for e in town.entries(at) if isinstance(e.content, Observed)]


def test_clone_of_all_that_can_be_read_on_another_chip(town: Town) -> None:
    card = town.card(town.family())
    clone = clone_of(card, b"\x04anothr")
    assert refused(town, 1, clone) is Reason.BAD_SIGNATURE
    assert isinstance(town.tap(1, card), Redeemed)  # the family's own card goes on


def test_clone_on_an_emulator_that_shows_the_same_uid(town: Town) -> None:
    card = town.card(town.family())
    assert refused(town, 1, clone_of(card, card.uid)) is Reason.BAD_SIGNATURE


def test_clone_that_names_a_generation_nobody_holds(town: Town) -> None:
    """File 00 is believed in nothing: a copy cannot choose the rules of paper for itself."""
    card = town.card(town.family())
    clone = clone_of(card, card.uid)
    (application,) = clone.memory.applications.values()
    file = application.files[CREDENTIAL_FILE]
    assert isinstance(file, DataFile)
    file.data[4] = 200
    file.data[6] = 0b0010
    assert refused(town, 1, clone) is Reason.USE_CHIP
    assert refused(town, 2, clone) is Reason.USE_CHIP


def test_replay_of_a_whole_redemption(town: Town) -> None:
    card = town.card(town.family())
    link = town.link(card)
    tap = town.counters[1].tap(link)
    assert isinstance(town.counters[1].redeem(Presentation.of_tap(tap), PANGAN), Redeemed)
    replayed = town.counters[2].tap(Replay(link.trace))
    outcome = town.counters[2].redeem(Presentation.of_tap(replayed), PANGAN)
    assert outcome == Refused(Reason.BAD_SIGNATURE)


def test_card_made_with_a_foreign_master(town: Town) -> None:
    card = town.card(town.family(), masters=dict.fromkeys(HOME, bytes(16)))
    assert refused(town, 1, card) is Reason.BAD_SIGNATURE


def test_card_made_with_a_stolen_master_of_one_generation(town: Town) -> None:
    """It answers to generation 1 and to no other: the newest that is held is asked for."""
    known = {at: HOME[at] if at == (KEC_1, 1) else bytes(16) for at in HOME}
    assert refused(town, 1, town.card(town.family(), masters=known)) is Reason.BAD_SIGNATURE


def test_card_that_knows_only_a_retired_generation(town: Town) -> None:
    card = town.card(town.family())
    (application,) = card.memory.applications.values()
    file = application.files[CREDENTIAL_FILE]
    assert isinstance(file, DataFile)
    file.data[6] = 0b0010  # it offers key 1 alone
    assert isinstance(town.look(1, card), Refused) is False
    retire(town, oldest=2)
    assert refused(town, 1, card) is Reason.USE_CHIP
    assert isinstance(town.tap(1, town.card(town.family())), Redeemed)  # cards go on with g+1


def test_card_image_rolled_back_to_before_a_redemption(town: Town) -> None:
    card = town.card(town.family())
    before = card.memory.copy()
    assert isinstance(town.tap(1, card), Redeemed)
    card.memory = before
    assert refused(town, 1, card) is Reason.ALREADY_REDEEMED  # the union knows
    assert refused(town, 1, card, PASAR) is Reason.CARD_HISTORY_INCOMPLETE


def test_card_image_rolled_back_at_a_counter_that_only_saw_the_card(town: Town) -> None:
    card = town.card(town.family())
    before = card.memory.copy()
    town.tap(1, card)
    refused(town, 2, card)
    card.memory = before
    assert refused(town, 2, card) is Reason.ALREADY_REDEEMED
    assert refused(town, 2, card, PASAR) is Reason.CARD_HISTORY_INCOMPLETE


def test_record_file_flushed_with_a_stolen_key(town: Town) -> None:
    card = town.card(town.family())
    assert isinstance(town.tap(1, card), Redeemed)
    flush(town, card)
    assert refused(town, 2, card) is Reason.CARD_HISTORY_INCOMPLETE
    (seen,) = observed(town, 2)
    assert {record.terminal for record in seen.card_records()} == {9}
    assert seen.counter == card.mac_file.counter  # what was pushed out is counted all the same


def test_what_was_flushed_before_a_window_opened_hides_nothing_of_it(town: Town) -> None:
    old = CardRecord(RecordKind.REDEMPTION, 1, 1, 9, 1, 9, 0, 1, day_of(NOW - 35 * 86_400))
    card = town.card(town.family(), opening=[replace(old, seq=n) for n in range(40)])
    assert isinstance(town.tap(2, card), Redeemed)


def test_records_emptied_while_the_counter_stays(town: Town) -> None:
    card = town.card(town.family())
    town.tap(1, card)
    (application,) = card.memory.applications.values()
    records = application.files[0x01]
    assert isinstance(records, CyclicFile)
    records.records.clear()
    assert refused(town, 2, card) is Reason.CARD_HISTORY_INCOMPLETE


def test_commit_without_a_record(town: Town) -> None:
    card = town.card(town.family())
    card.mac_file.counter += 1
    assert refused(town, 1, card) is Reason.CARD_HISTORY_INCOMPLETE


def test_false_void_record_raises_nothing_anywhere(town: Town) -> None:
    card = town.card(town.family())
    assert isinstance(town.tap(1, card), Redeemed)
    pending = town.entries(1)[0]
    assert isinstance(pending.content, Pending)
    false = CardRecord(RecordKind.VOID, 1, 1, pending.body.seq, 1, 1, 0, 1, day_of(NOW))
    opened(town, card).commit_record(false, reader_id(7, 1))
    assert refused(town, 2, card) is Reason.ALREADY_REDEEMED
    assert refused(town, 1, card) is Reason.ALREADY_REDEEMED
    for at in (1, 2):
        (seen,) = observed(town, at)  # and both counters tell the province
        assert seen.card_records()[-1] == false


def test_false_record_under_the_id_of_a_cut_off_redemption(town: Town) -> None:
    """Something else under its id keeps it open: it is never taken for given."""
    card = town.card(town.family())
    town.tap(1, card, faults={12: Fault.TORN_BEFORE})
    (seq,) = town.open_here(1)
    false = CardRecord(RecordKind.REDEMPTION, 1, 1, seq, 9, 9, 0, 1, day_of(NOW))
    opened(town, card).commit_record(false, reader_id(7, 1))
    assert refused(town, 1, card) is Reason.CARD_PENDING_ELSEWHERE
    assert town.open_here(1) == [seq]


def test_qr_of_a_chip_household(town: Town) -> None:
    text = town.world.card(town.family())
    for at in (1, 2):
        outcome = town.counters[at].redeem(Presentation(text), PANGAN)
        assert outcome == Refused(Reason.USE_CHIP)


def test_replacement_chip_after_a_redemption_is_no_second_right(town: Town) -> None:
    family = town.family()
    old = town.card(family)
    assert isinstance(town.tap(1, old), Redeemed)
    rows = town.world.rows[KEC_1]
    rows[family] = replace(rows[family], issue=2)
    town.publish()
    taken = CardRecord(RecordKind.OPENING, 1, 1, 1, 1, 1, 0, 1, day_of(NOW))
    new = town.card(family, issue=2, opening=[taken])
    assert refused(town, 1, new) is Reason.ALREADY_REDEEMED  # by its journal
    assert refused(town, 2, new) is Reason.ALREADY_REDEEMED  # by the opening record
    assert refused(town, 2, old) is Reason.REPLACED


def test_second_chip_while_the_first_is_being_asked(town: Town) -> None:
    """No lock is held while a card is in the field; what is pending counts as taken."""
    family = town.family()
    first, second = town.card(family), town.card(family, uid=b"\x04second")
    outcomes = []

    def meanwhile(number: int, apdu: bytes) -> bytes:
        if apdu[1] == 0xC8:
            outcomes.append(town.tap(1, second))
        return apdu

    link = town.link(first)
    link._on_command = meanwhile
    tap = town.counters[1].tap(link)
    assert isinstance(town.counters[1].redeem(Presentation.of_tap(tap), PANGAN), Redeemed)
    (outcome,) = outcomes
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.ALREADY_REDEEMED


def test_killed_between_pending_and_the_card_a_second_counter_is_refused(town: Town) -> None:
    family = town.family()
    card, second = town.card(family), town.card(family, uid=b"\x04second")
    child = os.fork()
    if child == 0:
        link = town.link(card)
        counter = town.world.counter(town.folders[1])
        tap = counter.tap(link)
        link._on_command = lambda _, apdu: _die(apdu)
        counter.redeem(Presentation.of_tap(tap), PANGAN)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert card.mac_file.counter == 1
    assert town.open_here(1) == [1]
    assert town.counters[1].state().unfinished == ("T001-0001",)
    assert refused(town, 1, second) is Reason.ALREADY_REDEEMED
    assert isinstance(town.tap(1, card), Redeemed)  # its own card says that it took nothing
    assert town.open_here(1) == []
    assert refused(town, 1, second) is Reason.ALREADY_REDEEMED


def _die(_: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class Replay:
    """A card that can only say again what another said once."""

    def __init__(self, trace: list[Exchange]) -> None:
        self._answers = [exchange.answer for exchange in trace]

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """The next answer of the trace."""
        if not self._answers:
            raise ChipLinkError("the trace is over")
        answer = self._answers.pop(0)
        return answer[:-2], int.from_bytes(answer[-2:], "big")


def opened(town: Town, card: DesfireCard) -> Khb1Open:
    """The card as somebody with a stolen master opens it."""
    tap = town.counters[2].tap(town.link(card))
    assert isinstance(tap.chip, Khb1Open)
    return tap.chip


def retire(town: Town, *, oldest: int) -> None:
    town.world.chip_keys = (ChipKeys(KEC_1, oldest),)
    town.publish()
