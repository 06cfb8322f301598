"""Journal entries: what a terminal says happened, as hashed and signed bytes.

An entry's body is a canonical CBOR array that names the terminal, its epoch and the entry's place
in the chain; its leaf hash is the name it goes by everywhere. This module knows no database, so
that other verifiers can use it.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Annotated, Any, Literal

import msgspec

from card_codec import canonical
from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from ledger.clock import Moment
from ledger.element import Element, RedemptionId, Right
from ledger.errors import RecordError
from ledger.record import U8, U24, U32, U53, Hash, HouseholdId, Record, ShortText, unpack

ENTRY_SIZE_MAX = 1024
LEAF_CONTEXT = b"\x00KHB-JRN-v1\x00"
HEAD_CONTEXT = b"KHB-HEAD-v1\x00"
GENESIS_CONTEXT = b"KHB-GENESIS-v1\x00"


class Kind(IntEnum):
    """What an entry records. Numbers are never used again."""

    REDEMPTION = 1
    PENDING = 2
    COMMIT = 3
    VOID = 4
    HANDOVER = 5
    REFUSAL = 6
    LOOK_UP = 7
    OBSERVED = 8
    STOCK = 9
    OPEN = 10
    CLOSE = 11
    EXCEPTION = 12
    COMPLAINT = 13
    CLOCK = 14
    SEAL = 15


class Presented(IntEnum):
    """By what the family showed who it is."""

    TEXT = 1
    PICTURE = 2
    CHIP = 3
    LOOK_UP = 4


class Basis(IntEnum):
    """Why this terminal could give: at home, from the away quota, or by exception."""

    HOME = 1
    AWAY = 2
    EXCEPTION = 3


class Redemption(Record, frozen=True):
    """A hand-over decided and recorded: the element every road carries."""

    household: HouseholdId
    issue: U8
    member: U8
    programme: U8
    window: U8
    quantity: U24
    paid: U53
    presented: Presented
    basis: Basis


class Void(Record, frozen=True):
    """Takes back a redemption of this same terminal and epoch."""

    seq: U32
    reason: ShortText
    second: ShortText


class Handover(Record, frozen=True):
    """The goods of that redemption went over the counter."""

    seq: U32


class Refusal(Record, frozen=True):
    """Not handed over, and why. The text shown is never kept."""

    reason: ShortText
    household: HouseholdId | None
    issue: U8
    member: U8
    programme: U8
    presented: Presented


class LookUp(Record, frozen=True):
    """A number typed from a KTP or KK was looked up. The number and its tag are never kept.

    Attributes:
        household: whose it is; None when it was not found.
        member: the person whose number it is, 0 for the number of the KK.
        reason: code of the refusal, empty when the family was found.
    """

    household: HouseholdId | None
    member: U8
    reason: Annotated[str, msgspec.Meta(max_length=80)]


class Opened(Record, frozen=True):
    """The terminal began to serve (first entry of an epoch, or a new day)."""

    point: ShortText


class Closed(Record, frozen=True):
    """The day is over at this counter; what was given since the last close.

    Attributes:
        first: number of the day's first entry.
        redemptions: those that stand.
        paid: what families paid for them, rupiah.
        units: number of a programme (1 byte) and units given by it (4 bytes, big-endian), in order.
    """

    first: U32
    redemptions: U32
    voids: U32
    refusals: U32
    paid: U53
    units: Annotated[bytes, msgspec.Meta(max_length=640)]


class Sealed(Record, frozen=True):
    """A chain ends, or pauses, at this head: its disk is full, or it was lost and brought back.

    Attributes:
        reason: ``disk_full`` or ``restored``.
        epoch: whose head it is: this epoch, or an earlier one that this one follows.
        seq: the head's number.
    """

    reason: Annotated[str, msgspec.Meta(pattern=r"^(disk_full|restored)\Z")]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    seq: U32
    head: Hash


Content = Redemption | Void | Handover | Refusal | LookUp | Opened | Closed | Sealed
CONTENT: dict[Kind, type[Content]] = {
    Kind.REDEMPTION: Redemption,
    Kind.VOID: Void,
    Kind.HANDOVER: Handover,
    Kind.REFUSAL: Refusal,
    Kind.LOOK_UP: LookUp,
    Kind.OPEN: Opened,
    Kind.CLOSE: Closed,
    Kind.SEAL: Sealed,
}
KIND_OF = {content: kind for kind, content in CONTENT.items()}


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
        """The element of the union this entry is, if it is a redemption."""
        if not isinstance(self.content, Redemption):
            return None
        c = self.content
        right = Right(c.household, c.member, c.programme, c.window)
        minute = self.body.moment.early // 60
        return Element(self.id, self.leaf[:8], right, c.quantity, minute)


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
