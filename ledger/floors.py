"""The floors of the clock: the newest signed times, as a journal's database keeps them."""

from __future__ import annotations

import sqlite3

from ledger.clock import Floor, Floors

NAMES = ("office", "online", "confirmed")


def floors_of(connection: sqlite3.Connection) -> Floors:
    """The newest times, signed or confirmed by two officers, as this connection sees them."""
    rows = connection.execute("SELECT name, time, boottime, boot_id FROM floor")
    known = {name: Floor(*row) for name, *row in rows}
    return Floors(*(known.get(name, Floor()) for name in NAMES))


def raise_floor(connection: sqlite3.Connection, name: str, floor: Floor) -> None:
    """Keep a newer signed time; an older one is ignored."""
    connection.execute(
        "INSERT INTO floor (name, time, boottime, boot_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET time = excluded.time, boottime = excluded.boottime,"
        " boot_id = excluded.boot_id WHERE excluded.time > floor.time",
        (name, floor.time, floor.boottime, floor.boot_id),
    )


def begin_floor(connection: sqlite3.Connection, name: str, floor: Floor) -> None:
    """Keep a signed time whatever was kept before: those who signed that no longer count."""
    connection.execute(
        "INSERT OR REPLACE INTO floor (name, time, boottime, boot_id) VALUES (?, ?, ?, ?)",
        (name, floor.time, floor.boottime, floor.boot_id),
    )
