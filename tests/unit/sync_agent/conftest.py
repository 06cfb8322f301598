from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync_world import SyncWorld, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    """Two terminals and a province with a release; nothing has been taken yet."""
    with pytest.MonkeyPatch.context() as patch:
        # Making a world is not what is tested here, and a slow disk would wait 40 times for it.
        patch.setattr("os.fsync", lambda _handle: None)
        made = small_world(tmp_path)
    yield made
    made.province.close()
