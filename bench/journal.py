"""``make bench-journal``: what a broken road costs the counter, and what proof costs."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import islice
from pathlib import Path

from bench.table import Figure, at_most, report, told
from card_codec.keys import PrivateKey
from ledger.clock import Moment
from ledger.element import RedemptionId
from ledger.entry import (
    Basis,
    Entry,
    Presented,
    Redemption,
    genesis,
    make_entry,
    read_entry,
    sign_head,
)
from ledger.fsck import check_journal
from sync_agent.batch import Batch, read_batch, write_batch
from sync_agent.province.intake import check_batch
from terminal.counter import Counter, Presentation, Redeemed, Request
from tests.world import NOW, World

PAIRS = 500
BLOCK = 20
"""Redemptions in a row with, then without: both halves of a pair see the same machine."""
PHASES, PHASE_SECONDS = 6, 0.05
"""An agent that crashes and starts again is met at each part of its round, not only at one."""
WARM = 5
"""Redemptions after each change that do not count: a process has just begun or ended."""
ENTRIES = 1_000_000
CHUNK = 20_000
HEADS = 500
"""One signature covers so many entries, as in a batch."""
KEY = PrivateKey.generate()


def main() -> None:
    """Measure everything, print the table, exit 1 when an aim does not hold."""
    sys.exit(0 if report("journal", [*latency(), *_proving()]) else 1)


def latency() -> Iterator[Figure]:
    """Median redemption with a sync that goes wrong beside it, and without."""
    for manner in ("stuck", "slow", "crashing"):
        # On the real disk: there a reader could hold up a commit or a checkpoint.
        with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
            blocks = _blocks(Path(folder), manner)
        # Block against block, taken one after the other: the machine drifts within a run.
        ratio = statistics.median(beside / alone for beside, alone in blocks)
        yield at_most(f"median redemption, sync {manner} / without", ratio, "×", 1.1)
        yield told("  without, median", statistics.median(a for _, a in blocks) * 1000, "ms")


def _blocks(folder: Path, manner: str) -> list[tuple[float, float]]:
    """Medians of a block of redemptions with the bad road beside it, and of one without."""
    turns = PAIRS // BLOCK
    counter, texts = _counter(folder, 2 * turns * (BLOCK + WARM))
    cards = iter(texts)
    found = []
    for turn in range(turns):
        medians = {}
        for bad in (True, False) if turn % 2 else (False, True):
            with _sync_beside(counter.folder.root, manner) if bad else nullcontext():
                time.sleep(turn % PHASES * PHASE_SECONDS)
                _redeem(counter, islice(cards, WARM))
                medians[bad] = statistics.median(_redeem(counter, islice(cards, BLOCK)))
        found.append((medians[True], medians[False]))
    counter.close()
    return found


def _redeem(counter: Counter, texts: Iterator[str]) -> list[float]:
    took = []
    for text in texts:
        began = time.perf_counter()
        outcome = counter.redeem(Presentation(text), Request("pangan"))
        took.append(time.perf_counter() - began)
        if not isinstance(outcome, Redeemed):
            raise SystemExit(f"the bench expects redemptions, not {outcome}")
    return took


@contextmanager
def _sync_beside(folder: Path, manner: str) -> Iterator[None]:
    """A process of the agent's own that reads the journal and whose road does not work.

    It has begun to send when this returns: what is measured is a sync that goes wrong.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.bad_road", manner, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with ExitStack() as stack:
        stack.callback(child.wait)
        stack.callback(os.killpg, child.pid, signal.SIGKILL)  # and who it started
        assert child.stdout is not None
        if child.stdout.readline() != "reached\n":
            raise SystemExit("the agent did not start")
        yield


def _counter(folder: Path, households: int) -> tuple[Counter, list[str]]:
    world = World(folder / "world")
    texts = [world.card(world.household(f"family {n}")) for n in range(households)]
    terminal = world.terminal("Loket 1")
    world.publish()
    world.bring(terminal)
    counter = world.counter(terminal)
    counter.take_in_box()
    shutil.rmtree(terminal.in_box)
    return counter, texts


