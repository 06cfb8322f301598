"""A request's end: whatever goes wrong becomes one sentence, and the page serves on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import JournalDamagedError, LedgerError, NotSavedError
from terminal.errors import TerminalError

_log = logging.getLogger(__name__)

Told = Callable[[Request, int, str], Response]
"""Makes the answer to a request: its status and the key of its sentence."""


def add_edge(app: FastAPI, told: Told) -> None:
    """Answer every defect of a request."""

    @app.middleware("http")
    async def edge(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        try:
            return await call_next(request)
        except NotSavedError as error:
            _log.error("%s", error)
            return told(request, 503, "e.save")
        except JournalDamagedError as error:
            _log.error("%s", error)
            return told(request, 500, "e.tamper")
        except (LedgerError, TerminalError) as error:
            _log.error("%s", error)
            return told(request, 500, "e.defect")
        except Exception:
            _log.exception("a request failed")
            return told(request, 500, "e.defect")
