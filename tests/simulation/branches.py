"""Branches: what terminals signed beside the history that the province accepted, told once more.

Kept evidence is read from the province's tables; what of it counts follows here by other code than
the product's: of each chain the histories that end in each piece, whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger.entry import Commit, Entry, Pending, Redemption, Void
from sync_agent.batch import read_batch
from sync_agent.errors import MessageError
from sync_agent.province import schema
from tests.simulation.witness import Named, entries_of

if TYPE_CHECKING:
    from tests.simulation.story import Story

Chain = tuple[int, int]


def redemptions(story: Story, held: Mapping[Named, Entry]) -> dict[Named, Entry]:
    """Every redemption that evidence shows and the log does not hold, given or not."""
    return {
        (entry.id, entry.leaf): entry
        for entries in _kept(story).values()
        for entry in entries.values()
        if isinstance(entry.content, Redemption | Pending) and (entry.id, entry.leaf) not in held
    }


def given(story: Story, held: Mapping[Named, Entry]) -> dict[Named, Entry]:
    """Those of which goods went over the counter and did not come back, by their own history."""
    found = redemptions(story, held)
    for entries in _kept(story).values():
        committed, back = set[bytes](), set[bytes]()
        for entry in entries.values():
            history = {one.body.seq: one for one in _history(entries, entry)}
            if isinstance(entry.content, Commit | Void) and entry.content.seq in history:
                named = history[entry.content.seq].leaf
                (committed if isinstance(entry.content, Commit) else back).add(named)
        for entry in entries.values():
            unfinished = isinstance(entry.content, Pending) and entry.leaf not in committed
            if entry.leaf in back or unfinished:
                found.pop((entry.id, entry.leaf), None)
    return found


def _history(entries: Mapping[bytes, Entry], entry: Entry) -> Iterator[Entry]:
    at: Entry | None = entry
    while at is not None:
        yield at
        at = entries.get(at.body.prev)


def _kept(story: Story) -> dict[Chain, dict[bytes, Entry]]:
    """Entries of all evidence by chain, but for what came of a terminal that was shut out."""
    out = {(t.ordinal, t.epoch): t.shut_out for t in story.town.terminals}
    found: dict[Chain, dict[bytes, Entry]] = defaultdict(dict)
    with story.town.province._store.reading() as db:
        rows = [*db.execute(select(schema.fork)), *db.execute(select(schema.missing))]
    for row in rows:
        since = out[row.terminal, row.epoch]
        if since is not None and row.at >= since:
            continue
        try:
            batch = read_batch(row.batch)
        except MessageError:
            continue  # a later epoch's first entry
        found[row.terminal, row.epoch].update({e.leaf: e for e in entries_of(batch)})
    return found
