"""Sealing bytes to terminals with age (X25519), so that only those it is meant for can read them.

An age file does not say who made it: whose word it is, is told by the signature over its hash in
the rights ledger. Every file of age is different, even of the same content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyrage  # type: ignore[import-untyped]

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
