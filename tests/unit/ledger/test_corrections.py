"""A redemption that a kecamatan takes back after its close, at the terminals that hear of it.

What is looked at is what a family would be given, what lies on the disk, and that fsck holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.backup import NAME, back_up
from ledger.changes_file import Correction
from ledger.element import RedemptionId, Right
from ledger.folder import TerminalFolder, open_folder
from ledger.fsck import check_journal
from ledger.journal import open_journal
from ledger.restore import bring_back
from ledger.rights import Rights
from terminal.counter import Redeemed, open_counter
from terminal.decision import Approved
from terminal.errors import WrongRequestError
from tests.point import Point, make_point, tables, taken_elsewhere
from tests.unit.ledger.forging import honest
from tests.unit.ledger.journals import commit, fresh, given, tamper
from tests.world import KEC_1

ROLE = f"changes-{KEC_1}"
DAHLIA = RedemptionId(2, 1, 17)
"""What dahlia took at counter 2, as usage says."""
MINE = RedemptionId(1, 1, 1)


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    yield made
    made.counter.close()


def correct(point: Point, *rows: tuple[RedemptionId, str], number: int = 1) -> None:
    """The kecamatan's two sign that these are taken back, each of a family by its name."""
    corrected = {(id, point.ids[name]): number for id, name in rows}
    point.world.change(number=number, corrected=corrected)


def reason(point: Point, name: str) -> Reason | None:
    verdict = point.answers()[name, "pangan"]
    return verdict.reason if isinstance(verdict, Refused) else None


def left(point: Point, name: str) -> int:
    """What the counter would still give of the food parcel."""
    verdict = point.answers()[name, "pangan"]
    return (verdict.left_before or 0) if isinstance(verdict, Approved) else 0


def on_disk(point: Point) -> set[tuple[object, ...]]:
    return set(tables(point.folder.journal)["corrected"])


def holds_together(folder: TerminalFolder) -> None:
    key = folder.signer().public
    found = check_journal(folder.journal, terminal=folder.config.ordinal, epoch=1, key=key)
    assert found.ok, found.faults


def taken_back(id: RedemptionId, household: bytes, number: int = 1) -> Correction:
    return Correction(id.terminal, id.epoch, id.seq, household, number)


# --- what comes of it ---


def test_redemption_of_a_closed_day_is_taken_back_and_may_be_given_anew(point: Point) -> None:
    assert isinstance(point.show("mawar", quantity=2), Redeemed)
    point.counter.close_day()
    assert reason(point, "mawar") is Reason.ALREADY_REDEEMED
    others = {k: v for k, v in point.answers().items() if k != ("mawar", "pangan")}
    correct(point, (MINE, "mawar"))
    honest(point)
    assert left(point, "mawar") == 2
    after = {k: v for k, v in point.answers().items() if k != ("mawar", "pangan")}
    assert {k: type(v) for k, v in after.items()} == {k: type(v) for k, v in others.items()}
    assert reason(point, "dahlia") is Reason.ALREADY_REDEEMED
    assert isinstance(point.show("mawar", quantity=2), Redeemed)
    assert reason(point, "mawar") is Reason.ALREADY_REDEEMED
    holds_together(point.folder)


def test_every_terminal_that_has_the_ledger_counts_it_as_taken_back_and_no_other(
    point: Point,
) -> None:
    world, right = point.world, Right(point.ids["anggrek"], 0, 1, 1)
    third = replace(taken_elsewhere(point.ids["anggrek"]), id=RedemptionId(3, 1, 5))
    world.add_usage(third)
    honest(point)
    second = world.counter(point.other)
    world.bring(point.other)
    assert second.take_in_box().problem is None
    known = second._desk.journal.known()
    assert known.taken(right).total == 1
    assert reason(point, "anggrek") is Reason.ALREADY_REDEEMED
    correct(point, (third.id, "anggrek"))
    honest(point)
    assert (left(point, "anggrek"), known.taken(right).total) == (1, 1)
    world.bring(point.other)
    assert second.take_in_box().problem is None
    assert known.taken(right).total == 0
    second.close()
    holds_together(point.folder)


def test_element_that_is_heard_of_only_afterwards_counts_as_taken_back(
    point: Point, tmp_path: Path
) -> None:
    """Both orders of both roads lead to the same."""
    late, elements = RedemptionId(2, 1, 44), []
    correct(point, (DAHLIA, "dahlia"), (late, "anggrek"))
    honest(point)
    point.world.add_usage(taken_elsewhere(point.ids["anggrek"], seq=44))
    honest(point)
    assert (reason(point, "anggrek"), left(point, "anggrek")) == (None, 1)
    first = make_point(tmp_path / "first")
    first.world.add_usage(taken_elsewhere(first.ids["anggrek"], seq=44))
    honest(first)
    assert reason(first, "anggrek") is Reason.ALREADY_REDEEMED
    correct(first, (DAHLIA, "dahlia"), (late, "anggrek"))
    honest(first)
    for one in (point, first):
        elements.append(tables(one.folder.journal)["element"])
        assert (left(one, "anggrek"), left(one, "dahlia")) == (1, 1)
        holds_together(one.folder)
    assert elements[0] == elements[1]
    assert on_disk(point) == on_disk(first)
    first.counter.close()


