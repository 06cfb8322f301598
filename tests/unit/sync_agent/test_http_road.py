"""Whoever answers instead of the province changes nothing, and is named."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ledger.clock import Moment
from ledger.element import RedemptionId
from ledger.entry import Opened, make_entry
from ledger.record import compress
from sync_agent import http_road
from sync_agent.agent import sync_once
from sync_agent.batch import Batch
from sync_agent.errors import ForkError, NotOursError, RefusedThereError, RoadClosedError, SyncError
from sync_agent.http_road import HttpRoad
from sync_agent.messages import MARK, OfferItem, Taken, write_taken
from tests.sync_world import SyncWorld, sync
from tests.world import NOW

Answer = Callable[[BaseHTTPRequestHandler], None]
MOMENT = Moment(NOW, NOW, NOW, NOW, NOW, 1, b"bootboot")
ENTRY = make_entry(
    id=RedemptionId(1, 1, 1), prev=bytes(32), moment=MOMENT, ledger=1, officer="UJI",
    content=Opened("Balai"),
)  # fmt: skip
BATCH = Batch(1, 1, 1, (ENTRY,), b"s" * 64)


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server on a loopback port that answers everything in one way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        do_POST = do_GET  # noqa: N815 - the standard library calls it so

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(
    status: int, kind: str, body: bytes, *, mark: bool = True, length: int | None = -1, **more: str
) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if length is not None:
            handler.send_header("Content-Length", str(len(body) if length == -1 else length))
        if mark:
            handler.send_header(MARK, "1")
        for name, value in more.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def packed(body: bytes) -> Answer:
    return says(200, "application/json", body, Content_Encoding="zstd")


LOG_IN = b"<html><body>Selamat datang! Masuk untuk memakai Wi-Fi.</body></html>"
HEAD = json.dumps({"seq": 0, "head": "ab" * 32}).encode()
WRONG = [
    ("log-in page", says(200, "text/html", LOG_IN, mark=False)),
    ("log-in page that claims JSON", says(200, "application/json", LOG_IN, mark=False)),
    ("marked HTML", says(200, "text/html", LOG_IN)),
    ("marked JSON of another shape", says(200, "application/json", b'{"ok":true}')),
    ("not JSON", says(200, "application/json", LOG_IN)),
    ("redirect", says(302, "text/html", b"", mark=False, Location="http://login.example/")),
    ("marked redirect", says(307, "application/json", HEAD, Location="/elsewhere")),
    ("404 of somebody else", says(404, "text/html", LOG_IN, mark=False)),
    ("marked refusal of no shape", says(404, "application/json", b'{"detail":"Not Found"}')),
    ("too long", says(200, "application/json", HEAD + b" " * 10_000)),
    ("no length", says(200, "application/json", HEAD, length=None)),
    ("compressed", says(200, "application/json", gzip.compress(HEAD), Content_Encoding="gzip")),
    ("a zip bomb", packed(compress(bytes(9 << 20)))),
    ("no zstd", packed(HEAD)),
    ("zstd cut short", packed(compress(HEAD)[:-1])),
    ("zstd and more", packed(compress(HEAD) + b"x")),
    ("empty", says(200, "application/json", b"")),
    ("created", says(201, "application/json", HEAD)),
]  # fmt: skip


@pytest.mark.parametrize("answer", [a for _, a in WRONG], ids=[n for n, _ in WRONG])
def test_answer_that_is_not_the_provinces_changes_nothing(world: SyncWorld, answer: Answer) -> None:
    world.take(world.one, world.homes_1[0])
    before = {p: p.read_bytes() for p in world.one.root.rglob("*") if p.is_file()}
    with answering(answer) as url, pytest.raises(NotOursError) as caught:
        sync(world.one, url)
    assert "not the province's" in caught.value.detail
    assert "\n" not in caught.value.detail
    after = {p: p.read_bytes() for p in world.one.root.rglob("*") if p.is_file()}
    new = {p.name for p in after.keys() - before.keys()}
    assert new <= {".road", "journal.db-shm", "journal.db-wal"}
    assert {p: after[p] for p in before if p.suffix != ".db-shm"} == {
        p: before[p] for p in before if p.suffix != ".db-shm"
    }


def road(url: str) -> HttpRoad:
    return HttpRoad(url, "token-token-token", terminal=1, epoch=1)


def test_answer_that_was_compressed_is_inflated() -> None:
    with answering(says(200, "application/json", compress(HEAD), Content_Encoding="zstd")) as url:
        answer = road(url).head()
    assert answer is not None
    assert answer.head == "ab" * 32


def test_answer_cut_short_is_a_closed_road() -> None:
    short = says(200, "application/json", HEAD, length=len(HEAD) + 5)
    with answering(short) as url, pytest.raises(RoadClosedError):
        road(url).head()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_busy_server_is_a_closed_road_marked_or_not(status: int) -> None:
    told = json.dumps({"error": "too_many", "detail": "wait a minute"}).encode()
    for answer in (
        says(status, "text/html", b"busy", mark=False),
        says(status, "text/html", b"busy", mark=False, length=None),
        says(status, "application/json", told),
    ):
        with answering(answer) as url, pytest.raises(RoadClosedError):
            road(url).head()


def test_nobody_there_is_a_closed_road() -> None:
    with answering(says(200, "", b"")) as url:
        pass
    with pytest.raises(RoadClosedError, match="no answer"):
        road(url).head()


def test_address_that_is_none_is_a_closed_road() -> None:
    for url in ("http://", "http://[", "http://no.such.host.invalid", "http://a b/"):
        with pytest.raises(SyncError):
            road(url).head()


def test_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_road, "ANSWER_SECONDS", 0.2)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "60")
        handler.send_header(MARK, "1")
        handler.end_headers()
        for _ in range(60):
            try:
                handler.wfile.write(b" ")
                threading.Event().wait(0.02)
            except OSError:
                return

    with answering(drip) as url, pytest.raises(RoadClosedError, match="too slowly"):
        road(url).head()


def test_refusal_is_told_in_the_provinces_words() -> None:
    told = json.dumps({"error": "shut_out", "detail": "terminal 1 is shut out"}).encode()
    shut_out = pytest.raises(RefusedThereError, match="terminal 1 is shut out")
    with answering(says(403, "application/json", told)) as url, shut_out as caught:
        road(url).send(BATCH)
    assert caught.value.code == "shut_out"


def test_fork_is_its_own_error() -> None:
    told = json.dumps({"error": "fork", "detail": "another history"}).encode()
    with answering(says(409, "application/json", told)) as url, pytest.raises(ForkError):
        road(url).send(BATCH)


@pytest.mark.parametrize("fields", [(2, 1, 1), (1, 2, 1), (1, 1, 0)])
def test_acknowledgement_of_other_entries_is_not_ours(fields: tuple[int, int, int]) -> None:
    terminal, epoch, seq = fields
    other = write_taken(Taken("khb-taken-1", 1, terminal, epoch, seq, b"ack"))
    strange = pytest.raises(NotOursError, match="other entries")
    with answering(says(200, "application/vnd.khb.taken", other)) as url, strange:
        road(url).send(BATCH)


def test_file_longer_than_offered_is_not_ours() -> None:
    item = OfferItem("metadata/1.root.json", 10, "ab" * 32)
    too_long = pytest.raises(NotOursError, match="10000 bytes")
    with answering(says(200, "application/vnd.khb.file", b"x" * 10_000)) as url, too_long:
        road(url).fetch(item)


class DamagingRoad(HttpRoad):
    """A road that changes every file on the way."""

    def fetch(self, item: OfferItem) -> bytes:
        return super().fetch(item) + b"\0"


def test_file_that_is_not_what_was_offered_never_reaches_the_in_box(world: SyncWorld) -> None:
    with world.serving() as at:
        damaging = DamagingRoad(at.url, "road-token-of-terminal-1", terminal=1, epoch=1)
        with pytest.raises(NotOursError, match="never what was offered"):
            sync_once(world.one, damaging, now=0)
        damaging.close()
    assert not list(world.one.in_box.rglob("*")) or not any(
        p.is_file() for p in world.one.in_box.rglob("*")
    )


def test_token_and_proxy_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def keep(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        says(200, "application/json", HEAD)(handler)

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with answering(keep) as url:
        assert road(url).head() is not None
    assert seen == ["Bearer token-token-token"]
