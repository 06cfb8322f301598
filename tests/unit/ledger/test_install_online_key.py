"""The key on the network, stolen: it can deny, and it can never grant."""

from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Snapshot

from card_codec.reason import Reason
from card_codec.refusal import Refused
from card_codec.status import StatusList
from ledger.policy import DAY, Window
from ledger.record import compress
from ledger.rights_file import StatusFile, make_base, state_root, status_path, write_status
from ledger.usage_file import usage_path, write_usage
from terminal.counter import Redeemed
from terminal.decision import Approved
from tests.point import Point, make_point, taken_elsewhere
from tests.unit.ledger.forging import (
    honest,
    online_roles,
    publish,
    sign_snapshot,
    sign_timestamp,
    told,
)
from tests.unit.ledger.test_record import frame
from tests.world import KEC_1, KEC_2, NOW


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


# --- lies of the online key ---


def test_timestamp_signed_a_year_ahead_never_moves_early(point: Point) -> None:
    """It can close windows and age the rights; it cannot open anything."""
    world = point.world
    coming = (Window(2, "Tahap 2", NOW + 40 * DAY, NOW + 100 * DAY),)
    world.programmes = tuple(
        msgspec.structs.replace(p, windows=p.windows + coming) for p in world.programmes
    )
    honest(point)
    early, answers = point.counter.state().at, point.answers()
    world.clock.wall = NOW + 365 * DAY
    publish(point)
    world.clock.wall = NOW
    point.bring()
    assert point.take().problem is None
    assert point.counter.state().at == early
    for card, verdict in point.answers().items():
        assert isinstance(verdict, Refused) or verdict == answers[card]
    mawar = point.answers()["mawar", "pangan"]
    assert isinstance(mawar, Refused)
    assert mawar.reason in {Reason.WINDOW_NOT_OPEN, Reason.LEDGER_TOO_OLD}


@pytest.mark.parametrize("time", [0, -1, True, 2**63, 10**30, 2**40, "x", None, [1]], ids=str)
def test_time_that_cannot_be_is_refused(point: Point, time: object) -> None:
    """A large one would have made every later entry unreadable."""
    sign_timestamp(point, time=time)
    assert "timestamp does not say when it is from" in told(point)
    assert isinstance(point.show("mawar"), Redeemed)
    point.restart()
    honest(point)


@pytest.mark.parametrize("version", [2**32, 2**63, 10**40])
def test_version_that_no_entry_can_name_is_refused(point: Point, version: int) -> None:
    def change(snapshot: Snapshot) -> None:
        snapshot.version = version

    sign_snapshot(point, change)
    assert "over 32 bits" in told(point)
    assert isinstance(point.show("mawar"), Redeemed)
    point.restart()


@pytest.mark.parametrize("role", ["targets", f"online-{KEC_1}", f"changes-{KEC_1}"])
def test_snapshot_that_drops_a_role_is_refused(point: Point, role: str) -> None:
    sign_snapshot(point, lambda snapshot: snapshot.meta.pop(f"{role}.json"))
    assert role in told(point)


@pytest.mark.parametrize("role", ["targets", f"online-{KEC_1}", f"changes-{KEC_1}"])
def test_snapshot_that_takes_a_role_back_is_refused(point: Point, role: str) -> None:
    honest(point)
    before, answers = point.held(), point.answers()

    def change(snapshot: Snapshot) -> None:
        snapshot.meta[f"{role}.json"].version -= 1

    sign_snapshot(point, change)
    point.bring()
    assert point.take().problem is not None
    assert (point.held(), point.answers()) == (before, answers)


# --- usage ---


def test_element_taken_out_of_signed_usage_stays_taken(point: Point) -> None:
    assert isinstance(point.answers()["dahlia", "pangan"], Refused)
    point.world.usage[KEC_1] = [write_usage(KEC_1, 1, [])]
    point.world.publish()
    point.bring()
    assert point.take().problem is None
    refused = point.answers()["dahlia", "pangan"]
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ALREADY_REDEEMED


