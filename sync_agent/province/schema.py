"""Tables of the province's store. Everything is appended; nothing is changed or taken away."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
)
from sqlalchemy.schema import ExecutableDDLElement

metadata = MetaData()


def _chain() -> tuple[Column[int], Column[int], Column[int]]:
    return (
        Column("terminal", Integer, primary_key=True, autoincrement=False),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
    )


entry = Table(
    "entry",
    metadata,
    *_chain(),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    comment="the accepted log: each terminal's chain as it was received",
)

acknowledgement = Table(
    "acknowledgement",
    metadata,
    *_chain(),
    Column("head", LargeBinary(32), nullable=False),
    Column("signature", LargeBinary(64), nullable=False, comment="the terminal's, over the head"),
    Column("road", String(10), nullable=False),
    Column("at", BigInteger, nullable=False, comment="Unix seconds, when it was received"),
    Column("data", LargeBinary, nullable=False, comment="as signed by the log key"),
    comment="one for every batch that brought something new",
)

redemption = Table(
    "redemption",
    metadata,
    *_chain(),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("household", LargeBinary(8), nullable=False),
    Column("issue", Integer, nullable=False),
    Column("member", Integer, nullable=False),
    Column("programme", Integer, nullable=False),
    Column("window", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("basis", Integer, nullable=False),
    Column("at", BigInteger, nullable=False, comment="Unix seconds, as the terminal judged it"),
    Column("officer", String(12), nullable=False),
    Column("kecamatan", String(6), nullable=False, comment="whose usage feed carries it"),
    Column("arrival", BigInteger, nullable=False, comment="Unix seconds, when it was received"),
    comment="what entries of that kind say, for reading; follows from entry",
)

voided = Table(
    "voided",
    metadata,
    *_chain(),
    comment="redemptions that their own terminal and epoch took back",
)

published = Table(
    "published",
    metadata,
    *_chain(),
    Column("kecamatan", String(6), nullable=False),
    Column("number", Integer, nullable=False),
    comment="which usage segment carries a redemption",
)

fork = Table(
    "fork",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True, comment="SHA-256 of the batch"),
    Column("terminal", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False, comment="first entry that differs"),
    Column("at", BigInteger, nullable=False),
    Column("batch", LargeBinary, nullable=False, comment="the diverging branch as it was received"),
    comment="evidence: signed entries under numbers that the log holds otherwise",
)

blocked = Table(
    "blocked",
    metadata,
    Column("household", LargeBinary(8), primary_key=True),
    Column("issue", Integer, primary_key=True, autoincrement=False),
    Column("after", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
    comment="cards blocked by the province, each after the clearing of that number (0: none)",
)

cleared = Table(
    "cleared",
    metadata,
    Column("household", LargeBinary(8), primary_key=True),
    Column("issue", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    comment="blocks that a kecamatan took off, by the number of its changes that say so",
)

_NEVER = """
CREATE TRIGGER {table}_never_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END
"""

for _table in metadata.tables.values():
    for _verb in ("UPDATE", "DELETE"):
        _ddl: ExecutableDDLElement = DDL(_NEVER.format(table=_table.name, verb=_verb))  # type: ignore[no-untyped-call]
        event.listen(_table, "after_create", _ddl.execute_if(dialect="sqlite"))
