"""The province's intake beside the floor that its server sets: COPY with conflicts, same rows."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import psycopg
from sqlalchemy.engine import make_url

from bench.table import Figure, at_least, told
from card_codec.keys import PrivateKey
from ledger.clock import Moment
from ledger.element import RedemptionId
from ledger.entry import (
    Basis,
    Entry,
    Handover,
    Presented,
    Redemption,
    genesis,
    make_entry,
    sign_head,
)
from ledger.folder import TerminalFolder
from sync_agent.batch import BATCH_ENTRIES_MAX, Batch, write_batch
from sync_agent.messages import Taken
from sync_agent.province import schema
from sync_agent.province.engine import bring_in_step, open_engine, prefer_c
from sync_agent.province.intake import Arrival, Checked, Intake
from sync_agent.province.store import Store
from tests import postgres
from tests.sync_world import SyncWorld, small_world
from tests.world import NOW

AIM = 0.7
Row: TypeAlias = tuple[Any, ...]
FAMILIES = 3_001
ROUNDS = {500: 120, 5_000: 24}
CHUNK = 12
"""Batches taken by one and then by the other: both see the same machine."""
AHEAD = 3


def figures() -> list[Figure]:
    """Intake against bare COPY, batch by batch in turn, for both sizes."""
    found = []
    with tempfile.TemporaryDirectory() as folder, postgres.running(durable=True) as server:
        world = small_world(Path(folder))
        families = [world.household(f"keluarga {n}") for n in range(FAMILIES)]
        world.province.release(world.sign_release())
        with closing(world.province):
            for size, rounds in ROUNDS.items():
                found += _compare(world, server, families, rounds=rounds, size=size)
    return found


def _compare(
    world: SyncWorld, server: postgres.Server, families: list[bytes], *, rounds: int, size: int
) -> list[Figure]:
    own, bare = _Own(world, server.new_database()), _Bare(server.new_database())
    pairs: list[tuple[float, float]] = []
    for chunk in batched(_journal(world.one, families, rounds=rounds, size=size), CHUNK):
        sent = [batches for _, batches in chunk]
        rows = [_rows(entries) for entries, _ in chunk]
        if len(pairs) % 2:  # who comes first finds the machine another: they take turns at it
            took = _timed(own.take, sent)
            pairs.append((took, _timed(bare.take, rows)))
        else:
            floor = _timed(bare.take, rows)
            pairs.append((_timed(own.take, sent), floor))
    own.close()
    bare.close()
    ratio = statistics.median(floor / took for took, floor in pairs)
    rate = CHUNK * size / statistics.median(took for took, _ in pairs)
    bound = CHUNK * size / statistics.median(floor for _, floor in pairs)
    name = f"batches of {size:,}"
    return [
        at_least(f"intake / bare COPY with conflicts, {name}", ratio, "×", AIM),
        told(f"intake, verify + store, {name}", rate, "entries/s"),
        told(f"bare COPY with conflicts, {name}", bound, "entries/s"),
    ]


T = TypeVar("T")


def _timed(act: Callable[[list[T]], None], items: list[T]) -> float:
    gc.collect()
    began = time.perf_counter()
    act(items)
    return time.perf_counter() - began


class _Own:
    """The intake: one transaction for each group, the next ones checked meanwhile, as they come.

    A server's other threads check whatever arrives while one of them stores; here one thread does,
    and holds no more than ``AHEAD`` groups ready.
    """

    def __init__(self, world: SyncWorld, url: str) -> None:
        self._store = Store(url)
        log = world.province_folder.key("log")
        self._intake = Intake(self._store, world.province.in_force, lambda: log)
        self._ahead = ThreadPoolExecutor(1)

    def take(self, groups: list[list[bytes]]) -> None:
        """All of them."""
        following = iter(groups)
        coming = deque(self._ahead.submit(self._check, group) for group in islice(following, AHEAD))
        while coming:
            checked = coming.popleft().result()
            coming.extend(self._ahead.submit(self._check, group) for group in islice(following, 1))
            outcomes = self._intake.store(checked)
            if not all(isinstance(outcome, Taken) and outcome.accepted for outcome in outcomes):
                raise SystemExit(f"the bench expects batches to be taken, not {outcomes}")

    def _check(self, group: list[bytes]) -> list[Checked]:
        return [self._intake.check(data, Arrival("http", NOW)) for data in group]

    def close(self) -> None:
        """Let go."""
        self._ahead.shutdown()
        self._store.close()


def batched(
    items: Iterable[tuple[list[Entry], list[bytes]]], count: int
) -> Iterator[list[tuple[list[Entry], list[bytes]]]]:
    """So many at a time."""
    source = iter(items)
    while chunk := list(islice(source, count)):
        yield chunk


def _journal(
    terminal: TerminalFolder, families: list[bytes], *, rounds: int, size: int
) -> Iterator[tuple[list[Entry], list[bytes]]]:
    """So many entries at a time, and the batches that carry them."""
    signer, last = terminal.signer(), None
    for _ in range(rounds):
        entries = chain_of(signer, families, count=size, last=last)
        last = entries[-1]
        parts = range(0, size, BATCH_ENTRIES_MAX)
        yield entries, [batch_of(entries[at : at + BATCH_ENTRIES_MAX], signer) for at in parts]


def chain_of(
    signer: PrivateKey,
    families: list[bytes],
    *,
    count: int,
    ordinal: int = 1,
    last: Entry | None = None,
) -> list[Entry]:
    """So many entries of a terminal, after ``last``: a family is given to, the goods go over."""
    entries: list[Entry] = []
    prev = last.leaf if last else genesis(ordinal, 1, signer.public)
    seq = last.body.seq if last else 0
    for _ in range(count):
        seq += 1
        id = RedemptionId(ordinal, 1, seq)
        entries.append(_entry(id, prev, families[seq % len(families)]))
        prev = entries[-1].leaf
    return entries


def _entry(id: RedemptionId, prev: bytes, household: bytes) -> Entry:
    at = NOW + id.seq // 2 * 90
    moment = Moment(at, at, at, at - 90, NOW, at - NOW, b"bootboot")
    given = Redemption(household, 1, 0, 1, 1, 1, 0, Presented.PICTURE, Basis.HOME)
    content = given if id.seq % 2 else Handover(id.seq - 1)
    return make_entry(id=id, prev=prev, moment=moment, ledger=1, officer="UJI", content=content)


def batch_of(entries: Sequence[Entry], signer: PrivateKey) -> bytes:
    """Entries as they travel."""
    first, last = entries[0].body, entries[-1]
    signature = sign_head(last.leaf, signer)
    return write_batch(Batch(first.terminal, 1, first.seq, tuple(entries), signature))


def _rows(entries: Sequence[Entry]) -> tuple[list[Row], list[Row]]:
    """What the intake stores of them, ready made."""
    rows = [(1, 1, e.body.seq, e.leaf, e.data) for e in entries]
    redemptions = [
        (1, 1, e.body.seq, e.leaf, c.household, c.issue, c.member, c.programme, c.window,
         c.quantity, c.paid, int(c.basis), e.body.moment.early, e.body.officer, "629901", NOW)
        for e in entries if isinstance(c := e.content, Redemption)
    ]  # fmt: skip
    return rows, redemptions


class _Bare:
    """The same tables and the same rows, nothing checked: COPY to a stage, insert what is new.

    The stage is a temporary table emptied by DELETE: the fastest of those tried.
    """

    def __init__(self, url: str) -> None:
        engine = open_engine(url)
        with engine.execution_options(writing=True).begin() as db:
            bring_in_step(db)
        engine.dispose()
        parsed = make_url(url)
        self._db = psycopg.connect(
            dbname=parsed.database, user=parsed.username, host=str(parsed.query["host"])
        )
        prefer_c(self._db)
        for table in (schema.entry, schema.redemption):
            self._db.execute(f'CREATE TEMP TABLE stage_{table.name} (LIKE "{table.name}")')
        self._db.commit()

    def take(self, groups: list[tuple[list[Row], list[Row]]]) -> None:
        """All of them, one transaction for each."""
        for rows, redemptions in groups:
            for name, own in (("entry", rows), ("redemption", redemptions)):
                self._stage(name, own)
                self._db.execute(
                    f'INSERT INTO "{name}" SELECT * FROM stage_{name} ON CONFLICT DO NOTHING'
                )
                self._db.execute(f"DELETE FROM stage_{name}")
            self._db.commit()

    def _stage(self, name: str, rows: list[Row]) -> None:
        copying = f"COPY stage_{name} FROM STDIN (FORMAT BINARY)"
        with self._db.cursor() as cursor, cursor.copy(copying) as copy:
            types = ["int4", "int4", "int8", "bytea", "bytea"]
            if name == "redemption":
                types += ["int4"] * 5 + ["int8", "int4", "int8", "text", "text", "int8"]
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def close(self) -> None:
        """Let go."""
        self._db.close()
