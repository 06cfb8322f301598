"""Who may sign what: too few keys, the wrong ones, an old truth told again. None is a grant."""

import shutil
from pathlib import Path

import pytest
from tuf.api.metadata import Root, Targets

from card_codec.keys import PrivateKey
from ledger.policy import DAY
from ledger.repository import tuf_key
from ledger.rights_file import make_base, write_base
from tests.point import Point, make_point
from tests.unit.ledger.forging import decree, honest, online_roles, publish, sign, told
from tests.world import KEC_1, KEC_2, NOW


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


# --- too few signatures, and keys outside of their paths ---


def test_decree_with_one_signature_of_two_is_refused(point: Point) -> None:
    decree(point, lambda t: t, point.world.decree_keys[0])
    assert "targets was signed by 1/2 keys" in told(point)
    honest(point)


def test_decree_signed_twice_by_one_key_is_refused(point: Point) -> None:
    key = point.world.decree_keys[0]
    decree(point, lambda t: t, key, key)
    assert "targets was signed by 1/2 keys" in told(point)


def test_decree_signed_by_the_keys_of_others_is_refused(point: Point) -> None:
    decree(point, lambda t: t, point.world.online, *point.world.kecamatan_keys[KEC_1])
    assert "targets was signed by 0/2 keys" in told(point)


@pytest.mark.parametrize("count", [0, 1])
def test_root_with_too_few_signatures_is_refused(point: Point, count: int) -> None:
    """Else one office alone could say which keys count."""
    world = point.world
    root = world.repository.load("root", Root)
    root.add_key(tuf_key(PrivateKey.generate()), "targets")
    sign(point, "root", root, *world.root_keys[:count])
    publish(point)
    assert f"root was signed by {count}/2 keys" in told(point)


def test_root_of_another_office_is_refused(point: Point) -> None:
    root = point.world.repository.load("root", Root)
    sign(point, "root", root, PrivateKey.generate(), PrivateKey.generate())
    publish(point)
    assert "root was signed by 0/2 keys" in told(point)


def test_root_signed_by_two_offices_changes_the_keys(point: Point) -> None:
    """The honest way to put a stolen online key out of service."""
    world = point.world
    root, fresh = world.repository.load("root", Root), PrivateKey.generate()
    for role in ("snapshot", "timestamp"):
        root.roles[role].keyids.clear()
        root.add_key(tuf_key(fresh), role)
    sign(point, "root", root, *world.root_keys[:2])
    publish(point)  # by the old key: no longer good
    assert "signed by 0/1 keys" in told(point)
    world.online = fresh
    honest(point)


def test_changes_signed_by_one_of_the_kecamatans_two_are_refused(point: Point) -> None:
    role = f"changes-{KEC_1}"
    sign(point, role, Targets(), point.world.kecamatan_keys[KEC_1][0])
    publish(point)
    assert f"{role} was signed by 1/2 keys" in told(point)


def test_rights_signed_by_the_kecamatan_are_not_looked_at(point: Point) -> None:
    """The office forgot them; the kecamatan may not make them."""
    path = f"rights/{KEC_1}/base.cbor.zst"
    base = make_base(KEC_1, period="2026-4", number=9, rows=point.world.rows[KEC_1].values())
    changes = Targets()
    point.world.repository.add_target(changes, path, write_base(base))
    sign(point, f"changes-{KEC_1}", changes, *point.world.kecamatan_keys[KEC_1])
    decree(point, lambda t: t.targets.pop(path))
    assert told(point) == f"the ledger does not name {path}; fetch it again"


@pytest.mark.parametrize("role", ["status", "usage"])
@pytest.mark.parametrize(
    "path", ["policy/policy.cbor", "terminals/roll.cbor", "issuers/trust.cbor",
             f"rights/{KEC_1}/base.cbor.zst"],
)  # fmt: skip
def test_key_on_the_network_names_nothing_outside_its_paths(
    point: Point, role: str, path: str
) -> None:
    files = {path: b"anything"}
    online_roles(point, status=files if role == "status" else None,
                 usage=files if role == "usage" else None)  # fmt: skip
    decree(point, lambda t: t.targets.pop(path))
    assert told(point) == f"the ledger does not name {path}; fetch it again"


