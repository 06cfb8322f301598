"""Who must sign which role of a bundle, who has, and who is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

from provisioning.errors import ProvisioningError
from provisioning.signing_bundle import Content


@dataclass(frozen=True, slots=True)
class Authority:
    """Keys of which so many must sign a role.

    Attributes:
        role: whose signature is asked for.
        keys: by their TUF key id.
        threshold: how many of them.
        before: these are the keys that counted until now: a new root needs theirs as well.
    """

    role: str
    keys: Mapping[str, Key]
    threshold: int
    before: bool = False


def authorities(content: Content) -> Iterator[Authority]:
    """Every authority whose signatures the bundle needs."""
    for role in content.roles:
        if role == "root":
            if "root" in content.standing:
                yield _authority(content.standing["root"].signed, role, before=True)
            yield _authority(content.root(), role)
        elif role == "targets":
            yield _authority(content.root(), role)
        else:
            yield _authority(content.targets(), role)


def check_signatures(content: Content) -> None:
    """Every signature in the bundle holds, and is by somebody who may sign.

    Raises:
        ProvisioningError: one does not, or is a stranger's.
    """
    keys: dict[str, dict[str, Key]] = {}
    for authority in authorities(content):
        keys.setdefault(authority.role, {}).update(authority.keys)
    for role, metadata in content.roles.items():
        for keyid in metadata.signatures:
            if keyid not in keys[role]:
                raise ProvisioningError(
                    f"{role} bears a signature of {content.holder_of(keyid)}, who may not sign it;"
                    " take the bundle as it was before"
                )
            if not _holds(keys[role][keyid], metadata, keyid):
                raise ProvisioningError(
                    f"the signature of {content.holder_of(keyid)} under {role} does not hold; ask"
                    " for it again"
                )


def check_thresholds(content: Content) -> None:
    """Every role has as many signatures as it needs.

    Raises:
        ProvisioningError: under the threshold; it names who is missing.
    """
    for authority in authorities(content):
        signed = [k for k in authority.keys if k in content.roles[authority.role].signatures]
        if len(signed) < authority.threshold:
            missing = sorted(content.holder_of(k) for k in authority.keys if k not in signed)
            before = " by the keys that counted until now" if authority.before else ""
            raise ProvisioningError(
                f"{authority.role} has {len(signed)} of {authority.threshold} signatures{before};"
                f" still missing: {_words(missing, authority.threshold - len(signed))}"
            )


def _authority(delegator: Root | Targets, role: str, *, before: bool = False) -> Authority:
    try:
        delegated = delegator.get_delegated_role(role)
        keys = {keyid: delegator.get_key(keyid) for keyid in delegated.keyids}
    except ValueError as error:
        raise ProvisioningError(
            f"the bundle names nobody who may sign {role}; prepare it again"
        ) from error
    return Authority(role, keys, delegated.threshold, before)


def _holds(key: Key, metadata: Metadata[Any], keyid: str) -> bool:
    try:
        key.verify_signature(metadata.signatures[keyid], metadata.signed_bytes)
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True


def _words(names: list[str], count: int) -> str:
    if count >= len(names):
        return " and ".join(names)
    return f"{count} of " + ", ".join(names)
