"""Changes of a kecamatan at a terminal: taken within their bounds, refused whole otherwise."""

from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Targets

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.changes_file import Wanted, make_changes, write_changes
from ledger.policy import DAY
from ledger.rights import Rights
from ledger.rights_file import (
    FLAG_DECEASED,
    FLAG_MOVED,
    FLAG_REMOVED,
    HouseholdRow,
    make_base,
    state_root,
    write_base,
)
from terminal.decision import Approved
from tests.point import Point, make_point
from tests.unit.ledger.forging import (
    decree,
    honest,
    online_roles,
    publish,
    sign,
    told,
)
from tests.world import DESA_1, KEC_1, KEC_2

ROLE = f"changes-{KEC_1}"


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


def reason(point: Point, name: str) -> Reason | None:
    verdict = point.answers()[name, "pangan"]
    return verdict.reason if isinstance(verdict, Refused) else None


def take(point: Point) -> None:
    """What the world says now is published, brought and installed."""
    point.world.publish()
    point.bring()
    assert point.take().problem is None


def installed(point: Point) -> tuple[dict[str, int], set[tuple[bytes, int]]]:
    """Numbers of the changes on the disk, and the cards blocked there."""
    rights = Rights(point.folder.rights)
    try:
        return rights.changes(), set(rights.blocked_cards())
    finally:
        rights.close()


def forge(point: Point, role: str = ROLE, **rows: object) -> None:
    """The kecamatan's two sign a file of one's choice."""
    world = point.world
    world.change()
    file = msgspec.structs.replace(world.changes[KEC_1], **rows)
    targets = Targets()
    data = write_changes(file)
    world.repository.add_target(targets, f"changes/{KEC_1}/{file.number}.cbor.zst", data)
    sign(point, role, targets, *world.kecamatan_keys[KEC_1])
    publish(point)
    world.changes.pop(KEC_1)


# --- what a kecamatan can do ---


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        (FLAG_MOVED, Reason.HOUSEHOLD_MOVED),
        (FLAG_DECEASED, Reason.HOUSEHOLD_DECEASED),
        (FLAG_REMOVED, Reason.NOT_ENTITLED),
    ],
)
def test_removed_household_is_refused_and_the_others_served(
    point: Point, flag: int, expected: Reason
) -> None:
    before = point.answers()
    point.world.change(removed={point.ids["mawar"]: flag})
    take(point)
    assert reason(point, "mawar") is expected
    after = point.answers()
    assert {k: v for k, v in after.items() if k[0] not in {"mawar", "contoh"}} == {
        k: v for k, v in before.items() if k[0] not in {"mawar", "contoh"}
    }
    assert installed(point)[0] == {KEC_1: 1, KEC_2: 0}


def test_old_card_is_replaced_and_the_new_one_served(point: Point) -> None:
    id = point.ids["mawar"]
    point.world.change(replaced={id: 2})
    take(point)
    assert reason(point, "mawar") is Reason.REPLACED
    point.cards["mawar"] = point.world.card(id, issue=2)
    assert reason(point, "mawar") is None


def test_lowered_class_gives_less(point: Point) -> None:
    assert isinstance(before := point.answers()["mawar", "pangan"], Approved)
    point.world.change(lowered={point.ids["mawar"]: 1})
    take(point)
    assert isinstance(after := point.answers()["mawar", "pangan"], Approved)
    assert (before.left_before, after.left_before) == (2, 1)


def test_newer_file_takes_the_place_of_the_one_before(point: Point) -> None:
    """Cumulative: what the second no longer says is as the decree has it."""
    world, ids = point.world, point.ids
    world.change(removed={ids["mawar"]: FLAG_MOVED})
    take(point)
    world.change(removed={ids["anggrek"]: FLAG_MOVED})
    take(point)
    assert reason(point, "mawar") is None
    assert reason(point, "anggrek") is Reason.HOUSEHOLD_MOVED
    assert installed(point)[0][KEC_1] == 2


