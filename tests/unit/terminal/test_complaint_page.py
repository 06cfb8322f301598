"""A complaint on the page: asked, filed once, its slip; the refused screen offers it by a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from card_codec.reason import Reason
from ledger.entry import Complaint, Excepted, Kind, Redemption, Refusal
from ledger.errors import NotSavedError
from ledger.journal import Journal
from ledger.receipt import VerifiedReceipt, verify_receipt
from ledger.rights import Rights
from terminal.words import LANGUAGES, words
from tests.chip_page import Desk, act_of, desk_of, said

OFFER = 'data-do="complain"'
NUMBER = re.compile(r'data-number="(T001-\d{4})"')


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as opened:
        yield opened


def ask(desk: Desk, screen: str) -> str:
    return desk.page.post("/complaint", json={"act": act_of(screen)}).text


def file(desk: Desk, screen: str) -> str:
    return desk.page.post("/complaint/file", json={"act": act_of(screen)}).text


def test_refusal_offers_a_complaint_and_asking_records_nothing(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    assert OFFER in refused
    asked = ask(desk, refused)
    assert said(asked) == ("complain", "use_chip")
    assert words("id").say("why.use_chip") in asked
    assert desk.kinds() == [Refusal]


def test_complaint_is_filed_and_shows_its_number_and_slip(desk: Desk) -> None:
    family = desk.town.family()
    done = file(desk, desk.scan(family))
    assert said(done) == ("filed", "use_chip")
    assert 'data-tone="paper"' in done  # nothing was given: no green
    assert NUMBER.findall(done) == ["T001-0002"]
    for told in ("ADUAN", "T001-0002", words("id").say("r.complaint_only"), "0536-000", "UJI"):
        assert told in done, told
    assert desk.kinds() == [Refusal, Complaint]
    assert isinstance(complaint := desk.entries()[-1].content, Complaint)
    assert (complaint.seq, complaint.household, complaint.programme) == (1, family, 1)
    (receipt,) = re.findall(r'data-receipt="(KHR1[A-Z2-7]+)"', done)
    rights = Rights(desk.town.folders[1].rights)
    verified = verify_receipt(receipt, rights.full_trust())
    rights.close()
    assert isinstance(verified, VerifiedReceipt)
    assert verified.is_complaint


def test_slip_names_nobody(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    done = file(desk, refused)
    assert "Ibu Uji" not in done  # the credential's name stands on receipts, not here


def test_filed_twice_it_is_one_complaint(desk: Desk) -> None:
    refused = desk.scan(desk.town.family())
    first, again = file(desk, refused), file(desk, refused)
    assert NUMBER.findall(first) == NUMBER.findall(again) == ["T001-0002"]
    told = words("id").say("a.again")
    assert (told in first, told in again) == (False, True)
    assert desk.kinds() == [Refusal, Complaint]


def test_two_refusals_have_two_complaints(desk: Desk) -> None:
    one, two = (desk.scan(desk.town.family()) for _ in range(2))
    numbers = [NUMBER.findall(file(desk, screen)) for screen in (two, one)]
    assert numbers == [["T001-0003"], ["T001-0004"]]
    about = [e.content.seq for e in desk.entries() if isinstance(e.content, Complaint)]
    assert about == [2, 1]


def test_approved_card_offers_none_and_files_none(desk: Desk) -> None:
    card = desk.town.card(desk.town.family())
    desk.readers.lay(card)
    shown = desk.tap()
    assert said(shown)[0] == "approved"
    assert OFFER not in shown
    for answer in (ask(desk, shown), file(desk, shown)):
        assert said(answer)[0] == "approved"  # the act as it stands
    assert desk.kinds() == []


def test_act_that_is_gone_is_told(desk: Desk) -> None:
    for path in ("/complaint", "/complaint/file"):
        answer = desk.page.post(path, json={"act": "gone"})
        assert (answer.status_code, "LAYAR SUDAH LEWAT" in answer.text) == (409, True)
        assert desk.page.post(path, json={"act": "x" * 65}).status_code == 400
        assert desk.page.post(path, json={"act": "x", "reason": "teks"}).status_code == 400
    assert desk.kinds() == []


def test_page_of_another_site_and_a_stranger_file_nothing(desk: Desk) -> None:
    asked = {"act": act_of(desk.scan(desk.town.family()))}
    other = {"Origin": "http://example.org"}
    assert desk.page.post("/complaint/file", json=asked, headers=other).status_code == 403
    desk.page.cookies.clear()
    assert desk.page.post("/complaint/file", json=asked).status_code == 403
    assert desk.kinds() == [Refusal]


def test_quota_of_exceptions_that_is_used_up_ends_in_a_complaint(desk: Desk) -> None:
    """Its own sentence (HB-77) tells staff to file one."""
    for _ in range(2):
        desk.by_two(desk.scan(desk.town.family()))
    refused = desk.scan(desk.town.family())
    desk.by_two(refused)
    shown = desk.shown(refused)
    assert said(shown) == ("refused", "exception_quota_used")
    assert OFFER in shown
    before = [kind for kind in desk.kinds() if kind in {Redemption, Excepted}]
    assert said(file(desk, refused)) == ("filed", "exception_quota_used")
    assert [kind for kind in desk.kinds() if kind in {Redemption, Excepted}] == before
    assert desk.town.journal_holds(1) == ()


def test_disk_that_refuses_is_told_and_nothing_is_said_to_be_filed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = desk.scan(desk.town.family())

    def refuse(_: Journal) -> None:
        raise NotSavedError("the disk refused; do not hand over")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "act", refuse)
        answer = file(desk, refused)
    assert said(answer)[0] == "fault"
    assert "HB-91" in answer
    assert desk.kinds() == [Refusal]
    assert NUMBER.findall(file(desk, refused)) == ["T001-0002"]


def test_refusal_that_was_not_recorded_offers_none(desk: Desk) -> None:
    shown = desk.page.post("/look-up", json={"digits": "62", "programme": "pangan"}).text
    assert said(shown) == ("refused", "number_length")
    assert OFFER not in shown
    assert said(file(desk, shown))[0] == "refused"
    assert desk.kinds() == []


def test_look_up_that_found_nobody_is_filed_for_the_service_that_was_chosen(desk: Desk) -> None:
    typed = {"digits": "6299010101260099", "programme": "klinik"}
    missed = desk.page.post("/look-up", json=typed).text
    assert said(missed) == ("refused", "look_up_unknown")
    done = file(desk, missed)
    assert said(done) == ("filed", "look_up_unknown")
    assert isinstance(complaint := desk.entries()[-1].content, Complaint)
    assert (complaint.household, complaint.programme) == (None, 3)
    assert "6299" not in done
    assert b"6299010101260099" not in desk.entries()[-1].data


def test_every_reason_can_be_said_on_a_slip_in_few_words() -> None:
    for language in LANGUAGES:
        said_words = [words(language).say(f"why.{reason}") for reason in Reason]
        assert all(len(text) <= 64 for text in said_words)
        assert len(set(said_words)) == len(said_words)


def test_complaint_has_a_kind_of_its_own(desk: Desk) -> None:
    file(desk, desk.scan(desk.town.family()))
    assert desk.entries()[-1].kind is Kind.COMPLAINT
