"""The other programs, called by their command lines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from terminal.errors import DemoError

CALL_SECONDS = 120
STOP_SECONDS = 10
EMPTY: Mapping[str, str] = MappingProxyType({})
ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


def command(program: str, *words: str | Path) -> list[str]:
    """A command line of this installation's own console script."""
    return [str(Path(sys.executable).with_name(program)), *(str(word) for word in words)]


def call(program: str, *words: str | Path, may_refuse: bool = False) -> Any:
    """Run a program to its end and read the JSON it prints.

    Raises:
        DemoError: it failed, with its own sentence; or it printed no JSON.
    """
    try:
        done = subprocess.run(
            command(program, *words), capture_output=True, text=True, timeout=CALL_SECONDS,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode == 0 or (may_refuse and done.returncode == 1 and done.stdout):
            return json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"{program} could not be run: {error}") from error
    except (ValueError, IndexError) as error:
        raise DemoError(f"{program} {words[0]} did not report what it did") from error
    said = done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}"
    raise DemoError(f"{program} {words[0]}: {said.splitlines()[-1]}")


@dataclass(slots=True)
class Serving:
    """A program that serves until it is stopped.

    Attributes:
        ready: the one JSON line it printed when it was listening.
    """

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def stop(self) -> None:
        """End it as its own operator would."""
        self._end(signal.SIGTERM)

    def pull_plug(self) -> None:
        """Kill -9: nothing of it gets a last word."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def serve(
    program: str, *words: str | Path, log: Path, environment: Mapping[str, str] = EMPTY
) -> Serving:
    """Start a serving program and wait for its ready line.

    It is told to end when the thread that starts it ends, so that a killed demo leaves nothing
    behind: call this from a thread that lives as long as the demo.

    Args:
        program: a console script.
        words: what to tell it.
        log: what it complains of is kept there.
        environment: what it needs beside our own.

    Raises:
        DemoError: it ended before it was ready.
    """
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(  # the caller stops it
            [*ENDS_WITH_US, *command(program, *words)], stdout=subprocess.PIPE, stderr=errors,
            text=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment},
        )  # fmt: skip
    line = process.stdout.readline() if process.stdout else ""
    try:
        return Serving(process, json.loads(line))
    except ValueError:
        process.kill()
        process.wait()
        said = log.read_text(encoding="utf-8").strip().splitlines()
        why = said[-1] if said else "it said nothing"
        raise DemoError(f"{program} {words[0]} did not start: {why}") from None
