"""Exposure in rupiah: a bound that no sequence of gifts breaks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger.policy import DAY, AwayCap, FreshnessStep
from terminal.cli import main
from terminal.counter import Redeemed
from terminal.errors import WrongRequestError
from terminal.exposure import OfEvent, OfProgramme
from terminal.exposure_table import exposure_table
from tests.point import Point, make_point
from tests.world import KEC_2, World

PARCEL, MARKET = 150_000, 140_000
HOME = 6 * PARCEL + 6 * MARKET + 6 * 25_000 + 250_000
"""Left to the six families at home: dahlia took its parcel elsewhere, cempaka is owed nothing."""


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path)
    yield made
    made.counter.close()


def newly(point: Point) -> None:
    point.world.publish()
    point.bring()
    assert point.take().problem is None


def test_every_figure_follows_from_what_is_owed(point: Point) -> None:
    found = point.counter.exposure(event=2)
    assert (found.given, found.away_households) == (0, 5)
    assert found.twice == PARCEL + MARKET  # melati alone is of elsewhere
    assert found.home == HOME
    assert found.thief == HOME + PARCEL + MARKET
    assert found.programmes[:2] == (
        OfProgramme("pangan", 6 * PARCEL, PARCEL),
        OfProgramme("pasar-murah", 6 * MARKET, MARKET),
    )
    # Counter 2 may serve five of the six: the parcels of five, two of them mawar's.
    other = 6 * PARCEL + 5 * MARKET + 6 * 25_000 + 250_000
    assert found.event == OfEvent((1, 2), 10, found.twice + other, found.thief)


def test_what_is_given_at_home_is_no_longer_exposed(point: Point) -> None:
    assert isinstance(point.show("mawar"), Redeemed)
    assert point.counter.exposure().home == HOME - 2 * PARCEL


def test_what_is_given_away_moves_from_what_could_be_to_what_was(point: Point) -> None:
    before = point.counter.exposure()
    assert isinstance(point.show("melati"), Redeemed)
    after = point.counter.exposure()
    assert (after.given, after.twice) == (PARCEL, before.twice - PARCEL)
    assert after.away_households == 4


def test_no_sequence_of_gifts_gives_more_than_was_said(tmp_path: Path) -> None:
    """Counter 1 with a quota of three meets twenty families of elsewhere, richest last."""
    point = make_point(tmp_path, away=3)
    for n in range(20):
        name = f"jauh {n}"
        point.ids[name] = point.world.household(name, kecamatan=KEC_2, class_number=1 + n % 2)
        point.cards[name] = point.world.card(point.ids[name])
    newly(point)
    said = point.counter.exposure()
    assert said.twice == 3 * (2 * PARCEL + MARKET)
    for name in [n for n in reversed(point.cards) if n.startswith("jauh")]:
        for programme in ("pangan", "pasar-murah"):
            point.show(name, programme)
    after = point.counter.exposure()
    assert (after.away_households, after.twice) == (0, 0)
    assert 0 < after.given <= said.twice
    point.counter.close()


def test_caps_of_a_programme_lower_it(point: Point) -> None:
    world = point.world
    cap = AwayCap(households=1, quantity=1)
    world.programmes = tuple(msgspec.structs.replace(p, away=cap) for p in world.programmes)
    for name in ("jauh 1", "jauh 2"):
        world.household(name, kecamatan=KEC_2, class_number=2)
    newly(point)
    assert point.counter.exposure().twice == PARCEL + MARKET


def test_age_of_the_ledger_lowers_what_is_given_and_not_what_a_thief_gives(point: Point) -> None:
    world = point.world
    world.freshness = (FreshnessStep(7, 100), FreshnessStep(14, 0))
    newly(point)
    young = point.counter.exposure()
    world.clock.pass_time(10 * DAY)
    old = point.counter.exposure()
    assert (old.away_households, old.twice) == (0, 0)
    assert (old.home, old.thief) == (young.home, young.thief)


def test_closed_windows_are_not_exposed(point: Point) -> None:
    point.world.clock.pass_time(61 * DAY)
    found = point.counter.exposure(event=2)
    assert (found.twice, found.home, found.thief) == (0, 0, 0)
    assert found.event is not None
    assert found.event.twice == 0


def test_counterfeit_chips_take_what_chips_carry(point: Point) -> None:
    world = point.world
    world.programmes = tuple(
        msgspec.structs.replace(p, on_card=p.id == "pangan") for p in world.programmes
    )
    newly(point)
    assert point.counter.exposure().chips == PARCEL  # kenanga alone has a chip


@pytest.mark.parametrize("event", [0, 3, -1])
def test_event_of_more_terminals_than_there_are_is_refused(point: Point, event: int) -> None:
    with pytest.raises(WrongRequestError, match="plan an event of 1 to 2"):
        point.counter.exposure(event=event)


def test_one_terminal_alone_gives_nothing_twice_at_an_event(point: Point) -> None:
    event = point.counter.exposure(event=1).event
    assert event is not None
    assert event.twice == 0


def test_counter_without_a_ledger_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    counter = world.counter(world.terminal("Satu"))
    with pytest.raises(WrongRequestError, match="no ledger that lists this terminal"):
        counter.exposure()
    counter.close()


def test_nothing_is_recorded_by_asking(point: Point) -> None:
    before = point.held()
    point.counter.exposure(event=2)
    assert point.held() == before


def test_table_says_rupiah_as_people_write_them(point: Point) -> None:
    told = "\n".join(exposure_table(point.counter.exposure(event=2)))
    assert "Rp2.430.000" in told
    assert "event of 2 (T001, T002)" in told


def test_command_reports_it(
    point: Point, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["betang-terminal", "exposure", "--config", str(point.folder.root), "--event", "2"]
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert report["event"]["terminals"] == [1, 2]
    assert {"given", "twice", "home", "thief", "chips", "programmes"} <= report.keys()
