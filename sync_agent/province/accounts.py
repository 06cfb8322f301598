"""What the province can tell of redemptions from its log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from ledger.element import RedemptionId, Right
from sync_agent.province.installed import Installed
from sync_agent.province.pendings import Fate, unsettled
from sync_agent.province.proved import Proved
from sync_agent.province.schema import redemption, voided
from sync_agent.province.store import Store

SHOWN_MAX = 200
"""Redemptions a page shows; the count stands above them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One redemption for reading.

    Attributes:
        at: Unix seconds, as the terminal judged it.
        point: name of the service point, as the roll names it.
        voided: its own terminal, or a correction of the kecamatan, took it back.
    """

    number: str
    at: int
    terminal: str
    point: str
    right: Right
    programme: str
    quantity: int
    unit: str
    paid: int
    officer: str
    voided: bool


def received(store: Store) -> int:
    """How many redemptions the log holds."""
    with store.reading() as db:
        return db.execute(select(func.count()).select_from(redemption)).scalar_one()


def redemptions(
    store: Store, installed: Installed, *, language: str, most: int | None = None
) -> list[Listed]:
    """Redemptions, the newest first."""
    query = (
        _with_voids(select(redemption, voided.c.seq.label("void")))
        .order_by(redemption.c.at.desc(), redemption.c.terminal, redemption.c.seq.desc())
        .limit(most)
    )
    with store.reading() as db:
        return [_listed(row, installed, language) for row in db.execute(query)]


def of_proof(one: Proved, installed: Installed, language: str) -> Listed:
    """A redemption that evidence alone holds."""
    body, content = one.entry.body, one.content
    return _told(
        installed, language, one.entry.id, one.right, at=body.moment.early,
        quantity=content.quantity, paid=content.paid, officer=body.officer, voided=False,
    )  # fmt: skip


def one_numbered(db: Connection, installed: Installed, id: RedemptionId, language: str) -> Listed:
    """The redemption that the log holds under this id."""
    return _listed(_one(db, id), installed, language)


def numbered(
    store: Store, installed: Installed, ids: Iterable[RedemptionId], *, language: str
) -> list[Listed]:
    """These redemptions, in this order."""
    with store.reading() as db:
        return [one_numbered(db, installed, id, language) for id in ids]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A redemption by chip that was cut off, and what is known of it."""

    redemption: Listed
    fate: Fate


def waiting(store: Store, installed: Installed, *, language: str) -> list[Waiting]:
    """Redemptions by chip that their own terminals have not settled yet."""
    with store.reading() as db:
        return [
            Waiting(_listed(_one(db, id), installed, language), fate)
            for id, fate in unsettled(db).items()
        ]


def _with_voids(query: Select[Any]) -> Select[Any]:
    same = and_(
        voided.c.terminal == redemption.c.terminal,
        voided.c.epoch == redemption.c.epoch,
        voided.c.seq == redemption.c.seq,
    )
    return query.select_from(redemption.outerjoin(voided, same))


def _one(db: Connection, id: RedemptionId) -> Row[Any]:
    query = _with_voids(select(redemption, voided.c.seq.label("void"))).where(
        redemption.c.terminal == id.terminal,
        redemption.c.epoch == id.epoch,
        redemption.c.seq == id.seq,
    )
    return db.execute(query).one()


def _right(row: Row[Any]) -> Right:
    return Right(row.household, row.member, row.programme, row.window)


def _listed(row: Row[Any], installed: Installed, language: str) -> Listed:
    id = RedemptionId(row.terminal, row.epoch, row.seq)
    return _told(
        installed, language, id, _right(row), at=row.at, quantity=row.quantity, paid=row.paid,
        officer=row.officer, voided=row.void is not None,
    )  # fmt: skip


def _told(
    installed: Installed, language: str, id: RedemptionId, right: Right, *, at: int, quantity: int,
    paid: int, officer: str, voided: bool,
) -> Listed:  # fmt: skip
    """With the names that the release in force has for it."""
    roll, policy = installed.rights.roll, installed.rights.policy
    terminal = roll.terminal(id.terminal, id.epoch)
    programme = policy.programme_numbered(right.programme)
    unit = getattr(programme.unit, language) if programme else ""
    return Listed(
        number=id.number(),
        at=at,
        terminal=terminal.name if terminal else id.number().partition("-")[0],
        point=terminal.point if terminal else "",
        right=right,
        programme=getattr(programme.name, language) if programme else str(right.programme),
        quantity=quantity,
        unit=unit,
        paid=paid,
        officer=officer,
        voided=voided,
    )
