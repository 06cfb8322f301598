"""The edge of a request: whatever goes wrong becomes one answer of one shape; serving goes on."""

from __future__ import annotations

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from card_codec.errors import CardCodecError
from ledger.errors import LedgerError
from sync_agent.errors import IntakeRefusedError, SyncError
from sync_agent.province.doors import problem
from sync_agent.province.province import refusal_of

logger = logging.getLogger(__name__)

_CODES = {404: "not_found", 405: "wrong_method", 422: "malformed"}


def add_edge(app: FastAPI) -> None:
    """Answer every error in the one shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    for kind in (SyncError, LedgerError, CardCodecError, Exception):
        app.add_exception_handler(kind, _any)


class Edge:
    """Around the application: a defect that was answered is written down here and goes no further.

    Left to the server, it would also break off the caller's connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and survive."""
        try:
            await self._app(scope, receive, send)
        except Exception:
            logger.exception("a defect at %s", scope.get("path"))


async def _http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = "there is nothing here of that name, or not by that method"
    return problem(IntakeRefusedError(status, _CODES.get(status, "refused"), detail))


async def _malformed(_request: Request, _error: Exception) -> Response:
    return problem(IntakeRefusedError(400, "malformed", "the request has a part of a wrong kind"))


async def _any(_request: Request, error: Exception) -> Response:
    defect = IntakeRefusedError(500, "defect", "the province failed at this; nothing was lost")
    return problem(refusal_of(error) or defect)
