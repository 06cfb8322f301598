"""``make simulate-mutants``: break the code on purpose, one way at a time; each must be found out.

A mutant is a patch of one function while a story is told. Each is looked for in the same seeds
that the real code has passed, until one breaks a promise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from multiprocessing import get_context
from typing import Any
from unittest import mock

from card_codec.chip.record import RecordKind
from ledger import act, journal
from ledger.act import Act
from ledger.card_keys import OpenedCardKeys
from ledger.clock import Moment
from ledger.element import Element, RedemptionId
from ledger.entry import Entry, Kind
from ledger.errors import JournalError
from ledger.union import Known, Taken
from ledger.usage_file import read_usage
from sync_agent import agent
from sync_agent.province import cases, intake, judging, pendings, publishing, schema
from sync_agent.province.writing import Rows
from terminal import chip_settle, exposure, redeem, redeem_chip
from tests.simulation.main import tell

SEEDS = 30
Patch = Callable[[], Iterator[None]]
MUTANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {}


def mutant(name: str) -> Callable[[Patch], Patch]:
    """Keep a mutant under its name."""

    def keep(function: Patch) -> Patch:
        MUTANTS[name] = contextmanager(function)
        return function

    return keep


def main() -> None:
    """Look for every mutant; exit 1 when one lives, or when the real code does not pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="part of a mutant's name")
    asked = parser.parse_args()
    names = [name for name in MUTANTS if (asked.only or "") in name]
    alive = 0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for name, (seed, told) in zip(names, pool.map(look_for, names), strict=True):
            alive += seed is None
            caught = f"seed {seed}: {told}" if seed is not None else f"ALIVE after {SEEDS} seeds"
            print(f"{name:<52} {caught[:150]}", flush=True)
    print(f"\n{len(names) - alive} of {len(names)} mutants caught")
    sys.exit(1 if alive else 0)


def look_for(name: str) -> tuple[int | None, str]:
    """The first seed in which this mutant breaks a promise that the real code keeps."""
    for seed in range(1, SEEDS + 1):
        with MUTANTS[name]():
            told = tell(seed)
        if told.broken and not tell(seed).broken:
            return seed, told.broken
    return None, ""


@mutant("cursor is what was sent, not what was acknowledged")
def _cursor() -> Iterator[None]:
    sent: dict[bytes, int] = {}
    batches = agent._batches

    def resume(of: Any, known: object, *, live: bool) -> int:
        return sent.get(of.leaf(1) or b"", 0) + 1

    def noted(of: Any, start: int) -> Iterator[Any]:
        for batch in batches(of, start):
            sent[of.leaf(1)] = batch.end
            yield batch

    with (
        mock.patch.object(agent, "_resume_at", resume),
        mock.patch.object(agent, "_batches", noted),
    ):
        yield


@mutant("agent goes on from its own acknowledgement, unasked")
def _unasked() -> Iterator[None]:
    def resume(of: Any, known: object, *, live: bool) -> int:
        acknowledged = of.acknowledged()
        return acknowledged.seq + 1 if acknowledged else 1

    with mock.patch.object(agent, "_resume_at", resume):
        yield


@mutant("acknowledged entries are deleted on the terminal")
def _deleted() -> Iterator[None]:
    keep = Act.keep_acknowledgement

    def keep_and_delete(self: Act, word: Any, data: bytes) -> bool:
        kept = keep(self, word, data)
        self._db.execute("DROP TRIGGER IF EXISTS entry_never_deleted")
        self._db.execute("DELETE FROM entry WHERE seq < ?", (word.seq,))
        return kept

    with mock.patch.object(Act, "keep_acknowledgement", keep_and_delete):
        yield


@mutant("usage replaces what was known instead of adding")
def _replaced() -> Iterator[None]:
    take = Known.take_segment

    def replacing(self: Known, data: bytes, roll: Any = None) -> int:
        self._db.execute("DROP TRIGGER IF EXISTS element_never_deleted")
        self._db.execute("DELETE FROM element WHERE basis = 0")
        return take(self, data, roll)

    with mock.patch.object(Known, "take_segment", replacing):
        yield


