"""The records of a case as evidence: what each says, and what the province said when it came.

Whoever has to decide about people needs more than who won: by which ledger each terminal gave,
which officer, and since when the province has held it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ledger.element import RedemptionId
from ledger.entry import Body, read_entry
from ledger.roll import Roll
from sync_agent.province.accounts import Listed, numbered, of_proof, one_numbered
from sync_agent.province.cases import Case, Claim
from sync_agent.province.installed import Installed
from sync_agent.province.proved import Proved, proved
from sync_agent.province.schema import entry
from sync_agent.province.store import Store, acknowledgement_from

EVIDENCE = "evidence"
"""What stands for a road where the log holds nothing."""


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
        acknowledged: number of the entry up to which the acknowledgement speaks that covers it;
            None of a record that evidence alone holds.
        received: Unix seconds, when that batch came.
        road: by which road; ``evidence`` where it was no road of the log.
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
    acknowledged: str | None
    received: int
    road: str


class CaseRecords:
    """The records of cases, for a desk.

    Args:
        store: the province's.
        in_force: tells the release in force.
    """

    def __init__(self, store: Store, in_force: Callable[[], Installed]) -> None:
        self._store = store
        self._in_force = in_force

    def evidence(self, cases: Sequence[Case]) -> list[list[CaseRecord]]:
        """The records of each case, as evidence."""
        roll = self._in_force().rights.roll
        with self._store.reading() as db:
            return [case_records(db, case, roll) for case in cases]

    def numbered(self, ids: Sequence[RedemptionId], *, language: str) -> list[Listed]:
        """Redemptions of the log for reading, in this order."""
        return numbered(self._store, self._in_force(), ids, language=language)

    def listed(self, case: Case, *, language: str) -> list[Listed]:
        """The records of a case for reading, in order: those that count, then the others."""
        installed = self._in_force()
        claims = [*case.counted, *case.losers]
        with self._store.reading() as db:
            proofs = proofs_by_leaf(db, installed.rights.roll, claims)
            return [
                of_proof(proofs[claim.leaf], installed, language)
                if claim.proved
                else one_numbered(db, installed, claim.id, language)
                for claim in claims
            ]


def case_records(db: Connection, case: Case, roll: Roll) -> list[CaseRecord]:
    """A case's records: those that count in order, then the others.

    Args:
        db: open for reading.
        case: of this store.
        roll: of the release in force.
    """
    claims = [*case.counted, *case.losers]
    proofs = proofs_by_leaf(db, roll, claims)
    return [
        _of_evidence(proofs[claim.leaf], claim, counts=at < len(case.counted))
        if claim.proved
        else _of_log(db, claim, counts=at < len(case.counted))
        for at, claim in enumerate(claims)
    ]


def proofs_by_leaf(db: Connection, roll: Roll, claims: Iterable[Claim]) -> dict[bytes, Proved]:
    """What evidence proves, if any of these claims is known by it alone."""
    if not any(claim.proved for claim in claims):
        return {}
    return {one.entry.leaf: one for one in proved(db, roll)}


def _of_log(db: Connection, claim: Claim, *, counts: bool) -> CaseRecord:
    id = claim.id
    of_entry = (
        (entry.c.terminal == id.terminal) & (entry.c.epoch == id.epoch) & (entry.c.seq == id.seq)
    )
    body = read_entry(db.execute(select(entry.c.body).where(of_entry)).scalar_one()).body
    said = acknowledgement_from(db, id.terminal, id.epoch, id.seq)
    assert said is not None, "whoever takes an entry acknowledges it"
    acknowledged = RedemptionId(id.terminal, id.epoch, said.seq).number()
    return _record(body, claim, said.at, counts=counts, acknowledged=acknowledged, road=said.road)


def _of_evidence(one: Proved, claim: Claim, *, counts: bool) -> CaseRecord:
    return _record(one.entry.body, claim, one.at, counts=counts, acknowledged=None, road=EVIDENCE)


def _record(
    body: Body, claim: Claim, received: int, *, counts: bool, acknowledged: str | None,
    road: str,
) -> CaseRecord:  # fmt: skip
    return CaseRecord(
        number=claim.id.number(),
        counts=counts,
        at=body.moment.early,
        officer=body.officer,
        ledger=body.ledger,
        quantity=claim.quantity,
        basis=claim.basis.name.lower(),
        at_home=claim.at_home,
        late=claim.late,
        leaf=claim.leaf.hex(),
        acknowledged=acknowledged,
        received=received,
        road=road,
    )
