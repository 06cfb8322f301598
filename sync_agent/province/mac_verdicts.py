"""The issuer's verdicts on Transaction MACs: taken once, kept for good, held against the log.

A verdict names a commit by what the chip signed. One that finds it valid needs nobody's word. One
that finds a value invalid or lost concerns a redemption only where its own terminal told that
value: anybody can show a false one of somebody else's commit. Format: docs/spec/mac-verdict.md.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, and_, exists, func, insert, select, tuple_

from card_codec.chip.record import RecordKind, decode_record, encode_record
from card_codec.keys import PublicKey
from card_codec.trust import TrustList
from ledger.card_record import record_committed
from ledger.element import RedemptionId
from ledger.entry import Commit, Entry, Void, read_entry
from ledger.mac_verdict import Finding, MacVerdict, VerdictFile, read_signed_verdicts
from sync_agent.province.engine import add_once
from sync_agent.province.schema import entry, mac_verdict, naming, pending, verdict_file
from sync_agent.province.store import Store

Told: TypeAlias = tuple[bytes, int, bytes]
"""A record, the counter of its commit, and the value shown."""


@dataclass(frozen=True, slots=True)
class TakenVerdicts:
    """What a file of verdicts said.

    Attributes:
        new: verdicts that were not held yet.
        unknown: of these, verdicts on commits that no entry held here tells of.
        contradicted: commits of this file of which another file says otherwise.
    """

    new: int
    valid: int
    invalid: int
    tmv_lost: int
    unknown: int
    contradicted: int


@dataclass(frozen=True, slots=True)
class Finds:
    """What the issuer found of one redemption.

    Attributes:
        finding: of its commit; None without one, or where two contradict one another.
        contradicted: two findings of one value stand against one another.
        false_void: the commit of its void was not signed by the chip.
    """

    finding: Finding | None
    contradicted: bool = False
    false_void: bool = False


class MacCaseKind(StrEnum):
    """What a case about a Transaction MAC is about."""

    INVALID = "mac_invalid"
    """No chip signed this redemption as its terminal told it: a counterfeit, or made up."""
    FALSE_VOID = "mac_false_void"
    """The same of the void of a redemption."""
    CONTRADICTED = "mac_contradicted"
    """Two verdicts on one commit say different things; neither counts."""


@dataclass(frozen=True, slots=True)
class MacCase:
    """A redemption whose Transaction MAC people must look at."""

    kind: MacCaseKind
    id: RedemptionId


@dataclass(slots=True)
class _Heard:
    """Verdicts on what one redemption's chip wrote."""

    pending: Entry
    counter: int
    found: dict[Told, set[Finding]] = field(default_factory=lambda: defaultdict(set))


def take_verdicts(store: Store, data: bytes, trust: TrustList, *, now: int) -> TakenVerdicts:
    """Check a file of verdicts and keep it; any number of times.

    Args:
        store: the province's.
        data: the file as it came.
        trust: the trust list in force.
        now: Unix seconds.

    Raises:
        RecordError: not signed by a verdict key of the trust list, or not verdicts.
        ProvinceError: the store failed.
    """
    file, key = read_signed_verdicts(data, trust)
    digest = hashlib.sha256(data).digest()
    with store.writing() as db:
        known = select(verdict_file.c.number).where(verdict_file.c.digest == digest)
        number = db.execute(known).scalar_one_or_none()
        new = 0
        if number is None:
            newest = db.execute(select(func.max(verdict_file.c.number))).scalar_one()
            number = (newest or 0) + 1
            values = {"number": number, "digest": digest, "at": now, "data": data}
            db.execute(insert(verdict_file).values(**values))
            add_once(db, mac_verdict, [_row(one, key, number) for one in file.verdicts])
            new = _count(db, number)
        return _report(db, file, number=number, new=new)


def answered(db: Connection, kids: Collection[bytes]) -> set[tuple[bytes, int, bytes, bytes]]:
    """Commits of which the issuer has said something by a key that counts."""
    own = mac_verdict.c
    rows = db.execute(
        select(own.uid, own.counter, own.record, own.value).where(own.kid.in_(sorted(kids)))
    )
    return {(bytes(r.uid), r.counter, bytes(r.record), bytes(r.value)) for r in rows}


def find_verdicts(
    db: Connection, kids: Collection[bytes], among: Select[Any]
) -> dict[RedemptionId, Finds]:
    """What the issuer found of redemptions.

    Args:
        db: open for reading.
        kids: of the verdict keys that count.
        among: terminal, epoch and number of the redemptions.
    """
    own = mac_verdict.c
    named = tuple_(own.terminal, own.epoch, own.seq)
    rows = db.execute(
        select(mac_verdict, pending.c.counter.label("before"), entry.c.body)
        .join(pending, and_(*(pending.c[n] == own[n] for n in _PLACE), pending.c.uid == own.uid))
        .join(entry, and_(*(entry.c[n] == own[n] for n in _PLACE)))
        .where(own.kid.in_(sorted(kids)), named.in_(among))
    )
    heard: dict[RedemptionId, _Heard] = {}
    for row in rows:
        id = RedemptionId(row.terminal, row.epoch, row.seq)
        if id not in heard:
            heard[id] = _Heard(read_entry(bytes(row.body)), row.before + 1)
        told = (bytes(row.record), row.counter, bytes(row.value))
        heard[id].found[told].add(Finding(row.finding))
    return {id: _judged(db, one) for id, one in heard.items()}


