"""Taking the office's release: checked as strictly as a terminal checks it, then published.

The office hands over a folder with root, decree, kecamatan roles, their files and the hashes of
the road tokens. Nothing of it is laid down before all of it has held: the chain of roots, every
threshold, every file's hash, and that it is not older than what is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError

from card_codec.errors import CardCodecError
from card_codec.trust import KeyUse, TrustList, decode_trust_list
from ledger.access import ACCESS_SIZE_MAX, Access, read_access
from ledger.changes_file import (
    ChangesFile,
    Clearing,
    Correction,
    changes_path,
    read_named,
)
from ledger.errors import RecordError, RightsError
from ledger.folder import write_whole
from ledger.in_box import read_brought
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.policy import Policy, read_policy
from ledger.repository import (
    Repository,
    keys_named,
    online_role,
    says_stolen,
    signed_time,
    tuf_key,
    tuf_signer,
)
from ledger.rights import Rights
from ledger.rights_build import BaseToInstall, Versions, build_rights
from ledger.rights_file import RightsBase, read_base
from ledger.rights_in_force import check_not_dated_back, corrections_in_force, rights_in_force
from ledger.roll import Roll, read_roll
from sync_agent.errors import ProvinceError
from sync_agent.messages import FILE_SIZE_MAX
from sync_agent.province.corrections import keep_corrections
from sync_agent.province.folder import ProvinceFolder
from sync_agent.province.publishing import publishing, sign_status
from sync_agent.province.store import Store, keep_clearings

METADATA_SIZE_MAX = 16 * 1024 * 1024
ROOTS_MAX = 1_000
ONLINE_ROLE = online_role("")
CHANGES_ROLE = "changes-"


@dataclass(frozen=True, slots=True)
class Release:
    """A release that has held in every point.

    Attributes:
        roots: roots that are new here, by version.
        roles: decree and kecamatan roles, by name: content and exact bytes.
        files: every file they name, by its path in the ledger.
        bases: the rights of each kecamatan, with what it has changed since the decree.
        cleared: every block a kecamatan has taken off.
        corrected: every redemption that a kecamatan's changes take back, by its code.
        adopted: keys of the province that take another's place with it.
        stolen: the online key of before was a thief's: what it blocked counts no more.
    """

    roots: dict[int, bytes]
    roles: dict[str, tuple[Targets, bytes]]
    files: dict[str, bytes]
    policy: Policy
    roll: Roll
    trust: TrustList
    bases: dict[str, RightsBase]
    cleared: tuple[Clearing, ...]
    corrected: dict[str, tuple[Correction, ...]]
    adopted: tuple[str, ...]
    stolen: bool
    access: Access
    access_bytes: bytes


def take_release(province: ProvinceFolder, store: Store, source: Path, *, now: int) -> int:
    """Verify a release, take it into the repository and publish; returns the ledger version.

    Raises:
        ProvinceError: it is not accepted; what was published stays.
        LedgerError: the disk refused.
    """
    with publishing(province):
        try:
            release = _verify(province, source, now)
        except (
            RepositoryError,
            DeserializationError,
            RecordError,
            RightsError,
            CardCodecError,
        ) as error:
            words = " ".join(str(error).split())[:200]
            raise ProvinceError(f"the release in {source} is not accepted: {words}") from error
        return _publish(province, store, release, now)


def _publish(province: ProvinceFolder, store: Store, release: Release, now: int) -> int:
    repository = province.repository
    for signed, _ in release.roles.values():
        for path in signed.targets:
            repository.lay(path, release.files[path])
    for version, data in release.roots.items():
        write_whole(repository.metadata / f"{version}.root.json", data)
    for role, (signed, data) in release.roles.items():
        write_whole(repository.metadata / f"{signed.version}.{role}.json", data)
    write_whole(province.access, release.access_bytes, mode=0o600)
    for name in release.adopted:
        province.adopt(name)
    online = tuf_signer(province.key("online"))
    with store.writing() as db:
        keep_clearings(db, release.cleared, at=now)
        for kecamatan, base in release.bases.items():
            rows = corrections_in_force(base, release.corrected.get(kecamatan, ()))
            keep_corrections(db, rows, at=now)
    status = sign_status(province, store, now=now, forgetting=release.stolen)
    version = repository.publish(online, now=now)
    targets = release.roles["targets"][0]
    decree = signed_time(targets)
    build_rights(
        province.rights,
        versions=Versions(ledger=version, timestamp_time=now, office_time=decree),
        policy=release.policy,
        roll=release.roll,
        trust=release.trust,
        bases=[
            BaseToInstall(
                base,
                status[kecamatan],
                decree,
                changes_by=keys_named(targets, CHANGES_ROLE + kecamatan),
                corrected=release.corrected.get(kecamatan, ()),
            )
            for kecamatan, base in release.bases.items()
        ],
    )
    _purge_people(repository, targets)
    return version


def _purge_people(repository: Repository, decree: Targets) -> None:
    """People of a period that is over leave the province too, though it never could read them."""
    named = {
        info.hashes["sha256"] for path, info in decree.targets.items() if path.startswith("people/")
    }
    for file in (repository.targets / "people").glob("*/*"):
        if file.is_file() and file.name.partition(".")[0] not in named:
            file.unlink()


def _verify(province: ProvinceFolder, source: Path, now: int) -> Release:
    own, brought = province.repository, Repository(source)
    if not brought.versions("root") or not brought.versions("targets"):
        raise ProvinceError(
            f"{source} holds no release (metadata with root and targets); name the folder that"
            " betang-provision publish wrote"
        )
    root, roots = _walk_roots(own, brought)
    _expired(root, "root", now)
    targets, data = _newest(own, brought, "targets", root, now)
    adopted = {"online": _online_key(province, root, targets)}
    roles = {"targets": (targets, data)}
    for role in targets.delegations.roles or {} if targets.delegations else {}:
        if not role.startswith(ONLINE_ROLE):
            roles[role] = _newest(own, brought, role, targets, now)
    files = {
        path: _file(source, signed, path) for signed, _ in roles.values() for path in signed.targets
    }
    access = _read(source, "access.json", ACCESS_SIZE_MAX)
    policy = read_policy(_named(files, POLICY_PATH))
    changes = _changes(roles, files)
    trust = decode_trust_list(_named(files, TRUST_PATH))
    adopted["log"] = _log_key(province, trust)
    release = Release(
        roots=roots,
        roles=roles,
        files=files,
        policy=policy,
        roll=read_roll(_named(files, ROLL_PATH)),
        trust=trust,
        bases={
            kecamatan: rights_in_force(base, changes.get(kecamatan), policy)
            for kecamatan, base in _bases(files)
        },
        adopted=tuple(name for name, following in adopted.items() if following),
        stolen=any(says_stolen(_root_of(data).signed) for data in roots.values()),
        cleared=tuple(c for file in changes.values() for c in file.cleared),
        corrected={kecamatan: file.corrected for kecamatan, file in changes.items()},
        access=read_access(access),
        access_bytes=access,
    )
    _check_content(province, release, changes)
    return release


def _walk_roots(own: Repository, brought: Repository) -> tuple[Root, dict[int, bytes]]:
    """From the root held here (or the first one brought) step by step to the newest brought."""
    held = own.versions("root")
    start = held[-1] if held else 1
    newest = brought.versions("root")[-1]
    if newest < start or newest > ROOTS_MAX:
        raise ProvinceError(f"the release ends at root {newest}, but {start} is held: it is older")
    data = _read(own.folder if held else brought.folder, _root(start), METADATA_SIZE_MAX)
    trusted = _root_of(data)
    if held and _read(brought.folder, _root(start), METADATA_SIZE_MAX) != data:
        raise ProvinceError("the release has another root of trust; it is another office's")
    if not held:
        _root_signed(trusted.signed, trusted, 1)
    new = {} if held else {1: data}
    for version in range(start + 1, newest + 1):
        new[version] = _read(brought.folder, _root(version), METADATA_SIZE_MAX)
        following = _root_of(new[version])
        # TUF §5.3.4: a threshold of the keys before, and of its own.
        _root_signed(trusted.signed, following, version)
        _root_signed(following.signed, following, version)
        trusted = following
    return trusted.signed, new


def _root_signed(by: Root, root: Metadata[Root], version: int) -> None:
    by.verify_delegate("root", root.signed_bytes, root.signatures)
    if root.signed.version != version:
        raise ProvinceError(f"root {version} of the release calls itself {root.signed.version}")


def _root_of(data: bytes) -> Metadata[Root]:
    metadata = Metadata.from_bytes(data)
    if not isinstance(metadata.signed, Root):
        raise ProvinceError("a root of the release is not a root")
    return metadata


def _root(version: int) -> str:
    return f"metadata/{version}.root.json"


def _newest(
    own: Repository, brought: Repository, role: str, delegator: Root | Targets, now: int
) -> tuple[Targets, bytes]:
    """The newest metadata brought of a role, if its threshold signed it and it is not older."""
    versions = brought.versions(role)
    if not versions:
        raise ProvinceError(f"the release lacks the role {role}; publish again at the office")
    name = f"metadata/{versions[-1]}.{role}.json"
    data = _read(brought.folder, name, METADATA_SIZE_MAX)
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    signed = metadata.signed
    if not isinstance(signed, Targets) or signed.version != versions[-1]:
        raise ProvinceError(f"{name} of the release is not what its name says")
    held = (own.versions(role) or [0])[-1]
    if signed.version < held:
        raise ProvinceError(
            f"the release is older than what is published ({role} {signed.version}, held {held})"
        )
    if signed.version == held and _read(own.folder, name, METADATA_SIZE_MAX) != data:
        raise ProvinceError(f"the release has another {role} {held} than is published; ask why")
    _expired(signed, role, now)
    return signed, data


def _online_key(province: ProvinceFolder, root: Root, targets: Targets) -> bool:
    """Whether the release names this province's online key, or the one that is to follow it (True).

    The province can only publish what names its own online key.
    """
    delegated = (targets.delegations.roles or {}) if targets.delegations else {}
    named = [root.roles["snapshot"], root.roles["timestamp"]]
    named += [of for role, of in delegated.items() if role.startswith(ONLINE_ROLE)]
    changed = [role for role in delegated if role.startswith(CHANGES_ROLE)]
    for following, own in ((False, province.key("online")), (True, province.next_key("online"))):
        keyid = tuf_key(own).keyid if own else ""
        if len(named) == 2 + len(changed) and all(
            keyid in r.keyids and r.threshold == 1 for r in named
        ):
            return following
    raise ProvinceError(
        "the release does not name this province's online key; publish it with this province's"
        " public.json"
    )


def _log_key(province: ProvinceFolder, trust: TrustList) -> bool:
    """Whether the release trusts this province's log key, or (True) the one that is to follow."""
    following = province.next_key("log")
    if following is not None and trust.find(following.public.kid, KeyUse.LOG) is not None:
        return True
    if trust.find(province.key("log").public.kid, KeyUse.LOG) is None:
        raise ProvinceError(
            "the release does not trust this province's log key; publish it with this province's"
            " public.json"
        )
    return False


