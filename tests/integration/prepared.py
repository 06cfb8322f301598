"""A demo as ``--prepare-only`` makes it, and the programs called by their command lines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Report = dict[str, Any]
BUSY_S = 240
"""A command on a machine that others use too."""


def betang(program: str, *words: str | int | Path) -> subprocess.CompletedProcess[str]:
    """Run a console script to its end."""
    command = [str(Path(sys.executable).with_name(program)), *(str(word) for word in words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUSY_S,
        stdin=subprocess.DEVNULL,
    )


def report_of(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON a command printed, on its one line."""
    return json.loads(done.stdout)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One copy of the prepared world, its own to change."""

    folder: Path
    report: Report

    def counter(self, number: int) -> Path:
        return self.folder / f"counter{number}" / "terminal.toml"

    @property
    def province(self) -> Path:
        return self.folder / "province" / "province.toml"

    @property
    def trust(self) -> Path:
        return self.folder / "trust.khb"

    def cards(self, status: str, kind: str = "card") -> list[Report]:
        """Cards of one status, in the order of the report."""
        return [c for c in self.report["cards"] if c["status"] == status and c["kind"] == kind]

    def redeem(
        self, number: int, card: Report, programme: str = "pangan", *words: str | Path
    ) -> tuple[int, Report]:
        """Show a card at a counter: the exit code, and what the command reports."""
        shown = ("--text", card["text"], "--programme", programme, "--json")
        done = betang("betang-terminal", "redeem", "--config", self.counter(number), *shown, *words)
        assert done.stderr == "", done.stderr
        return done.returncode, report_of(done)

    def sync(self, number: int, road: str) -> Report:
        """One run of a terminal's agent over a road."""
        config = self.counter(number)
        done = betang("betang-sync", "once", "--config", config, "--with", road, "--json")
        assert done.returncode == 0, done.stderr
        answer: Report = report_of(done)
        return answer

    def cases(self) -> list[Report]:
        """What the province found."""
        done = betang("betang-sync", "province", "cases", "--config", self.province, "--json")
        found: list[Report] = report_of(done)
        return found

    def fsck(self, number: int) -> Report:
        """A counter's journal, derived anew."""
        config = self.counter(number)
        checked: Report = report_of(betang("betang-ledger", "fsck", "--config", config, "--json"))
        return checked

    @contextmanager
    def open_province(self) -> Iterator[str]:
        """Serve the province; gives its URL."""
        program = str(Path(sys.executable).with_name("betang-sync"))
        words = ["province", "serve", "--config", str(self.province), "--port", "0", "--json"]
        process = subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["ready"] is True
            yield ready["url"]
        finally:
            process.terminate()
            code = process.wait(20)
            process.stdout.close()
        assert code == 0, "SIGTERM ends the province with exit code 0"


def prepare(folder: Path, *, seed: int) -> Prepared:
    """Make a demo without serving it."""
    words = ["demo", "--dir", str(folder), "--prepare-only", "--seed", str(seed), "--json"]
    done = betang("betang-terminal", *words)
    assert done.returncode == 0, done.stderr
    return Prepared(folder, report_of(done))


def copy(prepared: Prepared, folder: Path) -> Prepared:
    """The same world once more, to be changed."""
    shutil.copytree(prepared.folder, folder)
    return Prepared(folder, prepared.report)
