"""The formatter, linter, type checker and import contracts of `make check`, as tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import PACKAGES, ROOT

pytestmark = [pytest.mark.static, pytest.mark.slow]
TYPED = [
    *PACKAGES,
    "virtual_card",
    "tests",
    "docs",
    *(["bench"] if (ROOT / "bench").is_dir() else []),
]


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(["ruff", "format", "--check", "."], id="format"),
        pytest.param(["ruff", "check", "."], id="lint"),
        pytest.param(["mypy", *TYPED], id="types"),
        pytest.param(["lint-imports", "--no-cache"], id="imports"),
    ],
)
def test_tool_finds_nothing(tool: list[str]) -> None:
    program = Path(sys.executable).with_name(tool[0])
    told = subprocess.run(
        [program, *tool[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert told.returncode == 0, told.stdout + told.stderr
