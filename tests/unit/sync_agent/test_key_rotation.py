"""The province's keys are replaced with an office's release, and never before it."""

import json
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Targets

from card_codec.keys import PrivateKey
from card_codec.status import StatusList
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.acknowledgement import read_acknowledgement
from ledger.errors import FolderError
from ledger.repository import STOLEN_FIELD, online_role, tuf_key, tuf_signer
from ledger.rights_file import StatusFile, state_root, status_path, write_status
from sync_agent.errors import ProvinceError
from sync_agent.province import cli
from sync_agent.province.folder import rotate_key
from tests.sync_world import SyncWorld, batch_of
from tests.world import KEC_1, KEC_2


def signers_of(world: SyncWorld, role: str) -> list[str]:
    repository = world.province_folder.repository
    name = (
        "timestamp.json" if role == "timestamp" else f"{repository.versions(role)[-1]}.{role}.json"
    )
    return [*Metadata.from_file(str(repository.metadata / name)).signatures]


def release_naming(world: SyncWorld, online: PrivateKey, *, stolen: bool = False) -> Path:
    """The office's next release, with a root that names this online key."""
    world.online = online
    root = Root(consistent_snapshot=True)
    for role, keys, threshold in (
        ("root", world.root_keys, 2), ("targets", world.decree_keys, 2),
        ("snapshot", [online], 1), ("timestamp", [online], 1),
    ):  # fmt: skip
        root.roles[role].threshold = threshold
        for key in keys:
            root.add_key(tuf_key(key), role)
    if stolen:
        root.unrecognized_fields[STOLEN_FIELD] = True
    signers = [tuf_signer(k) for k in world.root_keys[:2]]
    world.repository.sign(root, "root", signers=signers, now=world.clock.wall)
    return world.sign_release()


def next_online(world: SyncWorld) -> PrivateKey:
    rotate_key(world.province_folder, "online")
    following = world.province_folder.next_key("online")
    assert following is not None
    return following


def test_new_key_waits_for_the_offices_release(world: SyncWorld) -> None:
    old = world.province_folder.key("online")
    following = next_online(world)
    public = json.loads((world.province_folder.root / "public.json").read_text())
    assert public["online"] == following.public.to_pem()
    assert public["log"] == world.log.public.to_pem()
    assert world.province_folder.key("online").public == old.public
    assert world.province.block(world.homes_1[0], 1, "lost") is True
    assert signers_of(world, online_role(KEC_1)) == [tuf_key(old).keyid]


def test_asking_again_gives_the_same_new_key(world: SyncWorld) -> None:
    first = next_online(world)
    assert next_online(world).public == first.public


def test_key_that_a_release_names_takes_the_old_ones_place(world: SyncWorld) -> None:
    world.province.block(world.homes_1[0], 1, "lost")
    following = next_online(world)
    world.province.release(release_naming(world, following))
    keyid = tuf_key(following).keyid
    roles = (online_role(KEC_1), online_role(KEC_2), "snapshot", "timestamp")
    assert {role: signers_of(world, role) for role in roles} == {role: [keyid] for role in roles}
    assert world.province_folder.key("online").public == following.public
    assert world.province_folder.next_key("online") is None


def test_release_that_names_neither_key_is_refused_and_changes_none(world: SyncWorld) -> None:
    old, following = world.province_folder.key("online"), next_online(world)
    with pytest.raises(ProvinceError, match="does not name this province's online key"):
        world.province.release(release_naming(world, PrivateKey.generate()))
    assert world.province_folder.key("online").public == old.public
    waiting = world.province_folder.next_key("online")
    assert waiting is not None
    assert waiting.public == following.public


def test_release_that_still_names_the_old_key_leaves_the_new_one_waiting(world: SyncWorld) -> None:
    following = next_online(world)
    world.province.release(world.sign_release())
    waiting = world.province_folder.next_key("online")
    assert waiting is not None
    assert waiting.public == following.public


def test_new_log_key_signs_without_a_restart(world: SyncWorld, monkeypatch) -> None:
    world.take(world.one, world.homes_1[0])
    world.province.take(batch_of(world.one), road="http")
    rotate_key(world.province_folder, "log")
    following, before = world.province_folder.next_key("log"), world.log
    assert following is not None
    trust = TrustList(
        2,
        [
            *world.trust().keys,
            TrustedKey(following.public, KeyUse.LOG, "province", world.clock.wall),
        ],
    )
    monkeypatch.setattr(world, "trust", lambda: trust)
    world.province.release(world.sign_release())
    world.take(world.one, world.homes_1[1])
    taken = world.province.take(batch_of(world.one, start=2), road="http")
    only = [
        TrustList(1, [TrustedKey(key.public, KeyUse.LOG, "p", 0)]) for key in (following, before)
    ]
    assert read_acknowledgement(taken.acknowledgement, only[0]).seq == 2
    with pytest.raises(Exception, match="not an acknowledgement of the province"):
        read_acknowledgement(taken.acknowledgement, only[1])


def test_what_a_thief_blocked_is_forgotten_and_what_the_province_knows_is_not(
    world: SyncWorld,
) -> None:
    known = world.homes_1[0]
    world.province.block(known, 1, "lost")
    repository, base = world.province_folder.repository, world.base(KEC_1)
    status = Targets()
    file = StatusFile("khb-status-1", KEC_1, state_root(base), StatusList(b"\xff").encode())
    repository.add_target(status, status_path(KEC_1), write_status(file))
    thief = tuf_signer(world.province_folder.key("online"))
    repository.sign(status, online_role(KEC_1), signers=[thief], now=world.clock.wall)
    world.province.release(release_naming(world, next_online(world), stolen=True))
    listed = world.province.in_force().rights.blocked_cards()
    assert listed == {(known, 1)}


def test_command_makes_the_key_and_says_where_its_public_half_lies(
    world: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    config = world.province_folder.root / "province.toml"
    cli.rotate(config, key="online", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told == {"key": "online", "public": str(world.province_folder.root / "public.json")}
    with pytest.raises(FolderError, match="--key is one of online, log"):
        cli.rotate(config, key="root")


def test_next_key_that_is_damaged_is_told(world: SyncWorld) -> None:
    next_online(world)
    (world.province_folder.root / "keys" / "online.next.pem").write_bytes(b"x")
    with pytest.raises(FolderError, match="is not a signing key"):
        world.province.release(world.sign_release())
