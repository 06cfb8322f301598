"""Find the test vectors under docs/spec/vectors: one test for each file."""

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "docs" / "spec" / "vectors"


def cases(spec: str, kind: str) -> list[Any]:
    """The vectors of one spec, `kind` being valid or invalid, as parameters of a test."""
    paths = sorted((VECTORS / spec / kind).glob("*.json"))
    if not paths:
        raise FileNotFoundError(f"no {kind} vectors of {spec}")
    return [pytest.param(_load(path), id=path.stem) for path in paths]


def _load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    outcome = "expected" if path.parent.name == "valid" else "expected_error"
    if case.keys() != {"name", "description", "input", outcome} or case["name"] != path.stem:
        raise ValueError(f"{path} is not a test vector")
    return case
