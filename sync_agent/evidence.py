"""Handing over the terminal's own branch, once the province is known to hold another."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ledger.folder import TerminalFolder, write_whole
from ledger.journal import Journal, open_journal
from sync_agent.batch import BATCH_ENTRIES_MAX, Batch
from sync_agent.errors import MessageError
from sync_agent.messages import HeadAnswer, read_json
from sync_agent.roads import Road

SHOWN = ".shown"


def show_branch(folder: TerminalFolder, road: Road) -> int:
    """Hand over the whole journal as evidence, what was handed over before left out.

    The province keeps what it does not hold; both branches are then whole in one place. Returns
    how many entries were handed over now.

    Raises:
        RoadError: the road failed; what had come through is not sent again.
        LedgerError: the journal cannot be read.
    """
    mark = folder.out_box / SHOWN
    journal = open_journal(folder.journal, reading=True)
    try:
        me, start = journal.identity, _shown_up_to(journal, mark) + 1
        shown = 0
        while (run := journal.signed_run(start, BATCH_ENTRIES_MAX))[0]:
            batch = Batch(me.terminal, me.epoch, start, tuple(run[0]), run[1])
            road.show(batch)
            shown_now = HeadAnswer(batch.end, batch.entries[-1].leaf.hex())
            write_whole(mark, msgspec.json.encode(shown_now))
            shown += len(batch.entries)
            start = batch.end + 1
        return shown
    finally:
        journal.close()


def _shown_up_to(journal: Journal, mark: Path) -> int:
    """Number of the last entry handed over of this very branch; 0 for none."""
    try:
        shown = read_json(mark.read_bytes(), HeadAnswer)
    except (OSError, MessageError):
        return 0
    own = journal.leaf(shown.seq)
    return shown.seq if own is not None and own.hex() == shown.head else 0
