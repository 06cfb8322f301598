"""What a journal entry can record: its kinds, and the content of each.

This module knows no database, so that other verifiers can use it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec

from card_codec.chip.record import RECORD_BYTES, CardRecord, decode_record
from card_codec.errors import CardCodecError
from ledger.record import U8, U24, U32, U53, Hash, HouseholdId, Record, Seconds, ShortText

ChipUid = Annotated[bytes, msgspec.Meta(min_length=7, max_length=7)]
ReasonCode = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}\Z")]
"""Code of a refusal. A newer terminal may know one that its reader does not."""
CARD_LEAF = bytes(8)
"""In place of the leaf hash of an element that is known from a card's record alone."""
NOT_COMMITTED = "not committed by the card"
NOBODY_ELSE = "-"


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
    """By what the family showed who it is.

    ``CHIP`` has shown its key; ``CHIP_UNPROVEN`` has none that is held here, and is worth what a
    paper card is.
    """

    TEXT = 1
    PICTURE = 2
    CHIP = 3
    LOOK_UP = 4
    CHIP_UNPROVEN = 5


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


class Pending(Record, frozen=True):
    """A redemption by chip, as it stands before the card is asked to commit.

    It counts as taken from here on. What became of it a commit or a void of it says, made from
    what the card itself shows.

    Attributes:
        uid: of the chip, 7 bytes.
        counter: the chip's counter before (TMC); a commit would move it by one.
        before: who had the commit before, by the card's newest record: ordinal of the terminal
            times 256 and its epoch; 0 for the card station.
    """

    household: HouseholdId
    issue: U8
    member: U8
    programme: U8
    window: U8
    quantity: U24
    paid: U53
    basis: Basis
    uid: ChipUid
    counter: Annotated[int, msgspec.Meta(ge=0, lt=0xFFFFFFFF)]
    before: U24


class Commit(Record, frozen=True):
    """The chip committed the record of that pending redemption, or of that void.

    Attributes:
        seq: number of the pending or void entry.
        counter: the chip's counter with that commit (TMC).
        value: Transaction MAC of that commit (TMV), 8 bytes; empty where a later commit had
            overwritten it when the card was seen again.
    """

    seq: U32
    counter: Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
    value: Annotated[bytes, msgspec.Meta(max_length=8)]

    def __post_init__(self) -> None:
        """Refuse a part of a value."""
        if len(self.value) not in {0, 8}:
            raise ValueError("a Transaction MAC has 8 bytes, or was lost")


class Observed(Record, frozen=True):
    """What a chip showed, under its key, that was not known here.

    Attributes:
        uid: of the chip, 7 bytes.
        counter: number of its last commit (TMC).
        value: Transaction MAC of that commit (TMV), 8 bytes.
        records: every record it shows, 16 bytes each, oldest first.
    """

    household: HouseholdId
    issue: U8
    uid: ChipUid
    counter: U32
    value: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    records: Annotated[bytes, msgspec.Meta(max_length=16 * RECORD_BYTES)]

    def __post_init__(self) -> None:
        """Refuse what no card of ours holds."""
        self.card_records()

    def card_records(self) -> tuple[CardRecord, ...]:
        """The records, oldest first.

        Raises:
            ValueError: they are none.
        """
        data = self.records
        try:
            return tuple(
                decode_record(data[at : at + RECORD_BYTES])
                for at in range(0, len(data), RECORD_BYTES)
            )
        except CardCodecError as error:
            raise ValueError(error.detail) from error


class Void(Record, frozen=True):
    """Takes back a redemption of this same terminal and epoch.

    Of a pending redemption that its card did not commit, the reason is ``NOT_COMMITTED`` and the
    second person ``NOBODY_ELSE``: the card says so, and nothing had been handed over.
    """

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


class Excepted(Record, frozen=True):
    """Two officers gave in spite of a refusal; the redemption follows in the same act.

    Attributes:
        reason: code of the refusal that they set aside.
        second: initials of the second officer; the first is the entry's own.
    """

    reason: ShortText
    household: HouseholdId
    member: U8
    programme: U8
    second: ShortText


class Complaint(Record, frozen=True):
    """A family does not accept a refusal of this same terminal and epoch. It changes nothing.

    Its own number is what the family is given. It repeats the refusal, so that a slip of it says by
    itself what it is about, and says no more: there is no room for a name, a number or a text.

    Attributes:
        seq: number of the refusal, or of the look-up that found nobody.
        reason: its code.
        programme: that of the refusal; of a look-up, the one that was served then, or 0.
    """

    seq: U32
    reason: ReasonCode
    household: HouseholdId | None
    member: U8
    programme: U8
    presented: Presented


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


class ClockConfirmed(Record, frozen=True):
    """Two officers have compared the machine's clock with the time of day, and it is right.

    Attributes:
        wall: what it said, Unix seconds.
        second: initials of who is not the officer who serves.
    """

    wall: Seconds
    second: ShortText


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


Content = (
    Redemption
    | Pending
    | Commit
    | Void
    | Handover
    | Refusal
    | LookUp
    | Observed
    | Excepted
    | Complaint
    | Opened
    | Closed
    | ClockConfirmed
    | Sealed
)
CONTENT: dict[Kind, type[Content]] = {
    Kind.REDEMPTION: Redemption,
    Kind.PENDING: Pending,
    Kind.COMMIT: Commit,
    Kind.VOID: Void,
    Kind.HANDOVER: Handover,
    Kind.REFUSAL: Refusal,
    Kind.LOOK_UP: LookUp,
    Kind.OBSERVED: Observed,
    Kind.OPEN: Opened,
    Kind.CLOSE: Closed,
    Kind.EXCEPTION: Excepted,
    Kind.COMPLAINT: Complaint,
    Kind.CLOCK: ClockConfirmed,
    Kind.SEAL: Sealed,
}
KIND_OF = {content: kind for kind, content in CONTENT.items()}
