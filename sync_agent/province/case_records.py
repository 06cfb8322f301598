"""The records of a case as evidence: what each says, and what the province said when it came.

Whoever has to decide about people needs more than who won: by which ledger each terminal gave,
which officer, and since when the province has held it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ledger.element import RedemptionId
from ledger.entry import read_entry
from sync_agent.province.cases import Case, Claim
from sync_agent.province.schema import entry
from sync_agent.province.store import acknowledgement_from


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One record of a case.

    Attributes:
        counts: it is one of those that count.
        at: Unix seconds, as its terminal judged the time.
        ledger: version of the ledger it was given by.
        basis: ``home``, ``away`` or ``exception``, as the record says; nothing else is believed
            of it than an exception.
        at_home: made at the home terminal, by policy.
        leaf: leaf hash of the entry, in hex.
        acknowledged: number of the entry up to which the acknowledgement speaks that covers it.
        received: Unix seconds, when that batch came.
        road: by which road.
    """

    number: str
    counts: bool
    at: int
    officer: str
    ledger: int
    quantity: int
    basis: str
    at_home: bool
    late: bool
    leaf: str
    acknowledged: str
    received: int
    road: str


def case_records(db: Connection, case: Case) -> list[CaseRecord]:
    """A case's records: those that count in order, then the others.

    Args:
        db: open for reading.
        case: of this store.
    """
    return [*_records(db, case.counted, counts=True), *_records(db, case.losers, counts=False)]


def _records(db: Connection, claims: Iterable[Claim], *, counts: bool) -> list[CaseRecord]:
    return [_record(db, claim, counts=counts) for claim in claims]


def _record(db: Connection, claim: Claim, *, counts: bool) -> CaseRecord:
    id = claim.id
    of_entry = (
        (entry.c.terminal == id.terminal) & (entry.c.epoch == id.epoch) & (entry.c.seq == id.seq)
    )
    body = read_entry(db.execute(select(entry.c.body).where(of_entry)).scalar_one()).body
    said = acknowledgement_from(db, id.terminal, id.epoch, id.seq)
    assert said is not None, "whoever takes an entry acknowledges it"
    return CaseRecord(
        number=id.number(),
        counts=counts,
        at=body.moment.early,
        officer=body.officer,
        ledger=body.ledger,
        quantity=claim.quantity,
        basis=claim.basis.name.lower(),
        at_home=claim.at_home,
        late=claim.late,
        leaf=claim.leaf.hex(),
        acknowledged=RedemptionId(id.terminal, id.epoch, said.seq).number(),
        received=said.at,
        road=said.road,
    )
