"""Checking a signing bundle as a terminal would, before anybody signs it or lays it down.

A holder signs names and hashes; this sees to it that the files under them are in the bundle, are
what they claim to be, and that the changes of a kecamatan keep to the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import TargetFile, Targets

from card_codec.errors import CardCodecError
from card_codec.trust import TrustList, decode_trust_list
from ledger.changes_file import ChangesFile, changes_path, read_named
from ledger.errors import RecordError, RightsError
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.policy import Policy, read_policy
from ledger.rights_file import RightsBase, read_base
from ledger.rights_in_force import rights_in_force
from ledger.roll import Roll, read_roll
from provisioning.decree import base_path
from provisioning.errors import ProvisioningError
from provisioning.signing_bundle import Content

Record = Policy | Roll | TrustList | RightsBase | ChangesFile | bytes
"""A file that was read; people files are sealed to terminals and stay bytes."""
CHANGES_ROLE = "changes-"


@dataclass(frozen=True, slots=True)
class Checked:
    """The files of a bundle, read.

    Attributes:
        new: what it lays down, by path.
        before: what is in force under these paths, or what they were made on.
        unsigned: roles in force it brings along to compare with that bear no valid signatures.
    """

    new: Mapping[str, Record]
    before: Mapping[str, Record]
    unsigned: tuple[str, ...] = ()


def check_content(content: Content) -> Checked:
    """Every file of a bundle is named by a role with its hash, and is what it should be.

    Raises:
        ProvisioningError: one is missing, another, or not what a terminal would take.
    """
    try:
        return _checked(content)
    except (RecordError, RightsError, CardCodecError) as error:
        raise ProvisioningError(
            f"the bundle holds what no terminal would take: {error.detail}; prepare it again"
        ) from error


def _checked(content: Content) -> Checked:
    new = {f.path: f.data for f in content.bundle.files}
    before = {f.path: f.data for f in content.bundle.before}
    standing = _named([role.signed for role in content.standing.values()])
    _check_hashes(before, standing)
    drafts = {role: metadata.signed for role, metadata in content.roles.items()}
    named = _named(drafts.values())
    _check_hashes(new, named)
    for path, info in named.items():
        if path not in new and (path not in standing or standing[path].hashes != info.hashes):
            raise ProvisioningError(
                f"the bundle names {path} and does not hold it; prepare it again"
            )
    checked = Checked(
        {path: _read(path, data) for path, data in new.items()},
        {path: _read(path, data) for path, data in before.items()},
        _unsigned(content),
    )
    for role, signed in drafts.items():
        if role.startswith(CHANGES_ROLE):
            _check_changes(checked, role.removeprefix(CHANGES_ROLE), signed)
    return checked


def _unsigned(content: Content) -> tuple[str, ...]:
    """Roles that the new is compared with and that the root that came with them did not sign."""
    root = content.standing.get("root")
    if root is None:
        return ()
    found = []
    for role in ("root", "targets"):
        metadata = content.standing.get(role)
        try:
            if metadata is not None:
                root.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError:
            found.append(role)
    return tuple(found)


def _named(roles: Iterable[Any]) -> dict[str, TargetFile]:
    """Every file that roles name; a root names none."""
    found: dict[str, TargetFile] = {}
    for signed in roles:
        if isinstance(signed, Targets):
            found |= signed.targets
    return found


def _check_hashes(files: Mapping[str, bytes], named: Mapping[str, TargetFile]) -> None:
    for path, data in files.items():
        if path not in named:
            raise ProvisioningError(f"no role of the bundle names {path}; prepare it again")
        try:
            named[path].verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise ProvisioningError(
                f"{path} in the bundle is not the one its role names; prepare it again"
            ) from error


def _read(path: str, data: bytes) -> Record:
    """A file of the ledger by what its path says it is."""
    if path == POLICY_PATH:
        return read_policy(data)
    if path == ROLL_PATH:
        return read_roll(data)
    if path == TRUST_PATH:
        return decode_trust_list(data)
    if path.startswith("people/"):
        return data
    if path.startswith("changes/"):
        return read_named(path, data)
    base = read_base(data)
    if path != base_path(base.kecamatan):
        raise ProvisioningError(f"{path} in the bundle holds the rights of {base.kecamatan}")
    return base


def _check_changes(checked: Checked, kecamatan: str, signed: Targets) -> None:
    """New changes fit the base and the policy they will stand beside."""
    path = changes_path(signed.targets, kecamatan)
    changes = checked.new.get(path or "")
    if not isinstance(changes, ChangesFile):
        return
    base = checked.new.get(base_path(kecamatan)) or checked.before.get(base_path(kecamatan))
    policy = checked.new.get(POLICY_PATH) or checked.before.get(POLICY_PATH)
    if not isinstance(base, RightsBase) or not isinstance(policy, Policy):
        raise ProvisioningError(
            f"the bundle lacks what the changes of {kecamatan} were made on; prepare it again"
        )
    rights_in_force(base, changes, policy)
