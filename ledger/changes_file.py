"""Changes to a kecamatan's rights since the decree: what the kecamatan itself may sign.

One file, cumulative over the decree's base: each takes the place of the one before, so that a
terminal needs the base and one file. Rows name households by their ordinal in the base. So the
file can take away, move, replace a card, clear a block and take a redemption back; it cannot say
that a household is added, that an id becomes another, or that anything is more than the decree
gave.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from ledger.element import RedemptionId
from ledger.errors import RecordError, RightsError
from ledger.record import (
    U8,
    U32,
    Desa,
    Hash,
    HouseholdId,
    Kecamatan,
    Record,
    compress,
    inflate,
    pack,
    unpack,
)
from ledger.rights_file import (
    FLAG_DECEASED,
    FLAG_MOVED,
    FLAG_REMOVED,
    RightsBase,
    state_root,
)

CHANGES_SIZE_MAX = 8 * 1024 * 1024
CHANGES_NAME = re.compile(r"changes/([0-9]{6})/([1-9][0-9]{0,9})\.cbor\.zst")
REMOVAL_FLAGS = (FLAG_MOVED, FLAG_DECEASED, FLAG_REMOVED)
DESA_MAX = 255

Number = Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
Issue = Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
V = TypeVar("V")


class Removal(Record, frozen=True):
    """A household gets nothing more; the flag says why."""

    ordinal: U32
    flag: Literal[2, 4, 8]


class Move(Record, frozen=True):
    """A household lives in another desa of the kecamatan."""

    ordinal: U32
    desa: Desa


class Replacement(Record, frozen=True):
    """A household holds a newer card."""

    ordinal: U32
    issue: Issue


class Lowering(Record, frozen=True):
    """A household is of a class that gives less."""

    ordinal: U32
    class_number: U8


class Clearing(Record, frozen=True):
    """A block is taken off a card.

    Attributes:
        number: of the changes that first said so; a card may be blocked again afterwards.
    """

    household: HouseholdId
    issue: Issue
    number: Number


class Correction(Record, frozen=True):
    """A redemption is taken back after its day was closed.

    It takes out what *this household* took under that number, and nothing of any other: whoever
    else is known to have taken under it, now or later, has taken as before.

    Attributes:
        number: of the changes that first said so.
    """

    terminal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    seq: Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
    household: HouseholdId
    number: Number

    def id(self) -> RedemptionId:
        """The redemption."""
        return RedemptionId(self.terminal, self.epoch, self.seq)


class ChangesFile(Record, frozen=True):
    """Everything that has changed since the decree's base.

    Attributes:
        number: rises with every new file of the kecamatan, for ever.
        parent: state root of the base.
        result: state root of the base with these changes.
        cleared: of this and earlier decrees; this part and the next outlive their base.
        corrected: redemptions taken back, of this and earlier decrees.
    """

    form: Literal["khb-changes-2"]
    kecamatan: Kecamatan
    number: Number
    parent: Hash
    result: Hash
    removed: tuple[Removal, ...]
    moved: tuple[Move, ...]
    replaced: tuple[Replacement, ...]
    lowered: tuple[Lowering, ...]
    cleared: tuple[Clearing, ...]
    corrected: tuple[Correction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Changes by household, as an office lists them.

    Attributes:
        removed: why each is removed, a ``FLAG_…``.
        moved: the new desa of each.
        replaced: the issue number of each one's newest card.
        lowered: the new class of each.
        cleared: household and issue number of each card, and the changes that first cleared it.
        corrected: redemption and household, and the changes that first took it back.
    """

    removed: Mapping[bytes, int] = field(default_factory=dict)
    moved: Mapping[bytes, str] = field(default_factory=dict)
    replaced: Mapping[bytes, int] = field(default_factory=dict)
    lowered: Mapping[bytes, int] = field(default_factory=dict)
    cleared: Mapping[tuple[bytes, int], int] = field(default_factory=dict)
    corrected: Mapping[tuple[RedemptionId, bytes], int] = field(default_factory=dict)


def apply_changes(base: RightsBase, changes: ChangesFile) -> RightsBase:
    """The base with these changes in it, whether they may be made or not.

    Raises:
        RightsError: more desa than a base can name, or a card that is older than the base's.
    """
    codes = tuple(sorted({*base.desa_codes, *(row.desa for row in changes.moved)}))
    index = {code: i for i, code in enumerate(codes)}
    if len(codes) > DESA_MAX:
        raise RightsError(f"the changes of {base.kecamatan} name more than {DESA_MAX} desa")
    desa = bytearray(index[base.desa_codes[i]] for i in base.desa)
    issues, classes = bytearray(base.issues), bytearray(base.classes)
    flags = bytearray(base.flags)
    for removal in changes.removed:
        flags[removal.ordinal] |= removal.flag
    for move in changes.moved:
        desa[move.ordinal] = index[move.desa]
    for replacement in changes.replaced:
        if replacement.issue <= issues[replacement.ordinal]:
            raise RightsError(
                f"the changes of {base.kecamatan} bring back an older card of a household"
            )
        issues[replacement.ordinal] = replacement.issue
    for lowering in changes.lowered:
        classes[lowering.ordinal] = lowering.class_number
    return msgspec.structs.replace(
        base,
        changes=changes.number,
        desa_codes=codes,
        desa=bytes(desa),
        issues=bytes(issues),
        classes=bytes(classes),
        flags=bytes(flags),
    )


