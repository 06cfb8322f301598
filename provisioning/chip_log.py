"""The card station's log: which chip is which card, and how far each has come.

A chip is entered before the first command changes it, with all that shall be on it; so a card that
was pulled, or whose station lost its power, is finished as the very card it was begun as.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from card_codec.chip.khb1_files import ChipContent, Silicon, decode_content, encode_content
from card_codec.chip.record import RECORD_BYTES, CardRecord, decode_record, encode_record
from provisioning.roster import Roster

_COLUMNS = "number, uid, household, issue, silicon, content, records, state"


class Progress(StrEnum):
    """How far a chip has come."""

    BEGUN = "begun"
    MADE = "made"
    ABANDONED = "abandoned"
    """Its household got another card while this one was unfinished; it is never finished."""


@dataclass(frozen=True, slots=True)
class LoggedChip:
    """One chip of the log.

    Attributes:
        number: its serial number at this card station.
        uid: of the chip, 7 bytes.
        household: whose card it is, 8 bytes.
        issue: number of the card.
        silicon: which chip it is.
        content: what its credential file shall hold.
        records: what it begins with.
        progress: how far it has come.
    """

    number: int
    uid: bytes
    household: bytes
    issue: int
    silicon: Silicon
    content: ChipContent
    records: tuple[CardRecord, ...]
    progress: Progress


def chip_of(roster: Roster, uid: bytes) -> LoggedChip | None:
    """The chip of that UID, if it was ever begun here."""
    return next(iter(_found(roster, "uid = ?", (uid,))), None)


def households_of_chips(roster: Roster) -> dict[bytes, bytes]:
    """Whose card each chip is that was ever begun here, by its UID."""
    rows = roster.db.execute("SELECT uid, household FROM chip")
    return {bytes(uid): bytes(household) for uid, household in rows}


def chips_of(roster: Roster, household: bytes) -> list[LoggedChip]:
    """Every chip begun for a household, in the order in which they were."""
    return _found(roster, "household = ?", (household,))


def unfinished(roster: Roster) -> list[LoggedChip]:
    """Every chip that was begun and is not finished."""
    return _found(roster, "state = ?", (Progress.BEGUN.value,))


def every_chip(roster: Roster) -> list[LoggedChip]:
    """All of them, in the order in which they were begun."""
    return _found(roster, "number > ?", (0,))


def next_number(roster: Roster) -> int:
    """The serial number of the next chip."""
    (newest,) = roster.db.execute("SELECT coalesce(max(number), 0) FROM chip").fetchone()
    return int(newest) + 1


def enter(roster: Roster, chip: LoggedChip, *, now: int) -> None:
    """Enter a chip that is about to be begun."""
    row = {
        "number": chip.number,
        "uid": chip.uid,
        "household": chip.household,
        "issue": chip.issue,
        "silicon": int(chip.silicon),
        "content": encode_content(chip.content),
        "records": b"".join(encode_record(record) for record in chip.records),
        "state": chip.progress.value,
        "begun": now,
        "made": None,
    }
    roster.db.table("chip").insert(row)


def abandon(roster: Roster, number: int) -> None:
    """A chip that is never to be finished."""
    roster.db.execute(
        "UPDATE chip SET state = ? WHERE number = ?", (Progress.ABANDONED.value, number)
    )


def finish(roster: Roster, chip: LoggedChip, *, now: int) -> None:
    """A chip was read back and is a good card; the next decree lists its household with a chip."""
    roster.db.execute(
        "UPDATE chip SET state = ?, made = ? WHERE number = ?",
        (Progress.MADE.value, now, chip.number),
    )
    roster.db.execute("UPDATE household SET chip = 1 WHERE id = ?", (chip.household,))


def _found(roster: Roster, where: str, values: tuple[object, ...]) -> list[LoggedChip]:
    rows = roster.db.execute(
        f"SELECT {_COLUMNS} FROM chip WHERE {where} ORDER BY number",  # noqa: S608 - our own text
        values,
    ).fetchall()
    return [
        LoggedChip(
            number, uid, household, issue, Silicon(silicon), decode_content(content),
            tuple(_records(records)), Progress(state),
        )
        for number, uid, household, issue, silicon, content, records, state in rows
    ]  # fmt: skip


def _records(data: bytes) -> list[CardRecord]:
    return [decode_record(data[at : at + RECORD_BYTES]) for at in range(0, len(data), RECORD_BYTES)]