def test_policy_named_by_the_key_on_the_network_does_not_count_beside_the_decrees(
    point: Point,
) -> None:
    answers = point.answers()
    online_roles(point, usage={"policy/policy.cbor": b"anything"})
    point.bring()
    assert point.take().problem is None
    assert point.answers() == answers


# --- old truths ---


def test_older_ledger_is_refused(point: Point) -> None:
    world = point.world
    first = (world.repository.metadata / "timestamp.json").read_bytes()
    world.blocked[KEC_1].append((point.ids["mawar"], 1))
    world.publish()
    point.bring()
    assert point.take().ledger == 2
    before, answers = point.held(), point.answers()
    (point.folder.in_box / "metadata" / "timestamp.json").write_bytes(first)
    installed = point.take()
    assert installed.problem is not None
    assert "version" in installed.problem
    assert (point.held(), point.answers()) == (before, answers)


def test_older_ledger_is_refused_though_the_files_of_trust_were_lost(point: Point) -> None:
    world = point.world
    first = point.folder.root / "first"
    shutil.copytree(world.repository.folder, first)
    world.blocked[KEC_1].append((point.ids["mawar"], 1))
    world.publish()
    point.bring()
    assert point.take().ledger == 2
    before, answers = point.held(), point.answers()
    shutil.rmtree(point.folder.trusted)
    shutil.rmtree(point.folder.in_box)
    shutil.copytree(first, point.folder.in_box)
    assert point.take().problem == (
        "what was brought is not accepted: ledger 1 is older than 2, which is installed"
    )
    assert (point.held(), point.answers()) == (before, answers)
    honest(point)


def test_policy_of_a_lower_number_is_refused(point: Point) -> None:
    point.world.policy_number = -1  # the next is 0
    point.world.publish()
    assert told(point) == "policy 0 is older than 1, which is installed"


@pytest.mark.parametrize("wall", [0, NOW, NOW + 400 * DAY], ids=["1970", "set back", "a year on"])
def test_frozen_ledger_is_refused_by_the_time_this_terminal_can_prove(
    point: Point, wall: int
) -> None:
    """Two months without news: what was signed before then is expired, whatever the clock says."""
    point.world.publish()
    point.world.clock.pass_time(61 * DAY)
    point.show("kamboja")  # an entry dates the time by the office's floor and what has elapsed
    point.world.clock.wall = wall
    assert "expired" in told(point)


def test_clock_set_back_a_month_revives_no_expired_ledger(point: Point) -> None:
    point.world.publish()
    point.world.clock.pass_time(61 * DAY)
    point.show("kamboja")
    point.world.clock.reboot(wall=NOW + 31 * DAY)
    early = point.counter.state().at
    assert early == NOW + 45 * DAY  # what is certain after a restart: 45 days past what was signed
    answers = point.answers()
    point.bring()
    point.take()
    assert point.counter.state().at == early
    assert point.answers() == answers


# --- the office's own mistakes ---


def test_rights_of_another_kecamatan_are_refused(point: Point) -> None:
    rows = point.world.rows[KEC_2].values()
    other = write_base(make_base(KEC_2, period="2026-4", number=1, rows=rows))
    path = f"rights/{KEC_1}/base.cbor.zst"
    decree(point, lambda t: point.world.repository.add_target(t, path, other))
    assert told(point) == f"the rights of {KEC_1} are those of {KEC_2}"


@pytest.mark.parametrize(
    "path",
    ["policy/policy.cbor", "terminals/roll.cbor", "issuers/trust.cbor",
     f"rights/{KEC_2}/base.cbor.zst"],
)  # fmt: skip
@pytest.mark.parametrize("data", [b"", b"\x80", b"garbage" * 50], ids=["empty", "[]", "garbage"])
def test_signed_file_that_is_not_what_it_should_be_is_refused(
    point: Point, path: str, data: bytes
) -> None:
    decree(point, lambda t: point.world.repository.add_target(t, path, data))
    assert told(point)
    honest(point)


def test_household_listed_in_two_kecamatan_is_refused(point: Point) -> None:
    point.world.household("mawar", kecamatan=KEC_2)
    point.world.publish()
    assert "the old one stands" in told(point)
