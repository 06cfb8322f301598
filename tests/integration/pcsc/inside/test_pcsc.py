"""What a counter sees through the real pcscd, libpcsclite and pyscard."""

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from card_codec.chip.errors import ChipError, ChipLinkError
from card_codec.chip.foreign import ForeignCard, ForeignKind
from card_codec.chip.khb1 import Khb1
from card_codec.chip.profile import identify
from card_codec.readers import desk, pcsc
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from tests.chip_world import HOME, MARK, READER_ID, TAKEN, UID, Station, opened
from tests.integration.pcsc.inside.conftest import SLOTS, Service
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault
from virtual_card.vpcd import PORT, OnReader

FIRST, SECOND = SLOTS
OTHER_UID = bytes.fromhex("04ffffffffffff")
COMMIT = 14  # the last of the commands of a redemption


def _until(holds: Callable[[], bool], timeout_s: float = 5) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.01)


@contextmanager
def laid(
    card: DesfireCard, *, slot: int = 0, faults: Mapping[int, Fault] | None = None
) -> Iterator[OnReader]:
    """A card on a slot; afterwards the slot is seen to be empty, as a hand is slower than pcscd."""
    with OnReader(card, port=PORT + slot, faults=faults) as on:
        yield on
    _until(lambda: _states()[slot] is ReaderState.NO_CARD)


def _states() -> list[ReaderState]:
    return [one.state for one in pcsc.list_readers()]


def test_reader_has_its_name_of_production() -> None:
    assert [one.name for one in pcsc.list_readers()] == list(SLOTS)
    assert _states() == [ReaderState.NO_CARD] * 2


def test_redemption_is_made_and_remembered() -> None:
    card = Station().card()
    with laid(card) as on:
        with pcsc.open_card(FIRST) as link:
            assert opened(link).commit_record(TAKEN, READER_ID).counter == 2
        assert on.apdus == COMMIT + 1
        with pcsc.open_card(FIRST) as link:
            assert opened(link).state.records == (MARK, TAKEN)


def test_card_and_its_atr_are_seen() -> None:
    with laid(Station().card()) as on:
        _until(lambda: _states()[0] is ReaderState.CARD)
        assert pcsc.list_readers()[0].atr == on.card.atr
        with desk.open_card() as link:
            assert (link.reader, link.atr) == (FIRST, on.card.atr)


def test_reader_is_found_by_a_part_of_its_name() -> None:
    with laid(Station().card()), desk.open_card("picc] 00 00") as link:
        assert link.reader == FIRST
    with pytest.raises(ReaderError) as caught:
        desk.open_card("ACR1252")
    assert caught.value.state is ReaderState.UNKNOWN_READER


def test_watch_sees_a_card_come_and_go() -> None:
    watch = pcsc.Watch()
    assert [one.state for one in watch.wait(0)] == [ReaderState.NO_CARD] * 2
    with OnReader(Station().card()):
        assert watch.wait(5)[0].state is ReaderState.CARD
    assert watch.wait(5)[0].state is ReaderState.NO_CARD
    before = time.monotonic()
    assert watch.wait(0.3)[0].state is ReaderState.NO_CARD
    assert time.monotonic() - before >= 0.3


def test_card_is_opened_the_moment_it_is_laid_down() -> None:
    """Every time at once: the first tries may meet no card, or one without power."""
    card = Station().card()
    for taken in range(5):
        with laid(card), pcsc.open_card(FIRST) as link:
            chip = opened(link)
            assert chip.commit_record(TAKEN, READER_ID).counter == taken + 2


def test_empty_reader_is_waited_for_and_then_has_a_state() -> None:
    before = time.monotonic()
    with pytest.raises(ReaderError) as caught:
        pcsc.open_card(FIRST, patience_s=0.3)
    assert caught.value.state is ReaderState.NO_CARD
    assert time.monotonic() - before >= 0.3


def test_reader_that_is_not_there_has_a_state() -> None:
    with pytest.raises(ReaderError) as caught:
        pcsc.open_card("OMNIKEY 5022 00 00")
    assert caught.value.state is ReaderState.READER_LOST


@pytest.mark.parametrize("fault", [Fault.TORN_BEFORE, Fault.TORN_AFTER])
@pytest.mark.parametrize("step", [5, COMMIT - 1, COMMIT])
def test_card_pulled_at_a_command_commits_once_or_not_at_all(step: int, fault: Fault) -> None:
    card = Station().card()
    with laid(card, faults={step: fault}), pcsc.open_card(FIRST) as link:
        with pytest.raises(ChipLinkError):
            opened(link).commit_record(TAKEN, READER_ID)
        with pytest.raises(ChipLinkError):
            link.transmit(b"\x90\x60\x00\x00\x00")
    committed = step == COMMIT and fault is Fault.TORN_AFTER
    with laid(card), pcsc.open_card(FIRST) as link:
        state = opened(link).state
    assert (state.counter, TAKEN in state.records) == (1 + committed, committed)


def test_card_pulled_early_has_a_state() -> None:
    with laid(Station().card(), faults={6: Fault.TORN_BEFORE}):
        with pcsc.open_card(FIRST) as link, pytest.raises(ChipLinkError):
            opened(link)
        _until(lambda: desk.state_after_loss(link) is ReaderState.CARD_REMOVED)


def test_two_cards_at_once_have_a_state() -> None:
    with laid(Station().card()), laid(Station().card(OTHER_UID), slot=1):
        _until(lambda: _states() == [ReaderState.CARD] * 2)
        with pytest.raises(ReaderError) as caught:
            desk.open_card()
        assert caught.value.state is ReaderState.TWO_CARDS
        for name, uid in ((FIRST, UID), (SECOND, OTHER_UID)):
            with desk.open_card(name) as link:
                assert opened(link).uid == uid