def test_redemption_that_nobody_has_heard_of_may_be_taken_back(point: Point) -> None:
    answers = point.answers()
    correct(point, (RedemptionId(2, 1, 99), "mawar"))
    honest(point)
    assert point.answers().keys() == answers.keys()
    assert left(point, "mawar") == 2
    assert on_disk(point) == {(2, 1, 99, point.ids["mawar"])}


def test_own_redemption_that_was_taken_back_is_not_voided_or_handed_over(point: Point) -> None:
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    correct(point, (MINE, "mawar"))
    honest(point)
    with pytest.raises(WrongRequestError, match="T001-0001 was taken back already"):
        point.counter.void(1, reason="salah", second="dua")
    assert point.counter._desk.journal.last_redemption() is None
    point.counter.close()
    point.counter = open_counter(point.folder, clock=point.world.clock, serving=True)
    assert not point.counter.state().asks_handover


def test_number_of_another_households_own_redemption_takes_nothing_back(point: Point) -> None:
    assert isinstance(point.show("mawar", quantity=2), Redeemed)
    correct(point, (MINE, "anggrek"))
    honest(point)
    assert reason(point, "mawar") is Reason.ALREADY_REDEEMED
    assert point.counter._desk.journal.last_redemption() is not None
    assert point.counter.void(1, reason="salah", second="dua").number == "T001-0001"
    holds_together(point.folder)


def test_correction_twice_is_the_same_as_once(point: Point) -> None:
    correct(point, (DAHLIA, "dahlia"))
    honest(point)
    before = on_disk(point)
    point.world.change(number=2, corrected={(DAHLIA, point.ids["dahlia"]): 1})
    honest(point)
    assert (on_disk(point), left(point, "dahlia")) == (before, 1)


def test_day_that_was_closed_keeps_its_totals(point: Point) -> None:
    assert isinstance(point.show("mawar", quantity=2), Redeemed)
    closed = point.counter.close_day()
    correct(point, (MINE, "mawar"))
    honest(point)
    entries, _ = point.counter._desk.journal.signed_run(1)
    assert entries[-1].content == closed
    holds_together(point.folder)


# --- it stays ---


def test_file_that_no_longer_says_so_brings_nothing_back(point: Point) -> None:
    correct(point, (DAHLIA, "dahlia"))
    honest(point)
    point.world.change(number=2)
    honest(point)
    assert left(point, "dahlia") == 1


def test_correction_outlives_its_decree_at_a_terminal_that_was_away(point: Point) -> None:
    world = point.world
    correct(point, (DAHLIA, "dahlia"))
    world.folded[KEC_1] = 1
    world.household("baru")
    honest(point)
    assert left(point, "dahlia") == 1
    holds_together(point.folder)


def test_household_that_has_left_is_passed_over_and_stops_nothing(point: Point) -> None:
    world = point.world
    correct(point, (DAHLIA, "dahlia"))
    world.folded[KEC_1] = 1
    world.rows[KEC_1].pop(point.ids["dahlia"])
    honest(point)
    assert on_disk(point) == set()
    assert reason(point, "dahlia") is Reason.RIGHT_NOT_HERE


def test_ledger_that_was_lost_is_built_again_with_the_same_corrections(point: Point) -> None:
    correct(point, (DAHLIA, "dahlia"))
    honest(point)
    rights, before = Rights(point.folder.rights), on_disk(point)
    said = rights.corrected()
    rights.close()
    assert said == {taken_back(DAHLIA, point.ids["dahlia"])}
    point.counter.close()
    point.folder.rights.unlink()
    point.counter = point.world.counter(point.folder)
    assert point.take().problem is None
    again = Rights(point.folder.rights)
    assert again.corrected() == said
    again.close()
    assert (on_disk(point), left(point, "dahlia")) == (before, 1)


def test_copy_of_the_journal_holds_them_and_its_new_epoch_too(point: Point, tmp_path: Path) -> None:
    assert isinstance(point.show("mawar", quantity=2), Redeemed)
    correct(point, (MINE, "mawar"), (DAHLIA, "dahlia"))
    honest(point)
    back_up(point.folder.journal, tmp_path / "copy")
    assert set(tables(tmp_path / "copy" / NAME)["corrected"]) == on_disk(point)
    point.counter.close()
    root = point.folder.root
    for file in root.glob("journal.db*"):
        file.unlink()
    config = root / "terminal.toml"
    config.write_text(config.read_text().replace("epoch = 1", "epoch = 2"))
    folder = open_folder(root)
    bring_back(folder, tmp_path / "copy", signer=folder.signer(), now=point.world.clock.read())
    journal = open_journal(folder.journal)
    assert journal.known().taken(Right(point.ids["mawar"], 0, 1, 1)).total == 0
    assert journal.known().taken(Right(point.ids["dahlia"], 0, 1, 1)).total == 0
    journal.close()


def test_fsck_holds_with_one_and_finds_another_rule_of_what_stands(tmp_path: Path) -> None:
    """The element stays, as all else that is derived: only the sum leaves it out."""
    journal = fresh(tmp_path)
    commit(journal, given())
    with journal.act() as act:
        act.known.correct([(RedemptionId(1, 1, 1), given().household)])
    journal.close()
    path = tmp_path / "journal.db"
    assert check_journal(path, terminal=1, epoch=1).ok
    tamper(path, "DROP VIEW standing")
    tamper(path, "CREATE VIEW standing AS SELECT * FROM element WHERE 0")
    assert "tables or their guards" in check_journal(path, terminal=1, epoch=1).faults[0]
