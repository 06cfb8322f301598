"""What a terminal is given: a wheel of five packages with their data, and working commands."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.source_tree import PACKAGES, ROOT, console_scripts, house_is_whole, kept_files, modules

DISTRIBUTION = "huma-betang"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree and laid out as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_wheel_holds_the_five_packages_and_nothing_else(unpacked: Path) -> None:
    tops = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == set(PACKAGES)


def test_wheel_holds_every_file_of_the_packages(unpacked: Path) -> None:
    """The tables, templates, styles, fonts and catalogues, too."""
    kept = {str(path) for path in kept_files() if path.parts[0] in PACKAGES}
    shipped = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    shipped = {path for path in shipped if ".dist-info/" not in path}
    assert shipped - kept == set()
    assert kept - shipped == set()


def test_the_five_names_belong_to_our_distribution_alone(unpacked: Path) -> None:
    """Two distributions that ship one name are installed over each other without a word."""
    told = _python(
        unpacked,
        "import importlib.metadata as m, json;"
        "owners = m.packages_distributions();"
        f"print(json.dumps({{name: owners.get(name) for name in {PACKAGES!r}}}))",
    )
    assert json.loads(told.stdout) == {name: [DISTRIBUTION] for name in PACKAGES}


def test_wheel_declares_the_commands(unpacked: Path) -> None:
    (declared,) = unpacked.glob("*.dist-info/entry_points.txt")
    text = declared.read_text(encoding="utf-8")
    for command, module in console_scripts().items():
        assert f"{command} = {module}:main" in text


@pytest.mark.slow
@pytest.mark.parametrize("command", console_scripts())
def test_command_of_the_wheel_tells_its_help(command: str, unpacked: Path) -> None:
    module = console_scripts()[command]
    if module not in {one.name for one in modules()}:
        assert not house_is_whole()
        return
    run = f"import sys; from {module} import main; sys.argv[0] = {command!r}; sys.exit(main())"
    told = _python(unpacked, run, "--help")
    assert f"Usage: {command}" in told.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", console_scripts())
def test_command_of_the_wheel_refuses_wrong_use_with_exit_2(command: str, unpacked: Path) -> None:
    module = console_scripts()[command]
    if module not in {one.name for one in modules()}:
        assert not house_is_whole()
        return
    run = f"import sys; from {module} import main; sys.exit(main())"
    told = _python(unpacked, run, "--no-such-option", expected=2)
    assert "no-such-option" in told.stderr.lower()
    assert "Traceback" not in told.stderr


def _python(
    site: Path, code: str, *arguments: str, expected: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run code with the unpacked wheel alone before the installed packages, far from the source."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "PYTHONSAFEPATH": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "100",
    }
    told = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=site.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == expected, told.stderr
    return told
