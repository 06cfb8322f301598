"""The issuer's verdicts on Transaction MACs, and which entry is about which earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import sqlalchemy as sa
from alembic import op

from ledger.entry import Commit, Void, read_entry
from sync_agent.province.migrations.versions import v0003_chips
from sync_agent.province.migrations.versions.v0001_log import chain, guard

revision = "0004"
down_revision = v0003_chips.revision

ROWS_AT_ONCE = 5_000


def upgrade() -> None:
    """Lay the tables down, and say of the entries that are held what they are about."""
    naming = op.create_table("naming", *chain(), sa.Column("names", sa.BigInteger, nullable=False))
    op.create_index("naming_of", "naming", ["terminal", "epoch", "names"])
    op.create_table(
        "verdict_file",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "mac_verdict",
        sa.Column("uid", sa.LargeBinary(7), primary_key=True),
        sa.Column("counter", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("record", sa.LargeBinary(16), primary_key=True),
        sa.Column("value", sa.LargeBinary(8), primary_key=True),
        sa.Column("finding", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("household", sa.LargeBinary(8), primary_key=True),
        sa.Column("kid", sa.LargeBinary(4), primary_key=True),
        sa.Column("terminal", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("file", sa.Integer, nullable=False),
    )
    op.create_index("verdict_on", "mac_verdict", ["terminal", "epoch", "seq"])
    rows = _named_by_entries(op.get_bind())
    while part := list(islice(rows, ROWS_AT_ONCE)):
        op.bulk_insert(naming, part)
    guard("naming", "verdict_file", "mac_verdict")


def _named_by_entries(db: sa.Connection) -> Iterator[dict[str, int]]:
    entry = sa.table("entry", *(sa.column(name) for name in ("terminal", "epoch", "seq", "body")))
    own = entry.c
    for terminal, epoch in db.execute(sa.select(own.terminal, own.epoch).distinct()).all():
        of_chain = (own.terminal == terminal) & (own.epoch == epoch)
        for seq, body in db.execute(sa.select(own.seq, own.body).where(of_chain)).all():
            content = read_entry(bytes(body)).content
            if isinstance(content, Commit | Void):
                yield {"terminal": terminal, "epoch": epoch, "seq": seq, "names": content.seq}
