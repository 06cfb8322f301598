"""``make bench-sync``: what the road costs the line, the province and the counter."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench import fleet, intake, journal
from bench.day import Day
from bench.table import Figure, at_most, report, told
from ledger.entry import Kind
from ledger.journal import open_journal
from sync_agent.batch import BATCH_ENTRIES_MAX, Batch, read_batch, write_batch

SHM = Path("/dev/shm")  # noqa: S108 - nothing here is about the disk
REDEMPTIONS = 700


def main() -> None:
    """Measure everything, print the table, exit 1 when an aim does not hold."""
    figures = [*_wire(), *intake.figures(), *fleet.figures(), *journal.latency()]
    sys.exit(0 if report("sync", figures) else 1)


def _wire() -> list[Figure]:
    """Bytes on the wire of a real counter's days, all entries counted, full batches."""
    with tempfile.TemporaryDirectory(dir=SHM) as memory:
        day = Day(Path(memory))
        day.live(REDEMPTIONS)
        batches = _batches(day)
    full = [batch for batch in batches if len(batch.entries) > BATCH_ENTRIES_MAX - 5]
    written = [write_batch(batch) for batch in full]
    entries = [entry for batch in full for entry in batch.entries]
    began = time.perf_counter()
    for data in written:
        read_batch(data)
    read = (time.perf_counter() - began) / len(entries)
    given = sum(entry.kind is Kind.REDEMPTION for entry in entries)
    size = sum(map(len, written))
    return [
        at_most("bytes per redemption on the wire, paper", size / given, "B", 16),
        told("entries per redemption in it", len(entries) / given, ""),
        told("a batch of 500 entries", size / len(full), "B"),
        told("reading an entry back", read * 1e6, "µs"),
    ]


def _batches(day: Day) -> list[Batch]:
    opened = open_journal(day.terminal.journal, reading=True)
    try:
        me, start, found = opened.identity, 1, []
        while (run := opened.signed_run(start, BATCH_ENTRIES_MAX))[0]:
            found.append(Batch(me.terminal, me.epoch, start, tuple(run[0]), run[1]))
            start = found[-1].end + 1
        return found
    finally:
        opened.close()


if __name__ == "__main__":
    main()
