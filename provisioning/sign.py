"""Signing a bundle with one holder's key, wherever that holder sits: no office is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from card_codec.errors import CardCodecError
from card_codec.keys import PEM_BYTES_MAX, PrivateKey
from ledger.repository import tuf_signer
from provisioning.authority import authorities, check_signatures
from provisioning.errors import ProvisioningError
from provisioning.signing_bundle import Content


@dataclass(frozen=True, slots=True)
class Signed:
    """What one key signed.

    Attributes:
        content: the bundle with the signatures.
        holder: whose key it is.
        roles: what it signed now.
    """

    content: Content
    holder: str
    roles: tuple[str, ...]


def sign_bundle(content: Content, key: PrivateKey) -> Signed:
    """Sign every role of a bundle that this key may sign.

    Raises:
        ProvisioningError: a signature in it does not hold, the key may sign nothing of it, or has
            signed all of it already.
    """
    check_signatures(content)
    roles = add_signatures(content, key)
    holder = content.holder_of(tuf_signer(key).public_key.keyid)
    if not roles:
        raise ProvisioningError(f"{holder} has signed this bundle already; pass it on")
    return Signed(content, holder, roles)


def add_signatures(content: Content, key: PrivateKey) -> tuple[str, ...]:
    """Sign whatever this key may sign and has not signed yet; which roles that is.

    Raises:
        ProvisioningError: the key may sign nothing of it.
    """
    signer = tuf_signer(key)
    keyid = signer.public_key.keyid
    mine = {a.role for a in authorities(content) if keyid in a.keys}
    if not mine:
        raise ProvisioningError(
            f"this key may sign nothing of the bundle; it waits for {_awaited(content)}"
        )
    new = tuple(role for role in content.roles if role in mine and not _has(content, role, keyid))
    for role in new:
        content.roles[role].sign(signer, append=True)
    return new


def read_private_key(path: Path) -> PrivateKey:
    """A holder's key from a PEM file.

    Raises:
        ProvisioningError: it cannot be read, or is no key.
    """
    try:
        with path.open("rb") as file:
            return PrivateKey.from_pem(file.read(PEM_BYTES_MAX + 1))
    except OSError as error:
        raise ProvisioningError(
            f"the key {path} cannot be read: {error.strerror}; check --key"
        ) from error
    except CardCodecError as error:
        raise ProvisioningError(f"{path}: {error.detail}; check --key") from error


def _has(content: Content, role: str, keyid: str) -> bool:
    return keyid in content.roles[role].signatures


def _awaited(content: Content) -> str:
    holders = {
        content.holder_of(keyid)
        for authority in authorities(content)
        for keyid in authority.keys
        if not _has(content, authority.role, keyid)
    }
    names = sorted(holders)
    return ", ".join(names) if len(names) <= 9 else f"{', '.join(names[:9])} and others"
