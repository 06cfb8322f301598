"""The journal: all or nothing, durable, append-only, one chain."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from card_codec.keys import PrivateKey
from ledger import database
from ledger import journal as journal_module
from ledger.acknowledgement import Acknowledgement
from ledger.clock import Floor
from ledger.element import RedemptionId
from ledger.entry import (
    Basis,
    Handover,
    Kind,
    Presented,
    Refusal,
    Void,
    check_head,
    genesis,
)
from ledger.errors import JournalDamagedError, NotSavedError, RecordError
from ledger.floors import raise_floor
from ledger.journal import Journal, open_journal
from tests.unit.ledger.journals import RIGHT, commit, everything, fresh, given, rows, tamper
from tests.unit.ledger.samples import CONTENTS, HOUSEHOLD, KEY, MOMENT


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return fresh(tmp_path)


def test_entries_are_a_chain_from_the_genesis_each_with_its_head_signed(journal: Journal) -> None:
    made = [commit(journal, content)[0] for content in CONTENTS]
    prev = genesis(1, 1, KEY.public)
    assert journal.signed_run(1)[0] == made
    for seq, entry in enumerate(made, 1):
        assert (entry.body.seq, entry.body.prev) == (seq, prev)
        [alone], signature = journal.signed_run(seq, limit=1)
        assert alone == entry
        check_head(entry.leaf, signature, KEY.public)
        prev = entry.leaf
    assert (journal.head().seq, journal.head().leaf) == (len(CONTENTS), prev)


def test_one_signature_over_the_last_covers_a_whole_act(journal: Journal) -> None:
    first = commit(journal, given())
    with journal.act() as act:
        last, signature = act.append(
            Handover(1), given(), moment=MOMENT, ledger=5, officer="UJI", signer=KEY
        )
    check_head(last.leaf, signature, KEY.public)
    run, covering = journal.signed_run(1)
    assert (run[0], run[-1], covering) == (first[0], last, signature)
    assert [entry.body.prev for entry in run[1:]] == [entry.leaf for entry in run[:-1]]
    assert [row[5] is None for row in rows(journal.path, "entry")] == [False, True, False]
    assert len(journal.signed_run(1, limit=2)[0]) == 1
    assert journal.signed_run(4) == ([], b"")


def test_what_was_committed_is_there_when_opened_anew(journal: Journal) -> None:
    made = commit(journal, given(), Handover(1))
    journal.close()
    again = open_journal(journal.path)
    assert again.signed_run(1)[0] == made
    assert again.identity == journal.identity
    assert again.head().moment == MOMENT


def test_two_journals_with_the_same_entries_have_other_names_by_their_keys(tmp_path: Path) -> None:
    first = fresh(tmp_path)
    path = tmp_path / "other.db"
    identity = journal_module.Identity(1, 1, PrivateKey.generate().public)
    second = journal_module.create_journal(path, identity)
    assert commit(first, given())[0].leaf != commit(second, given())[0].leaf


def test_act_that_fails_leaves_nothing(journal: Journal) -> None:
    commit(journal, given())
    before, head = everything(journal.path), journal.head()

    def fail_at_the_end() -> None:
        with journal.act() as act:
            act.append(given(), moment=MOMENT, ledger=5, officer="UJI", signer=KEY)
            raise_floor(act.connection, "office", Floor(5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    assert everything(journal.path) == before
    assert journal.head() == head
    assert commit(journal, given())[0].body.seq == 2


def test_entry_that_cannot_be_made_leaves_nothing(journal: Journal) -> None:
    before = everything(journal.path)
    with pytest.raises(RecordError):
        commit(journal, given(), given(2**24))
    assert everything(journal.path) == before


# --- durability ---


def test_journal_is_opened_with_wal_and_full(journal: Journal) -> None:
    def told(name: str) -> object:
        return journal._db.execute(f"PRAGMA {name}").fetchone()[0]

    assert (told("journal_mode"), told("synchronous")) == ("wal", 2)
    assert (told("wal_autocheckpoint"), told("journal_size_limit")) == (100, 1 << 20)
    assert (told("trusted_schema"), told("foreign_keys")) == (0, 1)


def test_journal_somebody_took_out_of_wal_is_put_back(journal: Journal) -> None:
    journal.close()
    with closing(sqlite3.connect(journal.path)) as db:
        assert db.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    again = open_journal(journal.path)
    assert again._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("good", "bad"), [("synchronous=FULL", "synchronous=NORMAL"), ("mode=WAL", "mode=DELETE")]
)
def test_journal_that_would_not_be_durable_is_not_served(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, good: str, bad: str
) -> None:
    journal.close()
    weak = tuple(pragma.replace(good, bad) for pragma in journal_module.PRAGMAS)
    monkeypatch.setattr(journal_module, "PRAGMAS", weak)
    with pytest.raises(JournalDamagedError, match="not durable"):
        open_journal(journal.path)


@pytest.mark.parametrize("limit", ["PRAGMA max_page_count=1", "PRAGMA query_only=ON"])
def test_act_the_disk_refuses_did_not_happen(journal: Journal, limit: str) -> None:
    commit(journal, given())
    before, head = everything(journal.path), journal.head()
    journal._db.execute(limit)

    def fill() -> None:
        for _ in range(200):  # until the pages already there are full
            commit(journal, *[Refusal("revoked", HOUSEHOLD, 1, 0, 1, Presented.TEXT)] * 8)

    with pytest.raises(NotSavedError, match="do not hand over"):
        fill()
    after = everything(journal.path)
    assert after["entry"][: len(before["entry"])] == before["entry"]
    assert journal.head().seq == len(after["entry"])
    assert head.seq <= journal.head().seq
    journal._db.execute("PRAGMA max_page_count=100000")
    journal._db.execute("PRAGMA query_only=OFF")
    assert commit(journal, given())[0].body.seq == len(after["entry"]) + 1
    open_journal(journal.path).close()


# --- append-only ---

REFUSED_SQL = [
    "UPDATE entry SET body = x'00'",
    "UPDATE entry SET early = early",
    "DELETE FROM entry",
    "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE seq = 1",
    "INSERT INTO entry SELECT seq + 5, kind, early, body, leaf, signature FROM entry LIMIT 1",
    "UPDATE element SET quantity = 0",
    "DELETE FROM element",
    "UPDATE voided SET seq = 99",
    "DELETE FROM voided",
    "UPDATE corrected SET seq = 99",
    "DELETE FROM corrected",
    "INSERT INTO corrected VALUES (1, 1, 1, x'00')",
    "UPDATE identity SET epoch = 2",
    "DELETE FROM identity",
    "UPDATE entry SET leaf = x'00'",
    "INSERT INTO element VALUES (1, 1, 9, x'00', x'00', 0, 1, 1, 1, 1, 1)",
    "INSERT INTO entry (seq) VALUES (4)",
]


@pytest.mark.parametrize("sql", REFUSED_SQL)
def test_what_was_written_is_never_changed_or_deleted(journal: Journal, sql: str) -> None:
    commit(journal, given(), given(), Void(1, "salah", "WK"))
    with journal.act() as act:
        act.known.correct([(RedemptionId(1, 1, 2), HOUSEHOLD)])
    before = everything(journal.path)
    with closing(sqlite3.connect(journal.path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(sql)
    assert everything(journal.path) == before


# --- several at once ---


def test_second_writer_waits_and_sees_what_the_first_wrote(journal: Journal) -> None:
    other = open_journal(journal.path)
    inside, seen = threading.Event(), []

    def second() -> None:
        inside.wait(5)
        with other.act() as act:
            seen.append((act.head.seq, act.known.taken(RIGHT).total))

    thread = threading.Thread(target=second)
    thread.start()
    with journal.act() as act:
        inside.set()
        act.append(given(2), moment=MOMENT, ledger=5, officer="UJI", signer=KEY)
    thread.join(5)
    assert seen == [(1, 2)]


def test_writer_that_waits_too_long_gives_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    other = open_journal(journal.path)
    with journal.act(), pytest.raises(NotSavedError, match="locked"), other.act():
        pytest.fail("two acts at once")
    assert other.head().seq == 0


def test_reader_is_not_held_up_by_a_writer(journal: Journal) -> None:
    commit(journal, given())
    other = open_journal(journal.path)
    with journal.act() as act:
        act.append(given(), moment=MOMENT, ledger=5, officer="UJI", signer=KEY)
        assert other.head().seq == 1
    assert other.head().seq == 2


# --- floors, acknowledgements, hand-overs ---


def test_floor_only_rises(journal: Journal) -> None:
    for time, held in ((50, 50), (40, 50), (50, 50), (60, 60)):
        with journal.act() as act:
            raise_floor(act.connection, "office", Floor(time, time, b"bootboot"))
        assert journal.floors().office == Floor(held, held, b"bootboot")
    assert journal.floors().online == Floor()


def test_acknowledgement_is_kept_only_of_an_entry_of_this_chain(journal: Journal) -> None:
    first, second = commit(journal, given(), given())
    for seq, head, kept in (
        (2, first.leaf, False), (3, second.leaf, False), (0, bytes(32), False),
        (1, first.leaf, True), (2, second.leaf, True),
    ):  # fmt: skip
        word = Acknowledgement("khb-ack-2", 1, 1, seq, head, 7)
        with journal.act() as act:
            assert act.keep_acknowledgement(word, b"signed") is kept
    newest = journal.acknowledged()
    assert newest is not None
    assert (newest.seq, newest.head, newest.at) == (2, second.leaf, 7)


def test_hand_over_is_awaited_by_the_last_redemption_alone(journal: Journal) -> None:
    def awaited(since: int = 0) -> int | None:
        with journal.act() as act:
            return act.awaiting_handover(since)

    assert awaited() is None
    commit(journal, given(), given())
    assert (awaited(), awaited(since=2)) == (2, None)
    assert journal.last_redemption() is not None
    commit(journal, Handover(2))
    assert awaited() is None
    last = journal.last_redemption()
    assert last is not None
    assert (last.entry.body.seq, last.handed_over) == (2, True)
    commit(journal, given())
    commit(journal, Void(4, "salah", "WK"))
    assert awaited() is None
    last = journal.last_redemption()
    assert last is not None
    assert last.entry.body.seq == 2


def test_redemption_under_my_number_from_elsewhere_is_not_mine_to_hand_over(
    journal: Journal,
) -> None:
    """The key on the network may name what it likes; it must not end up in an entry."""
    element = commit(journal, given())[0].element()
    assert element is not None
    forged = RedemptionId(1, 1, 4_000_000_000)
    with journal.act() as act:
        act.known.add(type(element)(forged, bytes(8), RIGHT, 1, 1))
        assert act.awaiting_handover(0) == 1
    last = journal.last_redemption()
    assert last is not None
    assert last.entry.body.seq == 1


def test_kinds_and_single_entries_can_be_read(journal: Journal) -> None:
    made = commit(journal, given(), Handover(1), given(basis=Basis.AWAY))
    assert journal.kinds(1) == [
        (2, Kind.HANDOVER, MOMENT.early),
        (3, Kind.REDEMPTION, MOMENT.early),
    ]
    assert journal.entry(2) == made[1]
    assert journal.entry(4) is None
    assert made[2].id == RedemptionId(1, 1, 3)


DAMAGE = [
    "UPDATE entry SET body = x'83' WHERE seq = 2",
    "UPDATE entry SET body = (SELECT body FROM entry WHERE seq = 1) WHERE seq = 2",
    "UPDATE entry SET leaf = zeroblob(32) WHERE seq = 2",
    "UPDATE entry SET signature = zeroblob(64) WHERE seq = 2",
    "UPDATE entry SET signature = (SELECT signature FROM entry WHERE seq = 1) WHERE seq = 2",
    "UPDATE identity SET spki = x'00'",
    "UPDATE identity SET epoch = 2",
    "DELETE FROM identity",
    "DROP TABLE entry",
]


@pytest.mark.parametrize("sql", DAMAGE)
def test_journal_damaged_at_its_head_is_not_opened(journal: Journal, sql: str) -> None:
    commit(journal, given(), given())
    journal.close()
    tamper(journal.path, sql)
    before = journal.path.read_bytes()
    with pytest.raises(JournalDamagedError, match="stop service and run fsck"):
        open_journal(journal.path)
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("sql", [DAMAGE[2], DAMAGE[-1]])
def test_head_that_is_no_longer_the_one_written_ends_service(journal: Journal, sql: str) -> None:
    commit(journal, given(), given())
    tamper(journal.path, sql)
    with pytest.raises(JournalDamagedError, match="stop service and run fsck"):
        commit(journal, given())


def test_entry_committed_between_two_looks_is_no_damage(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent opens the journal at any moment, and so in the middle of the counter's next act."""
    commit(journal, given())
    reader = open_journal(journal.path, reading=True)
    look = Journal.rows

    def look_and_meanwhile(self: Journal, sql: str, *values: object) -> list[tuple[object, ...]]:
        found = look(self, sql, *values)
        if self is reader:
            commit(journal, given())
        return found

    monkeypatch.setattr(Journal, "rows", look_and_meanwhile)
    reader.check_head()
    monkeypatch.undo()
    assert journal.head().seq > 1
    reader.close()
