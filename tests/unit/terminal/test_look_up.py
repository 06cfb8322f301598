"""Finding a family by KTP or KK: what is found, refused and recorded; and what is never kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.entry import Entry, Kind, LookUp, Presented, Redemption, Refusal
from ledger.folder import TerminalFolder
from ledger.fsck import check_journal
from ledger.look_up import mask, read_number
from ledger.policy import DAY
from ledger.rights_file import FLAG_CHIP, FLAG_DECEASED, MemberRight
from terminal.counter import (
    Approved,
    ChooseMember,
    Counter,
    Found,
    Presentation,
    Redeemed,
    Request,
)
from tests.world import KEC_2, World

KK, NIK, PUPIL_NIK = "6299012802260003", "6299010101900001", "6299012203140007"
CHIP_KK, GONE_KK, TWICE = "6299010101260010", "6299010101260011", "6299010101260012"
UNKNOWN, UNDATED = "6299010101260099", "6299019999260099"
NAMES = ("Siti Aminah", "Dewi Aminah", "Rahmad Aminah")


@dataclass
class Point:
    world: World
    folder: TerminalFolder
    counter: Counter
    ids: dict[str, bytes]

    def redeem(self, number: str, programme: str = "pangan", member: int | None = None) -> object:
        found = self.counter.look_up(number)
        assert isinstance(found, Found)
        return self.counter.redeem(Presentation.of_found(found), Request(programme, member))

    def entries(self, kind: Kind) -> list[Entry]:
        """Every entry of a kind."""
        journal = self.counter._desk.journal
        found, start = [], 1
        while run := journal.signed_run(start)[0]:
            found += [entry for entry in run if entry.kind is kind]
            start = run[-1].body.seq + 1
        return found

    def look_ups(self) -> list[LookUp]:
        contents = [entry.content for entry in self.entries(Kind.LOOK_UP)]
        return [content for content in contents if isinstance(content, LookUp)]


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    world = World(tmp_path)
    folder = world.terminal("Satu")
    world.terminal("Dua", home=KEC_2)
    visits = (MemberRight(2, 3, 6), MemberRight(3, 3, 6), MemberRight(3, 4, 1))
    ids = {
        "siti": world.household("siti", members=visits, issue=3),
        "rini": world.household("rini", flags=FLAG_CHIP),
        "umar": world.household("umar", flags=FLAG_DECEASED),
        "budi": world.household("budi"),
        "eko": world.household("eko"),
    }
    people = world.villagers
    people.add(ids["siti"], *NAMES, numbers={0: KK, 1: NIK, 3: PUPIL_NIK})
    people.add(ids["rini"], "Rini Marlina", numbers={0: CHIP_KK})
    people.add(ids["umar"], "Umar Dani", numbers={0: GONE_KK})
    people.add(ids["budi"], "Budi Santoso", numbers={0: TWICE})
    people.add(ids["eko"], "Eko Saputra", numbers={0: TWICE, 1: UNDATED[:-2] + "01"})
    world.publish()
    world.bring(folder)
    counter = world.counter(folder)
    assert counter.take_in_box().problem is None
    yield Point(world, folder, counter, ids)
    counter.close()


@pytest.fixture
def open_point(point: Point) -> Point:
    point.world.open_day(point.folder)
    return point


def test_number_of_a_kk_leads_to_the_family(open_point: Point) -> None:
    found = open_point.counter.look_up("6299 0128 0226 0003")
    assert found == Found(
        household=open_point.ids["siti"],
        member=0,
        name="Siti Aminah",
        person=None,
        place="Desa Satu",
        mask="6299••••••••0003",
        record="T001-0001",
    )
    assert open_point.look_ups() == [LookUp(open_point.ids["siti"], 0, "")]


def test_nik_leads_to_the_person_in_the_family(open_point: Point) -> None:
    found = open_point.counter.look_up(PUPIL_NIK)
    assert isinstance(found, Found)
    assert (found.member, found.person, found.name) == (3, "Rahmad Aminah", "Siti Aminah")
    assert open_point.look_ups() == [LookUp(open_point.ids["siti"], 3, "")]


def test_closed_day_finds_nobody_and_records_nothing(point: Point) -> None:
    assert point.counter.look_up(KK) == Refused(Reason.LOOK_UP_CLOSED)
    assert point.look_ups() == []
    point.world.open_day(point.folder)
    assert isinstance(point.counter.look_up(KK), Found)
    point.world.room(point.folder).wipe()
    assert point.counter.look_up(KK) == Refused(Reason.LOOK_UP_CLOSED)


@pytest.mark.parametrize(("typed", "count"), [("", 0), ("6299", 4), (KK + "1", 17), ("abc", 0)])
def test_what_is_no_number_is_typing_help_and_no_look_up(
    open_point: Point, typed: str, count: int
) -> None:
    assert open_point.counter.look_up(typed) == Refused(Reason.NUMBER_LENGTH, Facts(count=count))
    assert open_point.look_ups() == []


def test_number_of_nobody_here_is_never_called_not_entitled(open_point: Point) -> None:
    assert open_point.counter.look_up(UNKNOWN) == Refused(Reason.LOOK_UP_UNKNOWN)
    assert open_point.counter.look_up(UNDATED) == Refused(Reason.NUMBER_DATE)
    assert open_point.look_ups() == [
        LookUp(None, 0, "look_up_unknown"),
        LookUp(None, 0, "number_date"),
    ]


def test_listed_person_is_found_though_the_number_has_no_date(open_point: Point) -> None:
    found = open_point.counter.look_up(UNDATED[:-2] + "01")
    assert isinstance(found, Found)
    assert found.name == "Eko Saputra"


def test_number_of_two_families_chooses_neither(open_point: Point) -> None:
    assert open_point.counter.look_up(TWICE) == Refused(Reason.LOOK_UP_AMBIGUOUS)
    assert open_point.look_ups() == [LookUp(None, 0, "look_up_ambiguous")]


def test_family_without_a_card_is_given_what_is_left(open_point: Point) -> None:
    given = open_point.redeem(KK)
    assert isinstance(given, Redeemed)
    assert given.approved.name == "Siti Aminah"
    (entry,) = open_point.entries(Kind.REDEMPTION)
    assert isinstance(entry.content, Redemption)
    assert entry.content.presented is Presented.LOOK_UP
    assert entry.content.issue == 3  # the family's current card
    again = open_point.redeem(NIK)
    assert isinstance(again, Refused)
    assert again.reason is Reason.ALREADY_REDEEMED
    card = open_point.world.card(open_point.ids["siti"], issue=3)
    by_card = open_point.counter.redeem(Presentation(card), Request("pangan"))
    assert isinstance(by_card, Refused)
    assert by_card.reason is Reason.ALREADY_REDEEMED


def test_lost_and_blocked_card_does_not_block_the_family(open_point: Point) -> None:
    world = open_point.world
    world.blocked["629901"].append((open_point.ids["siti"], 3))
    world.publish()
    world.bring(open_point.folder)
    assert open_point.counter.take_in_box().problem is None
    card = world.card(open_point.ids["siti"], issue=3)
    refused = open_point.counter.redeem(Presentation(card), Request("pangan"))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.REVOKED
    assert isinstance(open_point.redeem(KK), Redeemed)


def test_chip_household_is_asked_for_its_chip(open_point: Point) -> None:
    refused = open_point.redeem(CHIP_KK)
    assert refused == Refused(Reason.USE_CHIP)
    (entry,) = open_point.entries(Kind.REFUSAL)
    assert entry.content == Refusal("use_chip", open_point.ids["rini"], 0, 0, 1, Presented.LOOK_UP)


def test_deceased_household_is_refused_as_by_card(open_point: Point) -> None:
    assert open_point.redeem(GONE_KK) == Refused(Reason.HOUSEHOLD_DECEASED)


def test_members_are_chosen_by_name_while_the_day_is_open(open_point: Point) -> None:
    found = open_point.counter.look_up(KK)
    assert isinstance(found, Found)
    shown = Presentation.of_found(found)
    choice = open_point.counter.look(shown, Request("klinik"))
    assert isinstance(choice, ChooseMember)
    assert choice.members == (2, 3)
    assert choice.names == ("Dewi Aminah", "Rahmad Aminah")
    approved = open_point.counter.look(shown, Request("klinik", 3, 1))
    assert isinstance(approved, Approved)
    assert (approved.name, approved.member_name) == ("Siti Aminah", "Rahmad Aminah")


def test_name_of_a_card_gives_way_to_the_list_and_comes_back_when_closed(point: Point) -> None:
    card = Presentation(point.world.card(point.ids["siti"], issue=3))
    for opened, name, names in (
        (False, "Ibu Uji", (None, None)),
        (True, "Siti Aminah", ("Dewi Aminah", "Rahmad Aminah")),
        (False, "Ibu Uji", (None, None)),
    ):
        if opened:
            point.world.open_day(point.folder)
        else:
            point.world.room(point.folder).wipe()
        approved = point.counter.look(card, Request("pangan"))
        choice = point.counter.look(card, Request("klinik"))
        assert isinstance(approved, Approved)
        assert isinstance(choice, ChooseMember)
        assert (approved.name, choice.name, choice.names) == (name, name, names)


def test_look_ups_of_a_day_are_capped_and_begin_anew_tomorrow(open_point: Point) -> None:
    per_day = open_point.world.villagers.look_up.per_day
    for _ in range(per_day):
        assert isinstance(open_point.counter.look_up(KK), Found)
    used = Refused(Reason.LOOK_UP_QUOTA_USED, Facts(count=per_day))
    assert open_point.counter.look_up(KK) == used
    assert open_point.look_ups()[-1] == LookUp(None, 0, "look_up_quota_used")
    card = open_point.world.card(open_point.ids["siti"], issue=3)
    assert isinstance(open_point.counter.redeem(Presentation(card), Request("pangan")), Redeemed)
    open_point.world.clock.pass_time(DAY)
    open_point.world.open_day(open_point.folder)
    assert isinstance(open_point.counter.look_up(KK), Found)


def test_starting_the_program_again_gives_no_more_look_ups(open_point: Point) -> None:
    for _ in range(open_point.world.villagers.look_up.per_day):
        open_point.counter.look_up(UNKNOWN)
    open_point.counter.close()
    open_point.counter = open_point.world.counter(open_point.folder)
    assert open_point.counter.look_up(KK) == Refused(
        Reason.LOOK_UP_QUOTA_USED, Facts(count=open_point.world.villagers.look_up.per_day)
    )


def test_look_up_before_a_ledger_is_installed_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    counter = world.counter(world.terminal("Satu"))
    assert counter.look_up(KK) == Refused(Reason.NO_LEDGER)
    counter.close()


def test_journal_with_look_ups_holds_together(open_point: Point) -> None:
    open_point.redeem(KK)
    open_point.counter.look_up(UNKNOWN)
    open_point.redeem(CHIP_KK)
    config = open_point.folder.config
    checked = check_journal(
        open_point.folder.journal,
        terminal=config.ordinal,
        epoch=config.epoch,
        key=open_point.folder.signer().public,
    )
    assert checked.ok, checked.faults


def test_closed_terminals_disk_holds_no_name_number_mask_or_tag(
    open_point: Point, caplog: pytest.LogCaptureFixture
) -> None:
    """Searched byte by byte after a day of look-ups, in every file, the journal's log included."""
    caplog.set_level(logging.DEBUG)
    for number in (KK, NIK, CHIP_KK):
        open_point.redeem(number)
    for number in (UNKNOWN, UNDATED, "62990101"):
        open_point.counter.look_up(number)
    names = {name for f in open_point.world.villagers.families["6299012001"] for name in _said(f)}
    assert len(names) >= 5
    tags = {t.tag for f in open_point.world.villagers.families["6299012001"] for t in f.tags}
    numbers = (KK, NIK, PUPIL_NIK, CHIP_KK, GONE_KK, TWICE, UNKNOWN, UNDATED)
    assert all(isinstance(read_number(number), str) for number in numbers)
    secrets = [text.encode() for text in (*names, *numbers, *map(mask, numbers))] + list(tags)
    open_point.world.room(open_point.folder).wipe()
    files = [path for path in open_point.folder.root.rglob("*") if path.is_file()]
    assert open_point.folder.journal in files
    assert open_point.folder.journal.with_name("journal.db-wal") in files
    assert [p for p in files for secret in secrets if secret in p.read_bytes()] == []
    assert not any(secret in caplog.text.encode() for secret in secrets)
    assert not any(secret in repr(open_point.look_ups()).encode() for secret in secrets)


def _said(family: object) -> set[str]:
    from ledger.people_file import Family

    assert isinstance(family, Family)
    return {family.name, *(member.name for member in family.members)}


def test_settled_windows_take_the_people_along(open_point: Point) -> None:
    folder, world = open_point.folder, open_point.world
    sealed = next(folder.people.glob("*.age")).read_bytes()

    def lie_there() -> bool:
        open_point.counter.take_in_box()
        files = [path for path in folder.root.rglob("*") if path.is_file()]
        return any(sealed in path.read_bytes() for path in files)

    world.clock.wall += 400 * DAY  # a clock set ahead proves nothing
    assert lie_there()
    world.clock.wall -= 400 * DAY
    world.clock.pass_time((60 + 14) * DAY)
    assert lie_there()  # the last window closed 14 days ago, not longer
    world.clock.pass_time(60)
    assert not lie_there()
    assert [path for path in folder.root.rglob("*.age") if path.is_file()] == []
    world.open_day(folder)
    assert open_point.counter.look_up(KK) == Refused(Reason.LOOK_UP_UNKNOWN)
