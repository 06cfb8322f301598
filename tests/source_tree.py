"""What the repository holds: the files git would keep, the modules in them, what they import."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("card_codec", "ledger", "terminal", "sync_agent", "provisioning")
NOT_KEPT = {"__pycache__", "demo-data", "dist", "out"}


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file of the five packages, or a text that stands in for one in a self-check."""

    name: str
    source: str
    is_package: bool = False

    @property
    def path(self) -> str:
        stem = self.name.replace(".", "/")
        return f"{stem}/__init__.py" if self.is_package else f"{stem}.py"


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports, in full: ``from a.b import c`` is ``a.b.c``."""

    target: str
    line: int


@cache
def kept_files() -> tuple[Path, ...]:
    """Every file git has or would take, under the root; without git, what is not made here."""
    git = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    own = git.returncode == 0 and (ROOT / ".git").exists()
    found = git.stdout.split("\0") if own else map(str, _walk(ROOT))
    return tuple(sorted(Path(name) for name in found if name and (ROOT / name).is_file()))


def kept_texts() -> Iterator[tuple[Path, str]]:
    """Path and content of every kept file that is text."""
    for path in kept_files():
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the five packages."""
    return tuple(
        module_of(path)
        for path in kept_files()
        if path.suffix == ".py" and path.parts[0] in PACKAGES
    )


def module_of(path: Path) -> Module:
    """The module that lies at this path under the root."""
    is_package = path.name == "__init__.py"
    parts = path.parts[:-1] if is_package else (*path.parts[:-1], path.stem)
    return Module(".".join(parts), (ROOT / path).read_text(encoding="utf-8"), is_package)


@cache
def imports_of(module: Module) -> tuple[Import, ...]:
    """Everything a module imports anywhere in it, inside functions and type checks too."""
    found = []
    for node in ast.walk(ast.parse(module.source)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            found += [Import(f"{base}.{alias.name}", node.lineno) for alias in node.names]
    return tuple(found)


def covers(name: str, inner: str) -> bool:
    """Whether ``inner`` is ``name`` or lies under it."""
    return inner == name or inner.startswith(name + ".")


@cache
def project() -> dict[str, Any]:
    """The content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def console_scripts() -> dict[str, str]:
    """Command name to the module that holds it."""
    scripts: dict[str, str] = project()["project"]["scripts"]
    return {command: target.partition(":")[0] for command, target in scripts.items()}


@cache
def house_is_whole() -> bool:
    """Whether all five commands are written; until then a rule may name what is still to come."""
    present = {module.name for module in modules()}
    return set(console_scripts().values()) <= present


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parents = module.name.split(".")
    kept = len(parents) - node.level + (1 if module.is_package else 0)
    return ".".join([*parents[:kept], *([node.module] if node.module else [])])


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        hidden = path.name.startswith(".") and path.name not in {".ci", ".gitignore"}
        if hidden or path.name in NOT_KEPT or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path.relative_to(ROOT)
