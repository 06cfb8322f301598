"""fsck finds every fault that is planted, and none where there is none."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.keys import PrivateKey
from ledger.acknowledgement import Acknowledgement
from ledger.element import Element, RedemptionId
from ledger.entry import Basis, Handover, Redemption, Void, genesis, make_entry, sign_head
from ledger.errors import JournalError
from ledger.fsck import Checked, check_journal
from ledger.journal import Identity, Journal, create_journal
from ledger.usage_file import write_usage
from tests.unit.ledger.journals import RIGHT, commit, fresh, given, rows, tamper
from tests.unit.ledger.samples import CONTENTS, ELEMENTS, KEY, MOMENT

ENTRIES = 8


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with all that one holds: acts of one and of two entries, voids, usage, a word."""
    journal = fresh(tmp_path)
    commit(journal, CONTENTS[-1])
    commit(journal, given(2))
    with journal.act() as act:
        act.append(
            Handover(2), given(basis=Basis.AWAY), moment=MOMENT, ledger=5, officer="", signer=KEY
        )
    commit(journal, Void(4, "salah ketik", "WK"))
    commit(journal, CONTENTS[3])
    commit(journal, given(household=b"another!"))
    head = commit(journal, CONTENTS[4])[0]
    mine = journal.signed_run(2, limit=1)[0][0].element()
    assert mine is not None
    with journal.act() as act:
        act.known.take_segment(write_usage("629901", 1, [*ELEMENTS, mine]))
        act.known.take_segment(write_usage("629901", 2, [replace(ELEMENTS[0], leaf=b"another!")]))
        act.keep_acknowledgement(Acknowledgement("khb-ack-2", 1, 1, 8, head.leaf, 7), b"signed")
    return journal


def check(journal: Journal) -> Checked:
    return check_journal(journal.path, terminal=1, epoch=1, key=KEY.public)


def test_journal_where_nothing_is_wrong_is_clean_and_unchanged(journal: Journal) -> None:
    before = journal.path.read_bytes()
    checked = check(journal)
    assert checked == Checked(ENTRIES, journal.head().leaf.hex(), ())
    assert checked.ok
    assert journal.path.read_bytes() == before
    assert check_journal(journal.path, terminal=1, epoch=1).ok


def test_empty_journal_is_clean(tmp_path: Path) -> None:
    assert check(fresh(tmp_path)) == Checked(0, "", ())


