"""``make bench-sync``: what the road costs the line, the province and the counter."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench import fleet, intake, journal
from bench.chip_day import live_chip_day
from bench.day import Day
from bench.table import Figure, at_most, report, told
from ledger.entry import Kind
from ledger.folder import TerminalFolder
from ledger.journal import open_journal
from sync_agent.batch import BATCH_ENTRIES_MAX, Batch, read_batch, write_batch

SHM = Path("/dev/shm")  # noqa: S108 - nothing here is about the disk
REDEMPTIONS = 700
GIVEN = frozenset({Kind.REDEMPTION, Kind.COMMIT})


def main() -> None:
    """Measure everything, print the table, exit 1 when an aim does not hold."""
    figures = [*_wire(), *intake.figures(), *fleet.figures(), *journal.latency()]
    sys.exit(0 if report("sync", figures) else 1)


def _wire() -> list[Figure]:
    """Bytes on the wire of a real counter's days, all entries counted, full batches."""
    with tempfile.TemporaryDirectory(dir=SHM) as memory:
        day = Day(Path(memory) / "paper")
        day.live(REDEMPTIONS)
        paper = _full(day.terminal)
        chip = _full(live_chip_day(Path(memory) / "chip"))
    return [*_told(paper, "paper", 16), *_told(chip, "chip", 30)]


def _full(terminal: TerminalFolder) -> list[Batch]:
    """Its journal in batches of 500, or of as many as whole acts allow."""
    found = [b for b in _batches(terminal) if len(b.entries) > BATCH_ENTRIES_MAX - 5]
    if not found:
        raise SystemExit("the bench expects a journal of more than 500 entries")
    return found


def _told(full: list[Batch], kind: str, aim: int) -> list[Figure]:
    written = [write_batch(batch) for batch in full]
    entries = [entry for batch in full for entry in batch.entries]
    began = time.perf_counter()
    for data in written:
        read_batch(data)
    read = (time.perf_counter() - began) / len(entries)
    given = sum(entry.kind in GIVEN for entry in entries)
    size = sum(map(len, written))
    return [
        at_most(f"bytes per redemption on the wire, {kind}", size / given, "B", aim),
        told(f"entries per redemption in it, {kind}", len(entries) / given, ""),
        told(f"a batch of 500 entries, {kind}", size / len(full), "B"),
        told(f"reading an entry back, {kind}", read * 1e6, "µs"),
    ]


def _batches(terminal: TerminalFolder) -> list[Batch]:
    opened = open_journal(terminal.journal, reading=True)
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
