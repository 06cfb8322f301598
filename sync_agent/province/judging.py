"""Judging: the rights of which more was taken than they hold, as the log tells it.

A window that is settled stands as its settlement says; what has come since stands behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select

from ledger.element import RedemptionId, Right
from ledger.entry import Basis
from ledger.mac_verdict import Finding, verdict_kids
from sync_agent.province.cases import Case, CaseKind, Claim, Why, in_order, judge
from sync_agent.province.corrections import corrected_names
from sync_agent.province.installed import Installed
from sync_agent.province.mac_verdicts import Finds, find_verdicts
from sync_agent.province.pendings import Fate, unsettled
from sync_agent.province.proved import Proved, proved
from sync_agent.province.schema import redemption, settlement, voided
from sync_agent.province.settlement import Settled, StandingCase


def find_cases(
    db: Connection, installed: Installed, settled: Mapping[tuple[int, int], Settled]
) -> list[Case]:
    """Every case, in the order of the rights.

    Args:
        db: open for reading.
        installed: the release in force.
        settled: how the windows stand that are settled.
    """
    # What no card is known to have committed was perhaps never given: it is nobody's double.
    given = unsettled(db)
    proofs = _by_right(proved(db, installed.rights.roll))
    corrected = corrected_names(db) if proofs else frozenset()
    groups, verdicts = _suspects(db, verdict_kids(installed.rights.trust), proofs)
    found = []
    for right in sorted(groups, key=_place_of):
        window = settled.get((right.programme, right.window))
        claims = []
        home = installed.home_terminal(right)
        for row in groups[right]:
            id = RedemptionId(row.terminal, row.epoch, row.seq)
            counts = row.void is None and given.get(id) in {None, Fate.COMMITTED}
            stood = window is not None and window.stood(id)
            if stood or counts:
                late = window is not None and not stood
                claims.append(_claim(row, home, verdicts.get(id), late=late))
        for one in proofs.get(right, ()):
            taken_back = (one.entry.id, right.household) in corrected
            claims += _proved_claims(one, home, window, taken_back=taken_back)
        quantity = installed.quantity(right)
        # Where the ledger in force does not list the right, what it held is not known here, and
        # nobody is accused on a guess. The records stand among the redemptions.
        if window is not None:
            case = _settled_case(right, quantity, claims, window.cases.get(right))
        else:
            case = None if quantity is None else judge(right, quantity, claims)
        if case is not None:
            found.append(case)
    return found


def _suspects(
    db: Connection, kids: Collection[bytes], proofs: Collection[Right]
) -> tuple[dict[Right, list[Row[Any]]], dict[RedemptionId, Finds]]:
    """Records of rights that may have been taken from twice, and what the issuer found of them."""
    groups: dict[Right, list[Row[Any]]] = defaultdict(list)
    verdicts: dict[RedemptionId, Finds] = {}
    asked = [_suspect()]
    for rows in asked:
        found = db.execute(rows).all()
        for row in found:
            groups[_right(row)].append(row)
        if found:
            verdicts |= find_verdicts(db, kids, rows.with_only_columns(*_PLACE).order_by(None))
        if rows is asked[0]:
            asked += [_of_right(right) for right in proofs if right not in groups]
    return groups | {right: groups.get(right, []) for right in proofs}, verdicts


def _by_right(proofs: Iterable[Proved]) -> dict[Right, list[Proved]]:
    found: dict[Right, list[Proved]] = defaultdict(list)
    for one in proofs:
        found[one.right].append(one)
    return found


def _place_of(right: Right) -> tuple[bytes, int, int, int]:
    return right.household, right.member, right.programme, right.window


_PLACE = (redemption.c.terminal, redemption.c.epoch, redemption.c.seq)


def _settled_case(
    right: Right, quantity: int | None, claims: Sequence[Claim], stood: StandingCase | None
) -> Case | None:
    """A case as it stood, what came late behind it, in an order that no later verdict moves."""
    own = {claim.name: claim for claim in claims}
    plain = in_order(replace(claim, finding=None) for claim in claims)
    if stood is None:
        if quantity is None:
            return None
        held = sum(claim.quantity for claim in plain if not claim.late)
        # What fitted then fits, whatever a later ledger says of the right.
        case = judge(right, max(quantity, held), plain, settled=True)
        if case is None:
            return None
        counted, losers, why = (
            [c.name for c in case.counted],
            [c.name for c in case.losers],
            case.why,
        )
    else:
        counted, losers = [c.name() for c in stood.counted], [c.name() for c in stood.losers]
        losers += [claim.name for claim in plain if claim.late]
        why = Why(stood.why)
    kind = CaseKind.DOUBLE if len(counted) + len(losers) > 1 else CaseKind.EXCESS
    first, then = (tuple(own[name] for name in names) for names in (counted, losers))
    return Case(kind, right, first, then, why, settled=True)


def _suspect() -> Select[Any]:
    """Records of rights taken from more than once, or by more than one unit.

    Voids are left out, except where the window is settled: there they may have come too late.
    """
    of_right = (
        redemption.c.household,
        redemption.c.member,
        redemption.c.programme,
        redemption.c.window,
    )
    standing = _standing()
    more = (
        _with_voids(select(*of_right))
        .where(standing)
        .group_by(*of_right)
        .having(or_(func.count() > 1, func.sum(redemption.c.quantity) > 1))
        .subquery()
    )
    same_right = and_(*(more.c[column.name] == column for column in of_right))
    return (
        _with_voids(select(redemption, voided.c.seq.label("void")))
        .where(standing)
        .join(more, same_right)
        .order_by(*of_right, redemption.c.terminal, redemption.c.epoch, redemption.c.seq)
    )


def _of_right(right: Right) -> Select[Any]:
    """Its records in the log, as `_suspect` has them."""
    own = redemption.c
    return (
        _with_voids(select(redemption, voided.c.seq.label("void")))
        .where(_standing())
        .where(own.household == right.household, own.member == right.member)
        .where(own.programme == right.programme, own.window == right.window)
        .order_by(*_PLACE)
    )


def _standing() -> ColumnElement[bool]:
    is_settled = exists().where(
        settlement.c.programme == redemption.c.programme, settlement.c.window == redemption.c.window
    )
    return or_(voided.c.seq.is_(None), is_settled)


def _with_voids(query: Select[Any]) -> Select[Any]:
    same = and_(*(voided.c[column.name] == column for column in _PLACE))
    return query.select_from(redemption.outerjoin(voided, same))


def _right(row: Row[Any]) -> Right:
    return Right(row.household, row.member, row.programme, row.window)


def _claim(row: Row[Any], home: int | None, finds: Finds | None, *, late: bool) -> Claim:
    id = RedemptionId(row.terminal, row.epoch, row.seq)
    finding: Finding | None = finds.finding if finds else None
    at_home = row.terminal == home
    voided_late = row.void is not None
    basis = _basis(row.basis)
    return Claim(id, row.leaf, row.quantity, at_home, basis, late, finding, voided_late)


def _proved_claims(
    one: Proved, home: int | None, window: Settled | None, *, taken_back: bool
) -> list[Claim]:
    """The claim of what evidence proves; none where a correction took it back in time."""
    id, content, leaf = one.entry.id, one.content, one.entry.leaf
    at_home, basis = id.terminal == home, _basis(content.basis)
    claim = Claim(id, leaf, content.quantity, at_home, basis, proved=True)
    case = window.cases.get(one.right) if window is not None else None
    if case is not None and claim.name in case.names():
        return [replace(claim, voided_late=taken_back)]
    return [] if taken_back else [replace(claim, late=window is not None)]


def _basis(said: int) -> Basis:
    """One that this version does not know gives no better standing than an exception."""
    return Basis(said) if said in {basis.value for basis in Basis} else Basis.EXCEPTION
