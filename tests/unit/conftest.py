"""Unit tests wait for no disk; those of a room that serves with the cable cut need no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.memory import MEMORY
from tests.source_tree import ROOT
from tests.test_offline import REDEMPTION_TESTS

HERE = Path(__file__).parent
WITHOUT_NETWORK = {HERE / "terminal", HERE / "card_codec"}
"""What redeems, and the ledger, is run without even loopback by tests/test_offline.py."""


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder in memory, or pytest's own. What needs a disk is in tests/crash."""
    if MEMORY is None:
        yield tmp_path_factory.mktemp("unit")
        return
    with tempfile.TemporaryDirectory(prefix="khb-", dir=MEMORY, ignore_cleanup_errors=True) as made:
        yield Path(made)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of a room that serves with the cable cut."""
    for item in items:
        places = {item.path, *item.path.parents}
        if places & WITHOUT_NETWORK and not places & {ROOT / path for path in REDEMPTION_TESTS}:
            item.add_marker(pytest.mark.network_less)
