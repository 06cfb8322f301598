"""Redemptions by chip, and what their cards are known to have committed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync_agent.province.migrations.versions import v0002_settled
from sync_agent.province.migrations.versions.v0001_log import chain, guard

revision = "0003"
down_revision = v0002_settled.revision


def upgrade() -> None:
    """Lay the tables down."""
    op.create_table(
        "pending",
        *chain(),
        sa.Column("uid", sa.LargeBinary(7), nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
    )
    op.create_table("committed", *chain())
    op.create_table(
        "card_commit",
        sa.Column("uid", sa.LargeBinary(7), primary_key=True),
        sa.Column("counter", sa.BigInteger, primary_key=True, autoincrement=False),
        *chain(),
        sa.Column("kind", sa.Integer, primary_key=True, autoincrement=False),
    )
    guard("pending", "committed", "card_commit")
