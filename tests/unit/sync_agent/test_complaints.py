"""Complaints at the province: they arrive as entries, are listed, and close nothing and no case."""

from __future__ import annotations

import pytest

from ledger.element import RedemptionId
from ledger.entry import Complaint, Entry, Presented, Refusal
from ledger.folder import TerminalFolder
from ledger.head_code import head_code
from ledger.journal import open_journal
from ledger.receipt import write_receipt
from sync_agent.cli import main
from sync_agent.province import pages, program
from sync_agent.province.complaints import complaint_data
from sync_agent.province.evidence import Shown
from sync_agent.province.store import Store
from sync_agent.province.words import Language, at_wib, words
from tests.commands import Command
from tests.store_dump import dumped
from tests.sync_world import SyncWorld, batch_of
from tests.world import KEC_1, KEC_2

ON_BOTH_STORES = True


def complain(
    world: SyncWorld,
    folder: TerminalFolder,
    household: bytes | None,
    *,
    reason: str = "already_redeemed",
    programme: int = 1,
) -> str:
    """A refusal and the complaint about it; the complaint's number."""
    by = Presented.TEXT
    refusal = world.record(folder, Refusal(reason, household, 1, 0, programme, by))
    about = int(refusal.partition("-")[2])
    return world.record(folder, Complaint(about, reason, household, 0, programme, by))


def hand_in(world: SyncWorld, folder: TerminalFolder) -> None:
    world.province.take(batch_of(folder), road="http")


def slip(folder: TerminalFolder) -> tuple[Entry, str]:
    journal = open_journal(folder.journal, reading=True)
    entries, signature = journal.signed_run(1)
    journal.close()
    return entries[-1], write_receipt(entries[-1], signature)


def test_complaint_is_listed_with_day_point_programme_and_reason(world: SyncWorld) -> None:
    number = complain(world, world.one, world.homes_1[0])
    hand_in(world, world.one)
    (one,) = world.province.complaints.listed(language="id")
    assert (one.number, one.about) == (number, "T001-0001")
    assert (one.at, one.kecamatan) == (slip(world.one)[0].body.moment.early, KEC_1)
    assert (one.terminal, one.point) == ("Loket 1", world.terminals[0].point)
    assert (one.household, one.programme, one.reason) == (
        world.homes_1[0], "pangan", "already_redeemed",
    )  # fmt: skip


def test_complaints_stand_by_kecamatan_and_terminal_the_newest_first(world: SyncWorld) -> None:
    complain(world, world.two, world.homes_2[0])
    world.clock.pass_time(60)
    complain(world, world.one, world.homes_1[0])
    world.clock.pass_time(60)
    complain(world, world.one, world.homes_1[1])
    complain(world, world.one, world.homes_2[1])  # away: the household's own kecamatan asks
    hand_in(world, world.two)
    hand_in(world, world.one)
    listed = world.province.complaints.listed(language="id")
    assert [(one.kecamatan, one.number) for one in listed] == [
        (KEC_1, "T001-0004"),
        (KEC_1, "T001-0002"),
        (KEC_2, "T001-0006"),
        (KEC_2, "T002-0002"),
    ]


def test_complaint_of_nobody_is_its_terminals_home(world: SyncWorld) -> None:
    complain(world, world.two, None, reason="look_up_unknown", programme=0)
    hand_in(world, world.two)
    (one,) = world.province.complaints.listed(language="en")
    assert (one.household, one.programme, one.kecamatan) == (None, "", KEC_2)
    assert complaint_data(one, words("en"))["household"] is None


def test_complaint_that_comes_again_is_listed_once(world: SyncWorld) -> None:
    complain(world, world.one, world.homes_1[0])
    for _ in range(2):
        hand_in(world, world.one)
    assert len(world.province.complaints.listed(language="id")) == 1


def test_many_complaints_in_one_batch_are_all_listed(world: SyncWorld) -> None:
    """On PostgreSQL ten rows and more go by COPY."""
    households = [*world.homes_1, None] * 4
    for household in households:
        complain(world, world.one, household)
    hand_in(world, world.one)
    listed = world.province.complaints.listed(language="id")
    assert sorted(map(str, (one.household for one in listed))) == sorted(map(str, households))


def test_complaint_moves_no_case_and_no_usage(world: SyncWorld) -> None:
    for folder in (world.one, world.two):
        world.take(folder, world.homes_1[0])
        hand_in(world, folder)
    store = Store(world.province_folder.store_url)
    before, cases = dumped(store), world.province.cases()
    assert cases
    usage = {p: p.read_bytes() for p in (world.repository.folder).rglob("usage/**/*")}
    complain(world, world.one, world.homes_1[0])
    hand_in(world, world.one)
    after = dumped(store)
    store.close()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"entry", "acknowledgement", "complaint"}
    assert world.province.cases() == cases
    assert {p: p.read_bytes() for p in (world.repository.folder).rglob("usage/**/*")} == usage


