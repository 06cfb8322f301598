"""What the province can tell from its log: redemptions, and the cases about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from card_codec.keys import PublicKey
from ledger.element import RedemptionId, Right
from ledger.entry import Basis
from sync_agent.province.cases import Case, Claim, judge
from sync_agent.province.installed import Installed
from sync_agent.province.pendings import Fate, unsettled
from sync_agent.province.schema import redemption, voided
from sync_agent.province.settlement import Held, settlements
from sync_agent.province.store import Store

SHOWN_MAX = 200
"""Redemptions a page shows; the count stands above them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One redemption for reading.

    Attributes:
        at: Unix seconds, as the terminal judged it.
        point: name of the service point, as the roll names it.
        voided: its own terminal took it back.
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


def numbered(
    store: Store, installed: Installed, ids: Iterable[RedemptionId], *, language: str
) -> dict[RedemptionId, Listed]:
    """These redemptions, by id."""
    with store.reading() as db:
        return {id: _listed(_one(db, id), installed, language) for id in set(ids)}


def cases(store: Store, installed: Installed, log: Iterable[PublicKey]) -> list[Case]:
    """Every case, in the order of the rights.

    Args:
        store: the province's.
        installed: the release in force.
        log: keys by which settlements are signed.
    """
    with store.reading() as db:
        settled = settlements(db, log)
        # What no card is known to have committed was perhaps never given: it is nobody's double.
        given = unsettled(db)
        rows = [r for r in db.execute(_suspect()) if given.get(_id(r)) in {None, Fate.COMMITTED}]
    found = []
    for right, group in groupby(rows, key=_right):
        quantity = installed.quantity(right)
        if quantity is None:
            # The ledger in force does not list the right: what it held is not known here, and
            # nobody is accused on a guess. The records stand among the redemptions.
            continue
        home, held = installed.home_terminal(right), settled.get((right.programme, right.window))
        claims = [_claim(row, home, held) for row in group]
        case = judge(right, quantity, claims, settled=held is not None)
        if case is not None:
            found.append(case)
    return found


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


def _id(row: Row[Any]) -> RedemptionId:
    return RedemptionId(row.terminal, row.epoch, row.seq)


def _suspect() -> Select[Any]:
    """Records of rights taken from more than once, or by more than one unit, voids left out."""
    of_right = (
        redemption.c.household,
        redemption.c.member,
        redemption.c.programme,
        redemption.c.window,
    )
    standing = voided.c.seq.is_(None)
    more = (
        _with_voids(select(*of_right))
        .where(standing)
        .group_by(*of_right)
        .having(or_(func.count() > 1, func.sum(redemption.c.quantity) > 1))
        .subquery()
    )
    same_right = and_(*(more.c[column.name] == column for column in of_right))
    return (
        _with_voids(select(redemption))
        .where(standing)
        .join(more, same_right)
        .order_by(*of_right, redemption.c.terminal, redemption.c.epoch, redemption.c.seq)
    )


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


def _claim(row: Row[Any], home: int | None, held: Held | None) -> Claim:
    id = RedemptionId(row.terminal, row.epoch, row.seq)
    known = {basis.value for basis in Basis}
    # A basis this version does not know gives no better standing than an exception.
    basis = Basis(row.basis) if row.basis in known else Basis.EXCEPTION
    late = held is not None and row.seq > held.get((row.terminal, row.epoch), 0)
    return Claim(id, row.leaf, row.quantity, row.terminal == home, basis, late)


def _listed(row: Row[Any], installed: Installed, language: str) -> Listed:
    id = RedemptionId(row.terminal, row.epoch, row.seq)
    roll, policy = installed.rights.roll, installed.rights.policy
    terminal = roll.terminal(id.terminal, id.epoch)
    programme = policy.programme_numbered(row.programme)
    unit = getattr(programme.unit, language) if programme else ""
    return Listed(
        number=id.number(),
        at=row.at,
        terminal=terminal.name if terminal else id.number().partition("-")[0],
        point=terminal.point if terminal else "",
        right=_right(row),
        programme=getattr(programme.name, language) if programme else str(row.programme),
        quantity=row.quantity,
        unit=unit,
        paid=row.paid,
        officer=row.officer,
        voided=row.void is not None,
    )
