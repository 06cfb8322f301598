"""A counter with its reader: the main path of a chip through the real pcscd and pyscard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from card_codec.readers import pcsc
from card_codec.readers.status import ReaderState
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.entry import Commit, Pending
from terminal.chip_reader import redeem_on_reader, void_on_reader
from terminal.counter import Redeemed
from terminal.errors import CardFaultError
from terminal.web.chips import ChipDesk
from tests.chip_town import PANGAN, Town, make_town
from tests.integration.pcsc.inside.conftest import SLOTS, Service
from tests.integration.pcsc.inside.test_pcsc import COMMIT, laid
from virtual_card.link import Fault

READER = SLOTS[0]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = make_town(tmp_path)
    yield town
    town.close()


def test_chip_redeems_once_and_a_second_counter_refuses_it(town: Town) -> None:
    card = town.card(town.family())
    with laid(card):
        outcome = redeem_on_reader(town.counters[1], READER, PANGAN)
        assert isinstance(outcome, Redeemed), outcome
        elsewhere = redeem_on_reader(town.counters[2], READER, PANGAN)
    assert isinstance(elsewhere, Refused)
    assert elsewhere.reason is Reason.ALREADY_REDEEMED
    assert [type(e.content) for e in town.entries(1)] == [Pending, Commit]


def test_card_pulled_as_it_commits_is_settled_when_it_is_back(town: Town) -> None:
    card = town.card(town.family())
    with laid(card, faults={COMMIT: Fault.TORN_AFTER}):
        torn = redeem_on_reader(town.counters[1], READER, PANGAN)
    assert isinstance(torn, Refused)
    assert torn.reason is Reason.CARD_UNFINISHED
    with laid(card):
        due = redeem_on_reader(town.counters[1], READER, PANGAN)
    assert isinstance(due, Redeemed)
    assert due.recovered
    assert card.mac_file.counter == 2


def test_void_is_written_on_the_card_that_took_it(town: Town) -> None:
    card = town.card(town.family())
    with laid(card):
        given = redeem_on_reader(town.counters[1], READER, PANGAN)
        assert isinstance(given, Redeemed)
        seq = given.evidence[0].body.seq
        voided = void_on_reader(town.counters[1], READER, seq, reason="salah", second="WK")
        assert voided.on_card
    assert card.mac_file.counter == 3
    assert town.journal_holds(1) == ()


def test_no_card_and_no_such_reader_are_states(town: Town) -> None:
    for reader, state in ((READER, ReaderState.NO_CARD), ("ACR", ReaderState.UNKNOWN_READER)):
        with pytest.raises(CardFaultError) as caught:
            redeem_on_reader(town.counters[1], reader, PANGAN)
        assert caught.value.state is state
    assert town.entries(1) == []


def test_reader_is_followed_through_cards_and_a_service_that_dies(
    town: Town, service: Service
) -> None:
    desk = ChipDesk(town.counters[1], READER)
    card = town.card(town.family())
    with desk.watching():
        _until(desk, ReaderState.NO_CARD)
        with laid(card):
            _until(desk, ReaderState.CARD)
            with desk.tap() as tap:
                assert tap.uid == card.uid
            assert desk.view().taps == 1
        _until(desk, ReaderState.NO_CARD)
        service.stop()
        _until(desk, ReaderState.NO_SERVICE)
        service.start()
        _until(desk, ReaderState.NO_CARD)
        with laid(card), desk.tap() as tap:
            assert tap.chip is not None
    assert [one.name for one in pcsc.list_readers()] == list(SLOTS)


def _until(desk: ChipDesk, state: ReaderState, timeout_s: float = 10) -> None:
    end, holds = time.monotonic() + timeout_s, _in(desk, state)
    while not holds():
        assert time.monotonic() < end, desk.view()
        time.sleep(0.02)


def _in(desk: ChipDesk, state: ReaderState) -> Callable[[], bool]:
    return lambda: desk.view().state is state
