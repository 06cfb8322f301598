"""Redemption by chip at a counter: recorded as pending, committed by the card, then recorded so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.chip.record import RecordKind, encode_record
from card_codec.chip.tmac import (
    Transaction,
    enciphered_reader_id,
    reader_id,
    transaction_value,
)
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.card_record import record_of
from ledger.entry import (
    Basis,
    Commit,
    Handover,
    Observed,
    Pending,
    Presented,
    Redemption,
    Refusal,
)
from ledger.receipt import VerifiedReceipt, verify_receipt
from terminal.counter import Presentation, Redeemed, Request
from terminal.decision import Approved
from tests.chip_town import HOME, Town, make_town, tmac_key
from tests.world import NOW


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    yield town
    town.close()


def test_redemption_is_pending_before_the_card_and_committed_after(town: Town) -> None:
    family = town.family()
    card = town.card(family)
    outcome = town.tap(1, card)
    assert isinstance(outcome, Redeemed), outcome
    assert (outcome.number, outcome.approved.left_after, outcome.at) == ("T001-0001", 0, NOW)
    pending, commit = town.entries(1)
    assert pending.content == Pending(
        household=family, issue=1, member=0, programme=1, window=1, quantity=1, paid=0,
        basis=Basis.HOME, uid=card.uid, counter=1, before=0,
    )  # fmt: skip
    assert commit.content == Commit(1, 2, card.mac_file.value)
    assert town.journal_holds(1) == ()


def test_issuer_can_check_the_commit_from_the_two_entries_alone(town: Town) -> None:
    card = town.card(town.family())
    town.tap(1, card)
    pending, commit = town.entries(1)
    assert isinstance(pending.content, Pending)
    assert isinstance(commit.content, Commit)
    early = pending.body.moment.early
    record = record_of(pending.id, pending.content, kind=RecordKind.REDEMPTION, at=early)
    before = divmod(pending.content.before, 256)
    key, counter = tmac_key(card.uid), commit.content.counter
    enciphered = enciphered_reader_id(key, card.uid, counter, before=bytes(16))
    assert before == (0, 0)  # the double was made without the reader id of a card station
    done = Transaction(card.uid, counter, reader_id(1, 1), enciphered, encode_record(record))
    assert transaction_value(key, done) == commit.content.value


def test_receipt_of_a_chip_is_its_pending_entry(town: Town) -> None:
    outcome = town.tap(1, town.card(town.family()))
    assert isinstance(outcome, Redeemed)
    rights = town.counters[1]._desk.rights
    assert rights is not None
    verified = verify_receipt(outcome.receipt, rights.full_trust())
    assert isinstance(verified, VerifiedReceipt)
    assert verified.entry == town.entries(1)[0]


def test_second_tap_is_refused_and_the_card_stays_as_it_was(town: Town) -> None:
    family = town.family()
    card = town.card(family)
    town.tap(1, card)
    refused = town.tap(1, card)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.facts.redemption) == (Reason.ALREADY_REDEEMED, "T001-0001")
    assert card.mac_file.counter == 2
    *_, handover, refusal = town.entries(1)
    assert handover.content == Handover(1)
    assert refusal.content == Refusal("already_redeemed", family, 1, 0, 1, Presented.CHIP)


def test_isolated_counter_refuses_what_the_card_remembers(town: Town) -> None:
    family = town.family()
    card = town.card(family)
    town.tap(1, card)
    refused = town.tap(2, card)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.facts.redemption) == (Reason.ALREADY_REDEEMED, "T001-0001")
    assert refused.facts.point == "Balai Satu"
    observed, refusal = town.entries(2)
    assert isinstance(observed.content, Observed)
    assert (observed.content.counter, len(observed.content.card_records())) == (2, 2)
    assert isinstance(refusal.content, Refusal)
    town.tap(2, card)
    assert sum(isinstance(e.content, Observed) for e in town.entries(2)) == 1  # it is known now
    assert town.journal_holds(2) == ()


def test_look_writes_nothing_to_card_or_journal(town: Town) -> None:
    card = town.card(town.family())
    assert isinstance(town.look(1, card), Approved)
    assert (town.entries(1), card.mac_file.counter) == ([], 1)


def test_programme_that_is_not_on_cards_moves_no_counter(town: Town) -> None:
    card = town.card(town.family())
    outcome = town.tap(1, card, request=Request("klinik", 2, 1))
    assert isinstance(outcome, Redeemed), outcome
    (entry,) = town.entries(1)
    assert isinstance(entry.content, Redemption)
    assert (entry.content.presented, card.mac_file.counter) == (Presented.CHIP, 1)


def test_part_by_part_the_card_remembers_each(town: Town) -> None:
    card = town.card(town.family())
    for programme in ("pangan", "pasar-murah"):
        assert isinstance(town.tap(1, card, request=Request(programme)), Redeemed)
    assert card.mac_file.counter == 3
    refused = town.tap(2, card, request=Request("pasar-murah"))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ALREADY_REDEEMED


def test_usage_of_what_the_card_showed_counts_once(town: Town) -> None:
    family = town.family()
    card = town.card(family)
    town.tap(1, card)
    town.tap(2, card)
    element = town.entries(1)[0].element()
    assert element is not None
    town.world.add_usage(element)
    town.world.publish()
    town.world.bring(town.folders[2])
    town.counters[2].take_in_box()
    known = town.counters[2]._desk.journal.known()
    assert known.taken(element.right).total == 1
    assert town.journal_holds(2) == ()


def test_closed_day_asks_for_its_pin_and_touches_nothing(town: Town) -> None:
    town.world.room(town.folders[1]).wipe()
    refused = town.tap(1, town.card(town.family()))
    assert refused == Refused(Reason.CHIP_CLOSED)


def test_chip_whose_key_is_not_held_is_taken_by_the_rules_of_paper(town: Town) -> None:
    town.folders[2].redeem_keys.unlink()
    card = town.card(town.family())
    outcome = town.tap(2, card)
    assert isinstance(outcome, Redeemed), outcome
    (entry,) = town.entries(2)
    assert isinstance(entry.content, Redemption)
    assert (entry.content.presented, entry.content.basis) == (
        Presented.CHIP_UNPROVEN,
        Basis.AWAY,
    )
    assert card.mac_file.counter == 1


def test_redeem_of_a_presentation_that_was_refused_is_recorded_without_a_name(town: Town) -> None:
    card = town.card(town.family(), masters=dict.fromkeys(HOME, bytes(16)))
    refused = town.tap(1, card)
    assert refused == Refused(Reason.BAD_SIGNATURE)
    (entry,) = town.entries(1)
    assert entry.content == Refusal("bad_signature", None, 0, 0, 1, Presented.CHIP_UNPROVEN)


def test_presentation_of_a_tap_says_whether_it_was_proved(town: Town) -> None:
    tap = town.counters[1].tap(town.link(town.card(town.family())))
    assert Presentation.of_tap(tap).presented is Presented.CHIP
