"""Counts of what a counter did, by day; what was taken back was not served."""

from __future__ import annotations

from bisect import bisect_left

from ledger.entry import Kind, Refusal, Void
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
        voids = []
        for seq, kind, early in journal.kinds(self._seq):
            self._seq = seq
            if kind in self._times:
                self._times[kind].append(early)
            if kind is Kind.VOID:
                voids.append(seq)
            refused = seq if kind is Kind.REFUSAL else refused
        for seq in voids:
            self._take_back(journal, seq)
        entry = journal.entry(refused) if refused else None
        if entry is not None and isinstance(entry.content, Refusal):
            self.last_refusal = entry.content.reason

    def _take_back(self, journal: Journal, seq: int) -> None:
        """The redemption that a void names does not count; of equal times it matters not which."""
        void = journal.entry(seq)
        given = journal.entry(void.content.seq) if void and isinstance(void.content, Void) else None
        times = self._times[Kind.REDEMPTION]
        if given is not None and given.body.moment.early in times:
            times.remove(given.body.moment.early)

    def count(self, kind: Kind, *, since: int) -> int:
        """Entries of a kind at or after a time; the times never fall."""
        times = self._times[kind]
        return len(times) - bisect_left(times, since)
