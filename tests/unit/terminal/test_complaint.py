"""A complaint: what a family is given that does not accept a refusal; nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger import space
from ledger.entry import Closed, Complaint, Entry, Handover, Kind, Opened, Presented
from ledger.fsck import check_journal
from ledger.receipt import VerifiedReceipt, verify_receipt
from ledger.rights import Rights
from terminal import counter as counter_module
from terminal.cli import main
from terminal.complaint import Filed
from terminal.counter import Presentation, Redeemed, Request, open_counter
from terminal.errors import WrongRequestError
from tests.chip_recovery import flush
from tests.chip_town import make_town
from tests.commands import Command
from tests.point import Point, make_point, tables


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    yield made
    made.counter.close()


def entries(point: Point) -> list[Entry]:
    return [entry for entry, _ in point.counter._desk.journal.tail(1000)]


def kinds(point: Point) -> list[Kind]:
    return [entry.kind for entry in entries(point)]


def refused(point: Point, name: str = "dahlia", programme: str = "pangan") -> Refused:
    outcome = point.show(name, programme)
    assert isinstance(outcome, Refused)
    return outcome


def filed(point: Point, about: int | None = None, programme: str = "") -> Filed:
    outcome = point.counter.file_complaint(about, programme=programme)
    assert isinstance(outcome, Filed)
    return outcome


def clean(point: Point) -> bool:
    return check_journal(point.folder.journal, terminal=1, epoch=1).ok


def test_refusal_says_which_entry_recorded_it(point: Point) -> None:
    assert refused(point).entry == 1
    assert refused(point, "kamboja").entry == 2
    assert point.counter.look(Presentation("KHB1nothing"), Request("pangan")) == Refused(
        Reason.MALFORMED
    )
    assert kinds(point) == [Kind.REFUSAL] * 3
    assert Refused(Reason.MALFORMED, entry=3) == Refused(Reason.MALFORMED)


def test_complaint_is_numbered_and_repeats_its_refusal(point: Point) -> None:
    refusal = refused(point)
    given = filed(point, refusal.entry)
    assert (given.number, given.about, given.again) == ("T001-0002", "T001-0001", False)
    assert given.at == point.world.clock.wall
    said = Complaint(1, "already_redeemed", point.ids["dahlia"], 0, 1, Presented.TEXT)
    assert entries(point)[-1].content == given.complaint == said
    assert clean(point)


def test_complaint_changes_nothing_that_is_left(point: Point) -> None:
    """Not the union, not a quota, not what the screen counts, not the day's totals."""
    refusal = refused(point)
    held, answers, state = tables(point.folder.journal), point.answers(), point.counter.state()
    filed(point, refusal.entry)
    after = tables(point.folder.journal)
    assert len(after.pop("entry")) == len(held.pop("entry")) + 1
    assert after == held
    assert point.answers() == answers
    now = point.counter.state()
    assert (now.served_today, now.refused_today, now.away_left, now.last, now.twice_rupiah) == (
        state.served_today, state.refused_today, state.away_left, state.last, state.twice_rupiah,
    )  # fmt: skip
    closed = point.counter.close_day()
    assert closed is not None
    assert (closed.redemptions, closed.voids, closed.refusals, closed.units) == (0, 0, 1, b"")
    assert clean(point)


def test_refusal_complained_of_twice_has_one_number(point: Point) -> None:
    refusal = refused(point)
    first = filed(point, refusal.entry)
    before = tables(point.folder.journal)
    again = filed(point, refusal.entry)
    assert (again.number, again.slip, again.again) == (first.number, first.slip, True)
    assert tables(point.folder.journal) == before
    point.restart()
    assert filed(point, refusal.entry).number == first.number
    assert tables(point.folder.journal) == before


def test_without_a_refusal_there_is_nothing_to_complain_of(point: Point) -> None:
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    before = tables(point.folder.journal)
    for about in (None, 0, 1, 2, 99):
        assert point.counter.file_complaint(about) == Refused(Reason.NOTHING_REFUSED)
    assert tables(point.folder.journal) == before


def test_complaint_is_no_refusal_to_complain_of(point: Point) -> None:
    refused(point)
    filed(point)
    assert point.counter.file_complaint(2) == Refused(Reason.NOTHING_REFUSED)
    assert kinds(point) == [Kind.REFUSAL, Kind.COMPLAINT]


def test_newest_refusal_is_meant_where_none_is_named(point: Point) -> None:
    refused(point)
    refused(point, "kamboja")
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    assert filed(point).about == "T001-0002"
    assert filed(point, 1).about == "T001-0001"


def test_unknown_programme_is_wrong_use_and_files_nothing(point: Point) -> None:
    refused(point)
    with pytest.raises(WrongRequestError):
        point.counter.file_complaint(1, programme="sembako")
    assert kinds(point) == [Kind.REFUSAL]


def test_goods_given_before_went_over_the_counter_by_then(point: Point) -> None:
    refused(point)
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    filed(point, 1)
    assert kinds(point)[-2:] == [Kind.HANDOVER, Kind.COMPLAINT]
    assert entries(point)[-2].content == Handover(2)


def test_complaint_after_the_close_opens_the_day(point: Point) -> None:
    refused(point)
    assert isinstance(point.counter.close_day(), Closed)
    filed(point, 1)
    assert isinstance(entries(point)[-2].content, Opened)
    assert clean(point)


