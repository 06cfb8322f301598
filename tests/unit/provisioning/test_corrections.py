"""A redemption is taken back at the office: entered, told to who signs, in force at the counter."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tuf.api.metadata import Targets

from card_codec.reason import Reason
from ledger.changes_file import ChangesFile, Correction, read_changes
from ledger.repository import Repository
from provisioning.changes import Change, ChangeKind
from provisioning.office import open_office
from provisioning.publish import publish_changes
from terminal.counter import Presentation, Redeemed, Request
from tests.unit.provisioning.command import Run, report
from tests.unit.provisioning.played import KEC_1, KEC_2, NOW
from tests.unit.provisioning.served import Served
from tests.unit.provisioning.test_changes import named, pending
from tests.unit.provisioning.test_publish import files_of


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))


def newest(office: Path) -> ChangesFile:
    """What the kecamatan's role names."""
    release = Repository(office / "release")
    (path,) = named(office)
    role = release.load(f"changes-{KEC_1}", Targets)
    return read_changes(release.target_bytes(role, path))


def give(served: Served, card: str) -> str:
    """The counter gives all that is left; the receipt's number."""
    outcome = served.counter.redeem(Presentation(card), Request("pangan"))
    assert isinstance(outcome, Redeemed)
    return outcome.number


def test_redemption_of_a_closed_day_is_given_anew_after_the_correction(served: Served) -> None:
    home, other = served.households()[:2]
    card, others = served.card(home), served.card(other)
    number, _ = give(served, card), give(served, others)
    served.counter.close_day()
    assert served.asked(card) is Reason.ALREADY_REDEEMED
    served.change(home, ChangeKind.CORRECT, number)
    assert served.bring().problem is None
    assert (served.asked(card), served.asked(others)) == (None, Reason.ALREADY_REDEEMED)


def test_correction_keeps_the_number_that_first_said_so_over_the_next_decree(
    served: Served,
) -> None:
    home, other = served.households()[:2]
    served.change(home, ChangeKind.CORRECT, "t001-0017")
    row = Correction(1, 1, 17, home, 1)
    assert newest(served.office).corrected == (row,)
    served.publish()
    served.change(other, ChangeKind.STATE, "ended")
    file = newest(served.office)
    assert (file.number, file.corrected, len(file.removed)) == (2, (row,), 1)
    served.bring()
    assert served.installed().corrected() == {row}


def test_correction_that_waits_rides_beside_the_decree(served: Served) -> None:
    home = served.households()[0]
    with open_office(served.office) as opened:
        opened.roster.note_change(home, kecamatan=KEC_1, kind="correct", value="T001-0017", now=NOW)
    served.publish()
    assert named(served.office) == [f"changes/{KEC_1}/1.cbor.zst"]
    assert pending(served.office) == [("correct", "T001-0017", 1)]
    assert served.bring().problem is None
    assert served.installed().corrected() == {Correction(1, 1, 17, home, 1)}


def test_correction_twice_is_entered_once(served: Served) -> None:
    home = served.households()[0]
    with open_office(served.office) as opened:
        twice = [Change(home, ChangeKind.CORRECT, text) for text in ("T001-0017", " t001-0017")]
        publish_changes(opened, KEC_1, twice, now=NOW)
    served.change(home, ChangeKind.CORRECT, "T001.1-0017")
    assert pending(served.office) == [("correct", "T001-0017", 1)]
    assert newest(served.office).corrected == (Correction(1, 1, 17, home, 1),)


def test_redemption_of_an_epoch_before_is_named_as_its_slip_names_it(served: Served) -> None:
    home = served.households()[0]
    with closing(sqlite3.connect(served.office / "office.db")) as db, db:
        db.execute(
            "INSERT INTO terminal SELECT ordinal, 2, name, point, home, away, spki, token_sha256,"
            " enrolled, 5 FROM terminal"
        )
    with open_office(served.office) as opened:
        publish_changes(opened, KEC_1, [Change(home, ChangeKind.CORRECT, "T001.2-0003")], now=NOW)
    assert newest(served.office).corrected == (Correction(1, 2, 3, home, 1),)


def test_who_signs_is_told_what_is_taken_back(run: Run, served: Served, tmp_path: Path) -> None:
    one, two = served.households()[:2]
    served.change(one, ChangeKind.CORRECT, "T001-0017")
    office, out = served.office, tmp_path / "changes.khb"
    made = report(
        run("prepare", "--office", office, "--kecamatan", KEC_1, "--correct", "T001-0018",
            "--correct", "T001-0020", "--household", two.hex(), "--out", out, "--json")
    )  # fmt: skip
    lines = made["summary"]
    assert "3 (was 1) redemptions taken back" in lines[1]
    assert lines[2:4] == [
        f"  takes back T001-0018 of household {two.hex()}",
        f"  takes back T001-0020 of household {two.hex()}",
    ]
    assert "for good. Whether it was ever heard of is not known here" in lines[4]
    assert report(run("show", out, "--json"))["summary"] == lines
    keys = office / "keys" / "kecamatan" / KEC_1
    for holder in ("camat", "kasi-kesra"):
        assert run("sign", out, "--key", keys / f"{holder}.pem")[0] == 0
    assert run("assemble", "--office", office, out)[0] == 0
    assert [row.seq for row in newest(office).corrected] == [17, 18, 20]


