"""What the counter and the ledger do must not need a network: their tests bear the mark."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITHOUT_NETWORK = (HERE / "ledger", HERE / "terminal", HERE / "card_codec")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of a room that serves with the cable cut."""
    for item in items:
        if any(folder in item.path.parents for folder in WITHOUT_NETWORK):
            item.add_marker(pytest.mark.network_less)
