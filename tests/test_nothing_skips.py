"""The rule of conftest.py itself: in CI a skip is a failure, elsewhere it is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
IMPORT = "import pytest\n\n"
SKIPS = {
    "test_in_the_test": IMPORT + "def test_one():\n    pytest.skip('no camera')\n",
    "test_by_a_mark": IMPORT + "@pytest.mark.skip(reason='no camera')\ndef test_one(): pass\n",
    "test_in_a_fixture": (
        IMPORT
        + "@pytest.fixture\ndef f():\n    pytest.skip('no camera')\n\ndef test_one(f): pass\n"
    ),
    "test_of_a_file": IMPORT + "pytest.skip('no camera', allow_module_level=True)\n",
}


def test_skip_of_any_kind_fails_in_ci(tmp_path: Path) -> None:
    told = _run(tmp_path, SKIPS, ci="true")
    assert told.returncode != 0
    for name in SKIPS:
        assert f"{name}.py" in told.stdout
    assert told.stdout.count("in CI nothing may skip: ") >= len(SKIPS)
    assert "no camera" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("1 failed, 3 errors in ")


def test_skip_is_told_elsewhere(tmp_path: Path) -> None:
    marked = SKIPS["test_in_the_test"].replace("def test", "@pytest.mark.browser\ndef test")
    told = _run(tmp_path, {"test_one": marked}, ci="")
    assert told.returncode == 0
    assert "Not run here; make test brings what they need: browser (1)" in told.stdout


def test_run_without_a_skip_passes_in_ci(tmp_path: Path) -> None:
    told = _run(tmp_path, {"test_one": "def test_one(): pass\n"}, ci="true")
    assert told.returncode == 0
    assert "skip" not in told.stdout


def _run(folder: Path, sources: dict[str, str], ci: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  browser: x\n", encoding="utf-8")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
        ],
        cwd=folder,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
