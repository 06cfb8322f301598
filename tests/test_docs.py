"""What the documents say exists: commands, options, targets, files, codes, clauses, dependencies.

While the five commands are still being written, a document may name what is to come; once all
five are there it may not.
"""

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from docs import make_pages
from tests.source_tree import ROOT, console_scripts, house_is_whole, kept_texts, project

HISTORY = {"CHANGELOG.md"}  # tells what once was
COMMAND = re.compile(r"\bbetang-[a-z]+(?![\w.-])[^`;&>#\n]*")
CLAUSE = re.compile(r"\bspec/([a-z0-9-]+)(?:\.md)?(?:[ ,§:]*(\d+(?:\.\d+)*))?")
HEADING_NUMBER = re.compile(r"^#+ +§? ?(\d+(?:\.\d+)*)[.)]?(?:\s|$)", re.MULTILINE)


def test_commands_and_options_named_in_documents_exist() -> None:
    wrong = [
        f"{path}: {told}"
        for path, text in (*_documents(), ("Makefile", _text("Makefile")))
        for usage in _usages(text)
        for told in _faults(usage, _commands())
    ]
    assert wrong == []


def test_every_command_is_documented() -> None:
    if not house_is_whole():
        return
    documents = " ".join(text for _, text in _documents())
    missing = [
        words
        for name, command in _commands().items()
        for words in _leaves(name, command)
        if words not in documents
    ]
    assert missing == [], "run make docs"


def test_a_planted_command_or_option_is_found() -> None:
    app = typer.Typer()
    province = typer.Typer()
    app.add_typer(province, name="province")

    @app.command()
    def once(config: str = "", as_json: bool = typer.Option(False, "--json")) -> None:
        """Carry once."""

    @province.command()
    def serve(port: int = 0) -> None:
        """Serve."""

    commands: dict[str, Any] = {"betang-sync": typer.main.get_command(app)}
    text = (
        "```\n$ betang-sync once --config C [--json | --bad] | jq --raw-output\n"
        "$ .venv/bin/betang-sync province \\\n    serve --prot 0\n```\n"
        "`betang-sync twice`, `betang-sink once`, `betang-sync province serve --port 0`"
    )
    told = [fault for usage in _usages(text) for fault in _faults(usage, commands)]
    assert told == [
        "betang-sync once has no option --bad",
        "betang-sync province serve has no option --prot",
        "betang-sync has no command twice",
        "there is no command betang-sink",
    ]


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    named = {
        (path, target)
        for path, text in _documents()
        for code in _code(text)
        for target in re.findall(r"\bmake ([a-z-]+)", code)
    }
    assert {(path, target) for path, target in named if target not in targets} == set()


def test_every_make_target_is_told_by_make_help() -> None:
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)$", _text("Makefile"), re.MULTILINE))
    told = set(re.findall(r"^([a-z-]+):.*## ", _text("Makefile"), re.MULTILINE))
    assert phony == told


def test_made_pages_are_up_to_date() -> None:
    stale = [
        name
        for name, text in make_pages.pages().items()
        if not (ROOT / "docs" / name).exists() or _text(f"docs/{name}") != text
    ]
    assert stale == [], "run make docs"


def test_every_reason_code_is_documented() -> None:
    table = ROOT / "card_codec" / "reasons.csv"
    if not table.exists():
        assert not house_is_whole()
        return
    documents = " ".join(text for _, text in _documents())
    codes = [row["code"] for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())]
    assert codes
    assert [code for code in codes if f"`{code}`" not in documents] == []


def test_every_dependency_has_its_reason_and_no_other() -> None:
    requirements: list[str] = [
        *project()["project"]["dependencies"],
        *project()["project"]["optional-dependencies"]["dev"],
        *project()["project"]["optional-dependencies"]["province"],
    ]
    python = {re.split(r"[<>=!~;\[ ]", one, maxsplit=1)[0] for one in requirements}
    debian = {
        name
        for line in _text("deploy/debian-packages.txt").splitlines()
        if line and not line.startswith("#")
        for name in line.split()[1].split("|")[:1]
    }
    page = _text("docs/dependencies.md")
    explained = set(re.findall(r"^\| `([^`]+)` \| \S", page, re.MULTILINE))
    assert explained == python | debian | {"python3-dev", "python3-venv"}


def test_every_cited_clause_of_a_spec_exists() -> None:
    lost = [
        f"{path}: {match.group()}"
        for path, text in kept_texts()
        if path.suffix in {".py", ".md"} and path.name != Path(__file__).name
        for match in CLAUSE.finditer(text)
        if not _clause_exists(match.group(1), match.group(2))
    ]
    assert lost == []


def test_links_between_documents_lead_somewhere() -> None:
    lost = [
        f"{path}: {target}"
        for path, text in _documents()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", _without_code(text))
        if "://" not in target and not (ROOT / path).parent.joinpath(target).exists()
    ]
    assert not (house_is_whole() and lost), lost


def test_images_have_a_text_in_their_place() -> None:
    bare = [path for path, text in _documents() if "![](" in _without_code(text)]
    assert bare == []


@cache
def _documents() -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(path), text)
        for path, text in kept_texts()
        if path.suffix == ".md" and path.name not in HISTORY
    )


@cache
def _commands() -> dict[str, Any]:
    """Console command to its tree of commands; None while its module is not written."""
    return {name: app and typer.main.get_command(app) for name, app in make_pages.apps().items()}


def _leaves(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name
        return
    for word, one in inner.items():
        if not one.hidden:
            yield from _leaves(f"{name} {word}", one)


def _usages(text: str) -> Iterator[list[str]]:
    """Every ``betang-…`` usage in code, cut into words; brackets of a synopsis are opened."""
    for code in _code(text):
        for match in COMMAND.finditer(code):
            opened = re.sub(r"[\[(][^\])]*[\])]", _open_choice, match.group())
            yield opened.partition("|")[0].split()


def _open_choice(match: re.Match[str]) -> str:
    return match.group()[1:-1].replace("|", " ")


def _faults(usage: list[str], commands: dict[str, Any]) -> Iterator[str]:
    name, *words = usage
    if name not in commands:
        yield f"there is no command {name}"
        return
    command = commands[name]
    if command is None:
        assert not house_is_whole(), f"{console_scripts()[name]} is missing"
        return
    options = _options(command)
    for word in words:
        inner = getattr(command, "commands", {})
        if word.startswith("--"):
            option = word.partition("=")[0].rstrip(",.:")
            if option not in options:
                yield f"{name} has no option {option}"
        elif word in inner:
            command, name = inner[word], f"{name} {word}"
            options |= _options(command)
        elif inner and re.fullmatch("[a-z][a-z-]*", word):
            yield f"{name} has no command {word}"
            return


def _options(command: Any) -> set[str]:
    spelt = {word for one in command.params for word in (*one.opts, *one.secondary_opts)}
    return {"--help"} | spelt


def _code(text: str) -> Iterator[str]:
    """Fenced blocks with continued lines joined, then spans; a whole text that has no Markdown."""
    if "`" not in text:
        yield text
    fences = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    yield from (re.sub(r"\\\n\s*", " ", block) for block in fences)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`]+)`", prose)


def _without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def _clause_exists(name: str, number: str | None) -> bool:
    page = ROOT / "docs" / "spec" / f"{name}.md"
    if not page.exists():
        return not house_is_whole() or (page.parent / name).is_dir()
    return number is None or number in HEADING_NUMBER.findall(page.read_text(encoding="utf-8"))


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