def test_terminal_that_missed_ten_files_needs_only_the_last(point: Point) -> None:
    for name in ("mawar", "anggrek", "dahlia") * 4:
        point.world.change(removed={point.ids[name]: FLAG_MOVED})
    take(point)
    named = point.world.repository.load(ROLE, Targets).targets
    assert [*named] == [f"changes/{KEC_1}/12.cbor.zst"]
    assert installed(point)[0][KEC_1] == 12


def test_signature_of_the_kecamatan_alone_makes_its_rights_younger(point: Point) -> None:
    world = point.world
    world.clock.pass_time(40 * DAY)
    sign(point, f"changes-{KEC_2}", Targets(), *world.kecamatan_keys[KEC_2])
    publish(point)
    point.bring()
    assert point.take().changed
    rights, now = Rights(point.folder.rights), world.clock.wall
    ages = [
        rights.age(h, now) for n in ("mawar", "melati") if (h := rights.household(point.ids[n]))
    ]
    rights.close()
    assert ages == [10 * DAY, 0]


# --- blocks taken off ---


def test_cleared_card_is_served_and_can_be_blocked_again(point: Point) -> None:
    world, card = point.world, (point.ids["kamboja"], 1)
    assert reason(point, "kamboja") is Reason.REVOKED
    world.blocked[KEC_1].remove(card)
    world.change(cleared={card: 1})
    take(point)
    assert reason(point, "kamboja") is None
    world.blocked[KEC_1].append(card)
    take(point)
    assert reason(point, "kamboja") is Reason.REVOKED
    world.blocked[KEC_1].remove(card)  # the key on the network clears nothing, with the old word
    take(point)
    assert reason(point, "kamboja") is Reason.REVOKED
    world.change(cleared={card: 2})
    take(point)
    assert reason(point, "kamboja") is None


def test_card_is_cleared_at_a_terminal_that_comes_back_after_the_next_decree(point: Point) -> None:
    world, card = point.world, (point.ids["kamboja"], 1)
    world.blocked[KEC_1].remove(card)
    world.change(cleared={card: 1})
    world.folded[KEC_1] = 1
    world.household("baru")
    take(point)
    assert reason(point, "kamboja") is None


def test_block_that_still_stands_at_the_province_is_not_taken_off(point: Point) -> None:
    point.world.change(cleared={(point.ids["kamboja"], 1): 1})
    take(point)
    assert reason(point, "kamboja") is Reason.REVOKED


# --- what it cannot ---


def test_delta_on_the_wrong_parent_is_refused(point: Point) -> None:
    forge(point, parent=bytes(32))
    assert told(point) == f"the changes of {KEC_1} were made on other rights than brought"
    honest(point)


def test_delta_that_adds_a_household_is_refused(point: Point) -> None:
    rows = [*point.world.rows[KEC_1].values(), HouseholdRow(b"baru....", DESA_1, 1, 1, 0)]
    more = make_base(KEC_1, period="2026-4", number=1, changes=1, rows=rows)
    forge(point, result=state_root(more))
    assert "do not lead to the rights they say they lead to" in told(point)
    assert b"baru...." not in point.folder.rights.read_bytes()


def test_card_remapped_to_another_household_is_refused(point: Point) -> None:
    base = point.world.base(KEC_1)
    ids = [b"asing..." if id == point.ids["mawar"] else id for id in base.ids()]
    swapped = msgspec.structs.replace(base, households=b"".join(ids), changes=1)
    forge(point, result=state_root(swapped))
    assert "do not lead to the rights they say they lead to" in told(point)
    assert reason(point, "asing") is Reason.RIGHT_NOT_HERE


def test_changes_past_the_cumulative_bound_are_refused(point: Point) -> None:
    """Five of seven may be removed until the next decree: in one file or in many."""
    world = point.world
    ids = sorted(world.rows[KEC_1])
    world.change(removed=dict.fromkeys(ids[:5], FLAG_REMOVED))
    take(point)
    before = installed(point)
    world.change(removed=dict.fromkeys(ids[:6], FLAG_REMOVED))
    world.publish()
    point.bring()
    problem = point.take().problem
    assert problem is not None
    assert "remove 6 of 7 households; the policy allows 5" in problem
    assert installed(point) == before


