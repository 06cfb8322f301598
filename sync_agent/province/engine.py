"""The store's engine: SQLite by default, PostgreSQL by its URL; opened, and brought in step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from psycopg.adapt import PyFormat
from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from sync_agent.errors import ProvinceError
from sync_agent.province.migrations import env
from sync_agent.province.migrations.versions import v0007_corrections

BUSY_SECONDS = 30
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=1000",
    "PRAGMA trusted_schema=OFF",
)
NEWEST = v0007_corrections.revision
"""The step a store must stand at."""
COPY_ROWS_MIN = 10
"""Fewer rows are inserted: COPY takes two round trips more."""
ONE_WRITER = 0x4B48_4231
"""Name of the advisory lock that a writer of PostgreSQL holds to its commit."""
_MIGRATIONS = Path(env.__file__).parent
_TYPES: dict[type, str] = {
    Integer: "int4",
    BigInteger: "int8",
    LargeBinary: "bytea",
    String: "text",
}


def open_engine(url: str) -> Engine:
    """An engine whose transactions begin as this store needs them.

    Raises:
        ProvinceError: the URL cannot be read.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url)
    # No ping before each use: a server that was started anew costs one answer "come back later".
    engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_size=10)
    event.listen(engine, "connect", lambda connection, _record: prefer_c(connection))
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def prefer_c(connection: Any) -> None:
    """Let psycopg write byte strings in C: by the type's name it takes its DB-API wrapper's way."""
    adapters = connection.adapters
    adapters.register_dumper(bytes, adapters.get_dumper(bytes, PyFormat.BINARY))


def shown(url: str) -> str:
    """The URL without its password, wherever in it one may stand."""
    parsed = _parsed(url)
    return parsed.set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    # The error of the parser quotes what it took for a port: it can be half of a password.
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or ("@" in (parsed.database or "") and parsed.get_backend_name() != "sqlite"):
        raise ProvinceError(
            "store in province.toml is not a URL that can be read; in a password write %40 for @,"
            " %3A for : and %2F for /"
        )
    return parsed


def bring_in_step(db: Connection, *, to: str = NEWEST) -> None:
    """Run the steps that the store lacks, as far as this one."""
    if MigrationContext.configure(db).get_current_revision() == to:
        return
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = db
    command.upgrade(config, to)


def append(db: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Add rows, each in the order of the table's columns; all or, by an error, none.

    On PostgreSQL they go by COPY, straight into the table: whoever writes has looked first and
    holds the right to write, so a row that is there already is a fault that must be heard.
    """
    if not rows:
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if db.dialect.name == "sqlite" or len(rows) < COPY_ROWS_MIN:
        mark = "?" if db.dialect.name == "sqlite" else "%s"
        marks = ", ".join([mark] * len(table.columns))
        db.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', list(rows))  # noqa: S608
        return
    types = [_TYPES[type(column.type)] for column in table.columns]
    _copy(db, f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)', types, rows)


def add_once(db: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Add a few rows in the order of the table's columns; one that is there stays as it is."""
    if rows:
        dialect = sqlite if db.dialect.name == "sqlite" else postgresql
        names = [column.name for column in table.columns]
        values = [dict(zip(names, row, strict=True)) for row in rows]
        db.execute(dialect.insert(table).on_conflict_do_nothing(), values)


def _copy(
    db: Connection, statement: str, types: list[str], rows: Iterable[tuple[object, ...]]
) -> None:
    raw: Any = db.connection.dbapi_connection
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(db: Connection) -> None:
    # A plain BEGIN of two writers ends in SQLITE_BUSY_SNAPSHOT at once, whatever the timeout.
    writing = db.get_execution_options().get("writing")
    db.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _begin_postgresql(db: Connection) -> None:
    if db.get_execution_options().get("writing"):
        db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_WRITER})")
    else:
        db.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
