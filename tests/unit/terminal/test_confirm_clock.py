"""Two officers say that the clock is right: it counts for a day, and is recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.entry import ClockConfirmed
from ledger.fsck import check_journal
from ledger.policy import DAY
from terminal.cli import main
from terminal.errors import WrongRequestError
from tests.point import Point, make_point
from tests.world import NOW


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    """Two months without the office, then a restart of the machine."""
    made = make_point(tmp_path)
    made.world.clock.reboot(wall=NOW + 55 * DAY)
    yield made
    made.counter.close()


def at(point: Point) -> int:
    return point.counter.state().at


def test_clock_counts_45_days_past_the_office_until_two_officers_confirm_it(point: Point) -> None:
    assert at(point) == NOW + 45 * DAY
    assert point.counter.confirm_clock(second="WK") == NOW + 55 * DAY
    assert at(point) == NOW + 55 * DAY
    entry = point.counter._desk.journal.entry(1)
    assert entry is not None
    assert entry.content == ClockConfirmed(NOW + 55 * DAY, "WK")
    point.restart()
    assert at(point) == NOW + 55 * DAY
    key = point.folder.signer().public
    assert check_journal(point.folder.journal, terminal=1, epoch=1, key=key).ok


def test_it_counts_for_a_day_after_a_restart(point: Point) -> None:
    point.counter.confirm_clock(second="WK")
    point.world.clock.reboot(wall=NOW + 80 * DAY)
    assert at(point) == NOW + 56 * DAY


def test_it_runs_on_in_the_same_boot(point: Point) -> None:
    point.counter.confirm_clock(second="WK")
    point.world.clock.pass_time(4 * DAY)
    assert at(point) == NOW + 59 * DAY


def test_mistaken_confirmation_is_taken_back_by_the_next(point: Point) -> None:
    point.world.clock.reboot(wall=NOW + 400 * DAY)
    point.counter.confirm_clock(second="WK")
    point.show("kamboja")  # and something is dated by it
    assert at(point) == NOW + 400 * DAY
    point.world.clock.reboot(wall=NOW + 55 * DAY)
    point.counter.confirm_clock(second="WK")
    assert at(point) == NOW + 56 * DAY


def test_officer_alone_confirms_nothing(point: Point) -> None:
    for second in ("", "UJI", "uji"):
        with pytest.raises(WrongRequestError):
            point.counter.confirm_clock(second=second)
    assert at(point) == NOW + 45 * DAY


def test_clock_before_the_office_cannot_be_confirmed(point: Point) -> None:
    point.world.clock.reboot(wall=NOW - 1)
    with pytest.raises(WrongRequestError, match="before the last publication"):
        point.counter.confirm_clock(second="WK")
    assert point.counter.state().seq == 0


def test_command_says_what_was_confirmed(
    point: Point, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["betang-terminal", "clock", "--config", str(point.folder.root), "--second", "WK"]
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["second"] == "WK"
