"""One office for all, copied for each test: its keys are real and cost time to make."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.cli import main
from tests.unit.provisioning.command import Run
from tests.unit.provisioning.played import Province, make_office
from tests.unit.provisioning.served import Served, make_served


@pytest.fixture(scope="session")
def made_office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_office(tmp_path_factory.mktemp("made") / "office")


@pytest.fixture
def office(made_office: Path, tmp_path: Path) -> Path:
    """A fresh office of 40 households in two kecamatan."""
    return Path(shutil.copytree(made_office, tmp_path / "office"))


@pytest.fixture
def province(tmp_path: Path) -> Province:
    return Province(tmp_path / "province")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command as its console script does: exit code, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["betang-provision", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return run


@pytest.fixture
def served(office: Path, province: Province) -> Iterator[Served]:
    made = make_served(office, province)
    yield made
    made.counter.close()