def _check_content(
    province: ProvinceFolder, release: Release, changes: dict[str, ChangesFile]
) -> None:
    try:
        rights = Rights(province.rights)
    except RightsError:
        return
    held, known = rights.policy.number, rights.corrected()
    heard, by = rights.changes(), rights.changes_by()
    rights.close()
    if release.policy.number < held:
        raise ProvinceError(
            f"the release has policy {release.policy.number}, but {held} is in force: it is older"
        )
    for kecamatan, file in changes.items():
        same = by.get(kecamatan) == keys_named(
            release.roles["targets"][0], CHANGES_ROLE + kecamatan
        )
        check_not_dated_back(file, heard=heard.get(kecamatan, 0) if same else 0, known=known)


def _bases(files: dict[str, bytes]) -> Iterator[tuple[str, RightsBase]]:
    for path, data in files.items():
        if path.startswith("rights/"):
            base = read_base(data)
            if path != f"rights/{base.kecamatan}/base.cbor.zst":
                raise ProvinceError(f"{path} of the release holds {base.kecamatan}'s rights")
            yield base.kecamatan, base


def _changes(
    roles: dict[str, tuple[Targets, bytes]], files: dict[str, bytes]
) -> dict[str, ChangesFile]:
    """What each kecamatan's role says, by its code."""
    found = {}
    for role, (signed, _) in roles.items():
        if role.startswith(CHANGES_ROLE):
            kecamatan = role.removeprefix(CHANGES_ROLE)
            path = changes_path(signed.targets, kecamatan)
            if path is not None:
                found[kecamatan] = read_named(path, files[path])
    return found


def _file(source: Path, signed: Targets, path: str) -> bytes:
    info = signed.targets[path]
    directory, _, name = path.rpartition("/")
    digest = info.hashes.get("sha256")
    if digest is None or info.length > FILE_SIZE_MAX:
        raise ProvinceError(f"{path} of the release has no SHA-256 or is too large")
    data = _read(source, f"targets/{directory}/{digest}.{name}", info.length)
    info.verify_length_and_hashes(data)
    return data


def _named(files: dict[str, bytes], path: str) -> bytes:
    if path not in files:
        raise ProvinceError(f"the release lacks {path}; publish again at the office")
    return files[path]


def _expired(signed: Root | Targets, role: str, now: int) -> None:
    if signed.is_expired(datetime.fromtimestamp(now, UTC)):
        raise ProvinceError(f"{role} of the release has expired; publish again at the office")


def _read(folder: Path, relative: str, size_max: int) -> bytes:
    data = read_brought(folder, relative, size_max=size_max)
    if data is None:
        raise ProvinceError(f"the release lacks {relative}, or it is no plain file of its size")
    return data