PLANTED = {
    "entry removed": ("DELETE FROM entry WHERE seq = 5", "entry 5 is missing; the next one is 6"),
    "first entry removed": ("DELETE FROM entry WHERE seq = 1", "entry 1 is missing"),
    "newest entry removed": ("DELETE FROM entry WHERE seq = 8", "acknowledged entry 8"),
    "all entries removed": ("DELETE FROM entry", "is counted, and nothing says so"),
    "entries swapped": (
        "UPDATE entry SET seq = CASE seq WHEN 5 THEN -6 WHEN 6 THEN -5 END WHERE seq IN (5, 6);"
        "UPDATE entry SET seq = -seq WHERE seq < 0",
        "entry 5: it does not follow the one before",
    ),
    "entry doubled": (
        "INSERT INTO entry SELECT 9, kind, early, body, leaf, signature FROM entry WHERE seq = 8",
        "entry 9: it does not follow the one before",
    ),
    "kind changed": ("UPDATE entry SET kind = 6 WHERE seq = 2", "entry 2: it names another place"),
    "time changed": ("UPDATE entry SET early = early - 1 WHERE seq = 2", "entry 2: it names"),
    "signature of another": (
        "UPDATE entry SET signature = (SELECT signature FROM entry WHERE seq = 1) WHERE seq = 2",
        "entry 2: its head signature does not hold",
    ),
    "act unsigned": ("UPDATE entry SET signature = NULL WHERE seq = 5", "entry 5: its act ends"),
    "body of another": (
        "UPDATE entry SET body = (SELECT body FROM entry WHERE seq = 2) WHERE seq = 4",
        "entry 4: it does not follow",
    ),
    "body emptied": ("UPDATE entry SET body = x'' WHERE seq = 4", "entry 4: not a journal entry"),
    "redemption not counted": ("DELETE FROM element WHERE seq = 2", "T001-0002 is not counted"),
    "redemption counted for less": (
        "UPDATE element SET quantity = 1 WHERE seq = 2", "T001-0002 is not counted"
    ),
    "redemption of another household": (
        "UPDATE element SET household = x'0000000000000000' WHERE seq = 2", "T001-0002 is not"
    ),
    "redemption at another time": ("UPDATE element SET minute = 0 WHERE seq = 2", "T001-0002 is"),
    "away taken for home": ("UPDATE element SET basis = 1 WHERE seq = 4", "T001-0004 is not"),
    "redemption invented": (
        "INSERT INTO element SELECT household, programme, window, member, 1, 1, 77, leaf, 1, 1, 1"
        " FROM element LIMIT 1",
        "T001-0077 is counted, and nothing says so",
    ),
    "usage not counted": ("DELETE FROM element WHERE seq = 9", "T002-0009 is not counted"),
    "usage counted for less": (
        "UPDATE element SET quantity = 0 WHERE seq = 300", "T002-0300 is not counted"
    ),
    "usage invented": (
        "INSERT INTO element SELECT household, programme, window, member, 3, 1, 5, leaf, 1, 1, 0"
        " FROM element LIMIT 1",
        "T003-0005 is counted, and nothing says so",
    ),
    "usage segment lost": ("DELETE FROM segment WHERE number = 2", "is counted, and nothing"),
    "usage segment damaged": (
        "UPDATE segment SET data = substr(data, 1, 40) WHERE number = 2",
        "usage 2 of 629901: not a UsageFile",
    ),
    "usage segment renumbered": (
        "UPDATE segment SET number = 5 WHERE number = 2", "usage 5 of 629901 names another"
    ),
    "void lost": ("DELETE FROM voided", "the voids kept here do not match"),
    "void of mine invented": ("INSERT INTO voided VALUES (1, 1, 2)", "the voids kept here do not"),
    "void of another's invented": ("INSERT INTO voided VALUES (2, 1, 9)", "the voids kept here"),
    "word of a head unknown here": (
        "UPDATE acknowledgement SET head = zeroblob(32)", "acknowledged entry 8, which is not"
    ),
    "word of an entry to come": ("UPDATE acknowledgement SET seq = 9", "acknowledged entry 9"),
    "word of entry 0": ("UPDATE acknowledgement SET seq = 0", "acknowledged entry 0"),
    "another terminal's": ("UPDATE identity SET terminal = 2", "not that of the terminal"),
    "another epoch's": ("UPDATE identity SET epoch = 2", "not that of the terminal"),
    "nobody's": ("DELETE FROM identity", "not that of the terminal"),
    "key damaged": ("UPDATE identity SET spki = x'30'", "not begun with this terminal's"),
    "guard gone": ("DROP TRIGGER entry_never_deleted", "guards are not those of this version"),
    "index gone": ("DROP INDEX element_beyond_home", "guards are not those of this version"),
    "table gone": ("DROP TABLE voided", "SQLite cannot read the journal"),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "told"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_fault_is_found(journal: Journal, sql: str, told: str) -> None:
    for statement in sql.split(";"):
        if statement.startswith("DROP TRIGGER"):
            with closing(sqlite3.connect(journal.path)) as db:
                db.execute(statement)
        else:
            tamper(journal.path, statement)
    checked = check(journal)
    assert not checked.ok
    assert any(told in fault for fault in checked.faults), checked.faults
    assert all("\n" not in fault for fault in checked.faults)


@pytest.mark.parametrize("column", ["body", "leaf", "signature"])
def test_one_flipped_bit_anywhere_in_an_entry_is_found(journal: Journal, column: str) -> None:
    name = {"body": 3, "leaf": 4, "signature": 5}[column]
    kept = [row for row in rows(journal.path, "entry") if row[name] is not None]
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as db:
        [(guard,)] = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'entry_never_updated'")
        db.execute("DROP TRIGGER entry_never_updated")
        for row in kept:
            seq, whole = row[0], row[name]
            assert isinstance(whole, bytes)
            for at in range(0, len(whole), 7):
                flipped = whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
                db.execute(f"UPDATE entry SET {column} = ? WHERE seq = ?", (flipped, seq))
                assert any(f"entry {seq}: " in fault for fault in check(journal).faults)
            db.execute(f"UPDATE entry SET {column} = ? WHERE seq = ?", (whole, seq))
        db.execute(guard)
    assert check(journal).ok


@pytest.mark.slow
def test_flipped_byte_of_the_file_is_found_or_changes_nothing_that_counts(
    journal: Journal,
) -> None:
    """Unused space may differ; whatever is read must be what was written."""
    journal.close()
    whole, copy = journal.path.read_bytes(), journal.path.with_name("copy.db")
    good = {table: rows(journal.path, table) for table in ("entry", "element", "voided")}
    found = 0
    for at in range(0, len(whole), 331):
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        checked = check_journal(copy, terminal=1, epoch=1, key=KEY.public)
        assert all("\n" not in fault for fault in checked.faults)
        found += not checked.ok
        if checked.ok:
            assert {table: rows(copy, table) for table in good} == good
        for more in ("-wal", "-shm"):
            Path(f"{copy}{more}").unlink(missing_ok=True)
    assert found > 5


def test_file_cut_short_anywhere_is_never_clean(journal: Journal) -> None:
    journal.close()
    whole, copy = journal.path.read_bytes(), journal.path.with_name("copy.db")
    for length in range(0, len(whole), 997):
        copy.write_bytes(whole[:length])
        assert not check_journal(copy, terminal=1, epoch=1, key=KEY.public).ok
        for more in ("-wal", "-shm"):
            Path(f"{copy}{more}").unlink(missing_ok=True)


def test_journal_written_anew_with_another_key_is_found(tmp_path: Path) -> None:
    stranger = PrivateKey.generate()
    forged = create_journal(tmp_path / "forged.db", Identity(1, 1, stranger.public))
    with forged.act() as act:
        act.append(given(), moment=MOMENT, ledger=5, officer="UJI", signer=stranger)
    assert check_journal(forged.path, terminal=1, epoch=1).ok
    faults = check(forged).faults
    assert faults[0] == "the journal was not begun with this terminal's signing key"


def test_redemption_the_province_knows_and_this_journal_does_not_is_told(journal: Journal) -> None:
    """A terminal put back to an older image hears of its lost branch by its own usage."""
    lost = Element(RedemptionId(1, 1, 77), bytes(8), RIGHT, 1, 29_000_000)
    with journal.act() as act:
        act.known.take_segment(write_usage("629901", 3, [lost]))
    [fault] = check(journal).faults
    assert fault.startswith("the province knows redemption T001-0077, which this journal does not")


@pytest.mark.parametrize("content", [Void(1, "salah", "WK"), Handover(1), Handover(99)])
def test_entry_about_a_redemption_that_is_none_is_told(
    journal: Journal, content: Void | Handover
) -> None:
    commit(journal, content)
    assert f"entry 9 speaks of entry {content.seq}, no redemption" in check(journal).faults


def test_chain_that_ends_in_an_unsigned_hand_over_is_told(journal: Journal) -> None:
    """As when the end of an act was cut off."""
    commit(journal, Handover(7))
    tamper(journal.path, "UPDATE entry SET signature = NULL WHERE seq = 9")
    assert check(journal).faults == ("the newest head is not signed",)


def test_entry_signed_by_another_key_is_found(journal: Journal) -> None:
    head = journal.head()
    entry = make_entry(
        id=RedemptionId(1, 1, 9), prev=head.leaf, moment=MOMENT, ledger=5, officer="UJI",
        content=Redemption(RIGHT.household, 1, 0, 1, 1, 1, 0, CONTENTS[0].presented, Basis.HOME),  # type: ignore[union-attr]
    )  # fmt: skip
    signature = sign_head(entry.leaf, PrivateKey.generate())
    tamper(
        journal.path, "INSERT INTO entry VALUES (9, 1, ?, ?, ?, ?)",
        MOMENT.early, entry.data, entry.leaf, signature,
    )  # fmt: skip
    assert check(journal).faults == ("entry 9: its head signature does not hold",)
    assert genesis(1, 1, KEY.public) != head.leaf


def test_fsck_reads_while_the_counter_serves(journal: Journal) -> None:
    with journal.act() as act:
        act.append(given(), moment=MOMENT, ledger=5, officer="UJI", signer=KEY)
        assert check(journal).entries == ENTRIES
    assert check(journal) == Checked(ENTRIES + 1, journal.head().leaf.hex(), ())


def test_fsck_leaves_no_file_beside_a_journal_nobody_serves(journal: Journal) -> None:
    """One that fsck made, perhaps as root, would keep the counter from opening its journal."""
    journal.close()
    before = sorted(os.listdir(journal.path.parent))
    assert check(journal).ok
    assert sorted(os.listdir(journal.path.parent)) == before


def test_missing_file_is_an_error_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal at"):
        check_journal(tmp_path / "journal.db", terminal=1, epoch=1)
    assert os.listdir(tmp_path) == []


def test_at_most_fifty_faults_are_listed(journal: Journal) -> None:
    with journal.act() as act:
        for n in range(80):
            act.known.add(Element(RedemptionId(5, 1, n + 1), bytes(8), RIGHT, 1, 1))
    assert len(check(journal).faults) == 50
