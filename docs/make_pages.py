"""Write the pages of docs/ that are made from tables: reasons.md and commands.md (`make docs`)."""

import csv
import importlib
import importlib.util
import io
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from babel.messages.pofile import read_po

ROOT: Final = Path(__file__).resolve().parents[1]
MADE: Final = "<!-- Made by `make docs`; change the source, not this page. -->\n"


def main() -> None:
    """Write every page whose source is there."""
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name under docs/ to what it should hold."""
    made = {}
    reasons = ROOT / "card_codec" / "reasons.csv"
    if reasons.exists():
        made["reasons.md"] = reasons_page(reasons.read_text(encoding="utf-8"))
    commands = {name: app for name, app in apps().items() if app}
    if len(commands) == len(apps()):
        made["commands.md"] = commands_page(commands)
    return made


def reasons_page(table: str) -> str:
    """Every reason code with what the screen says, the officer reads and the family is told."""
    indonesian, english = (_catalogue(language) for language in ("id", "en"))
    lines = [
        "# Reason codes\n",
        MADE,
        "A refusal is a value: its code is stable and stands in journals and `--json` output; the",
        "words beside it may be rewritten. Sources: `card_codec/reasons.csv` and the catalogues of",
        "the counter. The colour is that of the verdict.\n",
        _row(["code", "number", "colour", "screen", "sentence", "in English"]),
        _row(["---"] * 6),
    ]
    for row in csv.DictReader(io.StringIO(table)):
        status, sentence = row["status_key"], row["sentence_key"]
        cells = [f"`{row['code']}`", row["hb"], row["severity"], indonesian.get(status, status)]
        cells += [indonesian.get(sentence, sentence), english.get(sentence, sentence)]
        lines.append(_row([cell.replace("|", "\\|") for cell in cells]))
    return "\n".join(lines) + "\n"


def _catalogue(language: str) -> dict[str, str]:
    """Key to text of one language; empty while the catalogue is not written."""
    path = ROOT / "terminal" / "locale" / language / "LC_MESSAGES" / "terminal.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file) if one.id}


def commands_page(commands: dict[str, typer.Typer]) -> str:
    """Every command with its options, as the programs themselves declare them."""
    lines = [
        "# Commands\n",
        MADE,
        "Each takes `--help`. Exit 0: done; 1: refused, or a check failed; 2: wrong use.\n",
    ]
    for name, app in commands.items():
        lines += _command(name, typer.main.get_command(app), level=2)
    return "\n".join(lines).rstrip() + "\n"


def apps() -> dict[str, typer.Typer | None]:
    """Console command to its Typer application; None while its module is not written."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {name: _app(target.partition(":")[0]) for name, target in project["scripts"].items()}


def _app(module_name: str) -> typer.Typer | None:
    if importlib.util.find_spec(module_name) is None:
        return None
    module = importlib.import_module(module_name)
    for name in ("app", "main"):
        if isinstance(app := getattr(module, name, None), typer.Typer):
            return app
    raise SystemExit(f"{module_name} keeps no typer.Typer under the name app; call it app")


def _command(name: str, command: Any, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{name}`\n"
    yield _sentence(command) + "\n"
    yield from _parameters(command)
    for word, inner in sorted(getattr(command, "commands", {}).items()):
        if not inner.hidden:
            yield from _command(f"{name} {word}", inner, level=3)


def _parameters(command: Any) -> Iterator[str]:
    told = [
        f"- `{_spelling(one)}`{' (needed)' if one.required else ''}{_help(one)}"
        for one in command.params
        if not getattr(one, "hidden", False) and one.name != "help"
    ]
    if told:
        yield "\n".join(told) + "\n"


def _spelling(one: Any) -> str:
    if one.param_type_name == "argument":
        return str(one.metavar or one.name).upper() + ("…" if one.nargs == -1 else "")
    words = "/".join([*one.opts, *one.secondary_opts])
    return (
        words if getattr(one, "is_flag", False) else f"{words} {(one.metavar or one.name).upper()}"
    )


def _help(one: Any) -> str:
    text = " ".join((getattr(one, "help", None) or "").split())
    return f": {text}" if text else ""


def _sentence(command: Any) -> str:
    paragraph = (command.help or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split()) or "No description."


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
