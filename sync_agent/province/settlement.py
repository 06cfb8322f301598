"""Settlement: some days after a window's end, fourteen by default, its cases stand as they are.

The province signs how far it held each chain at that moment. What arrives later is kept like all
else, and stands behind everything that was held: nobody's settled case is turned over by a machine
that was found in a drawer a year later. Format: docs/spec/settlement.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, func, insert, select

from card_codec.cose import open_sign1, sign1
from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from ledger.errors import RecordError
from ledger.policy import DAY, Policy
from ledger.record import U8, U16, U32, Hash, Record, Seconds, pack, unpack
from sync_agent.errors import ProvinceError
from sync_agent.province.schema import acknowledgement, settlement
from sync_agent.province.store import Store

SETTLEMENT_SIZE_MAX = 4 * 1024 * 1024
"""65,535 terminals of some 50 bytes each."""

Held: TypeAlias = Mapping[tuple[int, int], int]
"""Number of the newest entry held of each (terminal, epoch)."""


class Mark(Record, frozen=True):
    """How far a chain was held."""

    terminal: U16
    epoch: U8
    seq: U32
    head: Hash


class Settlement(Record, frozen=True):
    """The cases of a window stand; signed by the province log key."""

    form: Literal["khb-settlement-1"]
    programme: U8
    window: U8
    ended: Seconds
    at: Seconds
    marks: Annotated[tuple[Mark, ...], msgspec.Meta(max_length=0xFFFF)]


@dataclass(frozen=True, slots=True)
class Due:
    """A window that is to be settled, and when anything of it could last be taken."""

    programme: int
    window: int
    ended: int


def settle(store: Store, policy: Policy, log: Signer, *, now: int) -> list[Due]:
    """Settle every window whose time has come; the windows settled now.

    Args:
        store: the province's.
        policy: the one in force.
        log: signs.
        now: Unix seconds.

    Raises:
        ProvinceError: the store failed.
    """
    with store.writing() as db:
        done = _settled(db)
        due = [one for one in _due(policy, now=now) if (one.programme, one.window) not in done]
        marks = _marks(db) if due else ()
        for one in due:
            said = Settlement("khb-settlement-1", one.programme, one.window, one.ended, now, marks)
            db.execute(
                insert(settlement).values(
                    programme=one.programme, window=one.window, at=now, data=write(said, log)
                )
            )
    return due


def settlements(db: Connection, keys: Iterable[PublicKey]) -> dict[tuple[int, int], Held]:
    """What was held of each (programme, window) that is settled.

    Args:
        db: open for reading.
        keys: log keys of now and before.

    Raises:
        ProvinceError: one is not as it was signed.
    """
    found: dict[tuple[int, int], Held] = {}
    by_kid = {key.kid: key for key in keys}
    for row in db.execute(select(settlement.c.programme, settlement.c.window, settlement.c.data)):
        try:
            said = read(row.data, by_kid.get)
        except RecordError as error:
            raise ProvinceError(
                f"the settlement of programme {row.programme}, window {row.window}, is not as it"
                " was signed; bring the store back from a copy"
            ) from error
        found[said.programme, said.window] = {(m.terminal, m.epoch): m.seq for m in said.marks}
    return found


def write(said: Settlement, signer: Signer) -> bytes:
    """Signed by the log key (COSE_Sign1)."""
    return sign1(pack(said), signer)


def read(data: bytes, find: Callable[[bytes], PublicKey | None]) -> Settlement:
    """Read a settlement and check whose it is.

    Args:
        data: as it is kept.
        find: the log key of a kid.

    Raises:
        RecordError: not one, or not signed by such a key.
    """
    try:
        payload, _ = open_sign1(data, find, size_max=SETTLEMENT_SIZE_MAX)
    except CardCodecError as error:
        raise RecordError(f"not a settlement of the province: {error.detail}") from error
    return unpack(payload, Settlement, size_max=SETTLEMENT_SIZE_MAX)


def _due(policy: Policy, *, now: int) -> list[Due]:
    return [
        Due(programme.number, window.number, programme.ends(window))
        for programme in policy.programmes
        for window in programme.windows
        if now > programme.ends(window) + policy.settle_days * DAY
    ]


def _settled(db: Connection) -> set[tuple[int, int]]:
    rows = db.execute(select(settlement.c.programme, settlement.c.window))
    return {(row.programme, row.window) for row in rows}


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
