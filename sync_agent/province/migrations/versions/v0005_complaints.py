"""Complaints of families. No entry of that kind was ever taken before this step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync_agent.province.migrations.versions import v0004_verdicts
from sync_agent.province.migrations.versions.v0001_log import chain, guard

revision = "0005"
down_revision = v0004_verdicts.revision


def upgrade() -> None:
    """Lay the table down."""
    op.create_table(
        "complaint",
        *chain(),
        sa.Column("about", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("household", sa.LargeBinary(8)),
        sa.Column("member", sa.Integer, nullable=False),
        sa.Column("programme", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kecamatan", sa.String(6), nullable=False),
    )
    guard("complaint")
