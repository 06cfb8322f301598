"""The prepared world is made once; each test gets a copy of its own.

What lies in a folder called ``inside`` is for a namespace of its own; see tests/namespace.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.prepared import Prepared, copy, prepare
from tests.namespace import is_inside

collect_ignore_glob = [] if is_inside() else ["*/inside"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("made") / "demo", seed=3)


@pytest.fixture
def prepared(made: Prepared, tmp_path: Path) -> Prepared:
    return copy(made, tmp_path / "demo")