def test_complaint_in_a_whole_batch_travels_in_few_bytes(world: SyncWorld) -> None:
    for _ in range(20):
        complain(world, world.one, world.homes_1[0])
    one, many = batch_of(world.one, count=20), batch_of(world.one)
    assert (len(many) - len(one)) / 20 < 8


def test_slip_of_a_complaint_is_held_against_the_log(world: SyncWorld) -> None:
    number = complain(world, world.one, world.homes_1[0])
    entry, text = slip(world.one)
    assert world.province.show_slip(text) == (Shown.MISSING, entry)
    hand_in(world, world.one)
    assert world.province.show_slip(text) == (Shown.HELD, entry)
    assert entry.id.number() == number
    assert world.province.chain_cases() == []


def test_code_of_a_complaint_can_be_told_by_telephone(world: SyncWorld) -> None:
    complain(world, world.one, world.homes_1[0])
    entry, _ = slip(world.one)
    hand_in(world, world.one)
    assert world.province.tell_code(RedemptionId(1, 1, 2), head_code(entry.id, entry.leaf)) is (
        Shown.HELD
    )


def test_desk_lists_complaints_where_there_are_any(world: SyncWorld) -> None:
    assert 'id="complaints"' not in page(world)
    complain(world, world.one, world.homes_1[0])
    complain(world, world.one, None, reason="look_up_unknown", programme=0)
    hand_in(world, world.one)
    told: dict[Language, tuple[str, ...]] = {
        "id": (
            "T001-0002", "T001-0004", "629901", "Menurut catatan, sudah diambil",
            "tidak dikenali", "NIK atau No. KK tidak ditemukan di loket ini",
        ),
        "en": ("By the record, it was taken already", "not recognised", "Complaint no."),
    }  # fmt: skip
    for language, texts in told.items():
        shown = page(world, language)
        assert [text for text in texts if text not in shown] == []
    data = pages._data(world.province, words("en"))
    assert [one["number"] for one in data["complaints"]] == ["T001-0004", "T001-0002"]


def test_desk_shows_the_newest_and_says_how_many_there_are(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SHOWN_MAX", 2)
    for folder, household in ((world.two, world.homes_2[0]), (world.one, world.homes_1[0])):
        for _ in range(2):
            complain(world, folder, household)
        hand_in(world, folder)
    assert world.province.complaints.count() == 4
    shown = page(world, "en")
    assert shown.count("By the record, it was taken already") == 2
    assert "the newest 2 of 4" in shown
    assert len(world.province.complaints.listed(language="id")) == 4


def test_complaints_are_sealed_into_the_archive_like_every_entry(world: SyncWorld) -> None:
    complain(world, world.one, world.homes_1[0])
    complain(world, world.one, None, reason="look_up_unknown", programme=0)
    hand_in(world, world.one)
    segment = world.province.seal_segment()
    assert segment is not None
    assert segment.entries == 4
    assert world.province.check_segments() == (1, [])


def page(world: SyncWorld, language: Language = "id") -> str:
    """The desk as HTML."""
    shown = pages._shown(world.province, words(language))
    return pages._PAGES.get_template("desk.html").render(shown)


# --- the commands ---


@pytest.fixture
def run(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.setattr(program, "SystemClock", lambda: world.clock)
    return Command(main, monkeypatch, capsys)


def test_command_lists_complaints(world: SyncWorld, run: Command) -> None:
    config = ("province", "complaints", "--config", world.province_folder.root)
    assert run(*config).out == "no complaint\n"
    complain(world, world.one, world.homes_1[0])
    hand_in(world, world.one)
    early = slip(world.one)[0].body.moment.early
    at, day = at_wib(early).isoformat(), words("id").when(early)
    assert run(*config).out == (
        f"629901 Loket 1: T001-0002, {day}, pangan: Menurut catatan, sudah diambil"
        " (already_redeemed)\n"
    )
    (told,) = run(*config, "--json").report
    assert told == {
        "number": "T001-0002",
        "about": "T001-0001",
        "at": at,
        "kecamatan": KEC_1,
        "terminal": "Loket 1",
        "point": world.terminals[0].point,
        "household": world.homes_1[0].hex(),
        "member": 0,
        "programme": "pangan",
        "reason": "already_redeemed",
        "why": "Menurut catatan, sudah diambil",
    }


def test_command_that_checks_a_slip_says_that_it_is_a_complaint(
    world: SyncWorld, run: Command
) -> None:
    complain(world, world.one, world.homes_1[0])
    hand_in(world, world.one)
    _, text = slip(world.one)
    asked = ("province", "receipt", "--config", world.province_folder.root, text)
    told = run(*asked)
    assert (told.code, told.out) == (
        0, "a complaint, nothing was given on it: T001-0002 is in the log\n",
    )  # fmt: skip
    report = run(*asked, "--json").report
    assert report == {"number": "T001-0002", "shown": "held", "complaint": True}