def test_bounds_begin_anew_with_the_decree_that_takes_the_changes_up(point: Point) -> None:
    world = point.world
    ids = sorted(world.rows[KEC_1])
    world.change(removed=dict.fromkeys(ids[:5], FLAG_REMOVED))
    take(point)
    for id in ids[:5]:
        world.rows[KEC_1][id] = HouseholdRow(id, DESA_1, 1, 1, FLAG_REMOVED)
    world.folded[KEC_1] = 1
    take(point)
    world.change(removed=dict.fromkeys(ids[5:], FLAG_REMOVED))
    take(point)
    assert installed(point)[0][KEC_1] == 2
    assert {reason(point, n) for n in ("mawar", "anggrek", "dahlia")} == {Reason.NOT_ENTITLED}


def test_role_that_names_the_changes_of_another_kecamatan_is_refused(point: Point) -> None:
    targets, world = Targets(), point.world
    world.repository.add_target(targets, f"changes/{KEC_2}/1.cbor.zst", b"anything")
    sign(point, ROLE, targets, *world.kecamatan_keys[KEC_1])
    publish(point)
    assert told(point) == f"the role of {KEC_1} names other files than its changes"


def test_base_signed_by_the_kecamatan_role_is_refused(point: Point) -> None:
    """More for everybody, under the path of the rights: outside of the role's paths."""
    world = point.world
    rich = make_base(
        KEC_1, period="2026-4", number=9,
        rows=[HouseholdRow(r.household, r.desa, r.issue, 2, 0) for r in world.rows[KEC_1].values()],
    )  # fmt: skip
    targets = Targets()
    world.repository.add_target(targets, f"rights/{KEC_1}/base.cbor.zst", write_base(rich))
    sign(point, ROLE, targets, *world.kecamatan_keys[KEC_1])
    publish(point)
    assert told(point) == f"the role of {KEC_1} names other files than its changes"


def test_base_under_the_name_of_changes_is_refused(point: Point) -> None:
    world, targets = point.world, Targets()
    path = f"changes/{KEC_1}/1.cbor.zst"
    world.repository.add_target(targets, path, write_base(world.base(KEC_1)))
    sign(point, ROLE, targets, *world.kecamatan_keys[KEC_1])
    publish(point)
    assert "not a ChangesFile" in told(point)


def test_delta_signed_by_the_online_key_is_refused(point: Point) -> None:
    world = point.world
    file = make_changes(world.base(KEC_1), number=1, wanted=Wanted())
    for said in ("status", "usage"):
        online_roles(point, **{said: {f"changes/{KEC_1}/1.cbor.zst": write_changes(file)}})
        point.bring()
        point.take()
        assert installed(point)[0] == {KEC_1: 0, KEC_2: 0}
    sign(point, ROLE, Targets(), world.online, world.online)
    publish(point)
    point.bring()
    problem = point.take().problem
    assert problem is not None
    assert f"{ROLE} was signed by 0/2 keys" in problem


def test_one_signature_of_two_under_a_delta_is_refused(point: Point) -> None:
    world = point.world
    world.change(removed={point.ids["mawar"]: FLAG_REMOVED})
    world.sign_changes(KEC_1, world.kecamatan_keys[KEC_1][:1])
    publish(point)
    world.changes.pop(KEC_1)
    assert f"{ROLE} was signed by 1/2 keys" in told(point)


def test_file_whose_name_tells_another_number_is_refused(point: Point) -> None:
    world, targets = point.world, Targets()
    world.change()
    data = write_changes(world.changes.pop(KEC_1))
    world.repository.add_target(targets, f"changes/{KEC_1}/7.cbor.zst", data)
    sign(point, ROLE, targets, *world.kecamatan_keys[KEC_1])
    publish(point)
    assert told(point) == f"changes/{KEC_1}/7.cbor.zst holds changes 1 of {KEC_1}"


def test_decree_that_names_nobody_for_the_changes_is_refused(point: Point) -> None:
    """Else a role kept from before would speak on without anybody's word for it."""
    decree(point, lambda t: t.delegations and (t.delegations.roles or {}).pop(ROLE))
    assert told(point) == f"the decree names nobody for {ROLE}; fetch the ledger again"
