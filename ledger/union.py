"""The union: which elements of a right are known here, and what they add up to."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.damage import translated
from ledger.element import Element, RedemptionId, Right
from ledger.entry import CARD_LEAF, Basis
from ledger.heard_void import believed_void
from ledger.roll import Roll
from ledger.usage_file import read_usage, write_usage


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known to be taken of a right, voids taken out.

    Attributes:
        total: sum over the union, in units of the programme.
        latest: the newest element, to say when and where; None when nothing was taken.
    """

    total: int
    latest: Element | None


class Known:
    """The elements known here, by any road."""

    def __init__(self, connection: sqlite3.Connection, terminal: int, epoch: int) -> None:
        self._db = connection
        self._terminal = terminal
        self._epoch = epoch

    def taken(self, right: Right) -> Taken:
        """Sum the union of every element of that right."""
        elements = self.elements(right)
        latest = max(elements, key=lambda e: (e.minute, e.id), default=None)
        return Taken(sum(e.quantity for e in elements), latest)

    def totals(self) -> dict[Right, int]:
        """What is taken of every right of which anything was, voids taken out."""
        rows = self._rows(
            "SELECT household, member, programme, window, sum(quantity) FROM standing e"
            " WHERE NOT (e.leaf = zeroblob(8) AND EXISTS (SELECT 1 FROM element w"
            " WHERE w.household = e.household AND w.programme = e.programme"
            " AND w.window = e.window AND w.member = e.member AND w.terminal = e.terminal"
            " AND w.epoch = e.epoch AND w.seq = e.seq AND w.leaf <> e.leaf))"
            " GROUP BY household, programme, window, member"
        )
        return {Right(*right): total for *right, total in rows}

    def elements(self, right: Right) -> list[Element]:
        """Every element of that right that stands."""
        rows = self._rows(
            "SELECT terminal, epoch, seq, leaf, quantity, minute FROM standing"
            " WHERE household = ? AND programme = ? AND window = ? AND member = ?",
            right.household,
            right.programme,
            right.window,
            right.member,
        )
        elements = [
            Element(RedemptionId(terminal, epoch, seq), leaf, right, quantity, minute)
            for terminal, epoch, seq, leaf, quantity, minute in rows
        ]
        return _without_repeats(elements)

    def named(self, household: bytes) -> set[tuple[RedemptionId, Right]]:
        """Every element of a household, by its id and right, also those that were taken back."""
        rows = self._rows(
            "SELECT terminal, epoch, seq, member, programme, window FROM element"
            " WHERE household = ?",
            household,
        )
        return {(RedemptionId(t, ep, s), Right(household, m, p, w)) for t, ep, s, m, p, w in rows}

    def away_elements(self) -> list[Element]:
        """What this terminal gave away from home within its quota, voids taken out."""
        return self._given(Basis.AWAY)

    def excepted_elements(self) -> list[Element]:
        """What it gave by exception, voids taken out."""
        return self._given(Basis.EXCEPTION)

    def _given(self, basis: Basis) -> list[Element]:
        rows = self._rows(  # "basis > 1" is said for the index, which holds nothing else
            "SELECT terminal, epoch, seq, leaf, household, member, programme, window, quantity,"
            " minute FROM standing WHERE basis > 1 AND basis = ?",
            int(basis),
        )
        return [
            Element(RedemptionId(t, ep, s), leaf, Right(h, m, p, w), q, minute)
            for t, ep, s, leaf, h, m, p, w, q, minute in rows
        ]

    def add(self, element: Element, *, basis: int = 0) -> bool:
        """Join an element to the union; False when it was known already."""
        id, right = element.id, element.right
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO element VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (right.household, right.programme, right.window, right.member, id.terminal, id.epoch,
             id.seq, element.leaf, element.quantity, element.minute, basis),
        )  # fmt: skip
        return cursor.rowcount == 1

    def void(self, id: RedemptionId) -> None:
        """Take an element out; the caller has checked whose signature says so."""
        self._db.execute(
            "INSERT OR IGNORE INTO voided VALUES (?, ?, ?)", (id.terminal, id.epoch, id.seq)
        )

    def correct(self, corrections: Iterable[tuple[RedemptionId, bytes]]) -> None:
        """Take out what a household took under an id, heard of already or later.

        The caller has checked who signed it, and that the household is theirs.
        """
        self._db.executemany(
            "INSERT OR IGNORE INTO corrected VALUES (?, ?, ?, ?)",
            ((id.terminal, id.epoch, id.seq, household) for id, household in corrections),
        )

    def take_segment(self, data: bytes, roll: Roll | None = None) -> int:
        """Join a usage segment and keep its bytes; returns how many elements were new.

        A void in it counts if the terminal and epoch that made the redemption have signed it, by
        the roll; any other is passed over, which only makes a counter more careful.

        Raises:
            RecordError: not a usage segment.
        """
        file, elements = read_usage(data)
        self._db.execute(
            "INSERT OR IGNORE INTO segment VALUES (?, ?, ?, ?)",
            (file.kecamatan, file.number, hashlib.sha256(data).digest(), data),
        )
        for void in file.voids:
            taken_back = believed_void(void, roll) if roll else None
            if taken_back is not None:
                self.void(taken_back)
        return sum(self.add(element) for element in elements)

    def forget_settled(self, is_settled: Callable[[Element], bool]) -> int:
        """Let go of usage whose window is settled; returns how many elements.

        What this terminal gave itself stays, as do the names of the segments, so that none is
        taken in twice, and the voids and corrections that were heard.
        """
        gone = 0
        oldest = self._rows(
            "SELECT household, member, programme, window, min(minute) FROM element"
            " WHERE basis = 0 GROUP BY programme, window"
        )
        nobody = RedemptionId(0, 0, 0)
        each = (Element(nobody, b"", Right(*right), 0, minute) for *right, minute in oldest)
        if not any(map(is_settled, each)):
            return 0  # as on nearly every day: no segment need be read
        rows = self._rows("SELECT kecamatan, number, digest, data FROM segment")
        for kecamatan, number, digest, data in rows:
            file, elements = read_usage(data)
            settled = [element for element in elements if is_settled(element)]
            if not settled:
                continue
            left = [element for element in elements if not is_settled(element)]
            rest = write_usage(kecamatan, number, left, prev=file.prev, voids=file.voids)
            self._db.execute(
                "UPDATE segment SET data = ? WHERE kecamatan = ? AND number = ? AND digest = ?",
                (rest, kecamatan, number, digest),
            )
            gone += sum(self._forget(element) for element in settled)
        return gone

    def _forget(self, element: Element) -> bool:
        id, right = element.id, element.right
        cursor = self._db.execute(
            "DELETE FROM element WHERE household = ? AND programme = ? AND window = ?"
            " AND member = ? AND terminal = ? AND epoch = ? AND seq = ? AND leaf = ?"
            " AND quantity = ? AND minute = ? AND basis = 0",
            (right.household, right.programme, right.window, right.member, id.terminal, id.epoch,
             id.seq, element.leaf, element.quantity, element.minute),
        )  # fmt: skip
        return cursor.rowcount == 1

    def segments(self, kecamatan: str) -> set[str]:
        """SHA-256, in hex, of every usage segment of a kecamatan that was taken in."""
        rows = self._rows("SELECT digest FROM segment WHERE kecamatan = ?", kecamatan)
        return {bytes(digest).hex() for (digest,) in rows}

    def all_segments(self) -> frozenset[str]:
        """SHA-256, in hex, of every usage segment that was taken in."""
        return frozenset(bytes(d).hex() for (d,) in self._rows("SELECT digest FROM segment"))

    def _rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error


def _without_repeats(elements: list[Element]) -> list[Element]:
    """A card's record is the element of its id: no second one where that is known as a whole."""
    if not any(element.leaf == CARD_LEAF for element in elements):
        return elements
    whole = {element.id for element in elements if element.leaf != CARD_LEAF}
    return [e for e in elements if e.leaf != CARD_LEAF or e.id not in whole]
