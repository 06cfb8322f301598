"""The accepted log and what follows from it; nothing of it is ever changed or taken away."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NEVER = "the log is only ever added to"
SQLITE = """
CREATE TRIGGER {table}_never_{verb} BEFORE {verb} ON "{table}"
BEGIN SELECT RAISE(ABORT, '{never}'); END
"""
POSTGRESQL_FUNCTION = f"""
CREATE FUNCTION khb_never() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '{NEVER}'; END $$
"""
POSTGRESQL = """
CREATE TRIGGER {table}_never BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"
FOR EACH STATEMENT EXECUTE FUNCTION khb_never()
"""


def upgrade() -> None:
    """Lay the tables down."""
    if op.get_bind().dialect.name != "sqlite":
        op.execute(POSTGRESQL_FUNCTION)
    _log()
    _projections()
    _others()
    guard("entry", "acknowledgement", "redemption", "voided", "published", "fork")
    guard("missing", "blocked", "cleared")


def guard(*tables: str) -> None:
    """Let the database itself refuse to change or take away."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in tables:
        if on_sqlite:
            for verb in ("UPDATE", "DELETE"):
                op.execute(SQLITE.format(table=table, verb=verb, never=NEVER))
        else:
            op.execute(POSTGRESQL.format(table=table))


def chain() -> tuple[sa.Column[int], sa.Column[int], sa.Column[int]]:
    """What names an entry."""
    return (
        sa.Column("terminal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def _log() -> None:
    op.create_table(
        "entry",
        *chain(),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "acknowledgement",
        *chain(),
        sa.Column("head", sa.LargeBinary(32), nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.Column("road", sa.String(10), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _projections() -> None:
    op.create_table(
        "redemption",
        *chain(),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.Column("household", sa.LargeBinary(8), nullable=False),
        sa.Column("issue", sa.Integer, nullable=False),
        sa.Column("member", sa.Integer, nullable=False),
        sa.Column("programme", sa.Integer, nullable=False),
        sa.Column("window", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.Column("basis", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("officer", sa.String(12), nullable=False),
        sa.Column("kecamatan", sa.String(6), nullable=False),
        sa.Column("arrival", sa.BigInteger, nullable=False),
    )
    right = ["household", "programme", "window", "member"]
    op.create_index("redemption_of_right", "redemption", right)
    op.create_table("voided", *chain())


def _others() -> None:
    op.create_table(
        "published",
        *chain(),
        sa.Column("kecamatan", sa.String(6), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
    )
    op.create_table(
        "fork",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("terminal", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "missing",
        *chain(),
        sa.Column("leaf", sa.LargeBinary(32), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "blocked",
        sa.Column("household", sa.LargeBinary(8), primary_key=True),
        sa.Column("issue", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("after", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cleared",
        sa.Column("household", sa.LargeBinary(8), primary_key=True),
        sa.Column("issue", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