def make_changes(base: RightsBase, *, number: int, wanted: Wanted) -> ChangesFile:
    """Lay changes out over a base; what the base says already is left out.

    Raises:
        RightsError: a household that the decree does not list.
    """
    at = {id: ordinal for ordinal, id in enumerate(base.ids())}
    new = (home for (_, home), first in wanted.corrected.items() if first > base.changes)
    for id in {*wanted.removed, *wanted.moved, *wanted.replaced, *wanted.lowered, *new}:
        if id not in at:
            raise RightsError(f"the decree does not list household {id.hex()}; only it can add one")
    changes = ChangesFile(
        form="khb-changes-2",
        kecamatan=base.kecamatan,
        number=number,
        parent=state_root(base),
        result=bytes(32),
        removed=tuple(
            Removal(at[id], flag)  # type: ignore[arg-type]
            for id, flag in _in_order(wanted.removed)
            if not base.flags[at[id]] & flag
        ),
        moved=tuple(
            Move(at[id], desa)
            for id, desa in _in_order(wanted.moved)
            if base.desa_codes[base.desa[at[id]]] != desa
        ),
        replaced=tuple(
            Replacement(at[id], issue)
            for id, issue in _in_order(wanted.replaced)
            if base.issues[at[id]] != issue
        ),
        lowered=tuple(
            Lowering(at[id], class_number)
            for id, class_number in _in_order(wanted.lowered)
            if base.classes[at[id]] != class_number
        ),
        cleared=tuple(Clearing(*card, n) for card, n in sorted(wanted.cleared.items())),
        corrected=tuple(
            Correction(id.terminal, id.epoch, id.seq, household, n)
            for (id, household), n in sorted(wanted.corrected.items())
        ),
    )
    return msgspec.structs.replace(changes, result=state_root(apply_changes(base, changes)))


def _in_order(wanted: Mapping[bytes, V]) -> list[tuple[bytes, V]]:
    """By household id, which is by ordinal."""
    return sorted(wanted.items(), key=lambda item: item[0])


def ordinals(rows: Iterable[Removal | Move | Replacement | Lowering]) -> list[int]:
    """Which households of the base some rows name."""
    return [row.ordinal for row in rows]


def changes_path(names: Collection[str], kecamatan: str) -> str | None:
    """The one file a kecamatan's role names; None when it names none.

    Raises:
        RightsError: it names more than one, or another kind of file.
    """
    if not names:
        return None
    (name, *more) = names
    found = CHANGES_NAME.fullmatch(name)
    if more or found is None or found[1] != kecamatan:
        raise RightsError(f"the role of {kecamatan} names other files than its changes")
    return name


def path_of(kecamatan: str, number: int) -> str:
    """Where a kecamatan's changes of that number stand in the ledger."""
    return f"changes/{kecamatan}/{number}.cbor.zst"


def write_changes(changes: ChangesFile) -> bytes:
    """The file as the kecamatan signs it (compressed)."""
    return compress(pack(changes))


def read_named(path: str, data: bytes) -> ChangesFile:
    """Read the changes that lie under a path of the ledger.

    Raises:
        RightsError: they are not those their name says.
        RecordError: not changes.
    """
    changes = read_changes(data)
    if path != path_of(changes.kecamatan, changes.number):
        raise RightsError(f"{path} holds changes {changes.number} of {changes.kecamatan}")
    return changes


def read_changes(data: bytes) -> ChangesFile:
    """Read changes strictly.

    Raises:
        RecordError: not changes, or rows out of order.
    """
    data = inflate(data, size_max=CHANGES_SIZE_MAX)
    changes = unpack(data, ChangesFile, size_max=CHANGES_SIZE_MAX)
    kinds = (changes.removed, changes.moved, changes.replaced, changes.lowered)
    cards = [(row.household, row.issue) for row in changes.cleared]
    taken_back = [(row.id(), row.household) for row in changes.corrected]
    if not (all(_rise(ordinals(rows)) for rows in kinds) and _rise(cards) and _rise(taken_back)):
        raise RecordError("a file of changes lists its rows out of order")
    if any(row.number > changes.number for row in changes.cleared):
        raise RecordError("a file of changes clears a block in changes that are still to come")
    if any(row.number > changes.number for row in changes.corrected):
        raise RecordError("a file of changes takes back in changes that are still to come")
    return changes


def _rise(keys: Sequence[Any]) -> bool:
    return all(a < b for a, b in pairwise(keys))
