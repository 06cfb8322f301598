"""Two officers give on the page what one was refused; the journal holds just what it should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.reason import Reason
from ledger.entry import (
    Basis,
    Closed,
    Commit,
    Excepted,
    Handover,
    Observed,
    Opened,
    Pending,
    Redemption,
    Refusal,
)
from ledger.policy import ExceptionQuota
from terminal.exception import SET_ASIDE
from terminal.words import LANGUAGES, words
from tests.chip_page import QUOTAS, Desk, act_of, desk_of, said
from tests.chip_recovery import flush
from tests.world import PIN

OFFER = 'href="/by-two?act='


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as opened:
        yield opened


def test_dead_chip_is_offered_to_two_and_given_by_them(desk: Desk) -> None:
    family = desk.town.family()
    refused = desk.scan(family)
    assert (said(refused), OFFER in refused) == (("refused", "use_chip"), True)
    asked = desk.page.get("/by-two", params={"act": act_of(refused)})
    assert asked.status_code == 200
    for told in ("Ibu Uji", "1 paket", "0 dari paling banyak 2", words("id").say("o.use_chip")):
        assert told in asked.text
    assert desk.kinds() == [Refusal]  # asking records nothing
    done = desk.by_two(refused)
    assert (done.url.path, f'data-shown="{act_of(refused)}"' in done.text) == ("/", True)
    assert said(desk.shown(refused))[0] == "done"
    assert desk.kinds() == [Refusal, Excepted, Redemption]
    _, agreed, given = (entry.content for entry in desk.entries())
    assert agreed == Excepted("use_chip", family, 0, 1, "WK")
    assert isinstance(given, Redemption)
    assert (given.basis, given.quantity) == (Basis.EXCEPTION, 1)


def test_asked_twice_two_give_once(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    for _ in range(2):
        assert desk.by_two(refused).status_code == 200
    assert desk.kinds() == [Refusal, Excepted, Redemption]
    again = desk.page.get("/by-two", params={"act": act_of(refused)}, follow_redirects=False)
    assert again.status_code == 303  # the act is over: what came of it is shown


def test_officer_alone_is_not_two(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    for second in ("", "uji", " UJI "):
        told = desk.by_two(refused, second)
        assert (told.status_code, "Perlu orang kedua" in told.text) == (400, True)
    assert desk.kinds() == [Refusal]
    assert desk.by_two(refused).status_code == 200  # and still may be given by two


def test_scan_into_the_field_for_initials_gives_nothing(desk: Desk) -> None:
    family = desk.town.family()
    refused = desk.scan(family)
    card = desk.town.world.card(family)
    assert "maxlength" not in desk.page.get("/by-two", params={"act": act_of(refused)}).text
    assert desk.by_two(refused, card).status_code == 400
    assert desk.by_two(refused, card, compared=False).status_code == 400
    assert desk.kinds() == [Refusal]


def test_who_was_not_compared_is_not_served_and_what_was_typed_stays(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    told = desk.by_two(refused, "WK", compared=False)
    assert (told.status_code, 'value="WK"' in told.text) == (400, True)
    assert words("id").say("o.not_compared") in told.text
    assert desk.kinds() == [Refusal]


def test_quota_that_is_used_up_is_told_as_a_refusal(desk: Desk) -> None:
    for _ in range(2):
        desk.by_two(desk.scan(desk.town.family()))
    refused = desk.scan(desk.town.family())
    assert (
        "2 dari paling banyak 2" in desk.page.get("/by-two", params={"act": act_of(refused)}).text
    )
    desk.by_two(refused)
    assert said(desk.shown(refused)) == ("refused", "exception_quota_used")
    assert sum(kind is Excepted for kind in desk.kinds()) == 2
    assert desk.kinds()[-1] is Refusal


def test_nothing_else_is_offered_to_two(desk: Desk) -> None:
    family = desk.town.family()
    desk.readers.lay(desk.town.card(family))
    desk.give(desk.tap())
    taken = desk.scan(family)
    assert (said(taken)[1], OFFER in taken) == ("already_redeemed", False)
    before = desk.kinds()
    told = desk.by_two(taken, follow=False)
    assert (told.status_code, desk.kinds()) == (303, before)


def test_every_reason_that_two_may_set_aside_is_told_in_words() -> None:
    for language in LANGUAGES:
        assert all(words(language).say(f"o.{reason}") for reason in SET_ASIDE)


def test_genuine_card_that_is_not_listed_here_is_given_one_by_two(desk: Desk) -> None:
    desk.town.world.exceptions = (*QUOTAS, ExceptionQuota(Reason.RIGHT_NOT_HERE, 1))
    desk.town.publish()
    refused = desk.scan(b"elsewher")
    assert (said(refused)[1], OFFER in refused) == ("right_not_here", True)
    asked = desk.page.get("/by-two", params={"act": act_of(refused)})
    assert words("id").say("o.right_not_here") in asked.text
    desk.by_two(refused)
    assert said(desk.shown(refused))[0] == "done"
    assert desk.kinds() == [Refusal, Excepted, Redemption]


def test_away_from_home_nothing_is_offered(tmp_path: Path) -> None:
    with desk_of(tmp_path, at=2) as away:
        refused = away.scan(away.town.family())
        assert (said(refused), OFFER in refused) == (("refused", "use_chip"), False)
        away.by_two(refused)
        assert away.kinds() == [Refusal]


def test_policy_that_names_no_exception_offers_none(desk: Desk) -> None:
    desk.town.world.exceptions = ()
    desk.town.publish()
    assert OFFER not in desk.scan(desk.town.family())


def test_act_that_is_gone_is_told(desk: Desk) -> None:
    for answer in (
        desk.page.get("/by-two"),
        desk.page.get("/by-two", params={"act": "gone"}),
        desk.page.post("/by-two", data={"act": "gone", "second": "WK", "compared": "on"}),
    ):
        assert (answer.status_code, "LAYAR SUDAH LEWAT" in answer.text) == (409, True)
    assert desk.kinds() == []


def test_page_of_another_site_and_a_stranger_reach_nothing(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    typed = {"act": act_of(refused), "second": "WK", "compared": "on"}
    other = {"Origin": "http://example.org"}
    assert desk.page.post("/by-two", data=typed, headers=other).status_code == 403
    desk.page.cookies.clear()
    assert desk.page.get("/by-two", params={"act": act_of(refused)}).status_code == 403
    assert desk.page.post("/by-two", data=typed).status_code == 403
    assert desk.kinds() == [Refusal]


def test_chip_with_a_gap_writes_its_record_when_two_agree(desk: Desk) -> None:
    card = desk.town.card(desk.town.family())
    flush(desk.town, card)
    desk.readers.lay(card)
    refused = desk.tap()
    assert (said(refused)[1], OFFER in refused) == ("card_history_incomplete", True)
    counter = card.mac_file.counter
    desk.by_two(refused)
    assert said(desk.shown(refused))[0] == "done"
    assert desk.kinds()[-3:] == [Excepted, Pending, Commit]
    assert card.mac_file.counter == counter + 1
    assert desk.town.journal_holds(1) == ()


def test_chip_with_a_gap_must_lie_there_still(desk: Desk) -> None:
    card, other = (desk.town.card(desk.town.family()) for _ in range(2))
    flush(desk.town, card)
    desk.readers.lay(card)
    refused = desk.tap()
    before = desk.kinds()
    desk.readers.lift()
    told = desk.by_two(refused)
    assert (told.status_code, "Letakkan satu kartu" in told.text) == (400, True)
    desk.readers.lay(other)
    told = desk.by_two(refused)
    assert words("id").say("reader.card_changed") in told.text
    assert (desk.kinds(), other.mac_file.counter) == (before, 1)
    desk.readers.lay(card)
    desk.by_two(refused)
    assert said(desk.shown(refused))[0] == "done"


def test_wrong_pin_leaves_the_chips_closed_and_records_only_that(desk: Desk) -> None:
    desk.town.world.room(desk.town.folders[1]).wipe()
    told = desk.page.post("/day/open", data={"pin": "000000"})
    assert (told.status_code, "PIN salah" in told.text) == (400, True)
    desk.readers.lay(desk.town.card(desk.town.family()))
    closed = desk.tap()
    assert (said(closed), OFFER in closed) == (("refused", "chip_closed"), False)
    (entry,) = desk.entries()
    assert isinstance(entry.content, Refusal)
    assert entry.content.reason == Reason.CHIP_CLOSED
    assert desk.page.post("/day/open", data={"pin": PIN}).status_code == 200
    assert said(desk.tap(meant=True))[0] == "approved"


def test_after_the_close_two_open_the_next_day_with_what_they_give(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    desk.page.post("/day/close")
    desk.by_two(refused)
    assert desk.kinds() == [Refusal, Closed, Opened, Excepted, Redemption]
    assert Handover not in desk.kinds()
    assert Observed not in desk.kinds()
