"""The program that serves the page: says when it is ready, ends when told, looks in its in-box."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ledger.folder import TerminalFolder
from tests.source_tree import ROOT
from tests.world import World

pytestmark = pytest.mark.integration


@contextmanager
def served(folder: TerminalFolder, *, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    program = subprocess.Popen(
        [sys.executable, "-m", "terminal.cli", "serve", "--config", str(folder.root),
         "--port", str(port)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def ready_url(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    told = json.loads(program.stdout.readline())
    assert told["ready"] is True
    return str(told["url"])


def test_ready_line_leads_to_the_page_and_sigterm_ends_well(tmp_path: Path) -> None:
    with served(World(tmp_path).terminal("loket1")) as program:
        url = ready_url(program)
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client(follow_redirects=True) as client:
            assert "data-programme" in client.get(url).text
        program.send_signal(signal.SIGTERM)
        rest, complaints = program.communicate(timeout=10)
        assert (program.returncode, rest, complaints) == (0, "", "")


def test_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with served(World(tmp_path).terminal("loket1"), port=port) as program:
            _, complaint = program.communicate(timeout=10)
    assert program.returncode == 1
    assert complaint.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in complaint


def test_ledger_that_is_brought_while_serving_is_served_by(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.clock.wall = int(time.time())
    folder = world.terminal("loket1")
    world.household("one")
    with served(folder) as program, httpx.Client(follow_redirects=True) as client:
        page = client.get(ready_url(program))
        assert client.get(page.url.join("/state")).json()["state"]["ledger_version"] is None
        world.publish()
        world.bring(folder)
        give_up = time.monotonic() + 10
        while client.get(page.url.join("/state")).json()["state"]["ledger_version"] is None:
            assert time.monotonic() < give_up, "what was brought was not taken in"
            time.sleep(0.1)
