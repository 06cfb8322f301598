"""What fsck makes again of redemptions: which were given, and what became of those by chip."""

from __future__ import annotations

import sqlite3

from ledger.card_memory import NOTHING, CardFacts, card_facts
from ledger.entry import (
    NOT_COMMITTED,
    Commit,
    Entry,
    Handover,
    Pending,
    Redemption,
    Void,
)


class Given:
    """Redemptions of one chain as its entries are read, in their order.

    Attributes:
        by_chip: pending redemptions, and voids of them, by their number.
    """

    def __init__(self, *, after: int = 0) -> None:
        """Begin after an entry: those up to it were pruned, and may still be spoken of."""
        self.after = after
        self.by_chip: dict[int, Entry] = {}
        self._given: set[int] = set()
        self._voided: set[int] = set()
        self._committed: set[int] = set()
        self._facts: list[CardFacts] = []

    def note(self, entry: Entry) -> list[str]:
        """Keep what follows from an entry; what is wrong with it, in a sentence."""
        fault = self._fault_of(entry)
        facts = card_facts(entry, self.by_chip.get)
        if facts is not NOTHING:
            self._facts.append(facts)
        return [f"entry {entry.body.seq} {fault}"] if fault else []

    def _fault_of(self, entry: Entry) -> str | None:
        content, seq = entry.content, entry.body.seq
        if isinstance(content, Redemption):
            self._given.add(seq)
        elif isinstance(content, Pending):
            self.by_chip[seq] = entry
        elif isinstance(content, Commit) and not self._commit(content):
            return f"commits entry {content.seq}, which does not wait"
        elif isinstance(content, Void | Handover):
            spoken_of = self._speaks_of_given(content)
            if isinstance(content, Void):
                self._void(entry, content)
            return None if spoken_of else f"speaks of entry {content.seq}, no redemption"
        return None

    def compare(self, db: sqlite3.Connection) -> list[str]:
        """What is kept of chips must follow from the entries."""
        expected: dict[str, set[tuple[object, ...]]] = {
            "pending": {f.pending for f in self._facts if f.pending},
            "committed": {f.committed for f in self._facts if f.committed},
            "chip_void": {f.void for f in self._facts if f.void},
            "card_commit": {row for f in self._facts for row in f.seen},
        }
        held = {name: set(db.execute(f"SELECT * FROM {name}")) for name in expected}  # noqa: S608
        if self.after:  # what a card was seen to commit stays known when the entry has gone
            held["card_commit"] &= expected["card_commit"]
        return [
            f"what is kept of chips ({name}) does not match the entries"
            for name, rows in expected.items()
            if held[name] != rows
        ]

    def _commit(self, commit: Commit) -> bool:
        """A commit names a pending redemption that stands, or a void of one; and each once."""
        if commit.seq <= self.after:
            return True
        named = self.by_chip.get(commit.seq)
        if named is None or commit.seq in self._committed:
            return False
        self._committed.add(commit.seq)
        if not isinstance(named.content, Pending):
            return True
        self._given.add(commit.seq)
        return commit.seq not in self._voided

    def _speaks_of_given(self, content: Void | Handover) -> bool:
        """Handed over or taken back is what was given; a void may also say that nothing was."""
        if content.seq <= self.after:
            return True
        if isinstance(content, Void) and content.reason == NOT_COMMITTED:
            named = self.by_chip.get(content.seq)
            waits = named is not None and isinstance(named.content, Pending)
            return waits and content.seq not in self._committed
        return content.seq in self._given

    def _void(self, entry: Entry, content: Void) -> None:
        self._voided.add(content.seq)
        if content.seq in self.by_chip:
            self.by_chip[entry.body.seq] = entry
