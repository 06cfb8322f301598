"""Counts of what a counter did, by day."""

from __future__ import annotations

from bisect import bisect_left

from ledger.entry import Commit, Kind, Pending, Refusal
from ledger.journal import Journal


class Tally:
    """Counts of kinds by day, kept in step with the journal by reading only what is new."""

    def __init__(self) -> None:
        self.last_refusal: str | None = None
        self._seq = 0
        self._times: dict[Kind, list[int]] = {Kind.REDEMPTION: [], Kind.REFUSAL: []}

    def follow(self, journal: Journal) -> None:
        """Read the entries that are new."""
        refused = None
        for seq, kind, early in journal.kinds(self._seq):
            self._seq = seq
            if kind in self._times:
                self._times[kind].append(early)
            elif kind is Kind.COMMIT and _gave(journal, seq):
                self._times[Kind.REDEMPTION].append(early)
            refused = seq if kind is Kind.REFUSAL else refused
        entry = journal.entry(refused) if refused else None
        if entry is not None and isinstance(entry.content, Refusal):
            self.last_refusal = entry.content.reason

    def count(self, kind: Kind, *, since: int) -> int:
        """Entries of a kind at or after a time; the times never fall."""
        times = self._times[kind]
        return len(times) - bisect_left(times, since)


def _gave(journal: Journal, seq: int) -> bool:
    """Whether a commit is that of a redemption; the chip commits voids too."""
    commit = journal.entry(seq)
    if commit is None or not isinstance(commit.content, Commit):
        return False
    named = journal.entry(commit.content.seq)
    return named is not None and isinstance(named.content, Pending)
