"""A line between a terminal and the province that is thin, loses, cuts and is watched by a portal.

A real proxy on loopback that passes bytes of real connections on. What a network loses comes again
later: it is seen here as a pause in the stream, and where it does not come again, as a cut.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 256
AGAIN_SECONDS = 0.5
"""After which a lost chunk comes again."""
PORTAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 38\r\nConnection: close\r\n\r\n"
    b"<html><body>Silakan masuk</body></html>"
)
MOVED = (
    b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


@dataclass
class Line:
    """How the line is now; changed while it runs.

    Attributes:
        bytes_per_second: each way; 0 for as fast as it goes.
        losing: chance that a chunk has to come again, half a second later.
        cut_up: after so many bytes towards the province a connection is cut; None for never.
        cut_down: the same, towards the terminal.
        portal: what somebody answers in the province's place.
        carried: bytes that came through, up and down.
    """

    bytes_per_second: int = 0
    losing: float = 0
    cut_up: Callable[[], int | None] = lambda: None
    cut_down: Callable[[], int | None] = lambda: None
    portal: bytes | None = None
    url: str = ""
    carried: dict[str, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    chance: random.Random = field(default_factory=lambda: random.Random(1))


@contextmanager
def line_to(upstream: tuple[str, int], listening: socket.socket) -> Iterator[Line]:
    """Pass on what comes, until the block is left."""
    host, port = listening.getsockname()
    line = Line(url=f"http://{host}:{port}")
    stopped = threading.Event()
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not stopped.is_set():
            with suppress(OSError):
                near, _ = listening.accept()
                thread = threading.Thread(target=_serve, args=(line, near, upstream, stopped))
                thread.start()
                threads.append(thread)

    listening.settimeout(0.2)
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield line
    finally:
        stopped.set()
        for thread in (accepting, *threads):
            thread.join(10)
        listening.close()


def open_port() -> socket.socket:
    """A listening port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.2)
    return listening


def _serve(
    line: Line, near: socket.socket, upstream: tuple[str, int], stopped: threading.Event
) -> None:
    with near:
        near.settimeout(0.2)
        if line.portal is not None:
            with suppress(OSError):
                near.recv(65_536)
                near.sendall(line.portal)
            return
        try:
            far = socket.create_connection(upstream, timeout=5)
        except OSError:
            return
        with far:
            far.settimeout(0.2)
            ended = threading.Event()
            back = threading.Thread(
                target=_pass, args=(line, "down", (far, near), line.cut_down(), (stopped, ended))
            )
            back.start()
            _pass(line, "up", (near, far), line.cut_up(), (stopped, ended))
            back.join(10)


def _pass(
    line: Line,
    way: str,
    ends: tuple[socket.socket, socket.socket],
    cut: int | None,
    until: tuple[threading.Event, threading.Event],
) -> None:
    """One direction of one connection; whoever ends it ends both."""
    source, sink = ends
    passed = 0
    try:
        while not any(event.is_set() for event in until):
            try:
                data = source.recv(CHUNK)
            except TimeoutError:
                continue
            if not data:
                return
            if cut is not None and passed + len(data) > cut:
                sink.sendall(data[: cut - passed])
                return
            _take_time(line, data)
            sink.sendall(data)
            passed += len(data)
            line.carried[way] += len(data)
    except OSError:
        return
    finally:
        until[1].set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _take_time(line: Line, data: bytes) -> None:
    if line.losing and line.chance.random() < line.losing:
        time.sleep(AGAIN_SECONDS)
    if line.bytes_per_second:
        time.sleep(len(data) / line.bytes_per_second)
