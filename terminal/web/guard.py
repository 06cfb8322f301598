"""Who may speak to the page: this machine's own browser, with the token of this start.

A page of another site that guesses the port is refused by Host, Origin and cookie; what it could
show inside itself is refused by the content security policy.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from terminal.web.page import STOP_STYLE

PICTURE_BYTES_MAX = 8 * 1024 * 1024
_FORM_BYTES = 64 * 1024
_BODY_BYTES_MAX = 64 * 1024
# A body that is too large is read to its end, so that the browser hears why; up to this.
_DRAIN_BYTES_MAX = 64 * 1024 * 1024

Refuse = Callable[[Scope, int, str], Response]


@dataclass(frozen=True, slots=True)
class Door:
    """What a request must bring.

    Attributes:
        port: where the page listens on loopback.
        token: random for each start; stands in the address the terminal shows.
        embed: the one other origin that may frame the page and type into it, or None.
        session: what the cookie must hold; never the token itself.
    """

    port: int
    token: str
    embed: str | None = None
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        """Cookies know no ports, so the name carries it."""
        return f"betang-{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """What may stand in ``Host``."""
        return frozenset({f"127.0.0.1:{self.port}", f"localhost:{self.port}"})

    def is_token(self, token: str) -> bool:
        """Compare in constant time."""
        return secrets.compare_digest(token.encode(), self.token.encode())

    def is_session(self, cookies: str) -> bool:
        """Whether a ``Cookie`` header holds this start's session."""
        try:
            morsel = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and secrets.compare_digest(
            morsel.value.encode(), self.session.encode()
        )

    def policy(self) -> str:
        """The content security policy."""
        framed_by = self.embed or "'none'"
        stop_style = b64encode(hashlib.sha256(STOP_STYLE.encode()).digest()).decode()
        return (
            "default-src 'none'; script-src 'self'; font-src 'self'; "
            f"style-src 'self' 'sha256-{stop_style}'; "
            "img-src 'self' data: blob:; connect-src 'self'; media-src 'self' blob:; "
            "form-action 'self'; base-uri 'none'; "
            f"frame-ancestors {framed_by}"
        )


class Guard:
    """ASGI middleware: nothing behind it sees a request that does not belong to this counter."""

    def __init__(self, app: ASGIApp, door: Door, refuse: Refuse) -> None:
        self._app = app
        self._door = door
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body read and limited."""
        if scope["type"] != "http":
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(MutableHeaders(scope=message))
            await send(message)

        status = self._fault(scope)
        if status is not None:
            await self._refuse(scope, status, "e.token")(scope, receive, send_marked)
            return
        body = await read_body(receive, _limit(scope["path"]))
        if body is None:
            key = "e.too_big" if scope["path"] == "/picture" else "e.request"
            await self._refuse(scope, 413, key)(scope, receive, send_marked)
            return
        await self._app(scope, _once(body, receive), send_marked)

    def _fault(self, scope: Scope) -> int | None:
        """The status to refuse with, or None."""
        headers, door = Headers(scope=scope), self._door
        host = headers.get("host", "")
        if host not in door.hosts:
            return 421
        if scope["method"] not in {"GET", "HEAD"} and headers.get("origin") != f"http://{host}":
            return 403
        if scope["path"] == "/" and _brings_token(scope):
            return None
        return None if door.is_session(headers.get("cookie", "")) else 403

    def _mark(self, headers: MutableHeaders) -> None:
        headers["Content-Security-Policy"] = self._door.policy()
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
        if self._door.embed is None:
            headers["X-Frame-Options"] = "DENY"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None if it has more than `limit` bytes (it is then read on and dropped)."""
    chunks: list[bytes] = []
    size = 0
    more = True
    while more and size <= _DRAIN_BYTES_MAX:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks) if size <= limit else None


def _limit(path: str) -> int:
    return PICTURE_BYTES_MAX + _FORM_BYTES if path == "/picture" else _BODY_BYTES_MAX


def _brings_token(scope: Scope) -> bool:
    return "token" in parse_qs(scope["query_string"].decode("latin-1"))


def _once(body: bytes, receive: Receive) -> Receive:
    """The body as one message; after it, whatever the connection says."""
    waiting = [body]

    async def receive_body() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return receive_body
