"""What a kecamatan's changes lead to, and whether it may have made them.

Each kind is bounded by a share of the decree's base, over all changes since; a file that goes past
one of them, or names what is not the kecamatan's to change, counts for nothing, as a whole.
"""

from __future__ import annotations

from collections.abc import Collection

from ledger.changes_file import ChangesFile, Correction, apply_changes, ordinals
from ledger.errors import RightsError
from ledger.policy import HouseholdClass, Policy
from ledger.rights_file import RightsBase, state_root


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
    _check_named(base, changes)
    _check_bounds(base, changes, policy)
    _check_places(base, changes, policy)
    result = apply_changes(base, changes)
    if state_root(result) != changes.result:
        raise RightsError(
            f"the changes of {base.kecamatan} do not lead to the rights they say they lead to"
        )
    return result


def corrections_in_force(base: RightsBase, corrected: Collection[Correction]) -> list[Correction]:
    """Those of households that the kecamatan's base lists: it takes back for its own alone.

    Of an earlier decree's one may have left since. It is passed over: who has not heard of it
    before is only more careful.
    """
    listed = frozenset(base.ids()) if corrected else frozenset()
    return [row for row in corrected if row.household in listed]


def check_not_dated_back(
    changes: ChangesFile, *, heard: int, known: Collection[Correction]
) -> None:
    """What earlier changes took back a reader has heard from them: none is slipped in later.

    Rows of before the decree count against no bound, so that a thief of both keys would date his
    own back.

    Args:
        changes: the new ones.
        heard: number of those installed, signed by the same keys; 0 for none.
        known: what these took back.

    Raises:
        RightsError: a row says that earlier changes said so, and they did not.
    """
    held = frozenset(known)
    for row in changes.corrected:
        if row.number <= heard and row not in held:
            raise RightsError(
                f"the changes of {changes.kecamatan} say that {row.id().number()} was taken back in"
                f" changes {row.number}, which said nothing of it"
            )


def _check_parent(base: RightsBase, changes: ChangesFile) -> None:
    if changes.kecamatan != base.kecamatan:
        raise RightsError(f"the changes of {base.kecamatan} are those of {changes.kecamatan}")
    if changes.parent != state_root(base):
        raise RightsError(f"the changes of {base.kecamatan} were made on other rights than brought")


def _check_named(base: RightsBase, changes: ChangesFile) -> None:
    """There is no row of a household the decree does not list."""
    named = {*ordinals(changes.removed), *ordinals(changes.moved)}
    named |= {*ordinals(changes.replaced), *ordinals(changes.lowered)}
    if named and max(named) >= base.count:
        raise RightsError(
            f"the changes of {base.kecamatan} name household {max(named)}; the decree lists only"
            f" those from 0 to {base.count - 1}"
        )
    new = [row for row in changes.corrected if row.number > base.changes]
    own = corrections_in_force(base, new)
    for row in new if len(own) < len(new) else ():
        if row not in own:
            raise RightsError(
                f"the changes of {base.kecamatan} take back {row.id().number()} of household"
                f" {row.household.hex()}, which the decree does not list there"
            )


def _check_bounds(base: RightsBase, changes: ChangesFile, policy: Policy) -> None:
    """A kecamatan may change a part of the decree's base, all its changes taken together."""
    bounds = policy.changes
    cleared = [c for c in changes.cleared if c.number > base.changes]
    corrected = [c for c in changes.corrected if c.number > base.changes]
    for rows, percent, words in (
        (changes.removed, bounds.removed_percent, "remove"),
        (changes.moved, bounds.moved_percent, "move"),
        (changes.replaced, bounds.replaced_percent, "replace the cards of"),
        (changes.lowered, bounds.lowered_percent, "lower the class of"),
        (cleared, bounds.cleared_percent, "clear blocks of"),
        (corrected, bounds.corrected_percent, "take back redemptions of"),
    ):
        allowed = max(bounds.at_least, base.count * percent // 100)
        if len(rows) > allowed:
            raise RightsError(
                f"the changes of {base.kecamatan} {words} {len(rows)} of {base.count} households;"
                f" the policy allows {allowed} until the next decree"
            )


def _check_places(base: RightsBase, changes: ChangesFile, policy: Policy) -> None:
    """Nobody is moved out of the kecamatan, or into a class that gives more."""
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
