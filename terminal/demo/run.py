"""``betang-terminal demo``: start what was prepared, show the page, and stop everything again."""

from __future__ import annotations

import fcntl
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from terminal.demo.app import create_app
from terminal.demo.prepare import AWAY_HOUSEHOLDS, Report, Say
from terminal.demo.programs import call
from terminal.demo.stage import Stage
from terminal.errors import DemoError

HOST = "127.0.0.1"
PORT_FIRST = 8620
PORTS = 20


def run_demo(folder: Path, report: Report, *, say: Say) -> None:
    """Serve the demo until Ctrl-C or SIGTERM; every process started here is stopped again.

    Args:
        folder: where everything of the demo is kept.
        report: what was prepared there.
        say: takes one line at a time: the URL, the folder, how to stop.

    Raises:
        DemoError: a program could not be driven.
    """
    listening = _listen()
    url = f"http://{HOST}:{listening.getsockname()[1]}"
    with _alone(folder / "running", url):
        _run(folder, report, listening, say=say, url=url)


def _run(folder: Path, report: Report, listening: socket.socket, *, say: Say, url: str) -> None:
    stage = Stage(folder.resolve(), report, embed=url)
    stage.start()
    try:
        kept = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
        shown = {
            "drawer": kept["drawer"],
            "chips": kept["chips"],
            "away": AWAY_HOUSEHOLDS,
            "without_card": _without_card(report),
        }
        app = create_app(stage, homes=kept["homes"], shown=shown)
        say(f"Open   {url}")
        say(f"Data   {folder}  (delete it to begin anew)")
        say("Stop   Ctrl-C")
        # uvicorn ends well on a signal and then raises it once more: here, that is the end wanted.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        config = uvicorn.Config(app, log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        stage.stop()


@contextmanager
def _alone(lock: Path, url: str) -> Iterator[None]:
    """One demo at a time serves a folder; the lock is let go with the process."""
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise DemoError(f"a demo runs on {lock.parent} already: {file.read()}") from error
        file.truncate(0)
        file.write(url)
        file.flush()
        yield


def _without_card(report: Report) -> str:
    """The KK number of the drawer's first family, invented anew and never kept."""
    household = report["cards"][0]["household"]
    words = ("--office", report["office"], "--household", household, "--json")
    return str(call("betang-provision", "numbers", *words)[0]["number"])


def _listen() -> socket.socket:
    """A port of this machine's own: the first free one from 8620, else any."""
    for port in (*range(PORT_FIRST, PORT_FIRST + PORTS), 0):
        # Named TCP, so that asyncio sends small answers at once instead of after 40 ms.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen()
        except OSError:
            listening.close()
            continue
        return listening
    raise OSError("no free port on 127.0.0.1")
