"""What was told by telephone, which windows are settled, and which entries lie in segments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync_agent.province.migrations.versions.v0001_log import chain, guard

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Lay the tables down."""
    op.create_table(
        "told",
        *chain(),
        sa.Column("code", sa.String(9), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "settlement",
        sa.Column("programme", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("window", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "segment",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("file", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "segment_mark",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("terminal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    guard("told", "settlement", "segment", "segment_mark")
