"""Watching never ends because of a road, and ends at once when told to."""

from threading import Event

import pytest
from tenacity import wait_none

from ledger.errors import JournalDamagedError
from sync_agent import watch
from sync_agent.agent import Report
from sync_agent.errors import BusyError, ForkError, NotOursError, RoadClosedError
from sync_agent.watch import watch_until
from tests.sync_world import SyncWorld, sync

REPORT = Report(1, 1, "T001-0001", 1, 0)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "wait_random_exponential", lambda **_bounds: wait_none())
    monkeypatch.setattr(watch, "PAUSE_SECONDS", 0)


def test_every_trouble_is_told_and_tried_again() -> None:
    stopped = Event()
    told: list[str] = []
    done: list[Report] = []
    troubles = [
        RoadClosedError("closed"),
        NotOursError("log-in page"),
        BusyError("busy"),
        ForkError("fork"),
        JournalDamagedError("damaged"),
    ]
    left = [*troubles, None, RoadClosedError("again"), None]

    def act() -> Report:
        error = left.pop(0)
        if error is not None:
            raise error
        return REPORT

    def report(one: Report) -> None:
        done.append(one)
        if len(done) == 2:
            stopped.set()

    watch_until(stopped, act, on_report=report, on_trouble=told.append)
    assert done == [REPORT, REPORT]
    assert told == ["closed", "log-in page", "busy", "fork", "damaged", "again"]


def test_disk_that_refuses_is_trouble_and_not_the_end(world: SyncWorld) -> None:
    world.one.out_box.write_text("as a disk that is mounted read-only: nothing can be made here")
    stopped, told = Event(), list[str]()

    def act() -> Report:
        return sync(world.one, "http://127.0.0.1:1")

    def hear(words: str) -> None:
        told.append(words)
        stopped.set()

    watch_until(stopped, act, on_report=lambda _: None, on_trouble=hear)
    (words,) = told
    assert words.startswith(f"cannot write {world.one.out_box}: ")


def test_told_to_stop_while_the_road_is_closed_it_stops() -> None:
    stopped, tries = Event(), []

    def act() -> Report:
        tries.append(1)
        if len(tries) == 3:
            stopped.set()
        raise RoadClosedError("closed")

    watch_until(stopped, act, on_report=lambda _: None, on_trouble=lambda _: None)
    assert len(tries) == 3


def test_defect_of_ours_is_not_taken_for_a_closed_road() -> None:
    def act() -> Report:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch_until(Event(), act, on_report=lambda _: None, on_trouble=lambda _: None)
