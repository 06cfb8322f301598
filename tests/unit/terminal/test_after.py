"""What comes after a redemption: hand-over, void, the close of the day."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.element import RedemptionId
from ledger.entry import Closed, Entry, Handover, Kind, Opened, Void
from ledger.fsck import check_journal
from ledger.head_code import head_code
from ledger.journal import open_journal
from ledger.policy import DAY
from ledger.totals import units_given
from terminal.cli import main
from terminal.counter import Redeemed, open_counter
from terminal.errors import WrongRequestError
from tests.commands import Command
from tests.point import Point, make_point


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    yield made
    made.counter.close()


def entries(point: Point) -> list[Entry]:
    return point.counter._desk.journal.signed_run(1)[0]


def kinds(point: Point) -> list[Kind]:
    return [entry.kind for entry in entries(point)]


def clean(point: Point) -> bool:
    point.restart()
    return check_journal(point.folder.journal, terminal=1, epoch=1).ok


def give(
    point: Point, name: str = "mawar", programme: str = "pangan", **asked: int | None
) -> Redeemed:
    outcome = point.show(name, programme, **asked)
    assert isinstance(outcome, Redeemed)
    return outcome


def test_void_gives_the_right_back_and_the_next_may_be_given(point: Point) -> None:
    first = give(point)
    voided = point.counter.void(1, reason="salah keluarga", second="dua")
    assert (voided.number, voided.void) == (first.number, "T001-0002")
    assert kinds(point) == [Kind.REDEMPTION, Kind.VOID]
    assert give(point).approved.left_before == 2
    assert kinds(point) == [Kind.REDEMPTION, Kind.VOID, Kind.REDEMPTION]
    assert clean(point)


def test_void_of_an_earlier_one_records_that_the_last_was_handed_over(point: Point) -> None:
    give(point, quantity=1)
    give(point, quantity=1)
    point.counter.void(1, reason="rusak", second="dua")
    assert kinds(point)[-2:] == [Kind.HANDOVER, Kind.VOID]
    assert [e.content for e in entries(point)][-2:] == [Handover(3), Void(1, "rusak", "dua")]
    assert clean(point)


@pytest.mark.parametrize(
    ("seq", "reason", "second", "told"),
    [
        (2, "salah", "dua", "is no redemption"),
        (9, "salah", "dua", "is no redemption"),
        (1, "  ", "dua", "say why"),
        (1, "x" * 81, "dua", "say why"),
        (1, "salah", "", "second person"),
        (1, "salah", "uji", "a second person must agree"),
        (1, "salah", "tigabelas hur", "second person"),
    ],
)
def test_void_that_may_not_be_is_refused_and_nothing_is_recorded(
    point: Point, seq: int, reason: str, second: str, told: str
) -> None:
    give(point)
    point.show("mawar")
    before = kinds(point)
    with pytest.raises(WrongRequestError, match=told):
        point.counter.void(seq, reason=reason, second=second)
    assert kinds(point) == before


def test_void_twice_is_refused(point: Point) -> None:
    give(point)
    point.counter.void(1, reason="salah", second="dua")
    with pytest.raises(WrongRequestError, match="T001-0001 was taken back already"):
        point.counter.void(1, reason="salah", second="dua")


def test_void_after_midnight_or_after_the_close_is_for_the_office(point: Point) -> None:
    give(point, quantity=1)
    point.world.clock.pass_time(DAY)
    with pytest.raises(WrongRequestError, match="ask the kecamatan office"):
        point.counter.void(1, reason="salah", second="dua")
    give(point, quantity=1)
    point.counter.close_day()
    with pytest.raises(WrongRequestError, match="ask the kecamatan office"):
        point.counter.void(3, reason="salah", second="dua")


def after_a_restart(point: Point) -> None:
    point.counter.close()
    point.counter = open_counter(point.folder, clock=point.world.clock, serving=True)


def test_goods_of_the_last_before_a_restart_are_asked_for_and_yes_is_recorded(point: Point) -> None:
    give(point)
    after_a_restart(point)
    assert point.counter.state().asks_handover
    point.counter.answer_handover(handed_over=True)
    assert kinds(point) == [Kind.REDEMPTION, Kind.HANDOVER]
    assert not point.counter.state().asks_handover
    assert clean(point)


def test_goods_not_handed_over_are_taken_back_with_a_second_person(point: Point) -> None:
    give(point)
    after_a_restart(point)
    with pytest.raises(WrongRequestError, match="second person"):
        point.counter.answer_handover(handed_over=False)
    point.counter.answer_handover(handed_over=False, second="dua")
    assert kinds(point) == [Kind.REDEMPTION, Kind.VOID]
    assert give(point).approved.left_before == 2


def test_question_can_be_answered_after_another_one_was_taken_back(point: Point) -> None:
    give(point, quantity=1)
    give(point, "dahlia", "pasar-murah")
    after_a_restart(point)
    point.counter.void(1, reason="salah", second="dua")
    state = point.counter.state()
    assert state.asks_handover
    assert state.last is not None
    assert state.last.number == "T001-0003"
    point.counter.answer_handover(handed_over=True)
    assert kinds(point)[-2:] == [Kind.VOID, Kind.HANDOVER]
    assert not point.counter.state().asks_handover
    assert clean(point)


def test_question_is_the_older_one_again_when_the_newer_was_taken_back(point: Point) -> None:
    give(point, quantity=1)
    after_a_restart(point)
    newer = give(point, "dahlia", "pasar-murah")
    point.counter.void(int(newer.number[-4:]), reason="salah", second="dua")
    assert point.counter.state().asks_handover
    point.counter.answer_handover(handed_over=True)
    assert not point.counter.state().asks_handover
    assert clean(point)


def test_nothing_is_answered_where_nothing_is_asked(point: Point) -> None:
    give(point)
    with pytest.raises(WrongRequestError, match="no hand-over is in question"):
        point.counter.answer_handover(handed_over=True)


def test_close_says_what_was_given_and_the_next_act_opens_the_day(point: Point) -> None:
    give(point, quantity=1)
    give(point, quantity=1)
    point.counter.void(1, reason="salah", second="dua")
    give(point, "dahlia", "pasar-murah")
    point.show("kamboja")
    closed = point.counter.close_day()
    assert isinstance(closed, Closed)
    assert (closed.first, closed.redemptions, closed.voids, closed.refusals) == (1, 2, 1, 1)
    assert (closed.paid, units_given(closed)) == (15_000, {1: 1, 2: 1})
    assert point.counter.close_day() is None
    point.show("kamboja")
    assert kinds(point)[-3:] == [Kind.CLOSE, Kind.OPEN, Kind.REFUSAL]
    assert entries(point)[-2].content == Opened("Balai Satu")
    second = point.counter.close_day()
    assert second is not None
    assert (second.first, second.redemptions, second.refusals) == (closed.first + 9, 0, 1)
    assert clean(point)


def test_close_hands_over_the_last(point: Point) -> None:
    give(point)
    point.counter.close_day()
    assert kinds(point) == [Kind.REDEMPTION, Kind.HANDOVER, Kind.CLOSE]


def test_close_of_an_empty_journal_records_nothing(point: Point) -> None:
    assert point.counter.close_day() is None
    assert kinds(point) == []


def test_void_and_close_by_command(
    point: Point, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Command(main, monkeypatch, capsys)
    monkeypatch.setattr("terminal.counter.SystemClock", lambda: point.world.clock)
    number = give(point).number
    point.counter.close()
    where = ("--config", point.folder.root)
    words = ("--reason", "salah", "--second", "dua")
    told = run("void", *where, "--receipt", number, *words, "--json")
    assert (told.code, told.report) == (
        0,
        {"receipt": "T001-0001", "void": "T001-0002", "paid_back": 0, "on_card": False},
    )
    again = run("void", *where, "--receipt", number, *words)
    assert (again.code, again.sentence) == (2, "T001-0001 was taken back already")
    for other, why in (
        ("T002-0001", "of another terminal"),
        ("T001.2-0001", "of another terminal"),
        ("17", "is no receipt's number"),
    ):
        told = run("void", *where, "--receipt", other, *words)
        assert told.code == 2
        assert why in told.sentence
    totals = {"redemptions": 0, "voids": 1, "refusals": 0, "paid": 0, "units": {}}
    closed = run("close-day", *where, "--json")
    said = closed.report["totals"]
    assert (closed.code, said) == (0, totals | {"number": "T001-0003", "code": said["code"]})
    point.counter = point.world.counter(point.folder)
    journal = open_journal(point.folder.journal, reading=True)
    assert said["code"] == head_code(RedemptionId(1, 1, 3), journal.head().leaf)
    journal.close()


def test_handover_by_command(
    point: Point, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Command(main, monkeypatch, capsys)
    monkeypatch.setattr("terminal.counter.SystemClock", lambda: point.world.clock)
    give(point)
    point.counter.close()
    where = ("--config", point.folder.root)
    assert run("handover", *where, "--no").code == 2
    assert run("handover", *where, "--yes", "--json").report == {"handed_over": True, "seq": 2}
    point.counter = point.world.counter(point.folder)
    assert kinds(point) == [Kind.REDEMPTION, Kind.HANDOVER]
