"""What the house forbids in code and text: the tables, and how a breach of them is found."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from tests.source_tree import Module, covers

COMMANDS = ("*/cli.py", "*/cli/*.py")

# Where anything that goes wrong may be caught, since a process or a request ends.
PROCESS_EDGES = {
    "*/cli.py": "a command's end: a defect is told in one line",
    "*/cli/*.py": "the same, where a command fills a folder",
    "terminal/web/edge.py": "a request's end: the counter's page answers and serves on",
    "sync_agent/province/edge.py": "a request's end: the province answers and serves on",
}


@dataclass(frozen=True, slots=True)
class Call:
    """Names that the five packages may not use, what to use instead, and where they may."""

    names: tuple[str, ...]
    instead: str
    but: tuple[str, ...] = ()


CALLS = (
    Call(("print",), "typer.echo in a command; elsewhere return the value", COMMANDS),
    Call(
        (
            *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"),
            *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
            *("datetime.date.today", "datetime.datetime.utcfromtimestamp"),
        ),
        "a time argument; ledger.clock reads the clock",
        ("ledger/clock.py", *COMMANDS),
    ),
    Call(
        ("random", "numpy.random"),
        "secrets, or an argument; chance by seed is for made-up people",
        (
            *("provisioning/demo.py", "provisioning/people.py", "provisioning/places.py"),
            *("terminal/demo/*", "terminal/demo.py"),
        ),
    ),
    Call(("os.urandom", "uuid.uuid1", "uuid.uuid4"), "secrets.token_bytes"),
    Call(("pickle", "marshal", "shelve"), "canonical CBOR"),
    Call(("eval", "exec", "__import__"), "a table of functions"),
    Call(("os.system", "os.popen"), "subprocess.run with a list"),
    Call(("tempfile.mktemp",), "tempfile.mkstemp in the folder of the final file"),
    Call(("NotImplementedError",), "a Protocol, or the work itself"),
    Call(
        (
            *("base64.b64decode", "base64.urlsafe_b64decode", "base64.standard_b64decode"),
            *("base64.b32decode", "base64.b16decode", "binascii.a2b_base64"),
            *("datetime.datetime.fromisoformat", "datetime.date.fromisoformat"),
        ),
        "a strict reader of card_codec, which re-encodes and compares",
        ("card_codec/*",),
    ),
)

CATCH_ALL_WORDS = frozenset(
    {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
)

MARKS_OF_UNFINISHED_WORK = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3))


@dataclass(frozen=True, slots=True)
class Text:
    """A pattern that no kept file may hold, and why."""

    pattern: str
    why: str
    files: str = "*"


TEXTS = (
    Text(rf"\b({MARKS_OF_UNFINISHED_WORK})\b", "finish it, or open an issue"),
    Text(r"(?<![\w.~-])/" r"work/", "a path of one machine; derive it or take it as an argument"),
    Text(r"(?<![\w.~$}-])/" r"tmp/", "a path of one machine; tmp_path in tests, tempfile in code"),
    Text(r"\.\./" r"shared\b", "lies outside the project; say it here in its own words"),
    Text(
        r"\b(pypi\.org|python" r"hosted\.org)\b",
        "where packages come from is the machine's own choice",
    ),
    Text(
        r"(?<![\w-])--(extra-)?index" r"-url\b",
        "where packages come from is the machine's own choice",
    ),
    Text(r"#\s*type:\s*ignore(?!\[)", "name the error code that is ignored", "*.py"),
)

# 16 digits laid out as a NIK or KK number: province, kabupaten, kecamatan, day (women + 40), month,
# year, serial.
NUMBER_OF_A_PERSON = re.compile(
    r"(?<![\w.])(?:1[1-9]|2[1-9]|[3-8]\d|9[1-9])\d{4}"
    r"(?:[04][1-9]|[1256]\d|[37][01])(?:0[1-9]|1[0-2])\d{6}(?!\w)"
)
UNASSIGNED_REGION = "6299"


def breaches_in_code(module: Module) -> list[str]:
    """Every use of a banned name, blanket ``except`` and shell in a module."""
    tree = ast.parse(module.source)
    names = _names_bound_by_imports(tree)
    found = [
        f"{module.path}:{line}: {name}; use {ban.instead}"
        for line, name in _used_names(tree, names)
        for ban in CALLS
        if any(covers(banned, name) for banned in ban.names) and not _matches(module.path, ban.but)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node):
            if not _passes_on(node) and not _matches(module.path, tuple(PROCESS_EDGES)):
                found.append(f"{module.path}:{node.lineno}: catches everything; name the errors")
        elif isinstance(node, ast.keyword) and node.arg == "shell" and not _is_false(node.value):
            found.append(f"{module.path}:{node.lineno}: shell=True; pass a list")
    return sorted(set(found))


def breaches_in_text(path: str, text: str) -> list[str]:
    """Every banned pattern in a kept file, and every number that could be a living person's."""
    found = [
        f"{path}:{_line(text, match.start())}: {match.group()!r}: {ban.why}"
        for ban in TEXTS
        if fnmatch(path, ban.files)
        for match in re.finditer(ban.pattern, text)
    ]
    plain = re.sub(r"(?<=\d)_(?=\d)", "", text)
    found += [
        f"{path}:{_line(plain, match.start())}: {match.group()[:4]}… looks like a person's number;"
        f" test people have {UNASSIGNED_REGION}…"
        for match in NUMBER_OF_A_PERSON.finditer(plain)
        if not match.group().startswith(UNASSIGNED_REGION)
    ]
    return found


def catch_all_parts(path: str) -> set[str]:
    """The words of a path under which anything could be filed."""
    stems = (PurePosixPath(part).stem for part in PurePosixPath(path).parts)
    return {word for stem in stems for word in stem.split("_")} & CATCH_ALL_WORDS


def _names_bound_by_imports(tree: ast.Module) -> dict[str, str]:
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return bound


def _used_names(tree: ast.Module, bound: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Every name that is read, in full: after ``import time as t``, ``t.time`` is ``time.time``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            dotted = _dotted(node)
            if dotted:
                first, _, rest = dotted.partition(".")
                full = bound.get(first, first)
                yield node.lineno, f"{full}.{rest}" if rest else full


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return base and f"{base}.{node.attr}"
    return None


def _catches_all(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        isinstance(one, ast.Name) and one.id in {"Exception", "BaseException"} for one in caught
    )


def _passes_on(node: ast.ExceptHandler) -> bool:
    """Whether the handler ends by raising what it caught: it clears away and hides nothing."""
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
