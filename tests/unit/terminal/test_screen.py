"""What a screen and a slip say, from what was decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card_codec.reason import Reason, rows
from card_codec.refusal import Facts, Refused
from ledger.element import Right
from ledger.entry import Basis
from ledger.folder import TerminalConfig
from ledger.newer import Newer
from terminal.counter import Approved, ChooseMember, CounterState, Redeemed
from terminal.counter_state import Last
from terminal.web.bar import make_bar
from terminal.web.screen import Kind, Screen, fault, make_screen
from terminal.web.slip import make_slip, short_name
from terminal.words import LANGUAGES, words
from tests.unit.ledger.samples import CONTENTS, entry
from tests.world import NOW, programmes

CONFIG = TerminalConfig(
    ordinal=1, epoch=1, name="Loket 1", point="Balai Desa", officer="BR", home="629901",
    province="http://127.0.0.1:1",
)  # fmt: skip
STATE = CounterState(
    served_today=1, refused_today=2, waiting=3, ledger_version=4, ledger_time=NOW - 6 * 86_400,
    age_days=6, last=None, head="ab" * 32, seq=9, away_left=4, twice_rupiah=150_000,
    clock_wrong=False, at=NOW, asks_handover=False, last_refusal=None, problem=None,
)  # fmt: skip

EVIDENCE = (entry(CONTENTS[0]), bytes(64))


def approved(**changes: object) -> Approved:
    programme = programmes()[1]
    plain = Approved(
        right=Right(b"household", 0, 2, 1), programme=programme, window=programme.windows[0],
        issue=1, name="Siti Aminah", place="Desa Satu", quantity=1, left_before=1, left_after=0,
        pays=15_000, basis=Basis.HOME,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def shown(
    outcome: Approved | Refused | Redeemed | ChooseMember, *, state: CounterState = STATE
) -> Screen:
    return make_screen(outcome, act="a", words=words("id"), config=CONFIG, state=state, policy=None)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_has_a_whole_screen(reason: Reason, language: str) -> None:
    told = make_screen(
        Refused(reason), act="a", words=words("id" if language == "id" else "en"), config=CONFIG,
        state=STATE, policy=None,
    )  # fmt: skip
    row = rows()[reason]
    assert (told.kind, told.tone, told.code) == (Kind.REFUSED, row.severity, row.hb)
    assert told.word
    assert told.sentence.endswith(".")
    assert told.explain.endswith(".")
    assert "{" not in told.word + told.under + told.sentence + told.explain


def test_refusal_names_when_where_and_number_once() -> None:
    facts = Facts(at=NOW - 86_400, point="Balai Dua", terminal="T002", redemption="T002-0007")
    told = shown(Refused(Reason.ALREADY_REDEEMED, facts))
    assert "Minggu 20 Sep pukul 21.13" in told.lines[0]
    assert "Balai Dua" in told.lines[1]
    assert "T002-0007" in told.lines[1]
    assert "Balai Dua" not in told.sentence
    assert "Balai Dua" in told.explain


def test_name_from_a_card_is_never_markup() -> None:
    point = "<script>alert(1)</script>"
    told = shown(Refused(Reason.ALREADY_REDEEMED, Facts(at=NOW, point=point)))
    assert "<script" not in "".join(told.lines)


def test_age_of_the_data_is_named_where_it_is_the_reason() -> None:
    assert "6 hari" in shown(Refused(Reason.LEDGER_TOO_OLD)).sentence
    told = shown(Refused(Reason.REPLACED, Facts(count=3)))
    assert "3" not in told.sentence


def test_before_the_commit_nothing_is_green() -> None:
    assert shown(approved()).tone == "paper"
    assert shown(ChooseMember(programmes()[3], None, "Desa", (1, 2))).tone == "paper"
    assert shown(Redeemed(approved(), "T001-0001", EVIDENCE, NOW)).tone == "green"


def test_what_is_paid_is_said_or_that_it_is_free() -> None:
    assert "Rp15.000" in shown(approved()).lines[1]
    assert "GRATIS" in shown(approved(pays=0)).lines[1]


def test_away_from_home_says_what_is_left_and_what_could_be_taken_twice() -> None:
    away = approved(basis=Basis.AWAY, away_left=4)
    assert "Di luar titik rumah: jatah luar sisa <b>4</b>" in shown(away).lines
    done = shown(Redeemed(away, "T001-0001", EVIDENCE, NOW))
    assert "Rp150.000" in done.lines[-1]
    at_home = shown(Redeemed(approved(), "T001-0001", EVIDENCE, NOW))
    assert "Rp150.000" not in "".join(at_home.lines)


def test_exception_is_named() -> None:
    assert "izin dua petugas" in shown(approved(basis=Basis.EXCEPTION)).lines[-1]


def test_slip_holds_no_more_of_a_person_than_first_name_and_initial() -> None:
    redeemed = Redeemed(approved(), "T001-0001", EVIDENCE, NOW)
    slip = make_slip(redeemed, CONFIG, words("id"), telephone="0536-1")
    rows = dict(slip.rows)
    assert rows["Nama"] == "Siti A."
    assert rows["Tgl/Jam"] == "21/09/2026 21.13 WIB"
    assert rows["Petugas/Terminal"] == "BR / T001"
    assert rows["Dibayar"] == "Rp15.000"
    assert "Aduan: 0536-1" in slip.notes[-1]
    assert "<svg" in slip.code


@pytest.mark.parametrize(
    ("name", "short"),
    [("Siti Aminah Putri", "Siti A."), ("Budi", "Budi"), (None, None), ("", None)],
)
def test_short_name(name: str | None, short: str | None) -> None:
    assert short_name(name) == short


def test_fault_names_the_telephone_where_it_is_known() -> None:
    assert "0536-1" in fault("e.tamper", words("id"), tel="0536-1").sentence
    assert fault("e.tamper", words("id"), tel=None).code == "HB-93"


def test_bar_says_how_far_the_road_is() -> None:
    bar = make_bar(STATE, words("id"), mean_seconds=5.23)
    assert bar.texts["road"] == "OFFLINE – TETAP BISA MELAYANI"
    assert bar.texts["waiting"] == "3 menunggu"
    assert bar.texts["data"] == "data per 15 Sep (6 hari)"
    assert bar.texts["mean"] == "Rata-rata 5,2 detik per orang"
    assert not bar.sent


def test_bar_asks_about_the_last_redemption_and_tells_a_wrong_clock() -> None:
    last = Last("T001-0017", NOW, handed_over=False)
    state = replace(STATE, last=last, asks_handover=True, clock_wrong=True, problem="bad")
    told = make_bar(state, words("id"), mean_seconds=None).notices
    assert [any(code in line for line in told) for code in ("HB-92", "HB-43", "HB-88")] == [
        True
    ] * 3
    assert "T001-0017" in told[0]


def test_bar_tells_what_is_newer_at_the_province() -> None:
    state = replace(STATE, newer=Newer(ledger=7, software="0.2.0"))
    ledger, software = make_bar(state, words("en"), mean_seconds=None).notices
    assert "number 7" in ledger
    assert "0.2.0" in software
    assert make_bar(STATE, words("en"), mean_seconds=None).notices == ()
