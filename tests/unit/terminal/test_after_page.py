"""The plain page for what comes after: the last hand-over, and a void."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.entry import Kind
from terminal.counter import Redeemed, open_counter
from tests.point import Point, make_point
from tests.served import serving


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    assert isinstance(made.show("mawar", quantity=1), Redeemed)
    made.counter.close()
    made.counter = open_counter(made.folder, clock=made.world.clock, serving=True)
    yield made
    made.counter.close()


@pytest.fixture
def browser(point: Point) -> Iterator[httpx.Client]:
    with serving(point.counter) as page:
        headers = {"Origin": page.url}
        with httpx.Client(base_url=page.url, headers=headers, follow_redirects=True) as client:
            assert client.get(page.entry).status_code == 200
            yield client


def kinds(point: Point) -> list[Kind]:
    return [entry.kind for entry in point.counter._desk.journal.signed_run(1)[0]]


def test_question_is_asked_and_yes_is_recorded(point: Point, browser: httpx.Client) -> None:
    assert "T001-0001 sudah diserahkan?" in browser.get("/after").text
    told = browser.post("/after/handed-over")
    assert (told.status_code, "Dicatat: sudah diserahkan." in told.text) == (200, True)
    assert kinds(point) == [Kind.REDEMPTION, Kind.HANDOVER]
    assert "sudah diserahkan?" not in browser.get("/after").text


def test_no_needs_a_second_person_and_takes_it_back(point: Point, browser: httpx.Client) -> None:
    for second in ("", "uji"):
        told = browser.post("/after/not-handed-over", data={"second": second})
        assert (told.status_code, "Perlu orang kedua" in told.text) == (400, True)
    assert kinds(point) == [Kind.REDEMPTION]
    told = browser.post("/after/not-handed-over", data={"second": "dua"})
    assert (told.status_code, "Jatah dikembalikan" in told.text) == (200, True)
    assert kinds(point) == [Kind.REDEMPTION, Kind.VOID]


def test_void_by_the_number_of_the_slip(point: Point, browser: httpx.Client) -> None:
    words = {"reason": "salah orang", "second": "dua"}
    for receipt, told in (("T002-0001", "Cocokkan nomor"), ("x", "Cocokkan nomor")):
        refused = browser.post("/after/void", data={"receipt": receipt, **words})
        assert (refused.status_code, told in refused.text) == (400, True)
    done = browser.post("/after/void", data={"receipt": "t001-0001 ", **words})
    assert (done.status_code, "Jatah dikembalikan" in done.text) == (200, True)
    assert kinds(point) == [Kind.REDEMPTION, Kind.VOID]


def test_void_after_the_close_is_for_the_office(point: Point, browser: httpx.Client) -> None:
    point.counter.close_day()
    words = {"receipt": "T001-0001", "reason": "salah", "second": "dua"}
    told = browser.post("/after/void", data=words)
    assert (told.status_code, "Pembatalan hanya lewat Dinas" in told.text) == (400, True)


def test_page_of_another_site_and_a_stranger_reach_nothing(
    point: Point, browser: httpx.Client
) -> None:
    words = {"receipt": "T001-0001", "reason": "salah", "second": "dua"}
    other = {"Origin": "http://example.org"}
    assert browser.post("/after/void", data=words, headers=other).status_code == 403
    browser.cookies.clear()
    assert browser.get("/after").status_code == 403
    assert browser.post("/after/void", data=words).status_code == 403
    assert kinds(point) == [Kind.REDEMPTION]
