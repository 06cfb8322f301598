"""What follows from an entry in the tables beside the journal's chain."""

from __future__ import annotations

import sqlite3

from ledger.clock import Floor
from ledger.element import RedemptionId
from ledger.entry import ClockConfirmed, Entry, Observed, Pending, Redemption, Void
from ledger.floors import begin_floor
from ledger.union import Known


def project(connection: sqlite3.Connection, known: Known, entry: Entry, *, epoch: int) -> None:
    """Keep the union and the confirmed time in step with an entry.

    Args:
        connection: the transaction's.
        known: the union.
        entry: of this epoch, or of one that was brought back.
        epoch: the one that runs.
    """
    content, id = entry.content, entry.id
    if isinstance(content, Redemption | Pending):
        element = entry.element()
        if element is not None:
            known.add(element, basis=content.basis)
    elif isinstance(content, Void):
        known.void(RedemptionId(id.terminal, id.epoch, content.seq))
    elif isinstance(content, ClockConfirmed) and id.epoch == epoch:
        moment = entry.body.moment
        confirmed = Floor(content.wall, moment.boottime, moment.boot_id)
        begin_floor(connection, "confirmed", confirmed)
    elif isinstance(content, Observed):
        for element in entry.seen():
            known.add(element)
