"""Corrections: redemptions that a kecamatan's two took back after their day was closed.

What they say is kept as it was released. Where the log holds the redemption, of that household, it
is taken back as by a void of its own terminal; where it arrives later, then. One that names another
household's redemption takes nothing back, and is told to whoever takes the release.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, select, tuple_

from ledger.changes_file import Correction
from ledger.element import RedemptionId
from ledger.roll import Roll
from sync_agent.province.engine import add_once
from sync_agent.province.proved import proved
from sync_agent.province.schema import corrected, redemption, voided

Chain: TypeAlias = tuple[int, int]
Place: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Misnamed:
    """A correction that names another household's redemption, and so takes nothing back.

    Attributes:
        number: of the redemption, as on its slip.
        household: whose the correction says it is, in hex.
    """

    number: str
    household: str

    def words(self) -> str:
        """What is wrong with it."""
        return (
            f"the correction of {self.number} names household {self.household}, whose redemption it"
            " is not: it takes nothing back"
        )


def keep_corrections(db: Connection, corrections: Iterable[Correction], *, at: int) -> None:
    """Remember what a kecamatan took back; what is known already stays as it is."""
    rows = [(c.terminal, c.epoch, c.seq, c.household, c.number, at) for c in corrections]
    add_once(db, corrected, rows)
    take_back_corrected(db, {row[:2] for row in rows})


def take_back_corrected(db: Connection, chains: Collection[Chain]) -> None:
    """Take back what the log holds of these (terminal, epoch) and a correction names."""
    rows = db.execute(
        select(*_PLACE)
        .join(redemption, _same_place())
        .where(_of(chains), redemption.c.household == corrected.c.household)
    )
    add_once(db, voided, [tuple(row) for row in rows])


def corrected_among(db: Connection, given: Collection[tuple[Place, bytes]]) -> set[Place]:
    """Which of these redemptions, each with its household, were taken back before they came."""
    if not given or not db.exec_driver_sql("SELECT EXISTS (SELECT 1 FROM corrected)").scalar():
        return set()  # as on nearly every day; every batch asks
    chains = {(terminal, epoch) for (terminal, epoch, _), _ in given}
    rows = db.execute(select(*_PLACE, corrected.c.household).where(_of(chains)))
    named: set[tuple[Place, bytes]] = {
        ((row.terminal, row.epoch, row.seq), bytes(row.household)) for row in rows
    }
    return {place for place, _ in named.intersection(given)}


def _of(chains: Collection[Chain]) -> ColumnElement[bool]:
    return tuple_(corrected.c.terminal, corrected.c.epoch).in_(sorted(chains))


def corrected_names(db: Connection) -> frozenset[tuple[RedemptionId, bytes]]:
    """Redemption and household of every correction: for what the log does not hold."""
    rows = db.execute(select(*_PLACE, corrected.c.household))
    return frozenset((RedemptionId(*place), bytes(household)) for *place, household in rows)


def misnamed_corrections(db: Connection, roll: Roll) -> list[Misnamed]:
    """Corrections of redemptions that are known as other households' alone, in order."""
    rows = db.execute(
        select(*_PLACE, corrected.c.household)
        .join(redemption, _same_place())
        .where(redemption.c.household != corrected.c.household)
        .order_by(*_PLACE)
    )
    found = [(RedemptionId(*place), bytes(household)) for *place, household in rows]
    proofs = {(one.entry.id, one.right.household) for one in proved(db, roll)} if found else set()
    return [Misnamed(id.number(), home.hex()) for id, home in found if (id, home) not in proofs]


_PLACE: tuple[ColumnElement[Any], ...] = (
    corrected.c.terminal,
    corrected.c.epoch,
    corrected.c.seq,
)


def _same_place() -> ColumnElement[bool]:
    return and_(*(redemption.c[c.name] == c for c in _PLACE))
