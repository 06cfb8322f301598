"""The record of 16 bytes that every commit writes on a chip.

    kind and version  1   version 1 in the high half, kind in the low
    terminal          2   ordinal, big-endian, as everything here
    epoch             1
    seq               3
    programme         1
    window            1
    member            1
    quantity          3
    day               2   days since 1970-01-01, by the calendar of WIB
    spare             1   zero

Terminal, epoch and seq are the id of the redemption's entry in the journal of its terminal, so a
record on a card and an entry that came by any other road are one element. Format:
docs/spec/chip-profile.md §5.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from card_codec.errors import malformed

RECORD_BYTES = 16
VERSION = 1
DAY_SECONDS = 86_400
WIB_SECONDS = 7 * 3600

_LAYOUT = struct.Struct(">BHBBHBBBBHHB")  # u24 as u8 and u16
_U24_MAX = 0xFF_FFFF


class RecordKind(IntEnum):
    """What a record says."""

    REDEMPTION = 1
    VOID = 2
    OPENING = 3
    PERSONALISED = 4


@dataclass(frozen=True, slots=True)
class CardRecord:
    """One line of the card's own memory.

    Attributes:
        kind: a redemption; a void of one (which informs and raises nothing elsewhere); a
            redemption carried over from the card before; or the mark of the card station.
        terminal: ordinal of the terminal, 0 for the card station.
        epoch: of the terminal, 0 to 255.
        seq: of the entry, 0 to 16,777,215.
        programme: its number in the policy; 0 in the mark of the card station, as are the next
            three.
        window: its number in the programme.
        member: number of the person in the household; 0 for the household.
        quantity: how much, at most 16,777,215.
        day: days since 1970-01-01 in WIB.
    """

    kind: RecordKind
    terminal: int
    epoch: int
    seq: int
    programme: int
    window: int
    member: int
    quantity: int
    day: int


def encode_record(record: CardRecord) -> bytes:
    """The record's 16 bytes.

    Raises:
        CardCodecError: `malformed`, if a number does not fit.
    """
    if not 0 <= record.seq <= _U24_MAX or not 0 <= record.quantity <= _U24_MAX:
        raise malformed("a number does not fit the record of a card")
    try:
        data = _LAYOUT.pack(
            VERSION << 4 | record.kind,
            record.terminal,
            record.epoch,
            record.seq >> 16,
            record.seq & 0xFFFF,
            record.programme,
            record.window,
            record.member,
            record.quantity >> 16,
            record.quantity & 0xFFFF,
            record.day,
            0,
        )
    except struct.error as exc:
        raise malformed("a number does not fit the record of a card") from exc
    _check(record)
    return data


def decode_record(data: bytes) -> CardRecord:
    """The record in exactly 16 bytes.

    Raises:
        CardCodecError: `malformed`.
    """
    if len(data) != RECORD_BYTES:
        raise malformed(f"a record on a card has {RECORD_BYTES} bytes")
    first, terminal, epoch, seq_high, seq, programme, window, member, high, low, day, spare = (
        _LAYOUT.unpack(data)
    )
    if first >> 4 != VERSION:
        raise malformed(f"version {first >> 4} of the record on a card is not known here")
    try:
        kind = RecordKind(first & 0x0F)
    except ValueError as exc:
        raise malformed("the record on a card is of no known kind") from exc
    if spare:
        raise malformed("the last byte of a record on a card is not zero")
    record = CardRecord(
        kind=kind,
        terminal=terminal,
        epoch=epoch,
        seq=seq_high << 16 | seq,
        programme=programme,
        window=window,
        member=member,
        quantity=high << 16 | low,
        day=day,
    )
    _check(record)
    return record


def day_of(moment: int) -> int:
    """The day, by the calendar of WIB, of a time in unix seconds."""
    return (moment + WIB_SECONDS) // DAY_SECONDS


def begins(day: int) -> int:
    """When a day begins in WIB, unix seconds; never before 1970."""
    return max(0, day * DAY_SECONDS - WIB_SECONDS)


def _check(record: CardRecord) -> None:
    what = (record.programme, record.window, record.member, record.quantity)
    if record.kind is RecordKind.PERSONALISED:
        if any(what):
            raise malformed("the card station's mark names a programme or a quantity")
    elif record.quantity == 0:
        raise malformed("a record on a card takes nothing")
