"""Sealing bytes with age, so that only those they are meant for can read them.

To terminals by a key of their own (X25519); to the province by its log key, which the trust list
names, in the form that age knows from SSH (Ed25519).

An age file does not say who made it: whose word it is, is told by the signature over its hash in
the rights ledger. Every file of age is different, even of the same content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyrage  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from card_codec.keys import Algorithm, PrivateKey, PublicKey
from card_codec.trust import KeyUse, TrustList
from ledger.errors import RecordError

SEALED_SIZE_MAX = 8 * 1024 * 1024
"""Of one people file; the largest desa has some thousand families of 100 bytes each."""
KEY_LENGTH_MAX = 100
"""Characters of an age key or recipient; both are shorter."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A terminal's age identity and the recipient others seal to."""

    identity: str
    recipient: str

    def __repr__(self) -> str:
        return f"SealingKey({self.recipient})"


def new_sealing_key() -> SealingKey:
    """Draw a new key."""
    identity = pyrage.x25519.Identity.generate()
    return SealingKey(str(identity), str(identity.to_public()))


def sealing_key(identity: str) -> SealingKey:
    """The key of an identity as age writes it (``AGE-SECRET-KEY-1…``).

    Raises:
        RecordError: not an age identity.
    """
    try:
        if len(identity) <= KEY_LENGTH_MAX:
            return SealingKey(identity, str(pyrage.x25519.Identity.from_str(identity).to_public()))
    except pyrage.IdentityError as error:
        raise RecordError("this is not the secret half of a sealing key") from error
    raise RecordError("this is not the secret half of a sealing key")


def read_recipient(text: str) -> str:
    """A recipient (``age1…``) in its one form.

    Raises:
        RecordError: not an age recipient.
    """
    try:
        if len(text) <= KEY_LENGTH_MAX and str(pyrage.x25519.Recipient.from_str(text)) == text:
            return text
    except pyrage.RecipientError as error:
        raise RecordError("this is not the public half of a sealing key") from error
    raise RecordError("this is not the public half of a sealing key")


def seal(data: bytes, recipients: Sequence[str]) -> bytes:
    """Seal to each of these recipients; any one of them can open it.

    Raises:
        RecordError: no recipient, one that is none, or too much to seal.
    """
    if not recipients or len(data) > SEALED_SIZE_MAX // 2:
        raise RecordError("there is nobody to seal to, or too much to seal in one file")
    to = [pyrage.x25519.Recipient.from_str(read_recipient(one)) for one in recipients]
    sealed = pyrage.encrypt(data, to)
    assert isinstance(sealed, bytes)  # pyrage is untyped
    return sealed


def unseal(sealed: bytes, key: SealingKey) -> bytes:
    """Open what was sealed to this key.

    Raises:
        RecordError: sealed to others, damaged, cut short, or too large.
    """
    if len(sealed) > SEALED_SIZE_MAX:
        raise RecordError("a sealed file is too large")
    try:
        data = pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(key.identity)])
    except pyrage.DecryptError as error:
        raise RecordError("a sealed file is damaged, or sealed to another terminal") from error
    assert isinstance(data, bytes)  # pyrage is untyped
    return data


def province_key(trust: TrustList) -> PublicKey | None:
    """The newest log key that can be sealed to; None where there is none.

    A log key of P-256 signs acknowledgements, but age cannot seal to it.
    """
    keys = [k for k in trust.keys if k.use is KeyUse.LOG and k.revoked_at is None]
    fit = [k for k in keys if k.key.algorithm is Algorithm.EDDSA]
    return max(fit, key=lambda k: (k.valid_from, k.key.kid)).key if fit else None


def seal_to_province(data: bytes, key: PublicKey) -> bytes:
    """Seal to whoever holds a log key (Ed25519)."""
    loaded = load_der_public_key(key.spki)
    assert isinstance(loaded, Ed25519PublicKey), "province_key gives no other"
    line = loaded.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    sealed = pyrage.encrypt(data, [pyrage.ssh.Recipient.from_str(line)])
    assert isinstance(sealed, bytes)  # pyrage is untyped
    return sealed


def unseal_at_province(sealed: bytes, key: PrivateKey, *, size_max: int) -> bytes:
    """Open what was sealed to this log key.

    Raises:
        RecordError: sealed to another, damaged, cut short, or larger than ``size_max`` bytes.
    """
    if len(sealed) > size_max or key.public.algorithm is not Algorithm.EDDSA:
        raise RecordError("a sealed file is too large, or this log key opens none")
    secret = load_pem_private_key(key.to_pem(), None)
    held = secret.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    try:
        data = pyrage.decrypt(sealed, [pyrage.ssh.Identity.from_buffer(held)])
    except pyrage.DecryptError as error:
        raise RecordError("a sealed file is damaged, or sealed to another province") from error
    assert isinstance(data, bytes)  # pyrage is untyped
    return data
