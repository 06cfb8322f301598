"""The act of settling: the windows whose time has come are judged once more, and stand so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, exists, func, insert, select

from card_codec.keys import PublicKey, Signer
from ledger.policy import DAY, Policy
from sync_agent.province.installed import Installed
from sync_agent.province.judging import find_cases
from sync_agent.province.pendings import Fate, unsettled
from sync_agent.province.schema import acknowledgement, redemption, settlement, voided
from sync_agent.province.settlement import (
    Mark,
    Named,
    Settlement,
    StandingCase,
    settlements,
    standing_case,
    write,
)
from sync_agent.province.store import Store


@dataclass(frozen=True, slots=True)
class Due:
    """A window that is to be settled, and when anything of it could last be taken."""

    programme: int
    window: int
    ended: int


def settle(
    store: Store, installed: Installed, log: Signer, keys: Sequence[PublicKey], *, now: int
) -> list[Due]:
    """Settle every window whose time has come; the windows settled now.

    Args:
        store: the province's.
        installed: the release in force.
        log: signs.
        keys: log keys of now and before.
        now: Unix seconds.

    Raises:
        ProvinceError: the store failed.
    """
    with store.writing() as db:
        done = settlements(db, keys)
        windows = _due(installed.rights.policy, now=now)
        due = [one for one in windows if (one.programme, one.window) not in done]
        if not due:
            return []
        marks, out = _marks(db), _out(db)
        cases: dict[tuple[int, int], list[StandingCase]] = defaultdict(list)
        for case in find_cases(db, installed, done):
            cases[case.right.programme, case.right.window].append(standing_case(case))
        for one in due:
            of = (one.programme, one.window)
            said = Settlement(
                "khb-settlement-3", *of, one.ended, now, marks, out.get(of, ()), tuple(cases[of])
            )
            db.execute(
                insert(settlement).values(
                    programme=one.programme, window=one.window, at=now, data=write(said, log)
                )
            )
    return due


def _due(policy: Policy, *, now: int) -> list[Due]:
    return [
        Due(programme.number, window.number, programme.ends(window))
        for programme in policy.programmes
        for window in programme.windows
        if now > programme.ends(window) + policy.settle_days * DAY
    ]


def _marks(db: Connection) -> tuple[Mark, ...]:
    """The head of every chain held."""
    own = acknowledgement.c
    newest = (
        select(own.terminal, own.epoch, func.max(own.seq).label("seq"))
        .group_by(own.terminal, own.epoch)
        .subquery()
    )
    rows = db.execute(
        select(own.terminal, own.epoch, own.seq, own.head)
        .join(
            newest,
            (own.terminal == newest.c.terminal)
            & (own.epoch == newest.c.epoch)
            & (own.seq == newest.c.seq),
        )
        .order_by(own.terminal, own.epoch)
    )
    return tuple(Mark(row.terminal, row.epoch, row.seq, row.head) for row in rows)


def _out(db: Connection) -> Mapping[tuple[int, int], tuple[Named, ...]]:
    """Records held that do not count, by (programme, window), in order."""
    own = redemption.c
    place = (own.terminal, own.epoch, own.seq)
    taken_back = exists().where(and_(*(voided.c[c.name] == c for c in place)))
    query = select(*place, own.programme, own.window)
    rows = list(db.execute(query.where(taken_back)))
    for id, fate in unsettled(db).items():
        if fate is not Fate.COMMITTED:
            named = (own.terminal == id.terminal) & (own.epoch == id.epoch) & (own.seq == id.seq)
            rows += db.execute(query.where(named))
    found: dict[tuple[int, int], set[tuple[int, int, int]]] = defaultdict(set)
    for row in rows:
        found[row.programme, row.window].add((row.terminal, row.epoch, row.seq))
    return {of: tuple(Named(*one) for one in sorted(ids)) for of, ids in found.items()}
