"""Lengths, names, banned calls, dead files: the rules of CONTRIBUTING.md a machine can hold."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.banned import breaches_in_code, breaches_in_text, catch_all_parts
from tests.source_tree import (
    PACKAGES,
    ROOT,
    Module,
    console_scripts,
    house_is_whole,
    imports_of,
    kept_files,
    kept_texts,
    module_of,
    modules,
)

FILE_LINES_MAX = 400
CLASS_LINES_MAX = 200
FUNCTION_LINES_MAX = 50
# Files that may be longer, with the length they may not pass. Empty from the first day.
RATCHET: dict[str, int] = {}


def test_no_file_is_too_long() -> None:
    lengths = {
        str(path): text.count("\n")
        for path, text in kept_texts()
        if path.suffix in {".py", ".js"} or path.parts[0] in {"deploy", "Makefile", ".ci"}
    }
    too_long = [
        f"{path}: {lines} lines, at most {RATCHET.get(path, FILE_LINES_MAX)}"
        for path, lines in lengths.items()
        if lines > RATCHET.get(path, FILE_LINES_MAX)
    ]
    assert too_long == []
    needless = {path for path in RATCHET if lengths.get(path, 0) <= FILE_LINES_MAX}
    assert needless == set(), "take these out of RATCHET"


def test_no_function_or_class_is_too_long() -> None:
    assert [told for module in _python_files() for told in _too_long(module)] == []


def test_no_module_is_a_leftovers_drawer() -> None:
    named = [
        str(path) for path in kept_files() if path.suffix == ".py" and catch_all_parts(str(path))
    ]
    assert named == [], "name it after what it holds"


def test_no_inner_module_bears_the_name_of_a_package() -> None:
    """Started from the wrong folder, it would be taken for the package."""
    inner = [module.name for module in modules() if "." in module.name]
    assert [name for name in inner if name.rpartition(".")[2] in PACKAGES] == []


def test_no_banned_call_in_the_five_packages() -> None:
    assert [told for module in modules() for told in breaches_in_code(module)] == []


def test_no_banned_text_in_any_kept_file() -> None:
    assert [told for path, text in kept_texts() for told in breaches_in_text(str(path), text)] == []


def test_every_module_is_reached_from_a_command() -> None:
    """What no command, bench or page generator leads to is dead. Asked once all commands exist."""
    files = _python_files()
    roots = {*console_scripts().values()}
    roots |= {module.name for module in files if _starts_something(module)}
    alive = reached(roots, {module.name: module for module in files})
    dead = {module.name for module in modules() if not module.is_package} - alive
    assert dead == set()


def test_a_dead_module_is_found() -> None:
    planted = [
        Module("ledger.cli", "from ledger import journal\nrun('ledger.page:app')\n"),
        Module("ledger.journal", ""),
        Module("ledger.page", "from ledger.entry import Entry\n"),
        Module("ledger.entry", ""),
        Module("ledger.one", "import ledger.other\n"),
        Module("ledger.other", "import ledger.one\n"),
    ]
    tree = {module.name: module for module in planted}
    assert set(tree) - reached({"ledger.cli"}, tree) == {"ledger.one", "ledger.other"}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ledger.a", "import time as t\nx = t.time\n"),
        ("terminal.a", "from datetime import datetime as d\nd.now()\n"),
        ("terminal.a", "print('x')\n"),
        ("terminal.a", "import random\nrandom.random()\n"),
        ("terminal.a", "from random import choice\nchoice([1])\n"),
        ("ledger.a", "import pickle\npickle.loads(b'')\n"),
        ("ledger.a", "eval('1')\n"),
        ("ledger.a", "def f():\n    raise NotImplementedError\n"),
        ("ledger.a", "import subprocess\nsubprocess.run('x', shell=True)\n"),
        ("ledger.a", "try:\n    pass\nexcept (ValueError, Exception):\n    pass\n"),
        ("ledger.a", "try:\n    pass\nexcept:\n    pass\n"),
        ("ledger.a", "import base64\nbase64.b64decode('')\n"),
    ],
)
def test_planted_banned_code_is_found(name: str, source: str) -> None:
    assert breaches_in_code(Module(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ledger.clock", "import time\ntime.time()\n"),
        ("terminal.cli", "try:\n    print('x')\nexcept Exception:\n    pass\n"),
        ("ledger.a", "import time\ntime.monotonic()\nimport re\nre.compile('x')\n"),
        ("provisioning.people", "import random\nrandom.Random(7)\n"),
        ("ledger.a", "import subprocess\nsubprocess.run(['x'], shell=False)\n"),
        ("ledger.a", "try:\n    pass\nexcept BaseException:\n    x = 1\n    raise\n"),
    ],
)
def test_permitted_code_is_left_alone(name: str, source: str) -> None:
    assert breaches_in_code(Module(name, source)) == []


@pytest.mark.parametrize(
    "text",
    [
        "# TO" + "DO later",
        "see /wo" + "rk/x",
        "in /tm" + "p/x",
        "as ../sha" + "red says",
        "from https://py" + "pi.org/simple",
        "pip --index" + "-url=x",
        "x = 1  # type: " + "ignore",
        "KTP 62710155" + "01900001",
        "620101_010190" + "_0001",
    ],
)
def test_planted_banned_text_is_found(text: str) -> None:
    assert breaches_in_text("a.py", text)


def test_unassigned_numbers_and_hashes_are_left_alone() -> None:
    text = "6299010101900001 1761000000000000 a6201010101900001 0.6201010101900001 6271••••••••0003"
    assert breaches_in_text("a.md", text) == []


def test_a_long_function_and_a_drawer_are_found() -> None:
    body = "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX
    assert list(_too_long(Module("ledger.a", body))) == [
        "ledger/a.py:1: f has 51 lines, at most 50"
    ]
    assert catch_all_parts("ledger/date_utils.py") == {"utils"}
    assert catch_all_parts("ledger/usage.py") == set()


def _python_files() -> list[Module]:
    return [module_of(path) for path in kept_files() if path.suffix == ".py"]


def _too_long(module: Module) -> Iterator[str]:
    limits: dict[type[ast.stmt], int] = {
        ast.FunctionDef: FUNCTION_LINES_MAX,
        ast.AsyncFunctionDef: FUNCTION_LINES_MAX,
    }
    if module.name.split(".")[0] in PACKAGES:
        limits[ast.ClassDef] = CLASS_LINES_MAX
    for node in ast.walk(ast.parse(module.source)):
        limit = next((limits[kind] for kind in limits if isinstance(node, kind)), None)
        if limit and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limit:
                yield f"{module.path}:{node.lineno}: {node.name} has {lines} lines, at most {limit}"


def reached(roots: set[str], tree: dict[str, Module]) -> set[str]:
    """Names of the modules that these lead to, by import or by name in a text (``"a.b:app"``)."""
    alive: set[str] = set()
    waiting = [name for name in roots if name in tree]
    while waiting:
        name = waiting.pop()
        alive.add(name)
        targets = {found.target for found in imports_of(tree[name])}
        targets |= {target.rpartition(".")[0] for target in targets}
        targets |= set(re.findall(r"[\"']([a-z_]+(?:\.[a-z_]+)+)[:\"']", tree[name].source))
        targets |= {above for above in _above(targets) if above in tree}
        waiting += [target for target in targets if target in tree and target not in alive]
    return alive


def _above(names: set[str]) -> set[str]:
    return {name[: match.start()] for name in names for match in re.finditer(r"\.", name)}


def _starts_something(module: Module) -> bool:
    room = module.name.split(".")[0]
    return room in {"bench", "docs"} or module.name.endswith("__main__") or not house_is_whole()


def test_source_tree_is_read_from_the_root() -> None:
    assert (ROOT / "pyproject.toml").is_file()
    assert {module.name for module in modules()} >= set(PACKAGES)
