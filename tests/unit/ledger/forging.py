"""Keys of the office and of the province sign what they should not; nothing may come of it."""

from collections.abc import Callable
from typing import Any

from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from card_codec.keys import PrivateKey
from ledger.repository import TIME_FIELD, online_role, tuf_signer
from tests.point import Point
from tests.world import KEC_1


def told(point: Point) -> str:
    """Bring what was forged: nothing may come of it. The sentence that says why."""
    before, answers = point.held(), point.answers()
    point.bring()
    installed = point.take()
    assert installed.problem is not None
    assert (installed.changed, installed.ledger, installed.usage_new) == (False, 1, 0)
    assert (point.held(), point.answers()) == (before, answers)
    assert point.counter.state().problem == installed.problem
    assert "\n" not in installed.problem
    assert len(installed.problem) < 320
    point.restart()
    assert (point.held(), point.answers()) == (before, answers)
    return installed.problem


def honest(point: Point) -> None:
    """What the office then publishes is taken."""
    point.world.publish()
    point.bring()
    assert point.take().problem is None


def sign(point: Point, role: str, signed: Any, *keys: PrivateKey) -> None:
    """Sign a role with keys of one's choice, in the next version."""
    now = point.world.clock.wall
    signers = [tuf_signer(key) for key in keys]
    point.world.repository.sign(signed, role, signers=signers, now=now)


def publish(point: Point) -> None:
    """Snapshot and timestamp over what lies in the repository."""
    online = tuf_signer(point.world.online)
    point.world.repository.publish(online, now=point.world.clock.wall)


def online_roles(
    point: Point, *, status: dict[str, bytes] | None = None, usage: dict[str, bytes] | None = None
) -> None:
    """The online key's role of the first kecamatan with files of one's choice, published."""
    role, world = online_role(KEC_1), point.world
    held = world.repository.load(role, Targets)
    targets = Targets()
    for first, files in (("status/", status), ("usage/", usage)):
        for path, info in held.targets.items() if files is None else ():
            if path.startswith(first):
                targets.targets[path] = info
        for path, data in (files or {}).items():
            world.repository.add_target(targets, path, data)
    sign(point, role, targets, world.online)
    publish(point)


def decree(point: Point, change: Callable[[Targets], object], *keys: PrivateKey) -> None:
    """The decree's role with a change, published."""
    targets = point.world.decree_targets()
    change(targets)
    sign(point, "targets", targets, *(keys or point.world.decree_keys[:2]))
    publish(point)


def sign_timestamp(point: Point, *, snapshot: int | None = None, time: object = None) -> None:
    """A timestamp by the online key, of any snapshot version and any time."""
    repository = point.world.repository
    timestamp = repository.load("timestamp", Timestamp)
    timestamp.version += 1
    timestamp.unrecognized_fields[TIME_FIELD] = time
    if snapshot is not None:
        timestamp.snapshot_meta = MetaFile(snapshot)
    _write(point, "timestamp.json", timestamp)


def sign_snapshot(point: Point, change: Callable[[Snapshot], object]) -> None:
    """A snapshot by the online key with a change, and a timestamp over it."""
    snapshot = point.world.repository.load("snapshot", Snapshot)
    snapshot.version += 1
    change(snapshot)
    _write(point, f"{snapshot.version}.snapshot.json", snapshot)
    sign_timestamp(point, snapshot=snapshot.version, time=point.world.clock.wall)


def _write(point: Point, name: str, signed: Snapshot | Timestamp) -> None:
    metadata: Metadata[Any] = Metadata(signed)
    metadata.sign(tuf_signer(point.world.online))
    path = point.world.repository.metadata / name
    path.write_bytes(metadata.to_bytes(JSONSerializer(compact=True)))