def mac_cases(db: Connection, kids: Collection[bytes]) -> list[MacCase]:
    """Redemptions whose Transaction MACs people must look at, in order."""
    own = mac_verdict.c
    bad = select(own.terminal, own.epoch, own.seq).where(own.finding == int(Finding.INVALID))
    found = []
    for id, finds in sorted(find_verdicts(db, kids, bad).items()):
        if finds.finding is Finding.INVALID:
            found.append(MacCase(MacCaseKind.INVALID, id))
        if finds.false_void:
            found.append(MacCase(MacCaseKind.FALSE_VOID, id))
        if finds.contradicted:
            found.append(MacCase(MacCaseKind.CONTRADICTED, id))
    return found


_PLACE = ("terminal", "epoch", "seq")


def _judged(db: Connection, heard: _Heard) -> Finds:
    record = _record(heard.pending, heard.pending)
    contradicted = any(len(findings) > 1 for findings in heard.found.values())
    sure = {told: findings.pop() for told, findings in heard.found.items() if len(findings) == 1}
    if any(
        finding is Finding.VALID and (told[0], told[1]) == (record, heard.counter)
        for told, finding in sure.items()
    ):
        finding: Finding | None = Finding.VALID
    else:
        own = _own_commits(db, heard.pending)
        found = {sure[told] for told in own if told in sure and told[0] == record}
        finding = next((f for f in (Finding.INVALID, Finding.LOST) if f in found), None)
    false_void = _void_is_false(db, heard.pending, sure)
    return Finds(finding, contradicted, false_void)


def _void_is_false(db: Connection, of: Entry, sure: dict[Told, Finding]) -> bool:
    """Whether its own terminal told a void's commit that the chip did not sign."""
    bad = {told for told, finding in sure.items() if finding is Finding.INVALID}
    voids = {told for told in bad if decode_record(told[0]).kind is RecordKind.VOID}
    return bool(voids) and any(
        told in voids
        for one in _naming(db, of)
        if isinstance(one.content, Void)
        for told in _own_commits(db, of, of_void=one)
    )


def _own_commits(db: Connection, of: Entry, *, of_void: Entry | None = None) -> set[Told]:
    """Commits of a redemption, or of its void, as its own terminal told them."""
    committed = of_void or of
    record = _record(of, committed)
    return {
        (record, one.content.counter, one.content.value)
        for one in _naming(db, committed)
        if isinstance(one.content, Commit) and record is not None
    }


def _record(of: Entry, committed: Entry) -> bytes | None:
    record = record_committed(of, committed)
    return None if record is None else encode_record(record)


def _naming(db: Connection, of: Entry) -> list[Entry]:
    """Entries of the same chain that are about this one."""
    own, body = naming.c, of.body
    rows = db.execute(
        select(entry.c.body)
        .join(naming, and_(*(entry.c[n] == own[n] for n in _PLACE)))
        .where(own.terminal == body.terminal, own.epoch == body.epoch, own.names == body.seq)
    )
    return [read_entry(bytes(row.body)) for row in rows.all()]


def _row(one: MacVerdict, key: PublicKey, number: int) -> tuple[object, ...]:
    """In the order of the table's columns."""
    record = decode_record(one.record)
    said = (one.uid, one.counter, one.record, one.value, int(one.finding), key.kid)
    return (*said, record.terminal, record.epoch, record.seq, number)


def _count(db: Connection, number: int) -> int:
    of_file = mac_verdict.c.file == number
    return db.execute(select(func.count()).select_from(mac_verdict).where(of_file)).scalar_one()


def _report(db: Connection, file: VerdictFile, *, number: int, new: int) -> TakenVerdicts:
    own, other = mac_verdict, mac_verdict.alias()
    same_chip = and_(*(pending.c[n] == own.c[n] for n in (*_PLACE, "uid")))
    unknown = select(func.count()).where(own.c.file == number, ~exists().where(same_chip))
    same = (other.c[n] == own.c[n] for n in ("uid", "counter", "record", "value"))
    otherwise = exists().where(*same, other.c.finding != own.c.finding)
    against = select(func.count()).where(own.c.file == number, otherwise)
    found = [one.finding for one in file.verdicts]
    return TakenVerdicts(
        new=new,
        valid=found.count(Finding.VALID),
        invalid=found.count(Finding.INVALID),
        tmv_lost=found.count(Finding.LOST),
        unknown=db.execute(unknown).scalar_one(),
        contradicted=db.execute(against).scalar_one(),
    )
