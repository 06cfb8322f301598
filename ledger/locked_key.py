"""A secret locked under the day's PIN: argon2id makes the key, AES-256-GCM locks.

What a thief of the disk must do is to guess the PIN at this price; the price stands in the file, so
that it can rise with the years. Format: docs/spec/people.md §5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ledger.errors import CustodyError, WrongPinError
from ledger.record import Record, pack, unpack

PIN_LENGTH_MIN, PIN_LENGTH_MAX = 6, 64
LOCKED_SIZE_MAX = 1024
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32


@dataclass(frozen=True, slots=True)
class PinCost:
    """What one guess of a PIN costs: memory in KiB, and passes over it."""

    memory_kib: int
    passes: int


STRONG = PinCost(256 * 1024, 4)
"""About a second of one processor, and 256 MiB, for each guess."""


class LockedKey(Record, frozen=True):
    """The file ``sealing.locked``."""

    form: Literal["khb-locked-1"]
    memory_kib: Annotated[int, msgspec.Meta(ge=8, le=1024 * 1024)]
    passes: Annotated[int, msgspec.Meta(ge=1, le=64)]
    salt: Annotated[bytes, msgspec.Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    box: Annotated[bytes, msgspec.Meta(max_length=512)]


def lock_key(
    secret: str, pin: str, *, randomness: Callable[[int], bytes], cost: PinCost = STRONG
) -> bytes:
    """Lock a secret under a PIN.

    Args:
        secret: what is locked.
        pin: 6 to 64 printable characters.
        randomness: gives that many random bytes (``secrets.token_bytes``).
        cost: of one guess.

    Raises:
        CustodyError: the PIN is too short, too long or not printable.
    """
    check_pin(pin)
    salt, nonce = randomness(SALT_BYTES), randomness(NONCE_BYTES)
    head = LockedKey("khb-locked-1", cost.memory_kib, cost.passes, salt, nonce, b"")
    box = AESGCM(_key(head, pin)).encrypt(nonce, secret.encode(), pack(head))
    return pack(msgspec.structs.replace(head, box=box))


def unlock_key(data: bytes, pin: str) -> str:
    """Open what was locked.

    Raises:
        WrongPinError: another PIN locked it, or it was changed.
        RecordError: not a locked key.
    """
    locked = read_locked(data)
    head = msgspec.structs.replace(locked, box=b"")
    try:
        return AESGCM(_key(locked, pin)).decrypt(locked.nonce, locked.box, pack(head)).decode()
    except InvalidTag as error:
        raise WrongPinError("this PIN does not open the sealing key; type it again") from error


def read_locked(data: bytes) -> LockedKey:
    """Read the file strictly, without opening it.

    Raises:
        RecordError: not a locked key.
    """
    return unpack(data, LockedKey, size_max=LOCKED_SIZE_MAX, name="locked key")


def check_pin(pin: str) -> None:
    """Refuse a PIN that could not have been set.

    Raises:
        CustodyError: too short, too long or not printable.
    """
    if not (PIN_LENGTH_MIN <= len(pin) <= PIN_LENGTH_MAX and pin.isprintable()):
        raise CustodyError(
            f"a PIN has {PIN_LENGTH_MIN} to {PIN_LENGTH_MAX} printable characters; choose another"
        )


def _key(head: LockedKey, pin: str) -> bytes:
    derive = Argon2id(
        salt=head.salt,
        length=KEY_BYTES,
        iterations=head.passes,
        lanes=1,
        memory_cost=head.memory_kib,
    )
    return derive.derive(pin.encode())
