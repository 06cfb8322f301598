"""Entries made again, to the byte, from what they say: for a road that carries no more than that.

What comes out is what ``read_entry`` gives of the same bytes. It is made many at a time, so what
many entries share is checked and encoded once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import repeat
from typing import Annotated, Any, TypeAlias

import msgspec

from card_codec import canonical
from card_codec.errors import CardCodecError
from ledger.clock import Moment
from ledger.entry import CONTENT, ENTRY_SIZE_MAX, Body, Content, Entry, Kind, leaf_hash
from ledger.errors import RecordError
from ledger.record import U32, Record

SEQ_MAX = 0xFFFFFFFF
U64_MAX = 2**64 - 1
_ARRAY_OF_10 = b"\x8a"
_ARRAY_OF_7 = b"\x87"
_BYTES_OF_32 = b"\x58\x20"
_NO_MOMENT = Moment(0, 0, 0, 0, 0, 0, bytes(8))
_BYTE = [bytes([n]) if n < 24 else bytes([0x18, n]) for n in range(256)]
_FIVE_TIMES = struct.Struct(">B" + "BI" * 5)
_SHORT = [bytes([0x40 + length]) for length in range(24)]


class Frame(Record, frozen=True):
    """What entries of one act share: when, by which ledger, by whom."""

    moment: Moment
    ledger: U32
    officer: Annotated[str, msgspec.Meta(max_length=12)]


class Rebuilder:
    """Makes entries of one terminal and epoch again."""

    def __init__(self, terminal: int, epoch: int) -> None:
        self._terminal = terminal
        self._epoch = epoch
        self._head = _ARRAY_OF_10 + canonical.encode([1, terminal, epoch])[1:]
        self._officers: dict[str, bytes] = {}
        self._moment, self._ledger, self._officer, self._frame_data = _NO_MOMENT, 0, "", b""

    def set_frame(self, moment: list[Any], ledger: int, officer: str) -> None:
        """What the entries made from now on share.

        Raises:
            RecordError: outside of what an entry can say.
        """
        try:
            frame = msgspec.convert([moment, ledger, officer], Frame)
            if officer not in self._officers:
                self._officers[officer] = canonical.encode(officer)
        except (msgspec.ValidationError, CardCodecError) as error:
            raise RecordError(f"not a journal entry: {error}") from error
        self._moment, self._ledger, self._officer = frame.moment, ledger, officer
        self._frame_data = b"".join(
            (_times(moment[:-1]), _SHORT[8], moment[-1], _unsigned(ledger), self._officers[officer])
        )

    def entry(self, seq: int, prev: bytes, form: Form, content: Said) -> Entry:
        """The entry of this number that follows ``prev``.

        Raises:
            RecordError: no entry says this.
        """
        if seq > SEQ_MAX:
            raise RecordError("not a journal entry: its number is too high")
        items, written = content
        try:
            said: Content = msgspec.convert(items, form.content)
        except msgspec.ValidationError as error:
            raise RecordError(f"not a journal entry: {error}") from error
        if not form.is_checked:
            form.check(said, items)
        data = b"".join(
            (self._head, _unsigned(seq), _BYTES_OF_32, prev, form.data, self._frame_data, written)
        )
        if len(data) > ENTRY_SIZE_MAX:
            raise RecordError("not a journal entry: it is too long")
        body = Body(
            1, self._terminal, self._epoch, seq, prev, form.kind,
            self._moment, self._ledger, self._officer, items,
        )  # fmt: skip
        return Entry(body, said, data, leaf_hash(data))


Said: TypeAlias = tuple[tuple[Any, ...], bytes]
"""The items of one entry's content, and their canonical bytes as an array."""


def contents(columns: Sequence[Sequence[Any]], count: int) -> list[Said]:
    """``count`` contents from their columns: the first items of all, then the second, ….

    Raises:
        RecordError: a text that is not Unicode, or a number of more than 64 bits.
    """
    head = canonical.encode([0] * len(columns))[: -len(columns) or None]
    if not columns:
        return [((), head)] * count
    try:
        written = [_encoded(column) for column in columns]
    except CardCodecError as error:
        raise RecordError(f"not a journal entry: {error}") from error
    joined = map(b"".join, zip(repeat(head), *written, strict=False))
    return list(zip(zip(*columns, strict=True), joined, strict=True))


def _encoded(values: Sequence[Any]) -> list[bytes]:
    """Each value of a column, which are of one type: equal ones are encoded once."""
    known = {value: _one(value) for value in set(values)}
    return list(map(known.__getitem__, values))


def _one(value: Any) -> bytes:
    if type(value) is int and 0 <= value <= U64_MAX:
        return _unsigned(value)
    if type(value) is bytes and len(value) < len(_SHORT):
        return _SHORT[len(value)] + value
    return canonical.encode(value)


class Form:
    """What entries of one kind whose items are of the same types have in common."""

    def __init__(self, kind: int) -> None:
        """Name the kind.

        Raises:
            RecordError: no kind that this version knows.
        """
        try:
            self.content = CONTENT[Kind(kind)]
        except (ValueError, KeyError) as error:
            raise RecordError(f"not a journal entry: {error}") from error
        self.kind = kind
        self.data = canonical.encode(kind)
        self.is_checked = False

    def check(self, content: Content, items: tuple[Any, ...]) -> None:
        """That the items are plain; needed once: a second form is one of type and so of all.

        Raises:
            RecordError: msgspec also takes bytes written as base64 text.
        """
        if tuple(msgspec.to_builtins(content, builtin_types=(bytes,))) != items:
            raise RecordError("not a journal entry: its content has a second form")
        self.is_checked = True


def _times(times: Sequence[int]) -> bytes:
    """The head of an array of seven and six of its items: five times, and since when it runs.

    A time takes four bytes until 2106; the sixth is short.
    """
    a, b, c, d, e, boottime = times
    if min(a, b, c, d, e) > 0xFFFF and max(a, b, c, d, e) <= SEQ_MAX:
        return _FIVE_TIMES.pack(0x87, 0x1A, a, 0x1A, b, 0x1A, c, 0x1A, d, 0x1A, e) + _unsigned(
            boottime
        )
    return _ARRAY_OF_7 + b"".join(map(_unsigned, times))


def _unsigned(value: int) -> bytes:
    """Canonical CBOR of a number from 0 to 64 bits."""
    if value <= 0xFF:
        return _BYTE[value]
    if value <= 0xFFFF:
        return b"\x19" + value.to_bytes(2, "big")
    if value <= SEQ_MAX:
        return b"\x1a" + value.to_bytes(4, "big")
    return b"\x1b" + value.to_bytes(8, "big")