def test_usage_withdrawn_altogether_stays_taken(point: Point) -> None:
    point.world.usage[KEC_1] = []
    point.world.publish()
    point.bring()
    assert point.take().problem is None
    assert isinstance(point.answers()["dahlia", "pangan"], Refused)


def test_gap_in_the_numbers_of_usage_is_refused(point: Point) -> None:
    stolen = [taken_elsewhere(point.ids["mawar"], seq=9)]
    segment = write_usage(KEC_1, 3, stolen, prev=bytes(32))
    online_roles(point, usage={usage_path(KEC_1, 3): segment})
    assert told(point) == f"usage 2 of {KEC_1} is missing, and later ones were brought"


@pytest.mark.parametrize(("kecamatan", "number"), [(KEC_2, 2), (KEC_1, 3)])
def test_segment_under_another_name_is_refused(point: Point, kecamatan: str, number: int) -> None:
    segment = write_usage(kecamatan, number, [taken_elsewhere(point.ids["mawar"], seq=9)])
    online_roles(point, usage={usage_path(KEC_1, 2): segment})
    assert told(point) == f"usage 2 of {KEC_1} names another segment"


NO_USAGE = {
    "nothing": b"",
    "a byte": b"x",
    "no usage": compress(b"x"),
    "a bomb of 2.5 GB": frame(20_000, 1 << 20, single=True),
    "cut short": write_usage(KEC_1, 2, [])[:-1],
}


@pytest.mark.parametrize("data", NO_USAGE.values(), ids=NO_USAGE.keys())
def test_signed_file_that_is_no_usage_is_refused(point: Point, data: bytes) -> None:
    online_roles(point, usage={usage_path(KEC_1, 2): data})
    assert told(point)
    honest(point)


def test_forged_usage_only_takes_away(point: Point) -> None:
    answers = point.answers()
    forged = [taken_elsewhere(point.ids["mawar"], seq=9, quantity=1)]
    point.world.add_usage(*forged)
    honest(point)
    for card, verdict in point.answers().items():
        before = answers[card]
        if isinstance(verdict, Approved):
            assert isinstance(before, Approved)
            assert verdict.quantity <= before.quantity


# --- blocked cards ---


def cleared(point: Point, kecamatan: str = KEC_1, *, root: bytes | None = None) -> bytes:
    """A status file that blocks nobody."""
    rows = point.world.rows[kecamatan]
    base = make_base(kecamatan, period="2026-4", number=1, rows=rows.values())
    bits = StatusList.from_indices(3 * base.count, []).encode()
    return write_status(StatusFile("khb-status-1", kecamatan, root or state_root(base), bits))


def still_blocked(point: Point) -> bool:
    point.bring()
    assert point.take().problem is None
    return point.answers()["kamboja", "pangan"] == Refused(Reason.REVOKED)


def test_status_bit_cleared_online_stays_set(point: Point) -> None:
    online_roles(point, status={status_path(KEC_1): cleared(point)})
    assert still_blocked(point)


def test_blocked_card_stays_blocked_when_its_status_file_is_withheld(point: Point) -> None:
    online_roles(point, status={})
    assert still_blocked(point)


def test_blocked_card_stays_blocked_in_a_new_list_of_households(point: Point) -> None:
    """Ordinals move when a household is added; the block goes with household and issue number."""
    for n in range(9):
        point.world.household(f"baru {n}")
    point.world.blocked[KEC_1].clear()
    point.world.publish()
    assert still_blocked(point)
    others = [v for (name, _), v in point.answers().items() if name != "kamboja"]
    assert Refused(Reason.REVOKED) not in others


def test_status_of_another_list_of_households_is_refused(point: Point) -> None:
    online_roles(point, status={status_path(KEC_1): cleared(point, root=bytes(32))})
    assert told(point) == f"the blocked cards of {KEC_1} are of other rights than brought"


def test_status_of_another_kecamatan_is_refused(point: Point) -> None:
    online_roles(point, status={status_path(KEC_1): cleared(point, KEC_2)})
    assert told(point) == f"the blocked cards of {KEC_1} are those of {KEC_2}"
