"""`betang-provision` called as its console script does."""

import json
from collections.abc import Callable
from typing import Any

Run = Callable[..., tuple[int, str, str]]
"""Words of the command to exit code, stdout, stderr."""


def report(answer: tuple[int, str, str]) -> Any:
    """The JSON of a command that did what it was asked."""
    code, out, err = answer
    assert (code, err) == (0, ""), err
    return json.loads(out)