def test_disk_that_is_nearly_full_still_keeps_a_refusal_and_its_complaint(point: Point) -> None:
    point.counter.close()
    room = space.ROOM_MIN - 1
    clock = point.world.clock
    point.counter = open_counter(point.folder, clock=clock, free=lambda _: room)
    refusal = refused(point, "mawar")
    assert (refusal.reason, refusal.entry) == (Reason.DISK_FULL, 1)
    assert filed(point, refusal.entry).complaint.reason == "disk_full"
    assert kinds(point) == [Kind.REFUSAL, Kind.COMPLAINT]


def test_before_a_ledger_is_here_a_family_gets_its_number_all_the_same(point: Point) -> None:
    point.counter.close()
    for file in (point.folder.rights, *point.folder.in_box.rglob("*")):
        if file.is_file():
            file.unlink()
    point.counter = open_counter(point.folder, clock=point.world.clock)
    outcome = point.counter.look(Presentation(point.cards["mawar"]), Request("pangan"))
    assert outcome == Refused(Reason.NO_LEDGER)
    assert isinstance(outcome, Refused)
    assert filed(point, outcome.entry).complaint.reason == "no_ledger"


def test_slip_verifies_without_a_network_and_is_a_complaints(point: Point) -> None:
    given = filed(point, refused(point).entry)
    rights = Rights(point.folder.rights)
    verified = verify_receipt(given.slip, rights.full_trust())
    rights.close()
    assert isinstance(verified, VerifiedReceipt)
    assert (verified.number, verified.is_complaint) == (given.number, True)
    assert verified.entry.content == given.complaint


def test_slip_of_a_complaint_is_no_card(point: Point) -> None:
    point.cards["aduan"] = filed(point, refused(point).entry).slip
    assert refused(point, "aduan") == Refused(Reason.MALFORMED)


def test_look_up_that_found_nobody_can_be_complained_of(point: Point) -> None:
    point.world.villagers.add(point.ids["mawar"], "Siti Aminah", numbers={0: "6299012802260003"})
    point.world.clock.pass_time(60)
    point.world.publish()
    point.bring()
    assert point.take().problem is None
    point.counter.close()
    point.world.open_day(point.folder)
    point.counter = point.world.counter(point.folder)
    missed = point.counter.look_up("6299010101260099")
    assert missed == Refused(Reason.LOOK_UP_UNKNOWN)
    assert isinstance(missed, Refused)
    given = filed(point, missed.entry, "klinik")
    expected = Complaint(missed.entry, "look_up_unknown", None, 0, 3, Presented.LOOK_UP)
    assert given.complaint == expected
    found = point.counter.look_up("6299012802260003")
    assert not isinstance(found, Refused)
    newest = entries(point)[-1]
    assert newest.kind is Kind.LOOK_UP
    assert point.counter.file_complaint(newest.body.seq) == Refused(Reason.NOTHING_REFUSED)
    assert clean(point)


def test_number_that_was_not_even_looked_for_is_not_recorded(point: Point) -> None:
    short = point.counter.look_up("62")
    assert isinstance(short, Refused)
    assert short.entry == 0
    assert entries(point) == []


def test_chip_that_is_refused_can_be_complained_of(tmp_path: Path) -> None:
    town = make_town(tmp_path)
    household = town.family()
    card = town.card(household)
    flush(town, card)
    look = town.look(1, card)
    assert isinstance(look, Refused)
    given = town.counters[1].file_complaint(look.entry)
    assert isinstance(given, Filed)
    assert given.complaint.household == household
    assert given.complaint.reason == "card_history_incomplete"
    counter = card.mac_file.counter
    outcome = town.tap(1, card)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.entry > look.entry) == (Reason.CARD_HISTORY_INCOMPLETE, True)
    assert card.mac_file.counter == counter
    assert town.journal_holds(1) == ()
    town.close()


# --- the command ---


@pytest.fixture
def run(
    point: Point, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    point.counter.close()
    monkeypatch.setattr(counter_module, "SystemClock", lambda: point.world.clock)
    return Command(main, monkeypatch, capsys)


def complain(run: Command, point: Point) -> tuple[int, dict[str, object]]:
    told = run("complaint", "--config", point.folder.root, "--json")
    return told.code, told.report


def test_command_files_about_the_newest_refusal(run: Command, point: Point) -> None:
    at = point.folder.root
    asked = ("redeem", "--config", at, "--text", point.cards["dahlia"], "--programme", "pangan")
    assert run(*asked).code == 1
    code, report = complain(run, point)
    slip = str(report.pop("slip"))
    assert (code, report) == (
        0,
        {
            "outcome": "filed", "reason": "already_redeemed", "number": "T001-0002",
            "about": "T001-0001", "again": False,
        },
    )  # fmt: skip
    assert slip.startswith("KHR1")
    assert run("complaint", "--config", at, "--refusal", "T001-0001").out == (
        "complaint T001-0002 about T001-0001 (already_redeemed)\n"
    )
    assert complain(run, point)[1]["again"] is True


def test_command_without_a_refusal_is_refused_in_one_sentence(run: Command, point: Point) -> None:
    assert complain(run, point) == (1, {"outcome": "refused", "reason": "nothing_refused"})
    told = run("complaint", "--config", point.folder.root)
    assert told.out.startswith("refused: nothing_refused; show the card once more")
    assert json.dumps(told.out).count("\\n") == 1


@pytest.mark.parametrize("number", ["T002-0001", "T001.2-0001", "1", "aduan"])
def test_number_that_is_not_of_this_terminal_is_wrong_use(
    run: Command, point: Point, number: str
) -> None:
    told = run("complaint", "--config", point.folder.root, "--refusal", number)
    assert told.code == 2
    assert told.sentence
