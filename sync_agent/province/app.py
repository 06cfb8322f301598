"""The intake over HTTP: four routes for terminals, and the desk for people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ledger.record import compress
from ledger.roll import Terminal
from sync_agent.errors import IntakeRefusedError
from sync_agent.messages import BATCH_TYPE, FILE_TYPE, JSON_TYPE, TAKEN_TYPE, write_taken
from sync_agent.province.doors import (
    DeskKey,
    Doorkeeper,
    Rate,
    batch_body,
    declared_length,
    terminal_at,
)
from sync_agent.province.edge import Edge, add_edge
from sync_agent.province.pages import add_desk
from sync_agent.province.province import Province
from sync_agent.province.room import Room, Turns

PATH_LENGTH_MAX = 300
ZSTD = "zstd"
BATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {BATCH_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
BODIES_BYTES_MAX = 64 * 1024 * 1024
"""Of all uploads together that are being received or taken."""


def create_app(
    province: Province,
    *,
    desk: DeskKey,
    hosts: frozenset[str],
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The whole application, its doorkeeper outermost.

    Args:
        province: what it serves.
        desk: this start's key to the desk.
        hosts: values of the Host header it answers to.
        monotonic: the clock of the rate limit, in seconds.
    """
    return Doorkeeper(Edge(create_api(province, desk=desk, monotonic=monotonic)), hosts=hosts)


def create_api(
    province: Province, *, desk: DeskKey, monotonic: Callable[[], float] = time.monotonic
) -> FastAPI:
    """The routes alone. Their OpenAPI is not served: the tests knock by it at every door."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    add_edge(app)
    rate = Rate(monotonic)
    _add_uploads(app, province, rate)
    _add_downloads(app, province, rate)
    add_desk(app, province, desk, Rate(monotonic))
    return app


def _add_uploads(app: FastAPI, province: Province, rate: Rate) -> None:
    room, turns = Room(BODIES_BYTES_MAX), Turns()

    def take(data: bytes, terminal: Terminal) -> bytes:
        return write_taken(province.take(data, road="http", sender=terminal))

    @app.post("/v1/batch", openapi_extra=BATCH_BODY)
    async def batch(request: Request) -> Response:
        """Take a batch; the answer is its acknowledgement."""
        terminal = terminal_at(request, province.in_force(), rate)
        with turns.taken((terminal.ordinal, terminal.epoch)):
            async with room.held(declared_length(request)):
                data = await batch_body(request)
                answer = await run_in_threadpool(take, data, terminal)
        return Response(answer, media_type=TAKEN_TYPE)


def _add_downloads(app: FastAPI, province: Province, rate: Rate) -> None:
    @app.get("/v1/head/{ordinal}/{epoch}")
    def head(request: Request, ordinal: str, epoch: str) -> Response:
        """How far the caller's own chain is held."""
        terminal = terminal_at(request, province.in_force(), rate)
        if (ordinal, epoch) != (str(terminal.ordinal), str(terminal.epoch)):
            raise IntakeRefusedError(403, "not_yours", "a terminal may ask only for its own head")
        return _json(province.head(terminal.ordinal, terminal.epoch))

    @app.get("/v1/offer")
    def offer(request: Request) -> Response:
        """The files the caller needs."""
        terminal = terminal_at(request, province.in_force(), rate)
        return _small(request, msgspec.json.encode(province.offer(terminal)), JSON_TYPE)

    @app.get("/v1/file/{path:path}")
    def file(request: Request, path: str, sha256: str | None = None) -> Response:
        """One of them, as it was offered."""
        terminal = terminal_at(request, province.in_force(), rate)
        if len(path) > PATH_LENGTH_MAX:
            raise IntakeRefusedError(404, "no_such_file", "no file has so long a name")
        return _small(request, province.file(terminal, path, sha256), FILE_TYPE)


def _small(request: Request, data: bytes, kind: str) -> Response:
    """Compressed for whoever can inflate it, where that helps: links are of 32 kbit/s."""
    taken = {part.partition(";")[0].strip() for part in
             request.headers.get("Accept-Encoding", "").split(",")}  # fmt: skip
    packed = compress(data) if ZSTD in taken else data
    if len(packed) >= len(data):
        return Response(data, media_type=kind)
    return Response(packed, media_type=kind, headers={"Content-Encoding": ZSTD})


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON_TYPE)
