"""Run a command's main function in this process, as its console script would."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Told:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> Any:
        """Its one JSON line."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one sentence of an error; nothing else may have been said."""
        assert self.out == "", self.out
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


@dataclass(frozen=True)
class Command:
    """A console script to run."""

    main: Callable[[], None]
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Told:
        self.monkeypatch.setattr(sys, "argv", ["betang", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            self.main()
        said = self.capsys.readouterr()
        code = ended.value.code
        return Told(code if isinstance(code, int) else 1, said.out, said.err)


def contents(folder: Path) -> dict[str, bytes | str]:
    """Every file under a folder; of a link, where it leads."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
