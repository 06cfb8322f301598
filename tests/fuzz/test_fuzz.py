"""The fuzz target runs, and finds nothing in a few seconds; ``make fuzz`` looks for longer."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_some_seconds_of_fuzzing_find_only_named_errors(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.fuzz.target", str(tmp_path / "corpus"), "5"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "Done" in done.stderr
    assert not list((tmp_path / "corpus").glob("crash-*"))
