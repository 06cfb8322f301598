"""A counter with many families, and child processes that serve them until they are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ledger.folder import TerminalFolder
from tests.source_tree import ROOT
from tests.world import World


@dataclass
class Town:
    """A world with one counter whose ledger is installed, and the cards of its families."""

    world: World
    folder: TerminalFolder
    cards: dict[str, str]


def make_town(folder: Path, *, families: int) -> Town:
    """Enrol, list, issue, publish, bring and install."""
    world = World(folder)
    terminal = world.terminal("Satu")
    ids = [world.household(f"keluarga {n}") for n in range(families)]
    cards = {id.hex(): world.card(id) for id in ids}
    world.publish()
    world.bring(terminal)
    counter = world.counter(terminal)
    assert counter.take_in_box().problem is None
    counter.close()
    return Town(world, terminal, cards)


@dataclass
class Child:
    """A process at work. What it said before it ended is kept."""

    process: subprocess.Popen[str]

    def tell(self, work: object) -> None:
        """Let it begin."""
        pipe(self.process.stdin).write(json.dumps(work) + "\n")
        pipe(self.process.stdin).flush()

    def kill(self) -> list[str]:
        """Kill it -9; all the whole lines it had said."""
        self.process.send_signal(signal.SIGKILL)
        return self.rest()

    def rest(self) -> list[str]:
        """What it says until it ends."""
        told = pipe(self.process.stdout).read()
        self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout):
            pipe(stream).close()
        return [line.strip() for line in told.splitlines(keepends=True) if line.endswith("\n")]


def start(task: str, folder: Path, *, prefix: tuple[str, ...] = ()) -> Child:
    """A child that has opened its counter and waits to be told."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.crash.redeemer", task, str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert pipe(process.stdout).readline() == "ready\n"
    return Child(process)


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
