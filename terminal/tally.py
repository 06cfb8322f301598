"""Counts of what a counter did, by day."""

from __future__ import annotations

from bisect import bisect_left

from ledger.entry import Kind, Refusal
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
            refused = seq if kind is Kind.REFUSAL else refused
        entry = journal.entry(refused) if refused else None
        if entry is not None and isinstance(entry.content, Refusal):
            self.last_refusal = entry.content.reason

    def count(self, kind: Kind, *, since: int) -> int:
        """Entries of a kind at or after a time; the times never fall."""
        times = self._times[kind]
        return len(times) - bisect_left(times, since)
