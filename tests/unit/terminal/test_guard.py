"""Nobody but this machine's own browser, with the token of this start, reaches the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from terminal.counter import Counter
from terminal.web.guard import PICTURE_BYTES_MAX
from tests.served import TOKEN, Page, serving
from tests.world import World


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    world = World(tmp_path_factory.mktemp("world"))
    folder = world.terminal("loket1")
    world.household("one")
    world.publish()
    world.bring(folder)
    counter = world.counter(folder)
    counter.take_in_box()
    yield counter
    counter.close()


@pytest.fixture(scope="module")
def page(counter: Counter) -> Iterator[Page]:
    with serving(counter) as served:
        yield served


@pytest.fixture
def stranger(page: Page) -> Iterator[httpx.Client]:
    """A browser that has not been given the token."""
    with httpx.Client(base_url=page.url, headers={"Origin": page.url}) as client:
        yield client


@pytest.fixture
def officer(stranger: httpx.Client) -> httpx.Client:
    """The counter's own browser."""
    stranger.get("/", params={"token": TOKEN})
    return stranger


def test_token_sets_a_cookie_that_no_script_and_no_other_site_can_use(
    stranger: httpx.Client, page: Page
) -> None:
    answer = stranger.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"betang-{page.port}=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "é"])
def test_wrong_token_is_refused(stranger: httpx.Client, token: str) -> None:
    answer = stranger.get("/", params={"token": token})
    assert answer.status_code == 403
    assert "HB-84" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/state", "/look/base.css", "/static/counter.js", "/no-such-path"]
)
def test_every_page_needs_the_cookie(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == 403


@pytest.mark.parametrize(
    "path", ["/scan", "/picture", "/choose", "/redeem", "/service", "/language"]
)
def test_every_act_needs_the_cookie(stranger: httpx.Client, path: str) -> None:
    assert stranger.post(path, json={}).status_code == 403


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:PORT", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:PORT"]
)
def test_other_host_is_refused(officer: httpx.Client, page: Page, host: str) -> None:
    """A name that a stranger points at loopback (DNS rebinding) is another host."""
    host = host.replace("PORT", str(page.port))
    assert officer.get("/", headers={"Host": host}).status_code == 421


def test_localhost_is_the_same_machine(officer: httpx.Client, page: Page) -> None:
    host = {"Host": f"localhost:{page.port}"}
    assert officer.get("/state", headers=host).status_code == 200


@pytest.mark.parametrize(
    "origin", ["null", "http://example.org", "https://127.0.0.1:PORT", "http://127.0.0.1:PORT1", ""]
)
def test_act_of_another_origin_is_refused(officer: httpx.Client, page: Page, origin: str) -> None:
    origin = origin.replace("PORT", str(page.port))
    answer = officer.post("/language", data={"language": "en"}, headers={"Origin": origin})
    assert answer.status_code == 403


def test_act_without_an_origin_is_refused(officer: httpx.Client) -> None:
    del officer.headers["Origin"]
    assert officer.post("/language", data={"language": "en"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/state", "/static/counter.js", "/no-such-path"])
def test_every_answer_carries_the_strict_policy(officer: httpx.Client, path: str) -> None:
    headers = officer.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_only_the_named_origin_may_frame(counter: Counter) -> None:
    with serving(counter, embed="http://127.0.0.1:9") as page:
        headers = httpx.get(page.url).headers
    assert "frame-ancestors http://127.0.0.1:9" in headers["content-security-policy"]
    assert "x-frame-options" not in headers


def test_picture_of_ten_megabytes_is_one_sentence(officer: httpx.Client) -> None:
    files = {"picture": ("card.png", bytes(10_000_000), "image/png")}
    answer = officer.post("/picture", data={"programme": "pangan"}, files=files)
    assert answer.status_code == 413
    assert "8 MB" in answer.text
    assert "HB-81" in answer.text


def test_picture_of_just_the_limit_is_looked_at(officer: httpx.Client) -> None:
    files = {"picture": ("card.png", bytes(PICTURE_BYTES_MAX), "image/png")}
    answer = officer.post("/picture", data={"programme": "pangan"}, files=files)
    assert (answer.status_code, "HB-57" in answer.text) == (200, True)


def test_text_of_a_megabyte_is_refused(officer: httpx.Client) -> None:
    answer = officer.post("/scan", json={"text": "A" * 1_000_000, "programme": "pangan"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '{"text": "x"}',
        '{"text": 1, "programme": "pangan"}',
        '{"text": "x", "programme": "pangan", "member": 0}',
        '{"text": "x", "programme": "pangan", "member": 1}',
        '{"text": "x", "programme": "pangan", "more": 1}',
        '{"text": "x", "programme": "no-such"}',
        "\xff\xfe",
    ],
)
def test_request_that_makes_no_sense_is_one_sentence(officer: httpx.Client, body: str) -> None:
    answer = officer.post(
        "/scan", content=body.encode("latin-1"), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, "HB-85" in answer.text) == (400, True)
    assert "Traceback" not in answer.text


def test_act_that_is_not_held_has_passed(officer: httpx.Client) -> None:
    answer = officer.post("/redeem", json={"act": "no-such-act"})
    assert (answer.status_code, "HB-86" in answer.text) == (409, True)


@pytest.mark.parametrize("path", ["/look/", "/static/"])
@pytest.mark.parametrize("name", ["..%2f__init__.py", "__init__.py", "%2fetc%2fpasswd", "app.py"])
def test_only_listed_files_are_given(officer: httpx.Client, path: str, name: str) -> None:
    assert officer.get(path + name).status_code == 404


def test_terminal_without_a_ledger_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    counter = world.counter(world.terminal("loket1"))
    with serving(counter) as page, httpx.Client(headers={"Origin": page.url}) as client:
        assert client.get(page.entry, follow_redirects=True).status_code == 200
        answer = client.post(f"{page.url}/scan", json={"text": "x", "programme": ""})
        assert "HB-45" in answer.text
    counter.close()