@mutant("usage segments are known by their number alone")
def _numbers() -> Iterator[None]:
    with mock.patch.object(Known, "segments", return_value=set()):
        take = Known.take_segment

        def by_number(self: Known, data: bytes, roll: Any = None) -> int:
            file, _ = read_usage(data)
            sql = "SELECT 1 FROM segment WHERE kecamatan = ? AND number = ?"
            known = self._rows(sql, file.kecamatan, file.number)
            return 0 if known else take(self, data, roll)

        with mock.patch.object(Known, "take_segment", by_number):
            yield


@mutant("a void is believed whoever made it")
def _voids() -> Iterator[None]:
    elements = Known.elements

    def fewer(self: Known, right: Any) -> list[Element]:
        voided = {seq for (seq,) in self._rows("SELECT seq FROM voided")}
        return [e for e in elements(self, right) if e.id.seq not in voided]

    with mock.patch.object(Known, "elements", fewer):
        yield


@mutant("keyed by the card instead of the right")
def _by_card() -> Iterator[None]:
    here = redeem.here_now

    def of_card(turn: Any, credential: Any, rights: Any) -> Any:
        found = here(turn, credential, rights)

        def taken_of(right: Any) -> Taken:
            mine = turn.desk.journal.identity
            kept = []
            for element in turn.act.known.elements(right):
                own = (element.id.terminal, element.id.epoch) == (mine.terminal, mine.epoch)
                entry = turn.act.entry(element.id.seq) if own else None
                # Where a twin of this machine made it, there is another entry of that number here.
                issue = getattr(entry.content, "issue", None) if entry else None
                if issue in {None, credential.issue}:
                    kept.append(element)
            latest = max(kept, key=lambda e: (e.minute, e.id), default=None)
            return Taken(sum(e.quantity for e in kept), latest)

        return replace(found, taken_of=taken_of)

    with mock.patch.object(redeem, "here_now", of_card):
        yield


@mutant("a pending redemption by chip is not counted")
def _pending() -> Iterator[None]:
    add = Known.add

    def committed_only(self: Known, element: Element, *, basis: int = 0) -> bool:
        row = self._db.execute(
            "SELECT kind FROM entry WHERE seq = ? AND substr(leaf, 1, 8) = ?",
            (element.id.seq, element.leaf),
        ).fetchone()
        if row is not None and row[0] == Kind.PENDING:
            return False
        return add(self, element, basis=basis)

    with mock.patch.object(Known, "add", committed_only):
        yield


@mutant("keyed without the person")
def _without_person() -> Iterator[None]:
    element = Entry.element

    def household_only(self: Any) -> Element | None:
        found = element(self)
        return replace(found, right=replace(found.right, member=0)) if found else None

    with mock.patch.object(Entry, "element", household_only):
        yield


@mutant("synchronous = NORMAL")
def _normal() -> Iterator[None]:
    def careless(connection: Any) -> None:
        for pragma in journal.PRAGMAS:
            connection.execute(pragma.replace("FULL", "NORMAL"))

    with mock.patch.object(journal, "_make_durable", careless):
        yield


@mutant("printed though the disk refused")
def _printed_anyway() -> Iterator[None]:
    begun = journal.Journal.act

    @contextmanager
    def hopeful(self: journal.Journal) -> Iterator[Act]:
        try:
            with begun(self) as inside:
                yield inside
        except JournalError:
            return

    with mock.patch.object(journal.Journal, "act", hopeful):
        yield


@mutant("clock without a floor")
def _no_floor() -> Iterator[None]:
    def wall(reading: Any, floors: Any, last: Moment | None) -> Moment:
        now = max(reading.wall, 0)
        return Moment(now, now, now, floors.office.time, floors.online.time, reading.boottime,
                      reading.boot_id)  # fmt: skip

    with mock.patch.object(act, "judge_time", wall):
        yield


