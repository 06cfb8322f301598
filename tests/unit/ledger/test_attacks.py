"""Attacks on what a terminal holds, each by its name; docs/spec/attacks.md lists them all.

After each, what lies on the disk is looked at: nothing is granted that was not, nothing is
forgotten, and what the office then publishes is taken.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tuf.api.metadata import Root, Snapshot, Targets

from card_codec import canonical
from card_codec.keys import PrivateKey
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.acknowledgement import Acknowledgement, write_acknowledgement
from ledger.clock import judge_time
from ledger.element import RedemptionId
from ledger.entry import Handover, Void, leaf_hash, make_entry, sign_head
from ledger.errors import RolledBackError
from ledger.folder import write_whole
from ledger.fsck import check_journal
from ledger.policy import DAY, Window
from ledger.record import compress
from ledger.repository import tuf_key
from ledger.rights import Rights
from ledger.rights_file import StatusFile, state_root, status_path, write_more, write_status
from ledger.usage_file import SignedVoid, usage_path, write_usage
from sync_agent.messages import acknowledgement_path
from terminal.counter import Redeemed
from tests.point import Point, make_point, tables, taken_elsewhere
from tests.unit.ledger.forging import (
    decree,
    honest,
    online_roles,
    publish,
    sign,
    sign_snapshot,
    sign_timestamp,
    told,
)
from tests.unit.ledger.test_record import frame
from tests.world import KEC_1, NOW

BOMB = frame(20_000, 1 << 20, single=True)
"""2.5 GB in some kilobytes."""


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path)
    yield made
    made.counter.close()


def reason(point: Point, name: str) -> Reason | None:
    verdict = point.answers()[name, "pangan"]
    return verdict.reason if isinstance(verdict, Refused) else None


def on_disk(point: Point, table: str) -> set[tuple[Any, ...]]:
    return set(tables(point.folder.journal)[table])


def blocked_on_disk(point: Point) -> frozenset[tuple[bytes, int]]:
    rights = Rights(point.folder.rights)
    try:
        return rights.blocked_cards()
    finally:
        rights.close()


def holds_together(point: Point) -> None:
    key = point.folder.signer().public
    found = check_journal(point.folder.journal, terminal=1, epoch=1, key=key)
    assert found.ok, found.faults


# --- versions and lengths ---


def test_fast_forward_freezes_until_a_root_names_new_keys_and_grants_nothing(point: Point) -> None:
    world, answers = point.world, point.answers()

    def far(snapshot: Snapshot) -> None:
        snapshot.version = 900_000_000

    sign_snapshot(point, far)
    point.bring()
    assert point.take().ledger == 900_000_000
    assert point.answers() == answers
    (world.repository.metadata / "900000000.snapshot.json").unlink()
    world.publish()
    point.bring()
    before = point.held()
    assert point.take().problem is not None  # the honest province cannot catch up with it
    assert (point.held(), point.answers()) == (before, answers)
    root, world.online = world.repository.load("root", Root), PrivateKey.generate()
    for role in ("snapshot", "timestamp"):
        root.roles[role].keyids.clear()
        root.add_key(tuf_key(world.online), role)
    sign(point, "root", root, *world.root_keys[:2])
    honest(point)
    assert point.counter.state().ledger_version == 3
    assert point.answers() == answers


@pytest.mark.parametrize("off", [-1, 1, 1 << 20])
def test_file_of_the_wrong_length_is_refused(point: Point, off: int) -> None:
    """Longer or shorter than its role says."""

    def change(targets: Targets) -> None:
        targets.targets["terminals/roll.cbor"].length += off

    decree(point, change)
    assert told(point)
    honest(point)


# --- the key on the network ---


def test_usage_with_an_element_removed_takes_nothing_back(point: Point) -> None:
    before = on_disk(point, "element")
    assert before
    point.world.usage[KEC_1] = [write_usage(KEC_1, 1, [])]
    point.world.add_usage()
    honest(point)
    assert on_disk(point, "element") == before
    point.restart()
    assert reason(point, "dahlia") is Reason.ALREADY_REDEEMED
    holds_together(point)


def void_of(point: Point, id: RedemptionId, *, seq: int = 40, kind: str = "void") -> bytes:
    """An entry of a terminal that says a redemption was taken back; its body."""
    world = point.world
    moment = judge_time(world.clock.read(), point.counter._desk.journal.floors(), None)
    content = Void(id.seq, "salah orang", "WK") if kind == "void" else Handover(id.seq)
    entry = make_entry(
        id=RedemptionId(id.terminal, id.epoch, seq), prev=bytes(32), moment=moment, ledger=1,
        officer="UJI", content=content,
    )  # fmt: skip
    return entry.data


def signed(body: bytes, key: PrivateKey) -> SignedVoid:
    return SignedVoid(body, sign_head(leaf_hash(body), key))


DAHLIA = RedemptionId(2, 1, 17)
"""What dahlia took at counter 2, as usage says."""


def test_unsigned_void_in_usage_takes_nothing_out(point: Point) -> None:
    """Signed by nobody, by the key on the network, by another terminal, or no void at all."""
    world, before = point.world, on_disk(point, "voided")
    body, strangers = void_of(point, DAHLIA), [world.online, point.folder.signer(), world.log]
    world.add_usage(voids=(SignedVoid(body, bytes(64)),))
    for at, key in enumerate(strangers):
        world.add_usage(voids=(signed(void_of(point, DAHLIA, seq=50 + at), key),))
    handover = void_of(point, DAHLIA, kind="hand-over")
    world.add_usage(voids=(signed(handover, point.other.signer()),))
    world.add_usage(voids=(SignedVoid(b"no entry", bytes(64)),))
    honest(point)
    assert on_disk(point, "voided") == before == set()
    assert reason(point, "dahlia") is Reason.ALREADY_REDEEMED
    holds_together(point)


def test_void_of_a_terminal_that_was_shut_out_takes_nothing_out(point: Point) -> None:
    world = point.world
    world.terminals[1] = msgspec.structs.replace(world.terminals[1], shut_out=world.clock.wall)
    world.add_usage(voids=(signed(void_of(point, DAHLIA), point.other.signer()),))
    honest(point)
    assert on_disk(point, "voided") == set()
    assert reason(point, "dahlia") is Reason.ALREADY_REDEEMED


def test_void_signed_by_who_made_the_redemption_counts_whichever_comes_first(point: Point) -> None:
    world = point.world
    world.add_usage(voids=(signed(void_of(point, DAHLIA), point.other.signer()),))
    early = RedemptionId(2, 1, 21)  # heard before what it takes back
    world.add_usage(voids=(signed(void_of(point, early, seq=41), point.other.signer()),))
    world.add_usage(taken_elsewhere(point.ids["anggrek"], seq=21))
    honest(point)
    assert on_disk(point, "voided") == {(2, 1, 17), (2, 1, 21)}
    assert (reason(point, "dahlia"), reason(point, "anggrek")) == (None, None)
    holds_together(point)


def status_file(point: Point) -> bytes:
    """A list of the first kecamatan that blocks nobody."""
    root = state_root(point.world.base(KEC_1))
    bits = canonical.encode({"bits": 1, "lst": zlib.compress(bytes(4))})
    return write_status(StatusFile("khb-status-1", KEC_1, root, bits))


def test_status_bit_cleared_online_stays_on_the_disk(point: Point) -> None:
    """The list without it, the list withheld, and another list beside it."""
    blocked = blocked_on_disk(point)
    assert blocked == {(point.ids["kamboja"], 1)}
    more = f"status/{KEC_1}/more.cbor"
    for files in ({status_path(KEC_1): status_file(point)}, {},
                  {status_path(KEC_1): status_file(point), more: write_more([0])}):  # fmt: skip
        online_roles(point, status=files)
        point.bring()
        assert point.take().problem is None
        assert blocked_on_disk(point) >= blocked
        point.restart()
        assert reason(point, "kamboja") is Reason.REVOKED


# --- clocks ---


def coming(point: Point, *, days: int) -> None:
    """A stage that opens in so many days, the only one."""
    world = point.world
    window = (Window(1, "Tahap 2", NOW + days * DAY, NOW + 900 * DAY),)
    world.programmes = tuple(msgspec.structs.replace(p, windows=window) for p in world.programmes)
    honest(point)
    assert reason(point, "mawar") is Reason.WINDOW_NOT_OPEN


def test_clock_forward_a_year_opens_nothing_beyond_45_days(point: Point) -> None:
    coming(point, days=46)
    point.world.clock.reboot(wall=NOW + 365 * DAY)
    assert isinstance(point.show("mawar"), Refused)  # and its entry is dated no later
    point.restart()
    assert reason(point, "mawar") is Reason.WINDOW_NOT_OPEN
    ((early,),) = {(row[2],) for row in on_disk(point, "entry")}
    assert early == NOW + 45 * DAY
    point.world.clock.reboot(wall=NOW + DAY)
    assert reason(point, "mawar") is Reason.WINDOW_NOT_OPEN
    assert point.counter.state().clock_wrong


def test_clock_back_30_days_takes_no_time_back(point: Point) -> None:
    point.world.clock.pass_time(20 * DAY)
    point.show("kamboja")
    before = point.counter.state().at
    point.world.clock.reboot(wall=NOW - 10 * DAY)
    point.restart()
    state = point.counter.state()
    assert (state.at, state.clock_wrong) == (before, True)
    assert isinstance(point.show("mawar"), Redeemed)
    assert max(row[2] for row in on_disk(point, "entry")) == before


def test_time_signed_a_year_ahead_moves_no_floor_of_the_office(point: Point) -> None:
    coming(point, days=46)
    sign_timestamp(point, time=NOW + 365 * DAY)
    point.bring()
    assert point.take().problem is None
    floors = {row[0]: row[1] for row in on_disk(point, "floor")}
    assert floors == {"office": NOW, "online": NOW + 365 * DAY}
    point.restart()
    assert point.counter.state().at == NOW
    assert reason(point, "mawar") is Reason.WINDOW_NOT_OPEN


def test_entry_committed_under_a_false_online_time_is_carried_on_by_45_days_at_most(
    point: Point,
) -> None:
    """A thief of the online key and of the clock agree on a year ahead; then the clock is right."""
    coming(point, days=46)
    sign_timestamp(point, time=NOW + 365 * DAY)
    point.bring()
    point.take()
    point.world.clock.reboot(wall=NOW + 365 * DAY)
    point.show("kamboja")
    assert max(row[2] for row in on_disk(point, "entry")) == NOW + 365 * DAY
    point.world.clock.reboot(wall=NOW + 60)
    point.restart()
    assert point.counter.state().at == NOW + 45 * DAY
    assert reason(point, "mawar") is Reason.WINDOW_NOT_OPEN
    holds_together(point)


# --- the terminal's own disk ---


def test_restored_terminal_image_stops_at_the_provinces_word(point: Point, tmp_path: Path) -> None:
    image = point.folder.journal.read_bytes()
    assert isinstance(point.show("mawar"), Redeemed)
    head = point.counter._desk.journal.head()
    word = Acknowledgement("khb-ack-2", 1, 1, head.seq, head.leaf, NOW)
    point.counter.close()
    for beside in point.folder.root.glob("journal.db*"):
        beside.unlink()
    point.folder.journal.write_bytes(image)
    point.counter = point.world.counter(point.folder)
    data = write_acknowledgement(word, point.world.log)
    write_whole(point.folder.in_box / acknowledgement_path(1, 1, head.seq), data)
    before = point.held()
    with pytest.raises(RolledBackError, match="an older copy was put back"):
        point.take()
    assert point.held() == before


# --- bytes ---


def bombs(point: Point) -> dict[str, Callable[[], object]]:
    """A zip bomb in every compressed file, signed by who may sign it."""
    world = point.world
    add, base = world.repository.add_target, f"rights/{KEC_1}/base.cbor.zst"
    bits = canonical.encode({"bits": 1, "lst": zlib.compress(bytes(64 << 20), 9)})
    status = write_status(StatusFile("khb-status-1", KEC_1, state_root(world.base(KEC_1)), bits))

    def of_changes() -> None:
        targets = Targets()
        add(targets, f"changes/{KEC_1}/1.cbor.zst", BOMB)
        sign(point, f"changes-{KEC_1}", targets, *world.kecamatan_keys[KEC_1])
        publish(point)

    def in_usage() -> None:
        items: list[canonical.Value] = ["khb-usage-2", KEC_1, 2, bytes(32), BOMB, b"", b"", []]
        online_roles(point, usage={usage_path(KEC_1, 2): canonical.encode(items)})

    return {
        "base": lambda: decree(point, lambda t: add(t, base, BOMB)),
        "changes": of_changes,
        "usage": lambda: online_roles(point, usage={usage_path(KEC_1, 2): BOMB}),
        "usage's columns": in_usage,
        "status": lambda: online_roles(point, status={status_path(KEC_1): status}),
        "base within a base": lambda: decree(point, lambda t: add(t, base, compress(BOMB))),
    }


@pytest.mark.parametrize(
    "where", ["base", "changes", "usage", "usage's columns", "status", "base within a base"]
)
def test_zip_bomb_is_refused(point: Point, where: str) -> None:
    bombs(point)[where]()
    assert told(point)
    honest(point)
