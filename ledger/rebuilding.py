"""Entries made again, to the byte, from what they say: for a road that carries no more than that.

What comes out is what ``read_entry`` gives of the same bytes. It is made many at a time, so what
many entries share is checked and encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

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
        *times, boot_id = moment
        parts = [_ARRAY_OF_7, *map(_unsigned, times), _SHORT[8], boot_id, _unsigned(ledger)]
        self._frame_data = b"".join(parts) + self._officers[officer]

    def entry(self, seq: int, prev: bytes, form: Form, content: Said) -> Entry:
        """The entry of this number that follows ``prev``.

        Raises:
            RecordError: no entry says this.
        """
        if seq > SEQ_MAX:
            raise RecordError("not a journal entry: its number is too high")
        try:
            said: Content = msgspec.convert(content.items, form.content)
        except msgspec.ValidationError as error:
            raise RecordError(f"not a journal entry: {error}") from error
        form.check(said, content.items)
        head = (self._head, _unsigned(seq), _BYTES_OF_32, prev, form.data, self._frame_data)
        data = b"".join(head) + content.data
        if len(data) > ENTRY_SIZE_MAX:
            raise RecordError("not a journal entry: it is too long")
        body = Body(
            1, self._terminal, self._epoch, seq, prev, form.kind,
            self._moment, self._ledger, self._officer, content.items,
        )  # fmt: skip
        return Entry(body, said, data, leaf_hash(data))


class Said(NamedTuple):
    """The items of one entry's content, and their canonical bytes as an array."""

    items: tuple[Any, ...]
    data: bytes


def contents(columns: Sequence[Sequence[Any]], count: int) -> list[Said]:
    """``count`` contents from their columns: the first items of all, then the second, ….

    Raises:
        RecordError: a text that is not Unicode, or a number of more than 64 bits.
    """
    head = canonical.encode([0] * len(columns))[: -len(columns) or None]
    if not columns:
        return [Said((), head)] * count
    try:
        written = [_encoded(column) for column in columns]
    except CardCodecError as error:
        raise RecordError(f"not a journal entry: {error}") from error
    rows = zip(zip(*columns, strict=True), zip(*written, strict=True), strict=True)
    return [Said(items, head + b"".join(data)) for items, data in rows]


def _encoded(values: Sequence[Any]) -> list[bytes]:
    """Each value of a column, which are of one type: equal ones are encoded once."""
    known: dict[Any, bytes] = {}
    found = []
    for value in values:
        data = known.get(value)
        if data is None:
            data = known[value] = _one(value)
        found.append(data)
    return found


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
        self._checked = False

    def check(self, content: Content, items: tuple[Any, ...]) -> None:
        """That the items are plain; once, as a second form is one of type and so of all.

        Raises:
            RecordError: msgspec also takes bytes written as base64 text.
        """
        if self._checked:
            return
        if tuple(msgspec.to_builtins(content, builtin_types=(bytes,))) != items:
            raise RecordError("not a journal entry: its content has a second form")
        self._checked = True


def _unsigned(value: int) -> bytes:
    """Canonical CBOR of a number from 0 to 64 bits."""
    if value < 24:
        return value.to_bytes(1, "big")
    if value <= 0xFF:
        return b"\x18" + value.to_bytes(1, "big")
    if value <= 0xFFFF:
        return b"\x19" + value.to_bytes(2, "big")
    if value <= SEQ_MAX:
        return b"\x1a" + value.to_bytes(4, "big")
    return b"\x1b" + value.to_bytes(8, "big")
