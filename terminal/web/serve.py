"""Serve the page on loopback until the process is told to stop."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from ledger.errors import LedgerError
from terminal.day_desk import DayDesk
from terminal.errors import TerminalError
from terminal.web.answers import Served
from terminal.web.app import create_app
from terminal.web.chips import ChipDesk

LOOPBACK = "127.0.0.1"
IN_BOX_SECONDS = 1.0
_STOP_SECONDS = 2

_log = logging.getLogger(__name__)


class CannotListenError(TerminalError):
    """The port cannot be had."""


class Serving(Served, Protocol):
    """A counter that also looks into its in-box."""

    def take_in_box(self) -> object:
        """Verify and install what was brought."""
        ...

    def let_go(self) -> None:
        """Keep nobody's name in memory once the day is closed."""
        ...


def serve(
    counter: Serving,
    *,
    port: int,
    token: str,
    ready: Callable[[int], None],
    embed: str | None = None,
    chips: ChipDesk | None = None,
    day: DayDesk | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then return, with every answer given.

    Args:
        counter: the opened terminal.
        port: on loopback; 0 for any free one.
        token: random for this start.
        ready: called once with the bound port, when requests are taken.
        embed: the one origin that may frame the page.
        chips: the card reader of this counter; None for none.
        day: opens and closes the day; None where the system keeps no folder in memory.

    Raises:
        CannotListenError: the port is taken or not allowed.
    """
    bound = _Bound()

    def listening(at: int) -> None:
        bound.app = create_app(counter, port=at, token=token, embed=embed, chips=chips, day=day)
        ready(at)

    config = uvicorn.Config(
        bound,
        host=LOOPBACK,
        port=port,
        lifespan="off",
        log_config=None,
        log_level="critical",  # the edge logs what goes wrong; the port is told by our own error
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    with _watching_in_box(counter), chips.watching() if chips else contextlib.nullcontext():
        try:
            _Server(config, listening).run()
        except SystemExit as error:
            raise CannotListenError(
                f"cannot listen on {LOOPBACK}:{port}; choose another --port, or 0 for a free one"
            ) from error


class _Bound:
    """The page is made once the port is known, since its doors are named after it."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is not None:
            await self.app(scope, receive, send)


class _Server(uvicorn.Server):
    """Tells its port, and takes a signal as an order to end well, not to die of it."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def main_loop(self) -> None:
        """Begins when requests are taken."""
        self._listening(self.servers[0].sockets[0].getsockname()[1])
        await super().main_loop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask the server to end; unlike uvicorn's own, do not raise the signal once more."""
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _watching_in_box(counter: Serving) -> Iterator[None]:
    """Look into the in-box every second, so that what is brought is served by at once."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(IN_BOX_SECONDS):
            try:
                counter.take_in_box()
                counter.let_go()
            except LedgerError as error:
                _log.warning("the in-box was left as it is: %s", error)

    thread = threading.Thread(target=watch, name="in-box", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_SECONDS)
