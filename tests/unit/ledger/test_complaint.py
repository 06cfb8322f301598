"""A complaint says what its refusal said and no more; fsck finds every one that does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.complaint import complaint_about, filed_about, newest_refusal
from ledger.entry import Complaint, Content, LookUp, Opened, Presented, Refusal, read_entry
from ledger.errors import RecordError
from ledger.fsck import check_journal
from ledger.journal import Journal
from tests.unit.ledger.journals import commit, everything, fresh, given
from tests.unit.ledger.samples import HOUSEHOLD, KEY, entry

REFUSED = Refusal("revoked", HOUSEHOLD, 1, 3, 1, Presented.PICTURE)
ABOUT_IT = Complaint(1, "revoked", HOUSEHOLD, 3, 1, Presented.PICTURE)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = fresh(tmp_path)
    commit(made, REFUSED)
    yield made
    made.close()


def faults(journal: Journal) -> tuple[str, ...]:
    return check_journal(journal.path, terminal=1, epoch=1, key=KEY.public).faults


def test_complaint_repeats_its_refusal() -> None:
    assert complaint_about(entry(REFUSED)) == ABOUT_IT
    assert complaint_about(entry(REFUSED), programme=5) == ABOUT_IT  # it named its own


def test_complaint_about_a_look_up_names_the_programme_that_was_wanted() -> None:
    looked = entry(LookUp(None, 0, "look_up_unknown"), seq=7)
    said = Complaint(7, "look_up_unknown", None, 0, 2, Presented.LOOK_UP)
    assert complaint_about(looked, programme=2) == said


@pytest.mark.parametrize("content", [given(), Opened("Balai"), LookUp(HOUSEHOLD, 1, "")])
def test_entry_that_refused_nobody_has_no_complaint(content: Content) -> None:
    assert complaint_about(entry(content)) is None


def test_entry_that_is_not_there_has_no_complaint() -> None:
    assert complaint_about(None) is None


@pytest.mark.parametrize(
    "reason",
    ["", "Revoked", "6299012802260003", "ibu siti", "0812-3456", "é", "a" * 41, "revoked\n"],
)
def test_complaint_has_no_room_for_anybodys_words(reason: str) -> None:
    with pytest.raises(RecordError):
        entry(replace(ABOUT_IT, reason=reason))


@pytest.mark.parametrize(
    "change", [{"household": b"seven77"}, {"member": 256}, {"programme": 256}, {"seq": -1},
               {"presented": 6}, {"seq": 2**32}, {"household": "62990000"}],
)  # fmt: skip
def test_complaint_out_of_bounds_is_never_made(change: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        entry(replace(ABOUT_IT, **change))


def test_every_flipped_bit_of_a_complaint_is_another_entry_or_none() -> None:
    data = entry(ABOUT_IT, seq=2).data
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        try:
            assert read_entry(bytes(flipped)).leaf != entry(ABOUT_IT, seq=2).leaf
        except RecordError:
            continue


def test_complaint_is_counted_nowhere(journal: Journal) -> None:
    before = everything(journal.path)
    commit(journal, ABOUT_IT)
    after = everything(journal.path)
    assert len(after.pop("entry")) == len(before.pop("entry")) + 1
    assert after == before
    assert faults(journal) == ()


def test_newest_refusal_and_its_complaint_are_found(journal: Journal) -> None:
    with journal.act() as act:
        assert (newest_refusal(act), filed_about(act, 1)) == (1, None)
    filed = commit(journal, ABOUT_IT)[0]
    commit(journal, LookUp(None, 0, "look_up_unknown"), LookUp(HOUSEHOLD, 1, ""), given())
    with journal.act() as act:
        assert newest_refusal(act) == 3
        found = filed_about(act, 1)
        assert found is not None
        assert found == (filed, journal.signature(2))
        assert filed_about(act, 3) is None


def test_journal_that_refused_nobody_has_no_newest_refusal(tmp_path: Path) -> None:
    empty = fresh(tmp_path)
    with empty.act() as act:
        assert newest_refusal(act) is None
    empty.close()


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ABOUT_IT, seq=0),
        replace(ABOUT_IT, seq=2),
        replace(ABOUT_IT, seq=9),
        replace(ABOUT_IT, reason="expired"),
        replace(ABOUT_IT, household=b"another!"),
        replace(ABOUT_IT, household=None),
        replace(ABOUT_IT, member=4),
        replace(ABOUT_IT, programme=2),
        replace(ABOUT_IT, presented=Presented.CHIP),
    ],
)
def test_fsck_finds_a_complaint_that_says_otherwise(journal: Journal, wrong: Complaint) -> None:
    commit(journal, Opened("Balai"))
    commit(journal, wrong)
    told = f"entry 3 complains of entry {wrong.seq}, which refused otherwise or nobody"
    assert faults(journal) == (told,)


def test_fsck_finds_a_refusal_that_was_complained_of_twice(journal: Journal) -> None:
    commit(journal, ABOUT_IT)
    commit(journal, ABOUT_IT)
    assert faults(journal) == ("entry 3 complains of entry 1 once more",)


def test_fsck_finds_a_complaint_before_its_refusal(journal: Journal) -> None:
    commit(journal, replace(ABOUT_IT, seq=3))
    commit(journal, REFUSED)
    assert "refused otherwise or nobody" in faults(journal)[0]
