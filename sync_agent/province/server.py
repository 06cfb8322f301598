"""Serving: one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from sync_agent.errors import ProvinceError
from sync_agent.province.app import create_app
from sync_agent.province.doors import DeskKey
from sync_agent.province.province import Province

REQUESTS_AT_ONCE = 4_000
"""Connections; one beyond is told to come back later."""
GRACE_SECONDS = 5
BACKLOG = 2_048


@dataclass(frozen=True, slots=True)
class Ready:
    """Where it listens: the intake's URL, and the desk's with this start's token."""

    url: str
    desk: str


class Serving(uvicorn.Server):
    """A server that says when it listens, and ends with exit code 0 when it is told to."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end serving; unlike uvicorn's own, they are not raised again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kinds = (signal.SIGTERM, signal.SIGINT)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


def prepare(
    province: Province, *, host: str, port: int, on_ready: Callable[[Ready], None]
) -> tuple[Serving, socket.socket]:
    """A server and the socket it will listen on; ``run`` starts it.

    Raises:
        ProvinceError: the address cannot be listened on.
    """
    tls = _tls(province.folder.certificate)
    listening = _listen(host, port)
    bound = listening.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    desk = DeskKey(port=bound, secure=bool(tls))
    url = f"{'https' if tls else 'http'}://{name}:{bound}"
    ready = Ready(url, f"{url}/desk?token={desk.token}")
    loopback = {f"{own}:{bound}" for own in (name, "127.0.0.1", "localhost", "[::1]")}
    hosts = frozenset(loopback) | frozenset(province.folder.config.hosts)
    config = uvicorn.Config(
        create_app(province, desk=desk, hosts=hosts),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=REQUESTS_AT_ONCE,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **tls,
    )
    return Serving(config, lambda: on_ready(ready)), listening


def run(server: Serving, listening: socket.socket) -> None:
    """Serve until stopped."""
    try:
        asyncio.run(server.serve(sockets=[listening]))
    finally:
        listening.close()


def _tls(certificate: tuple[Path, Path] | None) -> dict[str, Any]:
    """What uvicorn needs to speak TLS (1.2 or newer); nothing where a proxy does."""
    if certificate is None:
        return {}
    chain, key = certificate
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    except (OSError, ssl.SSLError) as error:
        raise ProvinceError(
            f"cannot speak TLS with {chain} and {key}: {error.strerror or error}; make them with"
            " deploy/make-province-certificate"
        ) from error
    return {"ssl_certfile": str(chain), "ssl_keyfile": str(key)}


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on and every answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ProvinceError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from error
    return listening
