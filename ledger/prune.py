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
from ledger.clock import Reading
from ledger.element import RedemptionId
from ledger.entry import (
    Closed,
    Commit,
    Entry,
    Handover,
    Observed,
    Pending,
    Redemption,
    Void,
    read_entry,
)
from ledger.errors import JournalError
from ledger.folder import TerminalFolder
from ledger.fsck import check_connection
from ledger.heard_void import said_void
from ledger.journal import Journal, open_journal
from ledger.policy import DAY, Policy
from ledger.rights import Rights
from ledger.usage_file import read_usage

GUARDS = ("entry_never_deleted", "element_never_deleted", "voided_never_deleted")


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
        with journal.act() as act:
            early = act.moment(now).early
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
    """The newest close of a day up to which all may go; 0 when there is none.

    Nothing that stays may speak of what goes.
    """
    closes: list[int] = []
    settled = True
    for (body,) in act.connection.execute("SELECT body FROM entry ORDER BY seq"):
        entry = read_entry(body)
        content, seq = entry.content, entry.body.seq
        settled = settled and seq <= most and _is_settled(entry, policy, early)
        if settled and isinstance(content, Closed) and seq < act.head.seq:
            closes.append(seq)
        if isinstance(content, Void | Handover | Commit):
            while closes and content.seq <= closes[-1]:
                closes.pop()
    return closes[-1] if closes else 0


def _is_settled(entry: Entry, policy: Policy, early: int) -> bool:
    """Whether nothing can be taken any more of what the entry was given by.

    A window the policy no longer names is kept: nobody here can say when it was over. So is what
    was seen of a chip: it explains the chip's counter for as long as there is the chip.
    """
    content = entry.content
    if isinstance(content, Pending | Commit | Observed):
        return False
    if not isinstance(content, Redemption):
        return True
    programme = policy.programme_numbered(content.programme)
    window = programme.window(content.window) if programme else None
    if programme is None or window is None:
        return False
    return programme.ends(window) + policy.settle_days * DAY < early


def _let_go(act: Act, cut: int, archive: bytes) -> None:
    """Delete up to ``cut`` and all that follows from it alone, with the guards aside."""
    db, me = act.connection, act.identity
    own = (me.terminal, me.epoch, cut)
    (leaf,) = db.execute("SELECT leaf FROM entry WHERE seq = ?", (cut,)).fetchone()
    voided = db.execute(
        "SELECT terminal, epoch, seq FROM voided WHERE terminal = ? AND epoch = ? AND seq <= ?", own
    ).fetchall()
    guards = [
        db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
        for name in GUARDS
    ]
    for name in GUARDS:
        db.execute(f"DROP TRIGGER {name}")
    db.execute("DELETE FROM entry WHERE seq <= ?", (cut,))
    db.execute("DELETE FROM element WHERE terminal = ? AND epoch = ? AND seq <= ?", own)
    db.execute("DELETE FROM voided WHERE terminal = ? AND epoch = ? AND seq <= ?", own)
    db.execute("DELETE FROM acknowledgement WHERE seq < ?", (cut,))
    db.execute("INSERT OR REPLACE INTO pruned VALUES (1, ?, ?, ?)", (cut, leaf, archive))
    for guard in guards:
        db.execute(guard)
    _join_again(act, cut, voided={RedemptionId(*row) for row in voided})


def _join_again(act: Act, cut: int, *, voided: set[RedemptionId]) -> None:
    """What the usage taken in says of them stays known, as it would of another terminal's."""
    me = act.identity
    for (data,) in act.connection.execute("SELECT data FROM segment").fetchall():
        file, elements = read_usage(data)
        for element in elements:
            whose = element.id
            own = (whose.terminal, whose.epoch) == (me.terminal, me.epoch)
            if own and whose.seq <= cut:
                act.known.add(element)
        said = {said_void(void) for void in file.voids}
        for id in voided:
            if id in said:
                act.known.void(id)


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