def test_two_readers_serve_two_cards_at_the_same_time() -> None:
    first, second = Station().card(), Station().card(OTHER_UID)
    with (
        laid(first),
        laid(second, slot=1),
        pcsc.open_card(FIRST) as one,
        pcsc.open_card(SECOND) as other,
    ):
        chips = [opened(one), opened(other)]
        for chip in chips:
            chip.commit_record(TAKEN, READER_ID)
    assert (first.mac_file.counter, second.mac_file.counter) == (2, 2)


def test_card_held_open_is_in_use_for_others() -> None:
    with laid(Station().card()), pcsc.open_card(FIRST) as link:
        with pytest.raises(ReaderError) as caught:
            pcsc.open_card(FIRST)
        assert caught.value.state is ReaderState.IN_USE
        assert _states()[0] is ReaderState.IN_USE
        assert opened(link).state.counter == 1


def test_other_card_in_its_place_is_never_spoken_to_on_the_old_handle() -> None:
    """Taken away and another laid down between two polls of pcscd."""
    first, second = Station().card(), Station().card(OTHER_UID)
    on = OnReader(first)
    on.put()
    with pcsc.open_card(FIRST) as link:
        chip = opened(link)
        on.take()
        with laid(second):
            with pytest.raises(ChipError):
                chip.commit_record(TAKEN, READER_ID)
            link.close()
            _until(lambda: _uid_on_first() == OTHER_UID)
    assert (first.mac_file.counter, second.mac_file.counter) == (1, 1)


def _uid_on_first() -> bytes | None:
    """None while pcscd has not yet seen that it is another card."""
    try:
        with pcsc.open_card(FIRST) as link:
            return opened(link).uid
    except (ChipLinkError, ReaderError):
        return None


def test_old_handle_that_is_dropped_late_does_not_disturb_the_new_one() -> None:
    """What pyscard's own connection objects do when the garbage collector takes them."""
    card = Station().card()
    kept: list[pytest.ExceptionInfo[ChipLinkError]] = []
    for _ in range(2):
        with laid(card, faults={9: Fault.TORN_BEFORE}), pcsc.open_card(FIRST) as link:
            with pytest.raises(ChipLinkError) as caught:
                opened(link)
            kept.append(caught)  # its traceback keeps the old handle alive
        with laid(card), pcsc.open_card(FIRST) as link:
            chip = opened(link)
            kept.clear()
            gc.collect()
            chip.commit_record(TAKEN, READER_ID)
    assert card.mac_file.counter == 3


def test_service_that_stops_and_starts_again_is_lost_and_found(service: Service) -> None:
    watch = pcsc.Watch()
    assert len(watch.wait(0)) == 2
    service.stop()
    try:
        with pytest.raises(ReaderError) as caught:
            watch.wait(0)
        assert caught.value.state is ReaderState.NO_SERVICE
        with pytest.raises(ReaderError):
            desk.open_card()
    finally:
        service.start()
    _until(lambda: [one.name for one in watch.wait(0)] == list(SLOTS))
    with laid(Station().card()), pcsc.open_card(FIRST) as link:
        assert opened(link).state.counter == 1


def test_service_that_dies_under_an_open_card_is_a_link_error(service: Service) -> None:
    card = Station().card()
    on = OnReader(card)
    on.put()
    link = pcsc.open_card(FIRST)
    chip = opened(link)
    service.stop()
    try:
        with pytest.raises(ChipLinkError):
            chip.commit_record(TAKEN, READER_ID)
        assert pcsc.state_after_loss(FIRST) is ReaderState.NO_SERVICE
        link.close()
    finally:
        on.take()
        service.start()
    assert card.mac_file.counter == 1


def test_blank_card_is_named_through_pcsc() -> None:
    with laid(blank(UID)), pcsc.open_card(FIRST) as link:
        found = identify(link, [Khb1()], atr=link.atr)
    assert isinstance(found, ForeignCard)
    assert found.kind is ForeignKind.OTHER_DESFIRE


def test_uid_is_answered() -> None:
    with laid(Station().card()), pcsc.open_card(FIRST) as link:
        assert link.transmit(bytes.fromhex("ffca000000")) == (UID, 0x9000)


def test_no_command_waits_for_a_delayed_acknowledgement() -> None:
    """Without TCP_QUICKACK in the double each of the 15 takes 40 ms or more."""
    card = Station().card()
    times = []
    with laid(card), pcsc.open_card(FIRST) as link:
        for _ in range(5):
            start = time.monotonic()
            opened(link).commit_record(TAKEN, READER_ID)
            times.append(time.monotonic() - start)
    assert statistics.median(times) < 0.2


def test_commands_list_and_read_what_lies_there(tmp_path: Path) -> None:
    rows = [
        {"kecamatan": kecamatan, "generation": generation, "key": key.hex()}
        for (kecamatan, generation), key in HOME.items()
    ]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    with laid(Station().card(opening=[MARK, TAKEN])):
        _until(lambda: _states()[0] is ReaderState.CARD)
        listed = json.loads(_betang_card("readers", "--json"))
        told = json.loads(_betang_card("read", "--reader", FIRST, "--keys", str(path), "--json"))
        bare = json.loads(_betang_card("read", "--json"))
    assert [(one["name"], one["state"]) for one in listed] == [
        (FIRST, "card"),
        (SECOND, "no_card"),
    ]
    assert (told["uid"], told["counter"], len(told["records"])) == (UID.hex(), 2, 2)
    assert (bare["uid"], bare["counter"]) == (UID.hex(), None)


def _betang_card(*arguments: str) -> str:
    run = "import sys; from card_codec.cli import main; sys.exit(main())"
    told = subprocess.run(
        [sys.executable, "-c", run, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return told.stdout
