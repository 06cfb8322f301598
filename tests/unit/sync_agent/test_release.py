"""A release is taken only if it holds in every point, and is never older than what stands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Root, Snapshot, Targets

from card_codec.keys import PrivateKey
from ledger.install import take_in_box
from ledger.journal import open_journal
from ledger.policy import DAY
from ledger.repository import tuf_key, tuf_signer
from ledger.rights import Rights
from ledger.rights_file import FLAG_REMOVED
from sync_agent.errors import ProvinceError
from tests.sync_world import SyncWorld, batch_of
from tests.world import KEC_1


def content(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def refuse(world: SyncWorld, words: str) -> None:
    """The release is refused with these words, and nothing published has changed."""
    published = world.province_folder.repository.folder
    before = content(published), world.province_folder.rights.read_bytes()
    with pytest.raises(ProvinceError, match=words) as caught:
        world.province.release(world.release_folder)
    assert "\n" not in caught.value.detail
    assert (content(published), world.province_folder.rights.read_bytes()) == before


def rewrite(path: Path, change: Callable[[dict], None]) -> None:
    read = json.loads(path.read_text())
    change(read)
    path.write_text(json.dumps(read))


def newest(world: SyncWorld, role: str) -> Path:
    version = world.repository.versions(role)[-1]
    return world.release_folder / "metadata" / f"{version}.{role}.json"


def test_release_is_published_for_terminals_to_install(world: SyncWorld) -> None:
    repository = world.province_folder.repository
    assert repository.roles() == sorted(
        ["changes-629901", "changes-629902", "online-629901", "online-629902", "targets"]
    )
    shutil.copytree(repository.folder, world.one.in_box, dirs_exist_ok=True)
    journal = open_journal(world.one.journal)
    installed = take_in_box(world.one, journal, world.clock.read())
    journal.close()
    assert (installed.ledger, installed.problem) == (1, None)
    rights = Rights(world.province_folder.rights)
    assert rights.household(world.homes_1[0]) is not None
    rights.close()


def test_same_release_again_changes_no_right_and_keeps_usage(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    world.province.take(batch_of(world.one), road="http")
    said = world.province_folder.repository.load("online-629901", Targets).targets
    version = world.province.release(world.release_folder)
    repository = world.province_folder.repository
    assert repository.load("snapshot", Snapshot).version == version
    assert repository.load("online-629901", Targets).targets == said
    assert sorted(said) == ["status/629901/list.cbor", "usage/629901/1.cbor"]


def test_older_release_is_refused(world: SyncWorld, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(world.release_folder, kept)
    world.province.release(world.sign_release())
    shutil.rmtree(world.release_folder)
    shutil.copytree(kept, world.release_folder)
    refuse(world, "older than what is published")


def test_other_decree_under_the_same_version_is_refused(world: SyncWorld) -> None:
    newest(world, "targets").unlink()
    for role in ("changes-629901", "changes-629902"):
        newest(world, role).unlink()
    world.household("someone new")
    world.sign_release()
    refuse(world, "another targets 1")


def test_release_of_another_office_is_refused(world: SyncWorld) -> None:
    shutil.rmtree(world.release_folder)
    world.root_keys = [PrivateKey.generate() for _ in range(3)]
    world.sign_release()
    refuse(world, "another office's")


def test_decree_under_its_threshold_is_refused(world: SyncWorld) -> None:
    world.sign_release()
    rewrite(newest(world, "targets"), lambda read: read["signatures"].pop())
    refuse(world, "not accepted: targets was signed by 1/2 keys")


def test_kecamatan_under_its_threshold_is_refused(world: SyncWorld) -> None:
    world.sign_changes(KEC_1, world.kecamatan_keys[KEC_1][:1])
    refuse(world, "changes-629901 was signed by 1/2 keys")


def test_changes_of_a_kecamatan_are_in_the_rights_in_force(world: SyncWorld) -> None:
    home = world.homes_1[0]
    world.change(replaced={home: 4})
    world.province.release(world.sign_release())
    rights = Rights(world.province_folder.rights)
    household = rights.household(home)
    assert household is not None
    assert household.row.issue == 4
    assert rights.changes()[KEC_1] == 1
    rights.close()


def test_changes_past_the_policys_bounds_are_refused(world: SyncWorld) -> None:
    for n in range(6):
        world.household(f"more {n}")
    world.province.release(world.sign_release())
    world.change(removed=dict.fromkeys(world.rows[KEC_1], FLAG_REMOVED))
    world.sign_release()
    refuse(world, "remove 9 of 9 households; the policy allows 5")


def test_changes_on_another_base_are_refused(world: SyncWorld) -> None:
    world.change(replaced={world.homes_1[0]: 4})
    world.household("listed since")
    world.sign_release()
    refuse(world, "were made on other rights than brought")


def test_changed_decree_is_refused(world: SyncWorld) -> None:
    world.sign_release()
    rewrite(newest(world, "targets"), lambda read: read["signed"].update({"x-khb-time": 5}))
    refuse(world, "targets was signed by 0/2 keys")


@pytest.mark.parametrize("path", ["rights/629901", "policy", "issuers", "terminals"])
def test_changed_or_missing_file_is_refused(world: SyncWorld, path: str) -> None:
    world.sign_release()
    for file in (world.release_folder / "targets" / path).iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    refuse(world, "length|does not match")
    for file in (world.release_folder / "targets" / path).iterdir():
        file.unlink()
    refuse(world, "the release lacks targets/")


def test_file_that_is_a_link_is_refused(world: SyncWorld) -> None:
    world.sign_release()
    for file in (world.release_folder / "targets" / "policy").iterdir():
        moved = file.rename(world.folder / file.name)
        file.symlink_to(moved)
    refuse(world, "no plain file")


def test_expired_release_is_refused(world: SyncWorld) -> None:
    world.sign_release()
    world.clock.pass_time(500 * DAY)
    refuse(world, "targets of the release has expired")


def test_release_for_another_online_or_log_key_is_refused(world: SyncWorld) -> None:
    world.log = PrivateKey.generate()
    world.sign_release()
    refuse(world, "does not trust this province's log key")
    world.online = PrivateKey.generate()
    world.sign_release()
    refuse(world, "does not name this province's online key")


def test_empty_or_broken_folder_is_refused(world: SyncWorld, tmp_path: Path) -> None:
    with pytest.raises(ProvinceError, match="holds no release"):
        world.province.release(tmp_path / "nothing")
    world.sign_release()
    newest(world, "targets").write_text("{")
    refuse(world, "not accepted")


def test_release_without_access_is_refused(world: SyncWorld) -> None:
    world.sign_release()
    access = world.release_folder / "access.json"
    access.write_text('{"form":"khb-access-1","terminals":[{"terminal":1}]}')
    refuse(world, "not a list of road tokens")
    access.unlink()
    refuse(world, "lacks access.json")


def test_lower_policy_is_refused(world: SyncWorld) -> None:
    world.province.release(world.sign_release())
    world.policy_number = 0
    world.sign_release()
    refuse(world, "policy 1, but 2 is in force")


def next_root(world: SyncWorld, *, signers: list[PrivateKey], keys: list[PrivateKey]) -> None:
    root = world.repository.load("root", Root)
    for keyid in list(root.roles["root"].keyids):
        root.revoke_key(keyid, "root")
    for key in keys:
        root.add_key(tuf_key(key), "root")
    tuf = [tuf_signer(k) for k in signers]
    world.repository.sign(root, "root", signers=tuf, now=world.clock.wall)


def test_root_is_followed_when_old_and_new_keys_signed_it(world: SyncWorld) -> None:
    new = [PrivateKey.generate() for _ in range(3)]
    next_root(world, signers=[*world.root_keys[:2], *new[:2]], keys=new)
    world.province.release(world.sign_release())
    assert world.province_folder.repository.versions("root") == [1, 2]


def test_root_that_only_its_own_keys_signed_is_refused(world: SyncWorld) -> None:
    new = [PrivateKey.generate() for _ in range(3)]
    next_root(world, signers=new[:2], keys=new)
    world.sign_release()
    refuse(world, "root was signed by 0/2 keys")


def test_root_that_only_the_old_keys_signed_is_refused(world: SyncWorld) -> None:
    new = [PrivateKey.generate() for _ in range(3)]
    next_root(world, signers=world.root_keys[:2], keys=new)
    world.sign_release()
    refuse(world, "root was signed by 0/2 keys")


def test_missing_root_in_between_is_refused(world: SyncWorld) -> None:
    for _ in range(2):
        next_root(world, signers=world.root_keys[:2], keys=world.root_keys)
    (world.release_folder / "metadata" / "2.root.json").unlink()
    world.sign_release()
    refuse(world, "lacks metadata/2.root.json")


def test_release_is_noticed_by_a_province_that_is_serving(world: SyncWorld) -> None:
    other = world.reopened()
    before = other.in_force().rights.roll.terminals
    world.enrol("Loket 3")
    world.province.release(world.sign_release())
    assert len(other.in_force().rights.roll.terminals) == len(before) + 1
    other.close()


def test_first_release_must_hold_in_itself(world: SyncWorld) -> None:
    for file in (world.province_folder.rights, world.province_folder.access):
        file.unlink()
    shutil.rmtree(world.province_folder.repository.folder)
    rewrite(
        world.release_folder / "metadata" / "1.root.json",
        lambda read: read["signatures"].pop(),
    )
    with pytest.raises(ProvinceError, match="root was signed by 1/2 keys"):
        world.province.release(world.release_folder)
    assert not world.province_folder.repository.folder.exists()
    assert msgspec.json.decode(newest(world, "root").read_bytes())
