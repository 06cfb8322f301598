"""Pruning a journal: what is acknowledged, archived and settled may go, and nothing else.

Three must agree before an entry is let go of: the province's signed word that it holds it, a copy
that was just proven equal, and the policy, by which every window it was given in has been over for
``settle_days``. Whole days go, from the first on. It is one transaction, and all that is left is
derived again before it is committed: a cut of power leaves the journal as it was or as it shall be.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from ledger.act import Act
from ledger.backup import Manifest, check_backup
from ledger.clock import Reading, judge_time
from ledger.element import RedemptionId
from ledger.entry import Closed, Commit, Entry, Kind, Pending, Void, read_entry
from ledger.errors import JournalError
from ledger.folder import TerminalFolder
from ledger.fsck import check_connection
from ledger.journal import Journal, open_journal
from ledger.policy import DAY, Policy
from ledger.rights import Rights
from ledger.usage_file import read_usage

GUARDS = tuple(
    f"{table}_never_deleted"
    for table in ("entry", "element", "voided", "pending", "committed", "chip_void")
)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was let go of.

    Attributes:
        entries: how many, now.
        up_to: number of the newest entry that is not here any more; 0 when none was ever pruned.
    """

    entries: int
    up_to: int


def prune(folder: TerminalFolder, archive: Path, now: Reading) -> Pruned:
    """Let go of the entries that are acknowledged, in this archive, and settled.

    Args:
        folder: the terminal's; nobody should be serving meanwhile, they would have to wait.
        archive: what ``back_up`` made of this journal; it is proven once more.
        now: the machine's clocks.

    Raises:
        JournalError: the archive is not of this journal, or what would be left does not hold.
        RightsError: no ledger is installed, so that nothing is known to be settled.
    """
    manifest, _ = check_backup(archive)
    rights = Rights(folder.rights)
    policy = rights.policy
    rights.close()
    journal = open_journal(folder.journal)
    try:
        _check_same(journal, manifest)
        word = journal.acknowledged()
        most = min(word.seq if word else 0, manifest.entries)
        floors = journal.floors()
        with journal.act() as act:
            early = judge_time(now, floors, act.head.moment).early
            before = journal.pruned()
            cut = _last_close(act, most=most, policy=policy, early=early)
            if cut <= before:
                return Pruned(0, before)
            _let_go(act, cut, bytes.fromhex(manifest.sha256))
            _check_left(act, journal)
        return Pruned(cut - before, cut)
    finally:
        journal.close()


def _check_same(journal: Journal, manifest: Manifest) -> None:
    """The archive is a beginning of this very journal."""
    me = journal.identity
    if (me.terminal, me.epoch, me.key.spki.hex()) != (
        manifest.terminal,
        manifest.epoch,
        manifest.spki,
    ):
        raise JournalError("the archive is of another terminal or epoch; check --archive")
    leaf = journal.leaf(manifest.entries) if manifest.entries else None
    if leaf is None or leaf.hex() != manifest.head:
        raise JournalError("the archive holds another history than the journal; make another copy")


def _last_close(act: Act, *, most: int, policy: Policy, early: int) -> int:
    """The newest close of a day up to which all is settled, in the archive and acknowledged."""
    cut = 0
    waiting: set[int] = set()  # redemptions by chip whose end comes later
    given_up = act.cards.given_up()
    for (body,) in act.connection.execute(
        "SELECT body FROM entry WHERE seq <= ? ORDER BY seq", (most,)
    ):
        entry = read_entry(body)
        if not _is_settled(entry, policy, early):
            break
        if isinstance(entry.content, Pending):
            waiting |= {entry.body.seq} - given_up
        elif isinstance(entry.content, Commit | Void):
            waiting.discard(entry.content.seq)
        if isinstance(entry.content, Closed) and entry.body.seq < act.head.seq and not waiting:
            cut = entry.body.seq
    return cut


def _is_settled(entry: Entry, policy: Policy, early: int) -> bool:
    """Whether nothing can be taken any more of what the entry was given by.

    A window the policy no longer names is kept: nobody here can say when it was over.
    """
    own = entry.element()
    for element in (*([own] if own else []), *entry.seen()):
        programme = policy.programme_numbered(element.right.programme)
        window = programme.window(element.right.window) if programme else None
        if programme is None or window is None:
            return False
        if programme.ends(window) + policy.settle_days * DAY >= early:
            return False
    return True


def _let_go(act: Act, cut: int, archive: bytes) -> None:
    """Delete up to ``cut`` and all that follows from it alone, with the guards aside."""
    db, me = act.connection, act.identity
    (leaf,) = db.execute("SELECT leaf FROM entry WHERE seq = ?", (cut,)).fetchone()
    guards = [
        db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
        for name in GUARDS
    ]
    for name in GUARDS:
        db.execute(f"DROP TRIGGER {name}")
    own = (me.terminal, me.epoch, cut)
    shown = [
        element for entry in _observed(act) if entry.body.seq <= cut for element in entry.seen()
    ]
    db.executemany(
        "DELETE FROM element WHERE terminal = ? AND epoch = ? AND seq = ? AND leaf = ?",
        [(e.id.terminal, e.id.epoch, e.id.seq, e.leaf) for e in shown],
    )
    db.execute("DELETE FROM entry WHERE seq <= ?", (cut,))
    db.execute("DELETE FROM element WHERE terminal = ? AND epoch = ? AND seq <= ?", own)
    db.execute("DELETE FROM voided WHERE terminal = ? AND epoch = ? AND seq <= ?", own)
    for table in ("pending", "committed", "chip_void"):
        db.execute(f"DELETE FROM {table} WHERE seq <= ?", (cut,))  # noqa: S608 - names of our own
    db.execute("DELETE FROM acknowledgement WHERE seq < ?", (cut,))
    db.execute("INSERT OR REPLACE INTO pruned VALUES (1, ?, ?, ?)", (cut, leaf, archive))
    for guard in guards:
        db.execute(guard)
    _join_again(act, cut)


def _join_again(act: Act, cut: int) -> None:
    """What usage and later taps of cards say of them stays known, as of another terminal's."""
    me = act.identity
    for entry in _observed(act):
        for element in entry.seen():
            act.known.add(element)
    for (data,) in act.connection.execute("SELECT data FROM segment").fetchall():
        for element in read_usage(data)[1]:
            id = element.id
            if (id.terminal, id.epoch) == (me.terminal, me.epoch) and id.seq <= cut:
                act.known.add(element)
    rows = act.connection.execute(
        "SELECT body FROM entry WHERE kind = ?", (int(Kind.VOID),)
    ).fetchall()
    for (body,) in rows:
        entry = read_entry(body)
        if isinstance(entry.content, Void) and entry.content.seq <= cut:
            act.known.void(RedemptionId(me.terminal, me.epoch, entry.content.seq))


def _observed(act: Act) -> list[Entry]:
    """Every entry that says what a chip showed."""
    kind = (int(Kind.OBSERVED),)
    rows = act.connection.execute("SELECT body FROM entry WHERE kind = ?", kind).fetchall()
    return [read_entry(body) for (body,) in rows]


def _check_left(act: Act, journal: Journal) -> None:
    """All that is left, derived again before it is committed."""
    me = journal.identity
    try:
        checked = check_connection(act.connection, terminal=me.terminal, epoch=me.epoch, key=me.key)
    except sqlite3.Error as error:
        raise JournalError(
            f"what would be left cannot be read ({error}); nothing was let go"
        ) from error
    if not checked.ok:
        raise JournalError(
            f"what would be left does not hold ({checked.faults[0]}); nothing was let go"
        )


__all__ = ["Pruned", "prune"]
