"""docs/spec/attacks.md names tests that are there, and at least one for every attack."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "spec" / "attacks.md"


def test_every_attack_names_tests_that_are_there() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()[7:]]
    rows = [row for row in rows if row[0].startswith("| ") and not row[0].startswith("| ---")]
    assert len(rows) >= 28
    for attack, _, tests in rows:
        named = re.findall(r"`([a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", tests)
        assert named, attack
        for file, name in named:
            assert name in functions(HERE / file), f"{attack}: {file}::{name}"


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
