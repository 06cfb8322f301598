"""How the five programs end when they are used wrongly: one sentence, and the exit code for it."""

import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer

from card_codec.program import run

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PROGRAMS = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["scripts"]


def ends(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a program here, and say with what it ended."""
    module, _, function = PROGRAMS[name].partition(":")
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as ended:
        getattr(import_module(module), function)()
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("arguments", [("nonsense",), ("--nonsense",)])
def test_wrong_use_is_one_sentence_that_says_where_to_look(
    name: str,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ends(name, *arguments, monkeypatch=monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "nonsense" in told.err
    assert told.err.endswith("; see --help\n")


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_no_fault(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(name, "--help", monkeypatch=monkeypatch) == 0
    told = capsys.readouterr()
    assert "Usage: " in told.out
    assert name in told.out
    assert "``" not in told.out
    assert told.err == ""


def ended_by(error: BaseException) -> int:
    """Run a program whose one command ends with an error."""
    app = typer.Typer()

    @app.command()
    def act() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run(app, wrong_use=(KeyError,), refused=(LookupError,), undone="nothing was given")
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KeyError("no key"), 2, "'no key'"),
        (LookupError("nobody\n  here"), 1, "nobody here"),
        (OSError(28, "No space left", "disk"), 1, "disk: No space left; nothing was given"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(1), 1, ""),
        (typer.Exit(0), 0, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_end_has_its_exit_code_and_its_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["program"])
    assert ended_by(error) == code
    assert capsys.readouterr().err.strip() == sentence


def test_defect_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program"])
    with pytest.raises(ZeroDivisionError):
        ended_by(ZeroDivisionError())