def prepared(run: Run, served: Served, home: bytes, *words: str) -> Path:
    """A bundle that was prepared with these words."""
    out = served.office.parent / f"{len(words)}-{words[0][2:]}.khb"
    report(
        run("prepare", "--office", served.office, "--kecamatan", KEC_1, *words, "--household",
            home.hex(), "--out", out, "--json")
    )  # fmt: skip
    return out


def test_correction_that_no_holder_signed_can_be_withdrawn_and_entered_again(
    run: Run, served: Served
) -> None:
    home, keys = served.households()[0], served.office / "keys" / "kecamatan" / KEC_1
    wrong = prepared(run, served, home, "--correct", "T001-0017", "--correct", "T001-0018")
    right = prepared(run, served, home, "--withdraw", "t001-0017")
    summary = report(run("show", right, "--json"))["summary"]
    assert [line for line in summary if "takes back" in line] == [
        f"  takes back T001-0018 of household {home.hex()}"
    ]
    for bundle in (wrong, right):
        for holder in ("camat", "kasi-kesra"):
            assert run("sign", bundle, "--key", keys / f"{holder}.pem")[0] == 0
    before = files_of(served.office)
    code, out, err = run("assemble", "--office", served.office, wrong)
    assert (code, out) == (1, "")
    assert err == (
        "the correction of T001-0017 was withdrawn since this bundle was prepared; prepare it"
        " again\n"
    )
    assert files_of(served.office) == before
    assert run("assemble", "--office", served.office, right)[0] == 0
    assert [row.seq for row in newest(served.office).corrected] == [18]
    served.change(home, ChangeKind.CORRECT, "T001-0017")
    assert [row.seq for row in newest(served.office).corrected] == [17, 18]


def test_correction_that_was_published_is_for_good(run: Run, served: Served) -> None:
    home, other = served.households()[:2]
    served.change(home, ChangeKind.CORRECT, "T001-0017")
    before = pending(served.office)
    for household, told in ((home, "T001-0017 for household"), (other, "no correction of")):
        code, out, err = run(
            "prepare", "--office", served.office, "--kecamatan", KEC_1, "--withdraw", "T001-0017",
            "--household", household.hex(), "--out", served.office.parent / "bundle",
        )  # fmt: skip
        assert (code, out) == (1, "")
        assert told in err
        assert "what was published is for good" in err
    assert pending(served.office) == before
    assert not (served.office.parent / "bundle").exists()


HOME = "{home}"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--correct", "T001-0017"], 2, "a correction names a redemption and whose it is"),
        (["--household", HOME], 2, "a correction names a redemption and whose it is"),
        (["--correct", "T001-0017", "--household", "mawar"], 2, "is not a household's id"),
        (["--correct", "17", "--household", HOME], 1, "'17' is no receipt's number; it reads"),
        (["--correct", "T001-0000", "--household", HOME], 1, "is no receipt's number"),
        (["--correct", "T001.256-0001", "--household", HOME], 1, "is no receipt's number"),
        (
            ["--correct", "T\N{ARABIC-INDIC DIGIT ONE}01-0001", "--household", HOME],
            1,
            "no receipt's number",
        ),
        (["--correct", "T009-0001", "--household", HOME], 1, "no terminal that was ever enrolled"),
        (["--correct", "T001.2-0001", "--household", HOME], 1, "T001.2-0001 is of no terminal"),
        (["--correct", "T001-0017", "--household", "{far}"], 1, "is not in the roster of 629901"),
    ],
)
def test_wrong_correction_is_one_sentence_and_changes_nothing(
    *, run: Run, served: Served, words: list[str], code: int, told: str
) -> None:
    before, listed = files_of(served.office), pending(served.office)
    ids = {"{home}": served.households()[0].hex(), "{far}": served.households(KEC_2)[0].hex()}
    filled = [ids.get(word, word) for word in words]
    for command in (["change"], ["prepare", "--out", served.office.parent / "bundle"]):
        ended, out, err = run(*command, "--office", served.office, "--kecamatan", KEC_1, *filled)
        assert (ended, out) == (code, "")
        assert told in err
        assert err.count("\n") == 1
    assert (files_of(served.office), pending(served.office)) == (before, listed)
    assert not (served.office.parent / "bundle").exists()


def test_more_corrections_than_the_policy_allows_change_nothing(run: Run, served: Served) -> None:
    home = served.households()[0].hex()
    many = [word for seq in range(1, 7) for word in ("--correct", f"T001-{seq:04d}")]
    before = pending(served.office)
    ended, out, err = run(
        "change", "--office", served.office, "--kecamatan", KEC_1, *many, "--household", home
    )
    assert (ended, out) == (1, "")
    assert "take back redemptions of 6 of 20 households; the policy allows 5" in err
    assert pending(served.office) == before
