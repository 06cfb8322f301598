"""Rows of the log, gathered and written together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import Connection

from ledger.acknowledgement import Acknowledgement
from ledger.entry import Complaint, Entry, Pending, Redemption, Void
from ledger.roll import Terminal
from sync_agent.province import schema
from sync_agent.province.complaints import complaint_rows
from sync_agent.province.corrections import Place, corrected_among
from sync_agent.province.engine import add_once, append
from sync_agent.province.installed import Installed
from sync_agent.province.pendings import ChipRows

Row: TypeAlias = tuple[object, ...]


class Rows:
    """Rows that wait to be written by one transaction."""

    def __init__(self, db: Connection, installed: Installed) -> None:
        self._db = db
        self._installed = installed
        self._entries: list[Row] = []
        self._redemptions: list[Row] = []
        self._complaints: list[Row] = []
        self._acknowledgements: list[Row] = []
        self._voids: set[Place] = set()
        self._given: list[tuple[Place, bytes]] = []
        self._chips = ChipRows(db)

    def add_entries(self, entries: Sequence[Entry], terminal: Terminal, *, at: int) -> None:
        """Entries of one terminal, and what follows from them, received at ``at``."""
        ordinal, epoch = terminal.ordinal, terminal.epoch
        self._entries += [(ordinal, epoch, e.body.seq, e.leaf, e.data) for e in entries]
        given = [(e, e.content) for e in entries if isinstance(e.content, Redemption | Pending)]
        places = self._installed.kecamatan([content.household for _, content in given], terminal)
        self._redemptions += [
            _redemption(entry, content, kecamatan, at)
            for (entry, content), kecamatan in zip(given, places, strict=True)
        ]
        self._given += [((ordinal, epoch, e.body.seq), c.household) for e, c in given]
        filed = [(e, e.content) for e in entries if isinstance(e.content, Complaint)]
        self._complaints += complaint_rows(filed, self._installed, terminal)
        voids = (e.content.seq for e in entries if isinstance(e.content, Void))
        self._voids.update((ordinal, epoch, seq) for seq in voids)
        self._chips.add(entries)

    def add_acknowledgement(
        self, said: Acknowledgement, signature: bytes, *, road: str, data: bytes
    ) -> None:
        """What is said of a batch that brought something new."""
        self._acknowledgements.append(
            (said.terminal, said.epoch, said.seq, said.head, signature, road, said.at, data)
        )

    def flush(self) -> None:
        """Write what waits."""
        append(self._db, schema.entry, self._entries)
        append(self._db, schema.redemption, self._redemptions)
        append(self._db, schema.complaint, self._complaints)
        append(self._db, schema.acknowledgement, self._acknowledgements)
        # One may be taken back more than once; it is remembered once.
        voids = self._voids | corrected_among(self._db, self._given)
        add_once(self._db, schema.voided, sorted(voids))
        self._chips.flush()
        self._entries, self._redemptions, self._acknowledgements = [], [], []
        self._complaints, self._given, self._voids = [], [], set()


def _redemption(entry: Entry, content: Redemption | Pending, kecamatan: str, at: int) -> Row:
    """In the order of the table's columns."""
    body = entry.body
    return (
        body.terminal, body.epoch, body.seq, entry.leaf,
        content.household, content.issue, content.member, content.programme, content.window,
        content.quantity, content.paid, int(content.basis), body.moment.early,
        _readable(body.officer), kecamatan, at,
    )  # fmt: skip


def _readable(text: str) -> str:
    """PostgreSQL keeps no NUL in a text; the entry's own bytes keep what was said."""
    return text.replace("\0", "\ufffd")
