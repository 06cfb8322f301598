"""Preparing a publication: everything that is to be signed, gathered into a signing bundle.

Nothing is written into the release. A decree's bundle holds every file of the decree that is new,
the decree's role, a root where one is due, and the kecamatan roles that need new signatures; a
kecamatan's bundle its changes and its role alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from ledger.access import Access, Door, write_access
from ledger.changes_file import (
    ChangesFile,
    path_of,
    rights_in_force,
    write_changes,
)
from ledger.install import POLICY_PATH
from ledger.policy import read_policy
from ledger.repository import Repository, name_target, signed_time, write_metadata
from ledger.rights_file import RightsBase, read_base
from provisioning.changes import has_pending, lay_out, newest_entry
from provisioning.decree import Decree, base_path, make_decree
from provisioning.errors import ProvisioningError
from provisioning.keys import DECREE, ROOT, OfficeRole, kecamatan_role
from provisioning.office import Office
from provisioning.province_keys import (
    NO_CHANGE,
    ProvinceChange,
    list_log_key,
    read_province_keys,
    write_province_keys,
)
from provisioning.roles import decree_role, last_changes, root_is_due, root_role, tuf_public
from provisioning.roster import Roster
from provisioning.signing_bundle import BundleFile, Holder, RoleFile, SigningBundle


def prepare_decree(
    office: Office,
    *,
    now: int,
    province: ProvinceChange = NO_CHANGE,
    renew: bool = False,
) -> SigningBundle:
    """Gather what a new decree needs signed.

    Args:
        office: the open office.
        now: Unix seconds.
        province: what is told of its keys; needed the first time.
        renew: ask every kecamatan for new signatures, not only those that must.

    Raises:
        WrongUseError: the province's file or the policy table is missing or wrong.
        ProvisioningError: the roster cannot be published.
    """
    repository, roster = Repository(office.release), office.roster
    check_clock(repository, now)
    keys = read_province_keys(office, province)
    folded = {code: last_changes(repository, code) for code in roster.kecamatan()}
    with roster.db.atomic():
        list_log_key(roster, keys.log, now)
        decree = make_decree(office, folded)
        mark = newest_entry(roster)
    changes = [kecamatan_role(code) for code in folded]
    targets = decree_role(decree.files, office.keys, changes, keys.online)
    root = root_role(office.keys, keys.online, stolen=province.stolen)
    contents: dict[str, Root | Targets] = {}
    if root_is_due(repository, root, now):
        contents["root"] = root
    files = dict(_new_files(repository, decree))
    for role, code in zip(changes, folded, strict=True):
        content, file = _kecamatan_content(repository, roster, decree, code)
        if renew or file is not None or _needs_signing(repository, role, targets):
            contents[role.name] = content
            files |= {path_of(code, file.number): write_changes(file)} if file else {}
    contents["targets"] = targets
    return msgspec.structs.replace(
        _bundle(repository, contents, files, now=now),
        before=_bundle_files(_in_force(repository, files)),
        holders=tuple(_holders(office, [ROOT, DECREE, *changes])),
        access=write_access(_access(roster)),
        province=write_province_keys(keys),
        mark=mark,
    )


def prepare_changes(office: Office, kecamatan: str, *, now: int) -> SigningBundle:
    """Gather what a kecamatan's changes need signed: its file where it is new, and its role.

    Raises:
        ProvisioningError: nothing was published yet, or no such kecamatan.
        RightsError: more was changed than the policy in force allows, or it cannot be changed so.
    """
    repository, roster = Repository(office.release), office.roster
    if kecamatan not in roster.kecamatan():
        raise ProvisioningError(
            f"this office does not serve kecamatan {kecamatan}; `betang-provision keys` lists those"
            " it does"
        )
    check_clock(repository, now)
    base, policy = _decree_files(repository, kecamatan)
    role = kecamatan_role(kecamatan)
    last = last_changes(repository, kecamatan)
    files: dict[str, bytes] = {}
    content = _empty_or_standing(repository, role.name)
    if has_pending(roster, kecamatan):
        file = lay_out(roster, base, number=last + 1)
        rights_in_force(base, file, read_policy(policy))
        files[path_of(kecamatan, file.number)] = write_changes(file)
        content = _naming(files)
    before = {base_path(kecamatan): _target(repository, base_path(kecamatan)), POLICY_PATH: policy}
    before |= _standing_changes(repository, role.name)
    return msgspec.structs.replace(
        _bundle(repository, {role.name: content}, files, now=now),
        before=_bundle_files(before),
        holders=tuple(_holders(office, [role])),
        mark=newest_entry(roster),
    )


def check_clock(repository: Repository, now: int) -> None:
    """Times the office signs never fall.

    Raises:
        ProvisioningError: the clock stands before the last publication.
    """
    times = [
        signed_time(repository.load(role, Targets))
        for role in repository.roles()
        if repository.versions(role)
    ]
    if times and now < max(times):
        raise ProvisioningError(
            "the clock of this computer stands before the last publication "
            f"({datetime.fromtimestamp(max(times), UTC):%Y-%m-%d %H:%M} UTC); set it and try again"
        )


def _decree_files(repository: Repository, kecamatan: str) -> tuple[RightsBase, bytes]:
    """The base of a kecamatan and the policy, as the decree in force has them."""
    if not repository.versions("targets"):
        raise ProvisioningError(
            "this office has published nothing yet; run `betang-provision publish` first"
        )
    path = base_path(kecamatan)
    if path not in repository.load("targets", Targets).targets:
        raise ProvisioningError(f"the decree in force does not list {kecamatan}; publish it first")
    return read_base(_target(repository, path)), _target(repository, POLICY_PATH)


def _kecamatan_content(
    repository: Repository, roster: Roster, decree: Decree, kecamatan: str
) -> tuple[Targets, ChangesFile | None]:
    """What a kecamatan's role says beside a new decree, and its file if that is new.

    The decree takes up every change but blocks taken off: those need a file of their own.
    """
    role = kecamatan_role(kecamatan).name
    if not has_pending(roster, kecamatan, clearings=True):
        return _empty_or_standing(repository, role), None
    base = read_base(decree.files[base_path(kecamatan)])
    file = lay_out(roster, base, number=base.changes + 1)
    return _naming({path_of(kecamatan, file.number): write_changes(file)}), file


def _needs_signing(repository: Repository, role: OfficeRole, targets: Targets) -> bool:
    """Whether a kecamatan's role is missing, signed by keys that count no more, or near its end."""
    if not repository.versions(role.name):
        return True
    metadata: Metadata[Any] = Metadata.from_bytes(_role_bytes(repository, role.name))
    try:
        targets.verify_delegate(role.name, metadata.signed_bytes, metadata.signatures)
    except RepositoryError:
        return True
    return False


