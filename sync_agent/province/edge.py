"""The edge of a request: whatever goes wrong becomes one answer of one shape; serving goes on."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from card_codec.errors import CardCodecError
from ledger.errors import LedgerError
from sync_agent.errors import IntakeRefusedError, SyncError
from sync_agent.province.doors import problem
from sync_agent.province.province import refusal_of

_CODES = {404: "not_found", 405: "wrong_method", 422: "malformed"}


def add_edge(app: FastAPI) -> None:
    """Answer every error in the one shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    for kind in (SyncError, LedgerError, CardCodecError, Exception):
        app.add_exception_handler(kind, _any)


async def _http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = "there is nothing here of that name, or not by that method"
    return problem(IntakeRefusedError(status, _CODES.get(status, "refused"), detail))


async def _malformed(_request: Request, _error: Exception) -> Response:
    return problem(IntakeRefusedError(400, "malformed", "the request has a part of a wrong kind"))


async def _any(_request: Request, error: Exception) -> Response:
    # A defect's trace is written by the server, which sees it too.
    defect = IntakeRefusedError(500, "defect", "the province failed at this; nothing was lost")
    return problem(refusal_of(error) or defect)
