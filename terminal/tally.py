"""Counts of what a counter did, by day; what was taken back was not served."""

from __future__ import annotations

from bisect import bisect_left, insort

from ledger.entry import Commit, Entry, Kind, Pending, Refusal, Void
from ledger.journal import Journal


class Tally:
    """Counts of kinds by day, kept in step with the journal by reading only what is new."""

    def __init__(self) -> None:
        self.last_refusal: str | None = None
        self._seq = 0
        self._given: dict[int, int] = {}
        self._times: dict[Kind, list[int]] = {Kind.REDEMPTION: [], Kind.REFUSAL: []}

    def follow(self, journal: Journal) -> None:
        """Read the entries that are new."""
        refused = None
        for seq, kind, early in journal.kinds(self._seq):
            self._seq = seq
            if kind is Kind.REDEMPTION:
                self._give(seq, early)
            elif kind in {Kind.COMMIT, Kind.VOID}:
                self._settle(journal, journal.entry(seq))
            elif kind is Kind.REFUSAL:
                self._times[kind].append(early)
                refused = seq
        entry = journal.entry(refused) if refused else None
        if entry is not None and isinstance(entry.content, Refusal):
            self.last_refusal = entry.content.reason

    def _settle(self, journal: Journal, entry: Entry | None) -> None:
        """A chip's redemption counts once it is committed; one that was taken back does not."""
        content = entry.content if entry else None
        if isinstance(content, Commit):
            named = journal.entry(content.seq)
            if named is not None and isinstance(named.content, Pending):
                self._give(content.seq, named.body.moment.early)
        elif isinstance(content, Void):
            given = self._given.pop(content.seq, None)
            if given is not None:
                self._times[Kind.REDEMPTION].remove(given)

    def _give(self, seq: int, early: int) -> None:
        self._given[seq] = early
        insort(self._times[Kind.REDEMPTION], early)

    def count(self, kind: Kind, *, since: int) -> int:
        """Entries of a kind at or after a time."""
        times = self._times[kind]
        return len(times) - bisect_left(times, since)