def _empty_or_standing(repository: Repository, role: str) -> Targets:
    if not repository.versions(role):
        return Targets()
    return Targets(targets=dict(repository.load(role, Targets).targets))


def _naming(files: Mapping[str, bytes]) -> Targets:
    targets = Targets()
    for path, data in files.items():
        name_target(targets, path, data)
    return targets


def _new_files(repository: Repository, decree: Decree) -> Iterator[tuple[str, bytes]]:
    """Files of a decree that the one in force does not have in the same bytes."""
    standing: Mapping[str, TargetFile] = {}
    if repository.versions("targets"):
        standing = repository.load("targets", Targets).targets
    for path, data in decree.files.items():
        new = TargetFile.from_data(path, data, ["sha256"])
        if path not in standing or standing[path].hashes != new.hashes:
            yield path, data


def _in_force(repository: Repository, files: Collection[str]) -> dict[str, bytes]:
    """What stands now under the paths of new files, and what changes among them were made on."""
    found: dict[str, bytes] = {}
    if not repository.versions("targets"):
        return found
    targets = repository.load("targets", Targets)
    for path in files:
        if path in targets.targets:
            found[path] = repository.target_bytes(targets, path)
        elif path.startswith("changes/"):
            kecamatan = path.split("/")[1]
            found |= _standing_changes(repository, kecamatan_role(kecamatan).name)
            for over in (base_path(kecamatan), POLICY_PATH):
                if over not in files:
                    found[over] = repository.target_bytes(targets, over)
    return found


def _standing_changes(repository: Repository, role: str) -> dict[str, bytes]:
    if not repository.versions(role):
        return {}
    signed = repository.load(role, Targets)
    return {path: repository.target_bytes(signed, path) for path in signed.targets}


def _target(repository: Repository, path: str) -> bytes:
    return repository.target_bytes(repository.load("targets", Targets), path)


def _bundle(
    repository: Repository,
    contents: Mapping[str, Root | Targets],
    files: Mapping[str, bytes],
    *,
    now: int,
) -> SigningBundle:
    """Roles as their next versions, unsigned; the files they name; the roles they follow."""
    return SigningBundle(
        form="khb-signing-1",
        prepared=now,
        roles=tuple(
            RoleFile(role, write_metadata(repository.draft(content, role, now=now)))
            for role, content in contents.items()
        ),
        files=_bundle_files(files),
        standing=tuple(
            RoleFile(role, _role_bytes(repository, role))
            for role in dict.fromkeys(["root", "targets", *contents])
            if repository.versions(role)
        ),
        before=(),
        holders=(),
        access=b"",
        province=b"",
        mark=0,
    )


def _role_bytes(repository: Repository, role: str) -> bytes:
    version = repository.versions(role)[-1]
    return (repository.metadata / f"{version}.{role}.json").read_bytes()


def _bundle_files(files: Mapping[str, bytes]) -> tuple[BundleFile, ...]:
    return tuple(BundleFile(path, data) for path, data in sorted(files.items()))


def _holders(office: Office, roles: Iterable[OfficeRole]) -> Iterator[Holder]:
    for role in roles:
        kecamatan = role.name.removeprefix("changes-")
        of = f" of {kecamatan}" if kecamatan != role.name else ""
        for holder, key in office.keys.public(role).items():
            yield Holder(role.name, f"{holder}{of}", tuf_public(key).keyid)


def _access(roster: Roster) -> Access:
    """Who may knock at the province's door: a hash of each terminal's road token."""
    rows = roster.db.execute(
        "SELECT ordinal, epoch, token_sha256 FROM terminal ORDER BY ordinal, epoch"
    )
    return Access("khb-access-1", tuple(Door(*row) for row in rows))