def _proving() -> Iterator[Figure]:
    """A million entries of one terminal, as the province proves them: batch by batch."""
    bare = proven = arriving = 0.0
    prev, seq = genesis(1, 1, KEY.public), 0
    while seq < ENTRIES:
        bodies, heads, last = _made(prev, seq, CHUNK)
        order = (_bare, _proven) if seq // CHUNK % 2 else (_proven, _bare)
        for act in order:
            took = _timed(act, bodies, heads)
            bare, proven = (bare + took, proven) if act is _bare else (bare, proven + took)
        if seq // CHUNK % 10 == 0:
            arriving += _timed(_arriving, _sent(bodies, heads), heads)
        prev, seq = last, seq + CHUNK
    yield at_most("verify 1,000,000 entries / hash and decode alone", proven / bare, "×", 1.3)
    yield told("  hash and decode alone, an entry", bare / ENTRIES * 1e6, "µs")
    yield told(
        "  read from batches as sent, and verified, an entry", arriving / ENTRIES * 1e7, "µs"
    )
    yield _fsck()


def _fsck() -> Figure:
    """Everything of a journal derived again, and each act's signature checked."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        counter, texts = _counter(Path(folder), PAIRS)
        _redeem(counter, iter(texts))
        counter.close()
        path = counter.folder.journal
        began = time.perf_counter()
        checked = check_journal(path, terminal=1, epoch=1)
        took = time.perf_counter() - began
    if not checked.ok:
        raise SystemExit(f"the bench expects a journal that holds: {checked.faults}")
    return told("fsck, every signature checked, an entry", took / checked.entries * 1e6, "µs")


def _timed(
    act: Callable[[list[bytes], dict[int, bytes]], None],
    bodies: list[bytes],
    heads: dict[int, bytes],
) -> float:
    gc.collect()
    began = time.process_time()
    act(bodies, heads)
    return time.process_time() - began


def _bare(bodies: list[bytes], _heads: dict[int, bytes]) -> None:
    """The floor: each entry read strictly, which hashes it, and nothing compared."""
    for start in range(0, len(bodies), HEADS):
        [read_entry(data) for data in bodies[start : start + HEADS]]


def _proven(bodies: list[bytes], heads: dict[int, bytes]) -> None:
    """The same, and the province's own check: each follows the one before, the head is signed."""
    for start in range(0, len(bodies), HEADS):
        _check([read_entry(data) for data in bodies[start : start + HEADS]], heads[start])


def _arriving(batches: list[bytes], _heads: dict[int, bytes]) -> None:
    """From the bytes on the wire, whose entries are worked out and hashed on the way."""
    for data in batches:
        check_batch(read_batch(data), KEY.public)


def _check(entries: list[Entry], signature: bytes) -> None:
    batch = Batch(1, 1, entries[0].body.seq, tuple(entries), signature)
    check_batch(batch, KEY.public)


def _sent(bodies: list[bytes], heads: dict[int, bytes]) -> list[bytes]:
    """The batches these entries travel in."""
    found = []
    for start in range(0, len(bodies), HEADS):
        entries = tuple(read_entry(data) for data in bodies[start : start + HEADS])
        found.append(write_batch(Batch(1, 1, entries[0].body.seq, entries, heads[start])))
    return found


def _made(prev: bytes, seq: int, count: int) -> tuple[list[bytes], dict[int, bytes], bytes]:
    """The next entries of the chain, and a signature for each 500 by the place of the first."""
    bodies, heads = [], {}
    for place in range(count):
        entry = _entry(prev, seq + place + 1)
        bodies.append(entry.data)
        prev = entry.leaf
        if place % HEADS == HEADS - 1:
            heads[place + 1 - HEADS] = sign_head(prev, KEY)
    return bodies, heads, prev


def _entry(prev: bytes, seq: int) -> Entry:
    at = NOW + seq * 20
    return make_entry(
        id=RedemptionId(1, 1, seq),
        prev=prev,
        moment=Moment(at, at, at + 60, NOW, NOW, 1000 + seq * 20, b"bootboot"),
        ledger=7,
        officer="RB",
        content=Redemption(seq.to_bytes(8, "big"), 1, 0, 1, 1, 1, 0, Presented.TEXT, Basis.HOME),
    )


if __name__ == "__main__":
    main()
