"""What changed in a kecamatan since the decree: entered into the roster, laid out for signing.

Entering changes the roster at once; a publication carries it to the terminals. Until then it is
pending, and both the kecamatan's next changes and the next decree take it up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from card_codec.credential import ISSUE_MAX
from ledger.changes_file import ChangesFile, Wanted, make_changes
from ledger.element import RedemptionId
from ledger.errors import RecordError
from ledger.head_code import read_id
from ledger.rights_file import RightsBase
from provisioning.errors import ProvisioningError
from provisioning.roster import STATES, Roster, RosterHousehold


class ChangeKind(StrEnum):
    """In which way a household changes."""

    STATE = "state"
    MOVE = "move"
    REPLACE = "replace"
    LOWER = "lower"
    CLEAR = "clear"
    CORRECT = "correct"


WITHDRAWN = "withdrawn"
BESIDE_BASE = (ChangeKind.CLEAR, ChangeKind.CORRECT)
"""What no base carries: it goes on in the kecamatan's own file, over all decrees."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one household.

    Attributes:
        value: the new state, desa or class, the issue number of the card that is cleared, or the
            number of the redemption that is taken back; empty for a replacement.
    """

    household: bytes
    kind: ChangeKind
    value: str = ""


def enter_changes(roster: Roster, kecamatan: str, changes: Sequence[Change], *, now: int) -> None:
    """Enter changes into the roster; they are pending until published.

    Raises:
        ProvisioningError: no such household in the kecamatan, or a value that fits none.
    """
    with roster.db.atomic():
        for change in changes:
            listed = roster.household(change.household)
            if listed is None or listed.kecamatan != kecamatan:
                raise ProvisioningError(
                    f"household {change.household.hex()} is not in the roster of {kecamatan};"
                    " `betang-provision households` lists those that are"
                )
            value = _entered(roster, listed, change)
            if change.kind is ChangeKind.CORRECT and _stands(roster, listed, value):
                continue  # taken back once is taken back
            roster.note_change(
                listed.id, kecamatan=kecamatan, kind=change.kind, value=value, now=now
            )


def withdraw_correction(roster: Roster, kecamatan: str, household: bytes, number: str) -> None:
    """Take a correction off the list that nobody has signed for yet.

    Its line stays in the list, as withdrawn: marks of prepared bundles count lines.

    Raises:
        ProvisioningError: none of that number waits for that household.
    """
    value = _receipt(household, number).number()
    done = roster.db.execute(
        "UPDATE change SET kind = ? WHERE kecamatan = ? AND household = ? AND kind = ?"
        " AND value = ? AND published IS NULL",
        (WITHDRAWN, kecamatan, household, ChangeKind.CORRECT, value),
    )
    if done.rowcount == 0:
        raise ProvisioningError(
            f"no correction of {value} for household {household.hex()} waits in {kecamatan}; what"
            " was published is for good"
        )


def check_not_withdrawn(roster: Roster, file: ChangesFile) -> None:
    """What a file takes back is still on the list.

    Raises:
        ProvisioningError: a correction was withdrawn since.
    """
    listed = {
        (read_id(value), household)
        for household, value in roster.db.execute(
            "SELECT household, value FROM change WHERE kecamatan = ? AND kind = ?",
            (file.kecamatan, ChangeKind.CORRECT),
        )
    }
    for row in file.corrected:
        if (row.id(), row.household) not in listed:
            raise ProvisioningError(
                f"the correction of {row.id().number()} was withdrawn since this bundle was"
                " prepared; prepare it again"
            )


def _entered(roster: Roster, listed: RosterHousehold, change: Change) -> str:
    """Change the household's row; what the list of changes says of it."""
    column, check = COLUMNS[change.kind]
    value = check(roster, listed, change.value)
    if column:
        roster.db.execute(
            f"UPDATE household SET {column} = ? WHERE id = ?",  # noqa: S608 - our own names
            (value, listed.id),
        )
    return str(value)


def _stands(roster: Roster, listed: RosterHousehold, number: str) -> bool:
    """Whether its kecamatan took that redemption back before."""
    row = roster.db.execute(
        "SELECT 1 FROM change WHERE household = ? AND kecamatan = ? AND kind = ? AND value = ?",
        (listed.id, listed.kecamatan, ChangeKind.CORRECT, number),
    ).fetchone()
    return row is not None


def _state(_roster: Roster, listed: RosterHousehold, value: str) -> str:
    if value not in STATES:
        raise ProvisioningError(
            f"household {listed.id.hex()}: {value!r} is no state; say {', '.join(STATES)}"
        )
    return value


def _desa(roster: Roster, listed: RosterHousehold, value: str) -> str:
    if not roster.has_desa(value, listed.kecamatan):
        raise ProvisioningError(
            f"household {listed.id.hex()}: {value!r} is no desa of {listed.kecamatan}; who leaves"
            " the kecamatan is removed as moved, and listed elsewhere by the next decree"
        )
    return value


