"""The plain page on which the day is opened and closed, and the clock confirmed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.entry import Kind
from terminal.day_desk import DayDesk
from tests.point import Point, make_point
from tests.served import serving
from tests.world import PIN


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    (made.world.folder / ".memory").mkdir(mode=0o700, exist_ok=True)
    yield made
    made.counter.close()


@pytest.fixture
def browser(point: Point) -> Iterator[httpx.Client]:
    day = DayDesk(point.counter, point.world.room(point.folder), point.world.clock)
    with serving(point.counter, day=day) as page:
        headers = {"Origin": page.url}
        with httpx.Client(base_url=page.url, headers=headers, follow_redirects=True) as client:
            assert client.get(page.entry).status_code == 200
            yield client


def is_open(point: Point) -> bool:
    return point.world.room(point.folder).key(point.world.clock.read()) is not None


def test_pin_opens_the_day_and_the_close_wipes_it(point: Point, browser: httpx.Client) -> None:
    assert "Hari belum dibuka" in browser.get("/day").text
    told = browser.post("/day/open", data={"pin": PIN})
    assert (told.status_code, "Nama dan cip terbuka." in told.text) == (200, True)
    assert is_open(point)
    assert PIN not in told.text
    point.show("mawar")
    told = browser.post("/day/close")
    assert (told.status_code, "Hari ditutup." in told.text) == (200, True)
    assert not is_open(point)
    kinds = [entry.kind for entry in point.counter._desk.journal.signed_run(1)[0]]
    assert kinds == [Kind.REDEMPTION, Kind.HANDOVER, Kind.CLOSE]


@pytest.mark.parametrize("pin", ["", "000000", "6200000", "x" * 64])
def test_wrong_pin_opens_nothing_and_is_told(point: Point, browser: httpx.Client, pin: str) -> None:
    told = browser.post("/day/open", data={"pin": pin})
    assert (told.status_code, "PIN salah" in told.text) == (400, True)
    assert not is_open(point)


def test_too_many_wrong_pins_hold_up_the_right_one(point: Point, browser: httpx.Client) -> None:
    for _ in range(6):
        browser.post("/day/open", data={"pin": "000000"})
    assert browser.post("/day/open", data={"pin": PIN}).status_code == 400
    assert not is_open(point)


def test_terminal_without_a_key_says_so(point: Point, browser: httpx.Client) -> None:
    point.folder.sealing_key.unlink()
    told = browser.post("/day/open", data={"pin": PIN})
    assert (told.status_code, "belum punya kunci" in told.text) == (400, True)


def test_clock_is_confirmed_by_two(point: Point, browser: httpx.Client) -> None:
    for second in ("", "uji"):
        told = browser.post("/day/clock", data={"second": second})
        assert (told.status_code, "Perlu orang kedua" in told.text) == (400, True)
    told = browser.post("/day/clock", data={"second": "WK"})
    assert (told.status_code, "jam dipastikan benar" in told.text) == (200, True)
    assert [entry.kind for entry in point.counter._desk.journal.signed_run(1)[0]] == [Kind.CLOCK]


def test_clock_before_the_newest_data_is_told(point: Point, browser: httpx.Client) -> None:
    point.world.clock.wall -= 86_400
    told = browser.post("/day/clock", data={"second": "WK"})
    assert (told.status_code, "Betulkan jam dahulu" in told.text) == (400, True)


def test_page_leads_there_only_where_a_day_can_be_opened(
    point: Point, browser: httpx.Client
) -> None:
    assert 'href="/day"' in browser.get("/").text
    with serving(point.counter) as page, httpx.Client(base_url=page.url) as client:
        client.get(page.entry)
        assert 'href="/day"' not in client.get("/").text
        assert client.get("/day").status_code == 404
