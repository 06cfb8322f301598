"""Doors: who may come in, how often, and how much they may carry.

Checked before any route runs: the Host header (a page elsewhere that resolves a name to this
machine is turned away), the Origin of anything that writes, and the size a body says it has.
Every answer leaves with the province's mark and with headers that keep a browser strict.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import threading
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.roll import Terminal
from sync_agent.batch import BATCH_SIZE_MAX
from sync_agent.errors import IntakeRefusedError
from sync_agent.messages import BATCH_TYPE, MARK
from sync_agent.province.installed import Installed

BODY_SECONDS = 300
"""A batch of 500 entries takes a minute at 8 kbit/s."""
REQUESTS_A_MINUTE = 600
CALLERS_MAX = 10_000
TOKEN_BYTES = 24
SAFE_METHODS = frozenset({"GET", "HEAD"})
STRICT_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; script-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    MARK: "1",
}


class Doorkeeper:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Turn away, or let in and mark the answer."""
        if scope["type"] != "http":
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in STRICT_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        answer: ASGIApp = self._app if refusal is None else problem(refusal)
        await answer(scope, receive, marked)

    def _refusal(self, scope: Scope) -> IntakeRefusedError | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return IntakeRefusedError(421, "wrong_host", "this address is not one of the province")
        if scope["method"] not in SAFE_METHODS:
            origin = headers.get("origin")
            if origin is not None and origin.partition("://")[2] != host:
                return IntakeRefusedError(403, "wrong_origin", "a page of another site sent this")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal() and len(length) < 16):
            return IntakeRefusedError(400, "malformed", "the length of the body is not a number")
        if int(length) > BATCH_SIZE_MAX or (
            int(length) and headers.get("content-encoding", "identity") != "identity"
        ):
            return IntakeRefusedError(
                413, "too_large", f"a body has at most {BATCH_SIZE_MAX} bytes, sent as they are"
            )
        if headers.get("transfer-encoding") is not None:
            return IntakeRefusedError(411, "no_length", "send the length of the body")
        return None


class Rate:
    """At most so many requests a minute from one caller."""

    def __init__(self, monotonic: Callable[[], float], most: int = REQUESTS_A_MINUTE) -> None:
        self._monotonic = monotonic
        self._most = most
        self._counts: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def count(self, caller: str) -> None:
        """Count one request.

        Raises:
            IntakeRefusedError: there were too many in this minute.
        """
        minute = int(self._monotonic()) // 60
        with self._lock:
            began, count = self._counts.get(caller, (minute, 0))
            count = count + 1 if began == minute else 1
            if len(self._counts) >= CALLERS_MAX and caller not in self._counts:
                self._counts.clear()
            self._counts[caller] = (minute, count)
        if count > self._most:
            raise IntakeRefusedError(
                429, "too_many", f"more than {self._most} requests in a minute; wait a minute"
            )


class DeskKey:
    """The random token of one start: in the URL once, then in a cookie."""

    def __init__(self, *, port: int, secure: bool = False) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.secure = secure
        self.cookie = f"khb-desk-{port}"

    def opened_by(self, given: str | None) -> bool:
        """Whether this is the token, compared in constant time."""
        return given is not None and hmac.compare_digest(
            given.encode("utf-8", "replace"), self.token.encode()
        )

    def admits(self, request: Request) -> bool:
        """Whether a request carries the cookie, or the token as a bearer."""
        return self.opened_by(request.cookies.get(self.cookie)) or self.opened_by(bearer(request))


def bearer(request: Request) -> str | None:
    """The bearer token of a request."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def terminal_at(request: Request, installed: Installed, rate: Rate) -> Terminal:
    """The enrolled terminal whose road token a request carries.

    Raises:
        IntakeRefusedError: no token, an unknown one, a terminal shut out, or too many requests.
    """
    token = bearer(request)
    try:
        if token is None:
            raise IntakeRefusedError(401, "no_token", "send the terminal's road token")
        door = installed.door(token)
    except IntakeRefusedError:
        rate.count(f"unknown {request.client.host if request.client else ''}")
        raise
    rate.count(f"{door.terminal} {door.epoch}")
    return installed.terminal(door.terminal, door.epoch)


def declared_length(request: Request) -> int:
    """Bytes that the body of a request says it has; the doorkeeper has seen that it is a number."""
    return int(request.headers.get("content-length", "0"))


async def batch_body(request: Request) -> bytes:
    """The body of an upload, whole or not at all.

    Raises:
        IntakeRefusedError: another kind of content, too much, too slow, or broken off.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != BATCH_TYPE:
        raise IntakeRefusedError(415, "wrong_type", f"a batch is sent as {BATCH_TYPE}")
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > BATCH_SIZE_MAX:
                    raise IntakeRefusedError(413, "too_large", "the batch is too large")
    except TimeoutError as error:
        raise IntakeRefusedError(
            408, "too_slow", "the batch came too slowly; send it again"
        ) from error
    except ClientDisconnect as error:
        raise IntakeRefusedError(400, "broken_off", "the batch broke off") from error
    return bytes(data)


def problem(refusal: IntakeRefusedError) -> Response:
    """The one shape in which the province says no."""
    content: dict[str, object] = {"error": refusal.code, "detail": refusal.detail}
    if refusal.size is not None:
        content["size"] = refusal.size
    return JSONResponse(content, status_code=refusal.status)