def _next_issue(_roster: Roster, listed: RosterHousehold, _value: str) -> int:
    if listed.issue == ISSUE_MAX:
        raise ProvisioningError(
            f"household {listed.id.hex()} has had all {ISSUE_MAX} cards; list it anew under another"
            " id"
        )
    return listed.issue + 1


def _class(_roster: Roster, listed: RosterHousehold, value: str) -> int:
    return _number(f"household {listed.id.hex()}: class", value, 255)


def _card(_roster: Roster, listed: RosterHousehold, value: str) -> int:
    return _number(f"household {listed.id.hex()}: card", value, listed.issue)


def _redemption(roster: Roster, listed: RosterHousehold, value: str) -> str:
    """The number in its one form, if a terminal of ours may have given it."""
    id = _receipt(listed.id, value)
    if not roster.has_terminal(id.terminal, id.epoch):
        raise ProvisioningError(
            f"household {listed.id.hex()}: {id.number()} is of no terminal that was ever enrolled"
            " here; check the number on the slip"
        )
    return id.number()


def _receipt(household: bytes, text: str) -> RedemptionId:
    try:
        return read_id(text)
    except RecordError as error:
        raise ProvisioningError(
            f"household {household.hex()}: {text[:40]!r} is no receipt's number; it reads like"
            " T001-0017"
        ) from error


COLUMNS: dict[ChangeKind, tuple[str, Callable[[Roster, RosterHousehold, str], str | int]]] = {
    ChangeKind.STATE: ("state", _state),
    ChangeKind.MOVE: ("desa", _desa),
    ChangeKind.REPLACE: ("issue", _next_issue),
    ChangeKind.LOWER: ("class", _class),
    ChangeKind.CLEAR: ("", _card),
    ChangeKind.CORRECT: ("", _redemption),
}
"""The household's column that a change is written in, and what checks its value."""


def _number(what: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= most):
        raise ProvisioningError(f"{what} {text!r} is no number from 1 to {most}; correct it")
    return int(text)


def has_pending(roster: Roster, kecamatan: str, *, beside_base: bool = False) -> bool:
    """Whether anything was entered that no publication has carried yet.

    Args:
        roster: the office's.
        kecamatan: its code.
        beside_base: look for what a decree cannot carry alone.
    """
    kinds = BESIDE_BASE if beside_base else tuple(ChangeKind)
    marks = ", ".join("?" * len(kinds))
    row = roster.db.execute(
        f"SELECT 1 FROM change WHERE kecamatan = ? AND published IS NULL AND kind IN ({marks})",  # noqa: S608
        (kecamatan, *kinds),
    ).fetchone()
    return row is not None


def lay_out(roster: Roster, base: RightsBase, *, number: int) -> ChangesFile:
    """Everything that changed since a base, as the kecamatan's file of that number.

    Raises:
        RightsError: a household that the base does not list.
    """
    states: dict[bytes, int] = {}
    moved: dict[bytes, str] = {}
    replaced: dict[bytes, int] = {}
    lowered: dict[bytes, int] = {}
    listed = roster.db.execute(
        "SELECT household, kind, value, published FROM change WHERE kecamatan = ? ORDER BY id",
        (base.kecamatan,),
    ).fetchall()
    for household, kind, value, published in listed:
        if published is not None and published <= base.changes:
            continue
        if kind == ChangeKind.STATE:
            states[household] = STATES[value]
        elif kind == ChangeKind.MOVE:
            moved[household] = value
        elif kind == ChangeKind.REPLACE:
            replaced[household] = int(value)
        elif kind == ChangeKind.LOWER:
            lowered[household] = int(value)
    removed = {household: flag for household, flag in states.items() if flag}
    wanted = Wanted(
        removed=removed,
        moved=moved,
        replaced=replaced,
        lowered=lowered,
        cleared={
            (household, int(value)): published or number
            for household, kind, value, published in listed
            if kind == ChangeKind.CLEAR
        },
        corrected={
            (read_id(value), household): published or number
            for household, kind, value, published in listed
            if kind == ChangeKind.CORRECT
        },
    )
    return make_changes(base, number=number, wanted=wanted)


def newest_entry(roster: Roster) -> int:
    """The newest entry of the list of changes; 0 when there is none."""
    (newest,) = roster.db.execute("SELECT coalesce(max(id), 0) FROM change").fetchone()
    return int(newest)


def mark_published(roster: Roster, kecamatan: str, number: int, *, up_to: int) -> None:
    """Pending entries up to one of them are carried by the changes of that number."""
    roster.db.execute(
        "UPDATE change SET published = ? WHERE kecamatan = ? AND published IS NULL AND id <= ?",
        (number, kecamatan, up_to),
    )


def mark_taken_up(roster: Roster, kecamatan: str, number: int, *, up_to: int) -> None:
    """Pending entries up to one of them are in the decree's base, which holds changes so far.

    Blocks taken off and redemptions taken back are not: no base carries them.
    """
    roster.db.execute(
        "UPDATE change SET published = ? WHERE kecamatan = ? AND published IS NULL AND id <= ?"
        " AND kind NOT IN (?, ?)",
        (number, kecamatan, up_to, *BESIDE_BASE),
    )
