"""Complaints of families about refusals: a list, no more. What becomes of each is people's work.

A household is a pseudonym here as everywhere; who it is only its own counter can say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, func, select

from ledger.element import RedemptionId
from ledger.entry import Complaint, Entry
from ledger.roll import Terminal
from sync_agent.province.installed import Installed
from sync_agent.province.schema import complaint
from sync_agent.province.store import Store
from sync_agent.province.words import Words, at_wib


@dataclass(frozen=True, slots=True)
class Complained:
    """One complaint for reading.

    Attributes:
        number: what the family was given.
        about: number of the refusal.
        at: Unix seconds, as the terminal judged it.
        kecamatan: the household's; where nobody was recognised, the terminal's home.
        point: name of the service point, as the roll names it.
        household: None where nobody was recognised.
        programme: empty where none was asked for.
        reason: code of the refusal.
    """

    number: str
    about: str
    at: int
    kecamatan: str
    terminal: str
    point: str
    household: bytes | None
    member: int
    programme: str
    reason: str


def complaint_rows(
    filed: Sequence[tuple[Entry, Complaint]], installed: Installed, terminal: Terminal
) -> list[tuple[object, ...]]:
    """Rows of one terminal's complaints, in the order of the table's columns."""
    places = installed.kecamatan([content.household or b"" for _, content in filed], terminal)
    return [
        (
            entry.body.terminal, entry.body.epoch, entry.body.seq, content.seq, content.reason,
            content.household, content.member, content.programme, entry.body.moment.early,
            kecamatan,
        )
        for (entry, content), kecamatan in zip(filed, places, strict=True)
    ]  # fmt: skip


def complaint_data(one: Complained, said: Words) -> dict[str, object]:
    """A complaint for a page or a program, its reason also in words."""
    household = one.household.hex() if one.household else None
    at = at_wib(one.at).isoformat()
    return asdict(one) | {"household": household, "at": at, "why": said.reason(one.reason)}


def complaint_line(one: Complained, said: Words) -> str:
    """The same as one line for a person."""
    about = f"{one.programme or '-'}: {said.reason(one.reason)} ({one.reason})"
    return f"{one.kecamatan} {one.terminal}: {one.number}, {said.when(one.at)}, {about}"


@dataclass(frozen=True, slots=True)
class ComplaintDesk:
    """The complaints that a store holds, said by the release in force."""

    store: Store
    in_force: Callable[[], Installed]

    def count(self) -> int:
        """How many have arrived."""
        with self.store.reading() as db:
            return db.execute(select(func.count()).select_from(complaint)).scalar_one()

    def listed(self, *, language: str, most: int | None = None) -> list[Complained]:
        """Complaints, by kecamatan and terminal, the newest of each first.

        Args:
            language: of the programmes' names.
            most: only so many, the newest of all.

        Raises:
            ProvinceError: the store failed, or no release was taken yet.
        """
        installed, own = self.in_force(), complaint.c
        newest = (own.at.desc(), own.terminal, own.epoch.desc(), own.seq.desc())
        query = select(complaint).order_by(*newest).limit(most)
        with self.store.reading() as db:
            found = sorted(db.execute(query), key=lambda row: (row.kecamatan, row.terminal))
        return [_complained(row, installed, language) for row in found]


def _complained(row: Row[Any], installed: Installed, language: str) -> Complained:
    id = RedemptionId(row.terminal, row.epoch, row.seq)
    roll, policy = installed.rights.roll, installed.rights.policy
    terminal = roll.terminal(id.terminal, id.epoch)
    programme = policy.programme_numbered(row.programme)
    unnamed = str(row.programme) if row.programme else ""
    return Complained(
        number=id.number(),
        about=RedemptionId(row.terminal, row.epoch, row.about).number(),
        at=row.at,
        kecamatan=row.kecamatan,
        terminal=terminal.name if terminal else id.number().partition("-")[0],
        point=terminal.point if terminal else "",
        household=row.household,
        member=row.member,
        programme=getattr(programme.name, language) if programme else unnamed,
        reason=row.reason,
    )
