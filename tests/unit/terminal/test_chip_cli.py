"""``redeem --reader`` and ``void --reader``: their JSON, exit codes and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.readers.status import ReaderState
from terminal import chip_reader, cli, opening
from terminal import counter as counter_module
from tests.chip_reader import PlayedReaders
from tests.chip_town import Town, make_town
from tests.commands import Command, Told
from virtual_card.link import Fault


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> PlayedReaders:
    played = PlayedReaders()
    for name in ("open_card", "state_after_loss"):
        monkeypatch.setattr(chip_reader.DeskReaders, name, _without_self(getattr(played, name)))
    return played


def _without_self(method: object) -> object:
    return lambda _self, *words: method(*words)  # type: ignore[operator]


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    town = make_town(tmp_path)
    monkeypatch.setattr(counter_module, "SystemClock", lambda: town.world.clock)
    rooms = {folder.root: town.world.room(folder) for folder in town.folders.values()}
    monkeypatch.setattr(opening, "find_room", rooms.get)
    yield town
    town.close()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(cli.main, monkeypatch, capsys)


def redeem(run: Command, town: Town, at: int = 1, *more: object) -> Told:
    words = ("--reader", "Pembaca", "--programme", "pangan", "--json", *more)
    return run("redeem", "--config", town.folders[at].root, *words)


def test_chip_is_reported_as_a_picture_is(run: Command, town: Town, readers: PlayedReaders) -> None:
    card = town.card(town.family())
    readers.lay(card)
    told = redeem(run, town)
    assert (told.code, told.err) == (0, "")
    text = told.report["receipt"]["text"]
    assert told.report == {
        "outcome": "approved", "reason": None, "detail": None,
        "receipt": {"text": text, "number": "T001-0001"}, "left": 0, "unit": "paket",
    }  # fmt: skip
    again = redeem(run, town, 2)
    assert (again.code, again.report["reason"]) == (1, "already_redeemed")
    assert again.report["detail"]["redemption"] == "T001-0001"
    assert card.mac_file.counter == 2


def test_card_pulled_as_it_commits_is_named_with_its_number(
    run: Command, town: Town, readers: PlayedReaders
) -> None:
    card = town.card(town.family())
    readers.lay(card, {14: Fault.TORN_AFTER})
    told = redeem(run, town)
    assert (told.code, told.report["reason"]) == (1, "card_unfinished")
    assert told.report["detail"]["redemption"] == "T001-0001"
    readers.lay(card)
    assert redeem(run, town).report["outcome"] == "approved"


@pytest.mark.parametrize(
    "state", [ReaderState.NO_READER, ReaderState.NO_CARD, ReaderState.TWO_CARDS, ReaderState.MUTE]
)
def test_reader_without_a_card_is_one_sentence_and_exit_1(
    run: Command, town: Town, readers: PlayedReaders, state: ReaderState
) -> None:
    readers.state = state
    told = redeem(run, town)
    assert (told.code, told.report["reason"], told.err.count("\n")) == (1, "unreadable", 1)
    assert town.entries(1) == []


def test_card_pulled_early_says_to_lay_it_again(
    run: Command, town: Town, readers: PlayedReaders
) -> None:
    readers.lay(town.card(town.family()), {5: Fault.TORN_BEFORE})
    told = redeem(run, town)
    assert (told.code, "taken away too early" in told.err) == (1, True)


def test_void_with_the_card_says_that_the_card_wrote_it(
    run: Command, town: Town, readers: PlayedReaders
) -> None:
    readers.lay(town.card(town.family()))
    redeem(run, town)
    words = ("--receipt", "T001-0001", "--reason", "salah", "--second", "WK", "--json")
    told = run("void", "--config", town.folders[1].root, "--reader", "Pembaca", *words)
    assert told.report["on_card"] is True
    readers.lay(town.card(town.family()))
    other = run("void", "--config", town.folders[1].root, "--reader", "Pembaca", *words)
    assert (other.code, "another card" in other.err) == (2, True)


def test_exception_by_command_needs_somebody_else(
    run: Command, town: Town, readers: PlayedReaders
) -> None:
    readers.lay(town.card(town.family()))
    told = redeem(run, town, 1, "--exception", "uji")
    assert (told.code, "second person" in told.err) == (2, True)
    assert town.entries(1) == []
