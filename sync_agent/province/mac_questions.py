"""Which commits of chips the issuer is to check: from the journals as the terminals signed them.

A commit that its own terminal reported without its value is asked for all the same; where another
terminal saw the card before the next commit, what it observed carries the value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from card_codec.chip.record import CardRecord, RecordKind, encode_record
from ledger.card_record import record_committed
from ledger.entry import Commit, Entry, Observed, Pending, Void, read_entry
from ledger.folder import write_whole
from ledger.mac_verdict import COMMITS_MAX, AskedCommit, write_asked
from sync_agent.province.schema import entry
from sync_agent.province.store import Store

_ASKED = frozenset({RecordKind.REDEMPTION, RecordKind.VOID})


def write_questions(
    store: Store,
    folder: Path,
    *,
    answered: Collection[tuple[bytes, int, bytes, bytes]] = (),
    most: int = COMMITS_MAX,
) -> list[Path]:
    """Write commits of the log into numbered files.

    Args:
        store: the province's.
        folder: for the files.
        answered: uid, counter, record and value of commits that are left out.
        most: commits in one file.

    Raises:
        ProvinceError: the store cannot be read.
        FolderError: the disk refused.
    """
    asked = {
        one
        for one in asked_commits(store)
        if (one.uid, one.counter, one.record, one.value) not in answered
    }
    commits = iter(sorted(asked, key=lambda one: (one.uid, one.counter)))
    written: list[Path] = []
    while part := list(islice(commits, most)):
        path = folder / f"asked-{len(written) + 1:04d}.zst"
        write_whole(path, write_asked(part))
        written.append(path)
    return written


def asked_commits(store: Store) -> Iterator[AskedCommit]:
    """Every commit that an entry of the log tells of."""
    query = select(entry.c.terminal, entry.c.epoch, entry.c.body).order_by(
        entry.c.terminal, entry.c.epoch, entry.c.seq
    )
    chain, taken = (0, 0), dict[int, Entry]()
    with store.reading() as db:
        for terminal, epoch, body in db.execute(query):
            if (terminal, epoch) != chain:
                chain, taken = (terminal, epoch), {}
            one = read_entry(body)
            if isinstance(one.content, Pending | Void):
                taken[one.body.seq] = one
            elif isinstance(one.content, Commit):
                yield from _told(one.content, taken)
            elif isinstance(one.content, Observed):
                yield from _seen(one.content)


def _told(commit: Commit, taken: dict[int, Entry]) -> Iterator[AskedCommit]:
    """A commit as its own terminal tells it, of a redemption or of its void."""
    named = taken.get(commit.seq)
    if named is None:
        return
    of = named.content.seq if isinstance(named.content, Void) else commit.seq
    pending = taken.get(of)
    record = None if pending is None else record_committed(pending, named)
    if pending is None or record is None or not isinstance(pending.content, Pending):
        return
    before = pending.content.before if named is pending else None
    yield _asked(pending.content.uid, commit.counter, record, commit.value, before=before)


def _seen(seen: Observed) -> Iterator[AskedCommit]:
    """The last commit of a card, as a terminal found it with its value."""
    records = seen.card_records()
    if records and seen.counter and records[-1].kind in _ASKED:
        yield _asked(seen.uid, seen.counter, records[-1], seen.value, before=None)


def _asked(
    uid: bytes, counter: int, record: CardRecord, value: bytes, *, before: int | None
) -> AskedCommit:
    return AskedCommit(uid, counter, encode_record(record), value, before)
