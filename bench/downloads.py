"""What a terminal downloads: a real agent at a real province over HTTP, its bodies counted.

Part of ``make bench-ledger``. The province is that of 300,000 households in 136 kecamatan; the
terminal holds one of them. Bytes are those of every body that comes down, offers included, after
compression; what the terminal then holds is checked, so that nothing is counted that does not work.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tuf.api.metadata import Targets

from bench.table import Figure, at_most, told
from ledger.clock import Reading
from ledger.element import Element, RedemptionId, Right
from ledger.folder import TerminalFolder, open_folder
from ledger.install import take_in_box
from ledger.journal import open_journal
from ledger.policy import DAY
from ledger.repository import online_role, tuf_signer
from ledger.rights import Rights
from ledger.rights_file import more_path, read_base
from sync_agent.agent import sync_once
from sync_agent.http_road import HttpRoad
from sync_agent.province.folder import open_province
from sync_agent.province.province import Province
from sync_agent.province.publishing import add_segment, load_online
from sync_agent.province.server import Ready, prepare, run
from sync_agent.province.store import Unpublished
from terminal.init import ensure_journal

TERMINALS, DAYS, A_DAY = 12, 7, 88
"""Redemptions of one terminal in a day: 7,392 of the kecamatan in a week."""
BLOCKED = 20
LINE_BYTES_A_SECOND = 32_000 / 8


@dataclass
class Watched:
    """The terminal, its province, the time of both, and how many bytes came down."""

    province: Province
    folder: TerminalFolder
    kecamatan: str
    now: int
    counted: int = 0
    households: list[bytes] = field(default_factory=list)

    def sync(self, url: str) -> int:
        """One run of the agent, and the terminal's look at it; bytes that came down."""
        before = self.counted
        token = self.folder.road_token.read_text().strip()
        transport = _Counting(self)
        road = HttpRoad(url, token, terminal=1, epoch=1, transport=transport)
        sync_once(self.folder, road, now=self.now)
        road.close()
        journal = open_journal(self.folder.journal)
        taken = take_in_box(self.folder, journal, Reading(self.now, self.now, b"bootboot"))
        journal.close()
        if taken.problem is not None:
            raise SystemExit(f"what the province offers is not taken: {taken.problem}")
        return self.counted - before


def downloads(
    province: Path, terminal: Path, kecamatan: str, *, now: int, change: Callable[[], object]
) -> list[Figure]:
    """Days of a terminal: without change, with 50 changes, with blocks, and a week of usage.

    Args:
        province: its folder, with the office's release taken.
        terminal: an enrolled one.
        kecamatan: which it holds.
        now: Unix seconds.
        change: makes the office release 50 changes of that kecamatan.
    """
    folder = open_folder(terminal)
    ensure_journal(folder)
    at = [now]
    served = Province(open_province(province / "province.toml"), now=lambda: at[0])
    watched = Watched(served, folder, kecamatan, now)

    def next_day() -> None:
        at[0] += DAY
        watched.now = at[0]

    with _serving(served) as url:
        first = watched.sync(url)
        next_day()
        quiet = watched.sync(url)
        next_day()
        change()
        served.release(province.parent / "office" / "release")
        changed = watched.sync(url)
        next_day()
        more, blocks = _block(watched, url)
        week = []
        for day in range(DAYS):
            next_day()
            _use(watched, day)
            week.append(watched.sync(url))
    served.close()
    count = TERMINALS * DAYS * A_DAY
    _check(watched, count)
    return [
        told("a new terminal's first download", first / 1000, "kB"),
        at_most("day without change, all that comes down", quiet / 1000, "kB", 3),
        at_most("rights-only day with 50 changes, all that comes down", changed / 1000, "kB", 3.5),
        at_most("20 new blocked cards, the file", more, "B", 100),
        told("day with 20 new blocked cards, all that comes down", blocks / 1000, "kB"),
        at_most("usage with its metadata, an element", (sum(week) - DAYS * quiet) / count, "B", 20),
        told("usage and the quiet days it came on, an element", sum(week) / count, "B"),
        at_most("a week of a kecamatan at 32 kbit/s", sum(week) / LINE_BYTES_A_SECOND, "s", 60),
    ]


