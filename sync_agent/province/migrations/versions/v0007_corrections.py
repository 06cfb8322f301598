"""Redemptions that a kecamatan took back after their day was closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync_agent.province.migrations.versions import v0006_proved
from sync_agent.province.migrations.versions.v0001_log import chain, guard

revision = "0007"
down_revision = v0006_proved.revision


def upgrade() -> None:
    """Lay the table down."""
    op.create_table(
        "corrected",
        *chain(),
        sa.Column("household", sa.LargeBinary(8), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    guard("corrected")
