"""The agent: moves bytes between a terminal's folder and the province, and judges none of them.

It reads the journal in short reads, sends what the province has not acknowledged, and lays what
the province offers into the in-box, where the terminal verifies it. Whatever a road answers,
nothing of the journal is ever touched: a hostile agent or a hostile road can delay, never grant.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.element import RedemptionId
from ledger.errors import FolderError
from ledger.folder import TerminalFolder, write_whole
from ledger.head_code import head_code
from ledger.in_box import list_brought
from ledger.journal import Journal, open_journal
from sync_agent.batch import BATCH_ENTRIES_MAX, Batch
from sync_agent.bringing import bring, ledger_version
from sync_agent.errors import BusyError, ForkError, PrunedError, SyncError
from sync_agent.messages import (
    ACKNOWLEDGEMENT_PATH,
    HeadAnswer,
    Taken,
    acknowledgement_path,
)
from sync_agent.roads import Road

BRANCH_AGAIN_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did.

    Attributes:
        uploaded: entries sent now.
        accepted: entries the province newly took; 0 by a road that cannot answer.
        acknowledgement: number of the newest entry the province vouches for, ``T001-0017``.
        handed_over: number of the newest entry that was sent or laid down, now or before.
        code: of that entry, to compare over the telephone: ``7Q2M-0XKD``.
        ledger_version: version of the ledger that lies in the in-box.
        usage_new: usage elements in segments newly brought.
        waits: why entries wait though the road is open: ``no_ledger``; None where none do.
    """

    uploaded: int
    accepted: int
    acknowledgement: str | None
    ledger_version: int | None
    usage_new: int
    handed_over: str | None = None
    code: str | None = None
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """What went out: entries, how many of them were new there, and the newest one's name."""

    uploaded: int = 0
    accepted: int = 0
    head: str | None = None
    code: str | None = None
    waits: str | None = None


def sync_once(folder: TerminalFolder, road: Road, *, now: int) -> Report:
    """Send what waits, bring what is offered.

    Args:
        folder: the terminal's.
        road: by which road.
        now: Unix seconds by the wall; only how long a file has lain in the in-box is told by it.

    Raises:
        RoadError: the road failed; what had come through stays.
        ForkError: the province knows another history: ours was handed in, the ledger was brought.
        PrunedError: it asks for entries that were let go of: the ledger was brought.
        BusyError: another run is under way.
        LedgerError: the journal cannot be read, or the in-box not written.
    """
    with _alone(folder.out_box):
        told: SyncError | None = None
        sent = _Sent()
        try:
            sent = _send_waiting(folder, road, now=now)
        except (ForkError, PrunedError) as error:
            told = error
        usage_new = bring(
            folder.in_box, road, trusted=folder.trusted, now=now, taken=_taken(folder)
        )
        if told is not None:
            raise told
        return Report(
            sent.uploaded,
            sent.accepted,
            _acknowledged(folder),
            ledger_version(folder.in_box),
            usage_new,
            sent.head,
            sent.code,
            sent.waits,
        )


def _send_waiting(folder: TerminalFolder, road: Road, *, now: int) -> _Sent:
    """Every entry the province does not hold yet."""
    if not folder.journal.exists():
        return _Sent()
    if not road.takes_entries:  # sealed bundles need the province's key, which a ledger names
        return _Sent(waits="no_ledger")
    journal = open_journal(folder.journal, reading=True)
    known: HeadAnswer | None = None
    try:
        sent = accepted = 0
        known = road.head()
        start = _resume_at(journal, known, live=road.is_live)
        if start <= journal.pruned():
            raise PrunedError(
                f"the province asks for entries from {start} on, which this journal has let go of;"
                " lay the archive beside it with betang-ledger hand-in, and carry it there"
            )
        for batch in _batches(journal, start):
            taken = road.send(batch)
            sent += len(batch.entries)
            if taken is not None:
                accepted += taken.accepted
                _keep_acknowledgement(folder.in_box, taken)
        return _Sent(sent, accepted, *_named(journal, start - 1 + sent))
    except ForkError:
        _hand_in_branch(folder, journal, road, held=known.seq if known else 0, now=now)
        raise
    finally:
        journal.close()


