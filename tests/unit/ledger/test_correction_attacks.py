"""What a kecamatan's corrections cannot do: each attack by its name (docs/spec/attacks.md).

After each, what lies on the disk is looked at, and what a family would be given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Targets

from card_codec.keys import PrivateKey
from card_codec.reason import Reason
from ledger.changes_file import ChangesFile, Correction, write_changes
from ledger.element import Element, RedemptionId
from tests.point import Point, make_point, taken_elsewhere
from tests.unit.ledger.forging import honest, online_roles, publish, sign
from tests.unit.ledger.test_corrections import (
    DAHLIA,
    MINE,
    ROLE,
    correct,
    holds_together,
    left,
    on_disk,
    reason,
    taken_back,
)
from tests.world import KEC_1, KEC_2


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    yield made
    made.counter.close()


def forge(point: Point, keys: list[PrivateKey], *rows: Correction, number: int = 1) -> None:
    """A file that says whatever one likes, signed with keys of one's choice, and published."""
    world = point.world
    world.change(number=number)
    file: ChangesFile = msgspec.structs.replace(world.changes.pop(KEC_1), corrected=rows)
    targets = Targets()
    path = f"changes/{KEC_1}/{file.number}.cbor.zst"
    world.repository.add_target(targets, path, write_changes(file))
    sign(point, ROLE, targets, *keys)
    publish(point)


def refused(point: Point) -> str:
    """What was brought is refused, and nothing on the disk has changed. The sentence."""
    before, answers = point.held(), point.answers()
    point.bring()
    installed = point.take()
    assert (point.held(), point.answers()) == (before, answers)
    assert installed.problem is not None
    assert "\n" not in installed.problem
    return installed.problem


@pytest.mark.parametrize("first", ["correction", "usage"])
def test_element_of_another_household_under_that_number_stays(point: Point, first: str) -> None:
    """Nobody raises what another family has left by naming its redemption as one of their own."""
    theirs = replace(taken_elsewhere(point.ids["melati"], seq=44), leaf=b"theirs..")
    mine = replace(taken_elsewhere(point.ids["anggrek"], seq=44), leaf=b"mine....")
    for step in ("correction", "usage") if first == "correction" else ("usage", "correction"):
        if step == "usage":
            point.world.add_usage(theirs, mine)
        else:
            correct(point, (theirs.id, "anggrek"))
        honest(point)
    assert total(point, mine) == 0
    assert total(point, theirs) == 1
    assert left(point, "anggrek") == 1
    holds_together(point.folder)


def total(point: Point, element: Element) -> int:
    return point.counter._desk.journal.known().taken(element.right).total


def test_corrections_past_their_bound_are_refused_whole(point: Point) -> None:
    """Five of seven may be taken back until the next decree; the sixth takes all with it."""
    many = [(RedemptionId(2, 1, seq), "mawar") for seq in range(20, 25)]
    correct(point, *many[:4], (DAHLIA, "dahlia"))
    honest(point)
    assert left(point, "dahlia") == 1
    world = point.world
    rows = {(id, point.ids[name]): 2 for id, name in many}
    world.change(number=2, corrected=rows | {(DAHLIA, point.ids["dahlia"]): 1})
    world.publish()
    assert "take back redemptions of 6 of 7 households; the policy allows 5" in refused(point)


def test_bound_of_corrections_begins_anew_with_the_decree(point: Point) -> None:
    world = point.world
    correct(point, *[(RedemptionId(2, 1, seq), "mawar") for seq in range(20, 25)])
    honest(point)
    world.folded[KEC_1] = 1
    honest(point)
    before = {(RedemptionId(2, 1, seq), point.ids["mawar"]): 1 for seq in range(20, 25)}
    world.change(number=2, corrected=before | {(DAHLIA, point.ids["dahlia"]): 2})
    honest(point)
    assert left(point, "dahlia") == 1


def test_correction_of_a_household_of_another_kecamatan_is_refused(point: Point) -> None:
    stranger = taken_back(MINE, point.ids["melati"])
    forge(point, point.world.kecamatan_keys[KEC_1], stranger)
    assert "which the decree does not list there" in refused(point)


def test_correction_dated_back_past_the_bound_is_refused(point: Point) -> None:
    """Rows of before the decree count against no bound; these it has never heard of."""
    world = point.world
    world.change(number=3)
    honest(point)
    world.folded[KEC_1] = 3
    honest(point)
    keys, dahlia = world.kecamatan_keys[KEC_1], point.ids["dahlia"]
    for number in (3, 4):
        forge(point, keys, taken_back(DAHLIA, dahlia, 2), number=number)
        assert "T002-0017 was taken back in changes 2, which said nothing of it" in refused(point)


def test_new_keys_of_a_kecamatan_begin_its_corrections_anew(point: Point) -> None:
    """What a thief had signed is not asked of those who follow."""
    world = point.world
    world.change(number=9)
    honest(point)
    world.kecamatan_keys = {**world.kecamatan_keys, KEC_1: [PrivateKey.generate() for _ in "12"]}
    world.change(number=1, corrected={(DAHLIA, point.ids["dahlia"]): 1})
    honest(point)
    assert left(point, "dahlia") == 1


def test_correction_signed_by_the_online_key_is_not_heard(point: Point) -> None:
    world = point.world
    correct(point, (DAHLIA, "dahlia"))
    data = write_changes(world.changes.pop(KEC_1))
    for said in ("status", "usage"):
        online_roles(point, **{said: {f"changes/{KEC_1}/1.cbor.zst": data}})
        point.bring()
        point.take()
        assert on_disk(point) == set()
        assert reason(point, "dahlia") is Reason.ALREADY_REDEEMED
    forge(point, [world.online, world.online], taken_back(DAHLIA, point.ids["dahlia"]))
    point.bring()
    problem = point.take().problem
    assert problem is not None
    assert f"{ROLE} was signed by 0/2 keys" in problem
    assert on_disk(point) == set()


def test_one_signature_of_two_under_a_correction_is_refused(point: Point) -> None:
    keys = point.world.kecamatan_keys[KEC_1][:1]
    forge(point, keys, taken_back(DAHLIA, point.ids["dahlia"]))
    assert f"{ROLE} was signed by 1/2 keys" in refused(point)


def test_kecamatan_takes_nothing_back_for_the_families_of_its_neighbour(point: Point) -> None:
    """The neighbour's two sign for a household that their base does not list."""
    world = point.world
    world.change(KEC_2)
    file = world.changes.pop(KEC_2)
    row = taken_back(DAHLIA, point.ids["dahlia"])
    file = msgspec.structs.replace(file, corrected=(row,))
    targets = Targets()
    world.repository.add_target(targets, f"changes/{KEC_2}/1.cbor.zst", write_changes(file))
    sign(point, f"changes-{KEC_2}", targets, *world.kecamatan_keys[KEC_2])
    publish(point)
    assert "which the decree does not list there" in refused(point)
    assert reason(point, "dahlia") is Reason.ALREADY_REDEEMED