@mutant("the later of two records of a right is dropped")
def _loser_dropped() -> Iterator[None]:
    take = Rows.add_entries

    def first_only(self: Rows, entries: Any, terminal: Any, *, at: int) -> None:
        take(self, entries, terminal, at=at)
        self._redemptions = [row for row in self._redemptions if not _is_later(self._db, row)]

    with mock.patch.object(Rows, "add_entries", first_only):
        yield


def _is_later(db: Any, row: Any) -> bool:
    """Whether another terminal's redemption of the same right is held."""
    column = schema.redemption.c
    same = (column.household == row[4]) & (column.member == row[6])
    same &= (column.programme == row[7]) & (column.window == row[8])
    others = db.execute(schema.redemption.select().where(same)).all()
    return any(other.terminal != row[0] for other in others)


@mutant("the winner is who arrived first")
def _arrival() -> Iterator[None]:
    arrived: dict[object, int] = {}
    add = Rows.add_entries

    def noting(self: Rows, entries: Any, terminal: Any, *, at: int) -> None:
        for entry in entries:
            arrived.setdefault(entry.id, len(arrived))
        add(self, entries, terminal, at=at)

    def order(of: Any) -> int:
        return arrived.get(of.id, 0)

    with (
        mock.patch.object(Rows, "add_entries", noting),
        mock.patch.object(cases, "_order", order),
    ):
        yield


@mutant("a diverging branch is not kept")
def _fork_forgotten() -> Iterator[None]:
    with mock.patch.object(intake, "keep_fork", return_value=None):
        yield


@mutant("what follows a kept branch is a gap")
def _branch_cut() -> Iterator[None]:
    with (
        mock.patch.object(intake, "first_fork", return_value=None),
        mock.patch.object(agent, "BATCH_ENTRIES_MAX", 20),
    ):
        yield


@mutant("acknowledged before it is stored whole")
def _half_stored() -> Iterator[None]:
    flush = Rows.flush

    def all_but_one(self: Rows) -> None:
        if len(self._entries) > 3:
            self._entries.pop()
        flush(self)

    with mock.patch.object(Rows, "flush", all_but_one):
        yield


@mutant("a retired generation still counts")
def _not_retired() -> Iterator[None]:
    with mock.patch.object(OpenedCardKeys, "_is_retired", return_value=False):
        yield


@mutant("the record of a void on a card is believed")
def _card_voids() -> Iterator[None]:
    settled = chip_settle._settle_voids

    def believing(turn: Any, state: Any) -> None:
        settled(turn, state)
        for record in state.records:
            if record.kind is RecordKind.VOID:
                turn.act.known.void(RedemptionId(record.terminal, record.epoch, record.seq))

    with mock.patch.object(chip_settle, "_settle_voids", believing):
        yield


@mutant("what a card shows settles no pending redemption")
def _unobserved() -> Iterator[None]:
    with mock.patch.object(pendings.ChipRows, "_add_seen", return_value=None):
        yield


@mutant("a chip's own records are not looked at")
def _deaf() -> Iterator[None]:
    with mock.patch.object(chip_settle, "_is_news", return_value=False):
        yield


@mutant("a chip that replaced another serves like a first one")
def _like_a_first() -> Iterator[None]:
    with mock.patch.object(redeem_chip, "alone_from", return_value=0):
        yield


@mutant("the issuer's verdicts decide nothing")
def _unheard_issuer() -> Iterator[None]:
    with mock.patch.object(cases, "_signed", return_value=1):
        yield


@mutant("what a branch shows is nobody's double")
def _unjudged() -> Iterator[None]:
    with mock.patch.object(judging, "proved", return_value=[]):
        yield


@mutant("what a branch shows rides in no usage")
def _unpublished() -> Iterator[None]:
    with mock.patch.object(publishing, "unpublished_pieces", return_value=[]):
        yield


@mutant("exposure counts one unit of each family")
def _exposed_once() -> Iterator[None]:
    units = exposure._units

    def one_each(row: Any, programme: Any, owed: int) -> Any:
        return units(row, programme, min(owed, 1))

    with mock.patch.object(exposure, "_units", one_each):
        yield


if __name__ == "__main__":
    main()
