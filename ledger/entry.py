"""Journal entries: what a terminal says happened, as hashed and signed bytes.

An entry's body is a canonical CBOR array that names the terminal, its epoch and the entry's place
in the chain; its leaf hash is the name it goes by everywhere. This module knows no database, so
that other verifiers can use it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec

from card_codec import canonical
from card_codec.chip.record import RecordKind, begins
from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from ledger.clock import Moment
from ledger.element import Element, RedemptionId, Right
from ledger.entry_content import (
    CARD_LEAF,
    CONTENT,
    KIND_OF,
    NOBODY_ELSE,
    NOT_COMMITTED,
    Basis,
    ClockConfirmed,
    Closed,
    Commit,
    Complaint,
    Content,
    Excepted,
    Handover,
    Kind,
    LookUp,
    Observed,
    Opened,
    Pending,
    Presented,
    Redemption,
    Refusal,
    Sealed,
    Void,
)
from ledger.errors import RecordError
from ledger.record import U8, U32, Hash, Record, unpack

ENTRY_SIZE_MAX = 1024
LEAF_CONTEXT = b"\x00KHB-JRN-v1\x00"
HEAD_CONTEXT = b"KHB-HEAD-v1\x00"
GENESIS_CONTEXT = b"KHB-GENESIS-v1\x00"


class Body(Record, frozen=True):
    """The signed bytes of one entry, as an array."""

    form: Literal[1]
    terminal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    seq: Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
    prev: Hash
    kind: U8
    moment: Moment
    ledger: U32
    officer: Annotated[str, msgspec.Meta(max_length=12)]
    content: tuple[Any, ...]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry: its body, the exact bytes, and the leaf hash that names it."""

    body: Body
    content: Content
    data: bytes
    leaf: bytes

    @property
    def id(self) -> RedemptionId:
        """(terminal, epoch, seq)."""
        return RedemptionId(self.body.terminal, self.body.epoch, self.body.seq)

    @property
    def kind(self) -> Kind:
        """What the entry records."""
        return Kind(self.body.kind)

    def element(self) -> Element | None:
        """The element of the union this entry is, if it is a redemption, pending or not."""
        c = self.content
        if not isinstance(c, Redemption | Pending):
            return None
        right = Right(c.household, c.member, c.programme, c.window)
        minute = self.body.moment.early // 60
        counter = c.counter + 1 if isinstance(c, Pending) else 0
        return Element(self.id, self.leaf[:8], right, c.quantity, minute, counter)

    def seen(self) -> list[Element]:
        """The elements that a card showed, if this is what one showed: known by their ids alone."""
        c = self.content
        if not isinstance(c, Observed):
            return []
        return [
            Element(
                RedemptionId(record.terminal, record.epoch, record.seq),
                CARD_LEAF,
                Right(c.household, record.member, record.programme, record.window),
                record.quantity,
                begins(record.day) // 60,
            )
            for record in c.card_records()
            if record.kind in {RecordKind.REDEMPTION, RecordKind.OPENING}
        ]


def make_entry(
    *,
    id: RedemptionId,
    prev: bytes,
    moment: Moment,
    ledger: int,
    officer: str,
    content: Content,
) -> Entry:
    """Make the entry that follows ``prev`` (its leaf hash, 32 bytes).

    Raises:
        RecordError: a number or a text is outside of what an entry can say.
    """
    items = msgspec.to_builtins(content, builtin_types=(bytes,))
    time = msgspec.to_builtins(moment, builtin_types=(bytes,))
    kind = int(KIND_OF[type(content)])
    return build_entry([1, id.terminal, id.epoch, id.seq, prev, kind, time, ledger, officer, items])


def build_entry(fields: list[Any]) -> Entry:
    """The entry that says these values: one that its readers will take, or none.

    Args:
        fields: the items of a body in their order, in plain types.

    Raises:
        RecordError: a number or a text is outside of what an entry can say.
    """
    try:
        # Checked as its readers check it: a journal must never hold what they refuse.
        body = msgspec.convert(fields, Body)
        content = _content(body)
        data = canonical.encode(fields)
    except (msgspec.ValidationError, CardCodecError) as error:
        raise RecordError(f"no journal entry can say this: {error}") from error
    if len(data) > ENTRY_SIZE_MAX:
        raise RecordError(f"an entry of {len(data)} bytes is too long to be read back")
    return Entry(body, content, data, leaf_hash(data))


def read_entry(data: bytes) -> Entry:
    """Read one entry's body strictly.

    Raises:
        RecordError: not a journal entry this version knows.
    """
    body = unpack(data, Body, size_max=ENTRY_SIZE_MAX, name="journal entry")
    return Entry(body, _content(body), data, leaf_hash(data))


def _content(body: Body) -> Content:
    try:
        content = msgspec.convert(body.content, CONTENT[Kind(body.kind)])
    except (msgspec.ValidationError, ValueError, KeyError) as error:
        raise RecordError(f"not a journal entry: {error}") from error
    if msgspec.to_builtins(content, builtin_types=(bytes,)) != list(body.content):
        raise RecordError("not a journal entry: its content has a second form")
    return content


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 with a context of its own (32 bytes); RFC 6962 leaves begin with 0x00 too."""
    return hashlib.sha256(LEAF_CONTEXT + data).digest()


def genesis(terminal: int, epoch: int, key: PublicKey) -> bytes:
    """What the first entry of an epoch follows: it binds the chain to one key."""
    head = terminal.to_bytes(2, "big") + epoch.to_bytes(1, "big") + key.spki
    return hashlib.sha256(GENESIS_CONTEXT + head).digest()


def sign_head(leaf: bytes, signer: Signer) -> bytes:
    """Sign the newest leaf: it covers all history through ``prev`` (64 bytes)."""
    return signer.sign(HEAD_CONTEXT + leaf)


def check_head(leaf: bytes, signature: bytes, key: PublicKey) -> None:
    """Check a head signature.

    Raises:
        CardCodecError: ``bad_signature``.
    """
    key.verify(signature, HEAD_CONTEXT + leaf)


__all__ = [
    "CARD_LEAF",
    "CONTENT",
    "ENTRY_SIZE_MAX",
    "KIND_OF",
    "NOBODY_ELSE",
    "NOT_COMMITTED",
    "Basis",
    "Body",
    "ClockConfirmed",
    "Closed",
    "Commit",
    "Complaint",
    "Content",
    "Entry",
    "Excepted",
    "Handover",
    "Kind",
    "LookUp",
    "Observed",
    "Opened",
    "Pending",
    "Presented",
    "Redemption",
    "Refusal",
    "Sealed",
    "Void",
    "build_entry",
    "check_head",
    "genesis",
    "leaf_hash",
    "make_entry",
    "read_entry",
    "sign_head",
]
