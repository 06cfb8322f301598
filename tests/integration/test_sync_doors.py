"""The doors of the intake and the desk, knocked at over real HTTP."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from select import select

import httpx
import pytest

from sync_agent.batch import BATCH_SIZE_MAX
from sync_agent.errors import RoadError
from sync_agent.messages import BATCH_TYPE, MARK
from sync_agent.province.doors import Rate
from sync_agent.province.room import UPLOADS_AT_ONCE
from sync_agent.province.server import Ready
from tests.sync_world import TOKEN, SyncWorld, batch_of, small_world, sync
from tests.world import KEC_1, KEC_2

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SyncWorld, Ready]]:
    """One province for all knocks; nothing here is accepted into its log."""
    world = small_world(tmp_path_factory.mktemp("doors"))
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        yield world, at
    world.province.close()


@pytest.fixture
def client(served: tuple[SyncWorld, Ready]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[1].url, trust_env=False) as made:
        yield made


def bearer(ordinal: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN.format(ordinal)}"}


def refusal(answer: httpx.Response, status: int, code: str) -> None:
    """The one shape of every refusal."""
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told["error"] == code
    assert re.fullmatch(r"[^\n]{10,300}", told["detail"])
    assert answer.headers[MARK] == "1"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Traceback" not in answer.text


ROUTES = ["/v1/head/1/1", "/v1/offer", "/v1/file/metadata/timestamp.json"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", "Basic dXNlcjpwdw==", "Bearer ünde"]
)
def test_no_route_of_terminals_opens_without_a_road_token(client, path, given) -> None:
    headers = {"Authorization": given.encode()} if given else {}
    answer = client.get(path, headers=headers)
    assert answer.json()["error"] in {"no_token", "unknown_token"}
    assert answer.status_code == 401


def test_upload_without_a_road_token_is_refused_before_its_body_is_read(client, served) -> None:
    headers = {"Content-Type": BATCH_TYPE}
    refusal(client.post("/v1/batch", content=batch_of(served[0].one), headers=headers),
            401, "no_token")  # fmt: skip


def test_terminal_asks_only_for_its_own_head(client) -> None:
    assert client.get("/v1/head/1/1", headers=bearer(1)).json()["seq"] == 0
    for path in ("/v1/head/2/1", "/v1/head/1/2", "/v1/head/01/1", "/v1/head/x/y"):
        refusal(client.get(path, headers=bearer(1)), 403, "not_yours")


def test_terminal_uploads_only_its_own_entries(client, served) -> None:
    answer = client.post(
        "/v1/batch",
        content=batch_of(served[0].one),
        headers=bearer(2) | {"Content-Type": BATCH_TYPE},
    )
    refusal(answer, 403, "not_yours")


def test_offer_names_only_what_the_terminal_holds(client, served) -> None:
    world, _ = served
    paths = [item["path"] for item in client.get("/v1/offer", headers=bearer(1)).json()]
    assert "metadata/timestamp.json" in paths
    assert "metadata/1.root.json" in paths
    for kecamatan in (KEC_1, KEC_2):
        assert any(f"/{kecamatan}/" in path for path in paths)
    for item in client.get("/v1/offer", headers=bearer(1)).json():
        data = client.get(f"/v1/file/{item['path']}", headers=bearer(1)).content
        assert len(data) == item["size"]
        assert (world.province_folder.repository.folder / item["path"]).read_bytes() == data


@pytest.mark.parametrize(
    "path",
    [
        "metadata/../../keys/online.pem",
        "metadata/%2e%2e/%2e%2e/keys/online.pem",
        "..%2f..%2fkeys%2fonline.pem",
        "metadata/99.root.json",
        "metadata/1.root.json%00",
        "province.db",
        "keys/log.pem",
        "access.json",
        "acknowledgements/2-1-1.cose",
        "acknowledgements/1-1-1.cose",
        "metadata/1.changes-629999.json",
        f"targets/rights/629999/{'ab' * 32}.base.cbor.zst",
        "x" * 5_000,
    ],
)  # fmt: skip
def test_no_other_file_is_given(client, path: str) -> None:
    answer = client.get(f"/v1/file/{path}", headers=bearer(1))
    assert answer.status_code == 404
    assert answer.json()["error"] in {"no_such_file", "not_found"}


def test_wrong_host_is_turned_away(client) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1", "localhost:1"):
        refusal(client.get("/desk", headers={"Host": host}), 421, "wrong_host")


def test_page_of_another_site_cannot_upload(client) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        headers = bearer(1) | {"Content-Type": BATCH_TYPE, "Origin": origin}
        refusal(client.post("/v1/batch", content=b"x", headers=headers), 403, "wrong_origin")


def test_other_content_type_is_refused(client) -> None:
    for kind in ("application/json", "multipart/form-data", ""):
        headers = bearer(1) | {"Content-Type": kind}
        refusal(client.post("/v1/batch", content=b"x", headers=headers), 415, "wrong_type")


def test_body_over_the_limit_is_refused_by_its_length(client) -> None:
    headers = bearer(1) | {"Content-Type": BATCH_TYPE}
    answer = client.post("/v1/batch", content=b"\0" * (BATCH_SIZE_MAX + 1), headers=headers)
    refusal(answer, 413, "too_large")


def test_body_without_a_length_is_refused(client) -> None:
    headers = bearer(1) | {"Content-Type": BATCH_TYPE}
    answer = client.post("/v1/batch", content=iter([b"x"]), headers=headers)
    refusal(answer, 411, "no_length")


def test_compressed_body_is_refused(client) -> None:
    headers = bearer(1) | {"Content-Type": BATCH_TYPE, "Content-Encoding": "gzip"}
    refusal(client.post("/v1/batch", content=b"x", headers=headers), 413, "too_large")


@pytest.mark.parametrize("body", [b"", b"\0", b"KHB", b"\xff" * 1000, b"\x28\xb5\x2f\xfd"])
def test_upload_that_is_no_batch_is_malformed(client, body: bytes) -> None:
    headers = bearer(1) | {"Content-Type": BATCH_TYPE}
    refusal(client.post("/v1/batch", content=body, headers=headers), 400, "malformed")


def test_wrong_method_or_path_has_the_same_shape(client) -> None:
    refusal(client.get("/v1/batch", headers=bearer(1)), 405, "wrong_method")
    refusal(client.delete("/v1/offer", headers=bearer(1)), 405, "wrong_method")
    refusal(client.get("/nothing"), 404, "not_found")
    refusal(client.get("/docs"), 404, "not_found")
    refusal(client.get("/openapi.json"), 404, "not_found")


def test_half_a_body_stores_nothing_and_serving_goes_on(client, served) -> None:
    world, at = served
    batch = batch_of(world.one)
    host, port = at.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        head = (
            f"POST /v1/batch HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {BATCH_TYPE}\r\n"
            f"Authorization: Bearer {TOKEN.format(1)}\r\nContent-Length: {len(batch)}\r\n\r\n"
        )
        line.sendall(head.encode() + batch[: len(batch) // 2])
    assert client.get("/v1/head/1/1", headers=bearer(1)).json()["seq"] == 0


DATA = ("received", "redemptions", "cases", "complaints", "macs", "pending", "chains")


def test_desk_opens_only_with_the_key_of_this_start(client, served) -> None:
    _, at = served
    assert client.get("/desk").status_code == 401
    refusal(client.get("/desk/data"), 401, "no_token")
    refusal(client.get("/desk/data", headers=bearer(1)), 401, "no_token")
    wrong = client.get("/desk?token=wrong", follow_redirects=True)
    assert (wrong.status_code, len(wrong.history)) == (401, 1)
    entered = client.get(at.desk)
    assert entered.status_code == 303
    assert "token" not in entered.headers["Location"]
    (cookie,) = entered.headers.get_list("Set-Cookie")
    port = at.url.rpartition(":")[2]
    assert cookie.startswith(f"khb-desk-{port}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    page = client.get("/desk")
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    data = client.get("/desk/data").json()
    assert data == {key: 0 if key == "received" else [] for key in DATA}


def test_desk_data_opens_to_the_key_as_a_bearer(client, served) -> None:
    token = served[1].desk.partition("token=")[2]
    answer = client.get("/desk/data", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_desk_loads_nothing_from_elsewhere_and_no_inline_script(client, served) -> None:
    client.get(served[1].desk)
    page = client.get("/desk").text
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page)
    for path in re.findall(r"(?:src|href)=\"(/(?:look|desk/static)/[^\"]+)\"", page):
        assert client.get(path).status_code == 200
    refusal(client.get("/desk/static/../pages.py"), 404, "not_found")
    refusal(client.get("/look/__init__.py"), 404, "not_found")


def test_desk_speaks_both_languages(client, served) -> None:
    client.get(served[1].desk)
    assert "Pengambilan ganda" in client.get("/desk").text
    client.get("/desk?lang=en")
    assert "Doubles" in client.get("/desk").text
    client.get("/desk?lang=xx")
    assert "Doubles" in client.get("/desk").text


def test_too_many_requests_are_told_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_agent.province.app.Rate", lambda _clock: Rate(lambda: 0.0, most=3))
    world = small_world(tmp_path)
    with world.serving() as at, httpx.Client(base_url=at.url, trust_env=False) as client:
        for _ in range(3):
            assert client.get("/v1/head/2/1", headers=bearer(2)).status_code == 200
        refusal(client.get("/v1/head/2/1", headers=bearer(2)), 429, "too_many")
        assert client.get("/v1/head/1/1", headers=bearer(1)).status_code == 200
        for _ in range(3):
            refusal(client.get("/v1/offer", headers=bearer(7)), 401, "unknown_token")
        refusal(client.get("/v1/offer", headers=bearer(8)), 429, "too_many")
        assert client.get("/v1/head/1/1", headers=bearer(1)).status_code == 200
    world.province.close()


def test_before_any_release_terminals_are_told_so(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    world.province_folder.rights.unlink()
    with world.serving() as at, httpx.Client(base_url=at.url, trust_env=False) as client:
        refusal(client.get("/v1/offer", headers=bearer(1)), 503, "not_ready")
        client.get(at.desk)
        assert "Belum ada rilis" in client.get("/desk").text
    world.province.close()


def test_defect_is_answered_in_the_same_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world(tmp_path)

    def defect(*_arguments: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(world.province, "head", defect)
    with world.serving() as at, httpx.Client(base_url=at.url, trust_env=False) as client:
        answer = client.get("/v1/head/1/1", headers=bearer(1))
        refusal(answer, 500, "defect")
        assert "secret words" not in answer.text
        assert client.get("/v1/offer", headers=bearer(1)).status_code == 200
    world.province.close()


def test_names_and_texts_on_the_desk_are_escaped(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    world.record(world.one, world.redemption(world.homes_1[0]), officer="<b>x</b>&")
    world.take(world.two, world.homes_1[0])
    with world.serving() as at, httpx.Client(base_url=at.url, trust_env=False) as client:
        sync(world.one, at.url)
        sync(world.two, at.url)
        client.get(at.desk)
        page = client.get("/desk").text
        assert "&lt;b&gt;x&lt;/b&gt;&amp;" in page
        assert "<b>x</b>" not in page
        assert json.loads(client.get("/desk/data").text)["cases"][0]["winner"] == "T001-0001"
    world.province.close()


def test_terminal_that_stalls_its_uploads_is_told_to_wait_and_no_other(served) -> None:
    world, at = served
    host, port = at.url.removeprefix("http://").split(":")
    address = (host, int(port))
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {BATCH_TYPE}\r\n"
        f"Authorization: Bearer {TOKEN.format(1)}\r\nContent-Length: 1000000\r\n\r\n"
    )
    with ExitStack() as stalled:
        begun = [
            stalled.enter_context(closing(socket.create_connection(address)))
            for _ in range(UPLOADS_AT_ONCE + 1)
        ]
        for one in begun:
            one.sendall(head.encode() + b"x")
        (refused,) = select(begun, [], [], 10)[0]
        assert refused.recv(4_096).startswith(b"HTTP/1.1 429")
        world.take(world.two, world.homes_2[0])
        assert sync(world.two, at.url).accepted >= 1
    world.take(world.one, world.homes_1[0])
    deadline = time.monotonic() + 10
    while True:  # what broke off is given up as soon as the server hears of it
        try:
            assert sync(world.one, at.url).accepted >= 1
            return
        except RoadError:
            assert time.monotonic() < deadline, "it is not given up"
