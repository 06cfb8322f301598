"""Roll of terminals: who may serve, where, with which key. Signed by the decree."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from card_codec.keys import PublicKey
from card_codec.trust import KeyUse, TrustedKey
from ledger.record import U8, U16, U32, Kecamatan, Record, Seconds, ShortText, pack, unpack

ROLL_SIZE_MAX = 4 * 1024 * 1024


class Terminal(Record, frozen=True):
    """One enrolled terminal.

    Attributes:
        ordinal: its number in the province (1 to 65,535).
        epoch: rises when a terminal is restored or gets a new key.
        home: kecamatan it is home to.
        holds: kecamatan whose rights it holds.
        away_households: households it may serve away from their home (escrow).
        spki: its public signing key, DER.
        shut_out: since when its entries no longer count as new, or None.
    """

    ordinal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: U8
    name: ShortText
    point: ShortText
    home: Kecamatan
    holds: tuple[Kecamatan, ...]
    away_households: U16
    spki: Annotated[bytes, msgspec.Meta(max_length=200)]
    enrolled: Seconds
    shut_out: Seconds | None


class Roll(Record, frozen=True):
    """Every terminal of the province."""

    form: Literal["khb-roll-1"]
    number: U32
    terminals: tuple[Terminal, ...]

    def terminal(self, ordinal: int, epoch: int) -> Terminal | None:
        """The terminal of that ordinal and epoch."""
        return next((t for t in self.terminals if t.ordinal == ordinal and t.epoch == epoch), None)

    def newest(self, ordinal: int) -> Terminal | None:
        """The terminal of that ordinal in its newest epoch."""
        found = [t for t in self.terminals if t.ordinal == ordinal]
        return max(found, key=lambda t: t.epoch, default=None)


def terminal_name(ordinal: int, epoch: int = 1) -> str:
    """``T001``, or ``T001.2`` from the second epoch on."""
    return f"T{ordinal:03d}" if epoch == 1 else f"T{ordinal:03d}.{epoch}"


def trusted_key(terminal: Terminal) -> TrustedKey:
    """A terminal's key as a trust list names it, to check receipts with."""
    return TrustedKey(
        key=PublicKey.from_spki(terminal.spki),
        use=KeyUse.TERMINAL,
        holder=f"T{terminal.ordinal:03d}.{terminal.epoch}",
        valid_from=terminal.enrolled,
        valid_until=None,
        revoked_at=terminal.shut_out,
    )


def write_roll(roll: Roll) -> bytes:
    """The roll as the decree signs it."""
    return pack(roll)


def read_roll(data: bytes) -> Roll:
    """Read a roll strictly.

    Raises:
        RecordError: not a roll of terminals.
    """
    return unpack(data, Roll, size_max=ROLL_SIZE_MAX)
