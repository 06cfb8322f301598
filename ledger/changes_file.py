"""Changes to a kecamatan's rights since the decree: what the kecamatan itself may sign.

One file, cumulative over the decree's base: each takes the place of the one before, so that a
terminal needs the base and one file. Rows name households by their ordinal in the base. So the
file can take away, move, replace a card and clear a block; it cannot say that a household is
added, that an id becomes another, or that anything is more than the decree gave.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

import msgspec

from ledger.errors import RecordError, RightsError
from ledger.policy import HouseholdClass, Policy
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


class ChangesFile(Record, frozen=True):
    """Everything that has changed since the decree's base.

    Attributes:
        number: rises with every new file of the kecamatan, for ever.
        parent: state root of the base.
        result: state root of the base with these changes.
        cleared: of this and earlier decrees; the one part that outlives its base.
    """

    form: Literal["khb-changes-1"]
    kecamatan: Kecamatan
    number: Number
    parent: Hash
    result: Hash
    removed: tuple[Removal, ...]
    moved: tuple[Move, ...]
    replaced: tuple[Replacement, ...]
    lowered: tuple[Lowering, ...]
    cleared: tuple[Clearing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Changes by household, as an office lists them.

    Attributes:
        removed: why each is removed, a ``FLAG_…``.
        moved: the new desa of each.
        replaced: the issue number of each one's newest card.
        lowered: the new class of each.
        cleared: household and issue number of each card, and the changes that first cleared it.
    """

    removed: Mapping[bytes, int] = field(default_factory=dict)
    moved: Mapping[bytes, str] = field(default_factory=dict)
    replaced: Mapping[bytes, int] = field(default_factory=dict)
    lowered: Mapping[bytes, int] = field(default_factory=dict)
    cleared: Mapping[tuple[bytes, int], int] = field(default_factory=dict)


def rights_in_force(base: RightsBase, changes: ChangesFile | None, policy: Policy) -> RightsBase:
    """The base with what the kecamatan has changed since, if it may have changed so much.

    Args:
        base: as the decree signs it.
        changes: as the kecamatan's role names them; None when it names none.
        policy: of the same decree: its bounds and classes.

    Raises:
        RightsError: older than the decree, on another base, out of the bounds, or not what the
            file says comes of it.
    """
    number = 0 if changes is None else changes.number
    if number < base.changes:
        raise RightsError(
            f"the changes of {base.kecamatan} ({number}) are older than the decree beside them,"
            f" which holds them up to {base.changes}"
        )
    if changes is None or number == base.changes:
        return base
    _check_parent(base, changes)
    _check_ordinals(base, changes)
    _check_bounds(base, changes, policy)
    result = _apply(base, changes)
    if state_root(result) != changes.result:
        raise RightsError(
            f"the changes of {base.kecamatan} do not lead to the rights they say they lead to"
        )
    return result


def _check_parent(base: RightsBase, changes: ChangesFile) -> None:
    if changes.kecamatan != base.kecamatan:
        raise RightsError(f"the changes of {base.kecamatan} are those of {changes.kecamatan}")
    if changes.parent != state_root(base):
        raise RightsError(f"the changes of {base.kecamatan} were made on other rights than brought")


def _check_ordinals(base: RightsBase, changes: ChangesFile) -> None:
    """There is no row of a household the decree does not list."""
    named = {*_ordinals(changes.removed), *_ordinals(changes.moved)}
    named |= {*_ordinals(changes.replaced), *_ordinals(changes.lowered)}
    if named and max(named) >= base.count:
        raise RightsError(
            f"the changes of {base.kecamatan} name household {max(named)}; the decree lists only"
            f" those from 0 to {base.count - 1}"
        )


def _ordinals(rows: Iterable[Removal | Move | Replacement | Lowering]) -> list[int]:
    return [row.ordinal for row in rows]


def _check_bounds(base: RightsBase, changes: ChangesFile, policy: Policy) -> None:
    """A kecamatan may change a part of the decree's base, all its changes taken together."""
    bounds = policy.changes
    cleared = [c for c in changes.cleared if c.number > base.changes]
    for rows, percent, words in (
        (changes.removed, bounds.removed_percent, "remove"),
        (changes.moved, bounds.moved_percent, "move"),
        (changes.replaced, bounds.replaced_percent, "replace the cards of"),
        (changes.lowered, bounds.lowered_percent, "lower the class of"),
        (cleared, bounds.cleared_percent, "clear blocks of"),
    ):
        allowed = max(bounds.at_least, base.count * percent // 100)
        if len(rows) > allowed:
            raise RightsError(
                f"the changes of {base.kecamatan} {words} {len(rows)} of {base.count} households;"
                f" the policy allows {allowed} until the next decree"
            )
    places = {place.desa for place in policy.places}
    for move in changes.moved:
        if not move.desa.startswith(base.kecamatan) or move.desa not in places:
            raise RightsError(
                f"the changes of {base.kecamatan} move a household to {move.desa}, which is no desa"
                " of this kecamatan in the policy"
            )
    classes = {c.number: c for c in policy.classes}
    for row in changes.lowered:
        old = classes.get(base.classes[row.ordinal])
        new = classes.get(row.class_number)
        if old is None or new is None or not _gives_less(new, old):
            raise RightsError(
                f"the changes of {base.kecamatan} give a household a class that gives more"
            )


def _gives_less(new: HouseholdClass, old: HouseholdClass) -> bool:
    return all(q.quantity <= old.quantity(q.programme) for q in new.quantities)


def _apply(base: RightsBase, changes: ChangesFile) -> RightsBase:
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
    for id in {*wanted.removed, *wanted.moved, *wanted.replaced, *wanted.lowered}:
        if id not in at:
            raise RightsError(f"the decree does not list household {id.hex()}; only it can add one")
    changes = ChangesFile(
        form="khb-changes-1",
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
    )
    return msgspec.structs.replace(changes, result=state_root(_apply(base, changes)))


def _in_order(wanted: Mapping[bytes, V]) -> list[tuple[bytes, V]]:
    """By household id, which is by ordinal."""
    return sorted(wanted.items(), key=lambda item: item[0])


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
    rising = all(_rise(_ordinals(rows)) for rows in kinds)
    if not rising or any(a >= b for a, b in pairwise(cards)):
        raise RecordError("a file of changes lists households out of order")
    if any(row.number > changes.number for row in changes.cleared):
        raise RecordError("a file of changes clears a block in changes that are still to come")
    return changes


def _rise(ordinals: list[int]) -> bool:
    return all(a < b for a, b in pairwise(ordinals))
