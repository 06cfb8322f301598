"""A journal of terminal 1, epoch 1, to write in and to damage."""

import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.element import Right
from ledger.entry import Basis, Content, Entry, Presented, Redemption
from ledger.journal import Identity, Journal, create_journal
from tests.unit.ledger.samples import HOUSEHOLD, KEY, MOMENT

RIGHT = Right(HOUSEHOLD, 0, 1, 1)


def fresh(folder: Path) -> Journal:
    """An empty journal."""
    return create_journal(folder / "journal.db", Identity(1, 1, KEY.public))


def commit(journal: Journal, *contents: Content) -> list[Entry]:
    """Entries in one act."""
    with journal.act() as act:
        return [
            act.append(c, moment=MOMENT, ledger=5, officer="UJI", signer=KEY)[0] for c in contents
        ]


def given(
    quantity: int = 1, *, household: bytes = HOUSEHOLD, basis: Basis = Basis.HOME
) -> Redemption:
    """A redemption of the first programme."""
    return Redemption(household, 1, 0, 1, 1, quantity, 0, Presented.TEXT, basis)


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """All of a table, as a program that is not ours sees it."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All tables."""
    with closing(sqlite3.connect(path)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: rows(path, name) for name in names}


def tamper(path: Path, sql: str, *values: object) -> None:
    """Change what the triggers guard, as a failing disk or a hand could; they stand again after."""
    with closing(sqlite3.connect(path)) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql, values)
        tables = {n for (n,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for _, guard in guards:
            if guard.split(" ON ")[1].split()[0] in tables:
                db.execute(guard)
        db.commit()
