"""A counter's page served on loopback in this process, for a browser or a plain client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from terminal.day_desk import DayDesk
from terminal.web.answers import Served
from terminal.web.app import create_app
from terminal.web.chips import ChipDesk

TOKEN = "token-of-this-start"
_STARTS_SECONDS = 10.0


@dataclass(frozen=True)
class Page:
    """Where a counter's page is."""

    port: int
    url: str

    @property
    def entry(self) -> str:
        """The address that the terminal shows: with its token."""
        return f"{self.url}/?token={TOKEN}"


@contextmanager
def serving(
    counter: Served,
    *,
    done_milliseconds: int = 0,
    embed: str | None = None,
    chips: ChipDesk | None = None,
    day: DayDesk | None = None,
) -> Iterator[Page]:
    """Serve until the block is left. What is recorded stays on screen unless told otherwise."""
    port = free_port()
    app = create_app(
        counter,
        port=port,
        token=TOKEN,
        embed=embed,
        done_milliseconds=done_milliseconds,
        chips=chips,
        day=day,
    )
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + _STARTS_SECONDS
    while not server.started:
        if time.monotonic() > give_up:
            raise TimeoutError("the page did not start")
        time.sleep(0.01)
    try:
        yield Page(port, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(_STARTS_SECONDS)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