def _named(journal: Journal, seq: int) -> tuple[str | None, str | None]:
    """Number and code of an entry; none of both before the first."""
    leaf = journal.leaf(seq) if seq else None
    if leaf is None:
        return None, None
    id = RedemptionId(journal.identity.terminal, journal.identity.epoch, seq)
    return id.number(), head_code(id, leaf)


def _batches(journal: Journal, start: int) -> Iterator[Batch]:
    """The entries from ``start`` on, in batches that end where an act ended, or with a void."""
    me = journal.identity
    while (run := journal.signed_run(start, BATCH_ENTRIES_MAX, through_void=True))[0]:
        batch = Batch(me.terminal, me.epoch, start, tuple(run[0]), run[1])
        yield batch
        start = batch.end + 1


def _hand_in_branch(
    folder: TerminalFolder, journal: Journal, road: Road, *, held: int, now: int
) -> None:
    """Send the whole of a diverging branch: refused, it is kept there as evidence.

    Again an hour later, or when the province ``held`` more the last time: put back from a copy, it
    has lost the branch.
    """
    mark = folder.out_box / "branch-handed-in"
    told = f"{journal.head().leaf.hex()} {now // BRANCH_AGAIN_SECONDS}"
    counted = f"{held:010d}"  # of one length, so that they compare as texts
    if mark.exists():
        before, _, then = mark.read_text().rpartition(" ")
        if before == told and counted >= then:
            return
    # From the first entry on: of what was acknowledged once, a province put back from a copy may
    # hold another history by now. What it holds alike it takes as a repetition.
    for batch in _batches(journal, journal.pruned() + 1):
        try:
            road.send(batch)
        except ForkError:  # kept; so is what follows it
            continue
    write_whole(mark, f"{told} {counted}".encode())


def _resume_at(journal: Journal, known: HeadAnswer | None, *, live: bool) -> int:
    """The first entry to send: after what the province holds, if it holds our own history.

    A road that is not live says what was so once, or what somebody wrote there. It is only believed
    when the province asks for more than it acknowledged: it was put back from a copy.
    """
    if known is None or not live:
        acknowledged = journal.acknowledged()
        held = acknowledged.seq if acknowledged else 0
        return min(held, known.seq if known else held) + 1
    own = journal.leaf(known.seq)
    if own is None:
        raise ForkError(
            f"the province holds {known.seq} entries of this terminal, but the journal has only"
            f" {journal.head().seq}; an older copy was put back: stop and tell the office"
        )
    if own.hex() != known.head:
        raise ForkError(
            f"the province holds another history of this terminal than the journal (entry"
            f" {known.seq} differs); both are kept: keep the machine and tell the office"
        )
    return known.seq + 1


def _keep_acknowledgement(in_box: Path, taken: Taken) -> None:
    path = acknowledgement_path(taken.terminal, taken.epoch, taken.seq)
    write_whole(in_box / path, taken.acknowledgement)


def _taken(folder: TerminalFolder) -> frozenset[str]:
    """The usage segments that the terminal has taken in."""
    if not folder.journal.exists():
        return frozenset()
    journal = open_journal(folder.journal, reading=True)
    try:
        return journal.known().all_segments()
    finally:
        journal.close()


def _acknowledged(folder: TerminalFolder) -> str | None:
    """Number of the newest entry acknowledged, by the journal or by what lies in the in-box."""
    config = folder.config
    newest = 0
    if folder.journal.exists():
        journal = open_journal(folder.journal, reading=True)
        kept = journal.acknowledged()
        journal.close()
        newest = kept.seq if kept else 0
    for path in list_brought(folder.in_box, "acknowledgements"):
        match = ACKNOWLEDGEMENT_PATH.match(path)
        if match and match.group(1, 2) == (str(config.ordinal), str(config.epoch)):
            newest = max(newest, int(match.group(3)))
    return RedemptionId(config.ordinal, config.epoch, newest).number() if newest else None


@contextmanager
def _alone(out_box: Path) -> Iterator[None]:
    """One run at a time: two would send the same entries twice over a thin line."""
    try:
        out_box.mkdir(parents=True, exist_ok=True)
        handle = os.open(out_box / ".road", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise FolderError(
            f"cannot write {out_box}: {error.strerror}; nothing was sent, look to the disk"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError("another sync of this terminal is under way; wait for it") from error
        yield
    finally:
        os.close(handle)