def _block(watched: Watched, url: str) -> tuple[int, int]:
    """Twenty cards are reported lost: the file that says so, and what the day costs."""
    repository = watched.province.folder.repository
    decree = repository.load("targets", Targets)
    path = f"rights/{watched.kecamatan}/base.cbor.zst"
    watched.households = read_base(repository.target_bytes(decree, path)).ids()
    for household in random.Random(3).sample(watched.households, BLOCKED):
        watched.province.block(household, 1, "lost")
    signed = repository.load(online_role(watched.kecamatan), Targets)
    return signed.targets[more_path(watched.kecamatan)].length, watched.sync(url)


def _use(watched: Watched, day: int) -> None:
    """A day of every terminal of the kecamatan: each hands in its redemptions in the evening."""
    repository = watched.province.folder.repository
    online = tuf_signer(watched.province.folder.key("online"))
    for terminal in range(2, TERMINALS + 2):
        some = list(_redemptions(watched, terminal, day))
        signed = load_online(repository, watched.kecamatan)
        add_segment(repository, signed, watched.kecamatan, some)
        role = online_role(watched.kecamatan)
        repository.sign(signed, role, signers=[online], now=watched.now)
        repository.publish(online, now=watched.now)


def _redemptions(watched: Watched, terminal: int, day: int) -> Iterator[Unpublished]:
    """Families that come one after the other, some for a second thing; now and then a refusal."""
    chance = random.Random(terminal * 100 + day)
    seq, minute = day * A_DAY * 3, watched.now // 60
    for _ in range(A_DAY):
        seq += chance.choice((2, 2, 2, 2, 3, 4))  # its hand-over, and what was refused between
        minute += chance.choice((0, 1, 1, 2, 3, 5, 9))
        household = chance.choice(watched.households)
        member = chance.choice((0, 0, 0, 0, 2, 3))
        programme = 3 if member else chance.choice((1, 1, 2))
        right = Right(household, member, programme, 1)
        id = RedemptionId(terminal, 1, seq)
        leaf = hashlib.sha256(repr(id).encode()).digest()[:8]
        element = Element(id, leaf, right, chance.choice((1, 1, 1, 2)), minute)
        yield Unpublished(id, watched.kecamatan, element)


def _check(watched: Watched, count: int) -> None:
    """The terminal holds every element and every block that was published."""
    journal = open_journal(watched.folder.journal)
    taken = sum(1 for _ in journal.known().totals())
    segments = len(journal.known().all_segments())
    journal.close()
    rights = Rights(watched.folder.rights)
    blocked = len(rights.blocked_cards())
    rights.close()
    if segments != TERMINALS * DAYS or not 0 < taken <= count or blocked < BLOCKED:
        raise SystemExit("the bench expects the terminal to hold what was published")


class _Counting(httpx.BaseTransport):
    """Counts the bytes of every body as they come off the line."""

    def __init__(self, watched: Watched) -> None:
        self._inner = httpx.HTTPTransport()
        self._watched = watched

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        self._watched.counted += int(answer.headers.get("Content-Length", 0))
        return answer

    def close(self) -> None:
        self._inner.close()


@contextmanager
def _serving(province: Province) -> Iterator[str]:
    """The real server on a free loopback port."""
    listening, found = threading.Event(), list[Ready]()

    def ready(at: Ready) -> None:
        found.append(at)
        listening.set()

    server, socket = prepare(province, host="127.0.0.1", port=0, on_ready=ready)
    thread = threading.Thread(target=run, args=(server, socket))
    thread.start()
    try:
        listening.wait(20)
        yield found[0].url
    finally:
        server.should_exit = True
        thread.join(20)
