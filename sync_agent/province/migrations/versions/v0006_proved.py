"""Which evidence rides in the usage, and which codes were misheard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync_agent.province.migrations.versions import v0005_complaints
from sync_agent.province.migrations.versions.v0001_log import chain, guard

revision = "0006"
down_revision = v0005_complaints.revision


def upgrade() -> None:
    """Lay the table down; what is kept already rides with the next segments."""
    op.create_table("evidence_published", sa.Column("name", sa.LargeBinary(32), primary_key=True))
    op.create_table(
        "withdrawn",
        *chain(),
        sa.Column("code", sa.String(9), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    guard("evidence_published", "withdrawn")
