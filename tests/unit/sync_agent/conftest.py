from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync_world import SyncWorld, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    """Two terminals and a province with a release; nothing has been taken yet."""
    made = small_world(tmp_path)
    yield made
    made.province.close()
