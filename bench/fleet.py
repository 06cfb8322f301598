"""Every terminal of the province comes at once: after a day on which the network was down."""

from __future__ import annotations

import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.intake import batch_of, chain_of
from bench.table import Figure, at_most, told
from card_codec.keys import PrivateKey
from ledger.roll import Terminal
from sync_agent.messages import BATCH_TYPE, read_taken
from tests import postgres
from tests.sync_world import TOKEN, SyncWorld, small_world
from tests.world import KEC_1, NOW

TERMINALS = 1_500
ENTRIES = 200
MEMORY_MAX_MB = 400
TRIES = 8
START = "from sync_agent.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Upload:
    """One terminal's day."""

    ordinal: int
    data: bytes


def figures() -> list[Figure]:
    """1,500 terminals with 200 entries each, all at one moment, at a server of its own."""
    with tempfile.TemporaryDirectory() as folder, postgres.running(durable=True) as server:
        world = small_world(Path(folder), store=server.new_database())
        with closing(world.province):
            uploads = _enrol(world)
            with _serving(world) as (url, process):
                began = time.perf_counter()
                seconds = asyncio.run(_all_at_once(url, uploads))
                whole = time.perf_counter() - began
                memory = _peak_mb(process.pid)
            held = sum(world.province.head(u.ordinal, 1).seq for u in uploads)
    missing = TERMINALS * ENTRIES - held
    name = f"{TERMINALS:,} terminals × {ENTRIES} entries at once"
    return [
        at_most(f"{name}: entries not acknowledged", missing, "", 0),
        at_most(f"{name}: memory of the server at most", memory, "MB", MEMORY_MAX_MB),
        told(f"{name}: median of a batch", statistics.median(seconds), "s"),
        told(f"{name}: p99 of a batch", statistics.quantiles(seconds, n=100)[98], "s"),
        told(f"{name}: all of it", held / whole, "entries/s"),
    ]


def _enrol(world: SyncWorld) -> list[Upload]:
    """Terminals beside those of the world, on the roll, each with its day's journal."""
    families = [world.household(f"keluarga {n}") for n in range(3_000)]
    uploads = []
    for ordinal in range(len(world.terminals) + 1, TERMINALS + len(world.terminals) + 1):
        key = PrivateKey.generate()
        world.terminals.append(_terminal(ordinal, key))
        entries = chain_of(key, families[ordinal % 97 :], ordinal=ordinal, count=ENTRIES)
        uploads.append(Upload(ordinal, batch_of(entries, key)))
    world.province.release(world.sign_release())
    return uploads


def _terminal(ordinal: int, key: PrivateKey) -> Terminal:
    return Terminal(
        ordinal=ordinal, epoch=1, name=f"Loket {ordinal}", point=f"Balai {ordinal}", home=KEC_1,
        holds=(KEC_1,), away_households=0, spki=key.public.spki, enrolled=NOW, shut_out=None,
    )  # fmt: skip


@contextmanager
def _serving(world: SyncWorld) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    words = ["province", "serve", "--config", str(world.province_folder.root), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None, "a pipe was asked for"
        yield json.loads(process.stdout.readline())["url"], process
    finally:
        process.terminate()
        process.wait(60)


async def _all_at_once(url: str, uploads: list[Upload]) -> list[float]:
    where = urlsplit(url)
    assert where.hostname is not None, "the server said where it listens"
    assert where.port is not None, "the server said where it listens"
    host, port = where.hostname, where.port
    return await asyncio.gather(*(_patiently(host, port, upload) for upload in uploads))


async def _patiently(host: str, port: int, upload: Upload) -> float:
    """Seconds until the acknowledgement, waiting and trying again as a terminal does."""
    began = time.perf_counter()
    for attempt in range(TRIES):
        try:
            status, body = await _post(host, port, upload)
        except (OSError, asyncio.IncompleteReadError):
            status, body = 0, b""
        if status == 200:
            taken = read_taken(body)
            if (taken.terminal, taken.seq) != (upload.ordinal, ENTRIES):
                raise SystemExit(f"terminal {upload.ordinal} was told of {taken}")
            return time.perf_counter() - began
        if status not in {0, 503}:
            raise SystemExit(f"terminal {upload.ordinal} was told {status}: {body!r}")
        await asyncio.sleep(random.uniform(0, 2**attempt))
    raise SystemExit(f"terminal {upload.ordinal} was never answered")


async def _post(host: str, port: int, upload: Upload) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = (
            f"POST /v1/batch HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {BATCH_TYPE}\r\n"
            f"Authorization: Bearer {TOKEN.format(upload.ordinal)}\r\nConnection: close\r\n"
            f"Content-Length: {len(upload.data)}\r\n\r\n"
        )
        writer.write(head.encode() + upload.data)
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", answer)
        body = await reader.readexactly(int(length[1])) if length else b""
        return int(answer[9:12]), body
    finally:
        writer.close()


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None, "Linux tells the most a process held"
    return int(found[1]) / 1024
