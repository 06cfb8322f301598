"""The issuer's verdicts on Transaction MACs: taken once, kept for good, held against the log.

A verdict names a commit by what the chip signed, and the household whose card the chip is. One that
finds it valid needs nobody's word, and counts for that household alone. One that finds a value
invalid or lost concerns a redemption only where its own terminal told that value: anybody can show
a false one of somebody else's commit. Format: docs/spec/mac-verdict.md.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, and_, exists, func, insert, or_, select, tuple_

from card_codec.chip.record import RecordKind, decode_record, encode_record
from card_codec.keys import PublicKey
from card_codec.trust import TrustList
from ledger.card_record import record_committed
from ledger.element import RedemptionId
from ledger.entry import Commit, Entry, Pending, Void, read_entry
from ledger.mac_verdict import (
    Finding,
    MacVerdict,
    VerdictFile,
    read_signed_verdicts,
    verdict_kids,
)
from sync_agent.province.engine import add_once
from sync_agent.province.schema import (
    entry,
    mac_verdict,
    naming,
    pending,
    redemption,
    verdict_file,
)
from sync_agent.province.store import Store

Told: TypeAlias = tuple[bytes, int, bytes]
"""A record, the counter of its commit, and the value shown."""
Said: TypeAlias = tuple[Finding, bytes]
"""A finding, and the household of the chip; empty where the issuer never made that chip."""
_COMMIT = ("uid", "counter", "record", "value")
_UNKNOWN = b""


@dataclass(frozen=True, slots=True)
class TakenVerdicts:
    """What a file of verdicts said.

    Attributes:
        new: verdicts that were not held yet.
        unknown: of these, verdicts on commits that no entry held here tells of.
        contradicted: commits of this file of which another verdict that counts says otherwise.
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
        finding: of its commit; None without one, or where two contradict one another. Invalid, too,
            where its terminal told what the chip of another household signed.
        contradicted: two verdicts on one value stand against one another.
        false_void: the commit of its void was not signed by a chip of the household.
    """

    finding: Finding | None
    contradicted: bool = False
    false_void: bool = False


class MacCaseKind(StrEnum):
    """What a case about a Transaction MAC is about."""

    INVALID = "mac_invalid"
    """No chip of the household signed this as its terminal told it: a counterfeit, or made up."""
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
    household: bytes
    found: dict[Told, set[Said]] = field(default_factory=lambda: defaultdict(set))


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
        against = _contradicted(db, file, verdict_kids(trust))
        return _report(db, file, number=number, new=new, contradicted=against)


def answered(db: Connection, kids: Collection[bytes]) -> set[tuple[bytes, int, bytes, bytes]]:
    """Commits of which the issuer has said something by a key that counts."""
    own = mac_verdict.c
    rows = db.execute(select(*(own[n] for n in _COMMIT)).where(own.kid.in_(sorted(kids))))
    return {_commit(row) for row in rows}


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
            heard[id] = _heard(read_entry(bytes(row.body)), counter=row.before + 1)
        told = (bytes(row.record), row.counter, bytes(row.value))
        heard[id].found[told].add((Finding(row.finding), bytes(row.household)))
    return {id: _judged(db, one) for id, one in heard.items()}


def mac_cases(db: Connection, kids: Collection[bytes]) -> list[MacCase]:
    """Redemptions whose Transaction MACs people must look at, in order."""
    own = mac_verdict.c
    of_another = and_(own.household != redemption.c.household, own.household != _UNKNOWN)
    bad = (
        select(own.terminal, own.epoch, own.seq)
        .join(redemption, and_(*(redemption.c[n] == own[n] for n in _PLACE)))
        .where(or_(own.finding == int(Finding.INVALID), of_another))
    )
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


def _heard(pending: Entry, *, counter: int) -> _Heard:
    household = pending.content.household if isinstance(pending.content, Pending) else _UNKNOWN
    return _Heard(pending, counter, household)


def _judged(db: Connection, heard: _Heard) -> Finds:
    record = _record(heard.pending, heard.pending)
    contradicted = any(_differ(said) for said in heard.found.values())
    sure = _sure(heard)
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


def _differ(said: set[Said]) -> bool:
    """Whether verdicts on one commit contradict one another; who does not know denies nothing."""
    households = {household for _, household in said} - {_UNKNOWN}
    return len({finding for finding, _ in said}) > 1 or len(households) > 1


def _sure(heard: _Heard) -> dict[Told, Finding]:
    """What each commit says of this redemption, where it says one thing.

    A chip signs its UID and record and no household: what a chip of another household signed was
    signed for another. Of a chip that the issuer never made it is not known for whom.
    """
    found = {}
    for told, said in heard.found.items():
        if _differ(said):
            continue
        finding, household = max(said)  # the one that knows whose it is
        if finding is not Finding.VALID or household == heard.household:
            found[told] = finding
        elif household != _UNKNOWN:
            found[told] = Finding.INVALID
    return found


def _void_is_false(db: Connection, of: Entry, sure: dict[Told, Finding]) -> bool:
    """Whether its own terminal told a void's commit that no chip of the household signed."""
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
    household = _UNKNOWN if one.household is None else one.household
    said = (one.uid, one.counter, one.record, one.value, int(one.finding), household, key.kid)
    return (*said, record.terminal, record.epoch, record.seq, number)


def _count(db: Connection, number: int) -> int:
    of_file = mac_verdict.c.file == number
    return db.execute(select(func.count()).select_from(mac_verdict).where(of_file)).scalar_one()


def _commit(row: Row[Any]) -> tuple[bytes, int, bytes, bytes]:
    return bytes(row.uid), row.counter, bytes(row.record), bytes(row.value)


def _contradicted(db: Connection, file: VerdictFile, kids: Collection[bytes]) -> int:
    """Commits of a file on which verdicts that count differ, in whatever files they came."""
    own = mac_verdict.c
    of_commit = [own[n] for n in _COMMIT]
    known = func.nullif(own.household, _UNKNOWN)
    rows = db.execute(
        select(*of_commit)
        .where(own.kid.in_(sorted(kids)))
        .group_by(*of_commit)
        .having(
            or_(
                func.count(own.finding.distinct()) > 1,
                func.count(known.distinct()) > 1,
            )
        )
    )
    named = {(one.uid, one.counter, one.record, one.value) for one in file.verdicts}
    return len(named & {_commit(row) for row in rows})


def _report(
    db: Connection, file: VerdictFile, *, number: int, new: int, contradicted: int
) -> TakenVerdicts:
    own = mac_verdict
    same_chip = and_(*(pending.c[n] == own.c[n] for n in (*_PLACE, "uid")))
    unknown = select(func.count()).where(own.c.file == number, ~exists().where(same_chip))
    found = [one.finding for one in file.verdicts]
    return TakenVerdicts(
        new=new,
        valid=found.count(Finding.VALID),
        invalid=found.count(Finding.INVALID),
        tmv_lost=found.count(Finding.LOST),
        unknown=db.execute(unknown).scalar_one(),
        contradicted=contradicted,
    )
