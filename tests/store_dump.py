"""All that a province's store holds, to compare before and after."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from sync_agent.province.schema import metadata
from sync_agent.province.store import Store


def dumped(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in order."""
    with store.reading() as db:
        return {
            name: sorted(tuple(row) for row in db.execute(select(table)))
            for name, table in metadata.tables.items()
        }
