"""The card station: what becomes of each card that is laid down."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.chip.khb1 import Khb1, Khb1Open
from card_codec.chip.khb1_files import ChipContent
from card_codec.chip.profile import PresentCard, identify
from card_codec.chip.record import CardRecord, RecordKind
from card_codec.chip.tmac import Transaction, previous_reader_id
from card_codec.credential import read_unverified
from provisioning import chip_log
from provisioning.batch import Batch, Line, choose_households, run_batch
from provisioning.chip_log import Progress
from provisioning.chip_masters import FileMasters, Master, Purpose
from provisioning.errors import ProvisioningError
from provisioning.office import Office, open_office
from provisioning.station import READER_ID, Done, Rejected, Station, Tap
from tests.card_station import COUNTERS, MASTERS, Hands, StationLink, serves, station_of, uids
from tests.unit.provisioning.played import KEC_1, KEC_2
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault
from virtual_card.memory import EV2, EV3, LIGHT, Application

UID = b"\x04\xaa\x00\x00\x00\x00\x01"
OTHER_UID = b"\x04\xaa\x00\x00\x00\x00\x02"


@pytest.fixture
def opened_office(office: Path) -> Iterator[Office]:
    with open_office(office) as found:
        yield found


@pytest.fixture
def station(opened_office: Office) -> Station:
    return station_of(opened_office)


@pytest.fixture
def families(opened_office: Office) -> list[bytes]:
    return [one.id for one in opened_office.roster.households()]


def tapped(station: Station, card: DesfireCard, queue: list[bytes] | None = None) -> Tap:
    with StationLink(card) as link:
        return station.tap(link, [] if queue is None else queue)


@pytest.mark.parametrize("make", [EV2, EV3, LIGHT])
def test_blank_card_becomes_the_card_of_the_next_household(
    station: Station, families: list[bytes], make: int
) -> None:
    card, queue = blank(UID, make=make), families[:2]
    tap = tapped(station, card, queue)
    assert (tap.outcome, tap.uid, queue) == (Done.MADE, UID, families[1:2])
    assert tap.chip is not None
    assert (tap.chip.household, tap.chip.issue) == (families[0], 1)
    assert tap.chip.progress is Progress.MADE
    counters = COUNTERS[:1] if make == LIGHT else COUNTERS
    assert [serves(station, card, one) for one in counters] == [True] * len(counters)
    holder = station.office.roster.household(families[0])
    assert holder is not None
    assert holder.chip
    claims, _ = read_unverified(tap.chip.content.credential)
    assert (claims.household, claims.chip_uid, claims.name) == (families[0], UID, holder.name)


def test_card_begins_with_what_was_taken_and_the_stations_mark(
    opened_office: Office, families: list[bytes]
) -> None:
    taken = tuple(
        CardRecord(RecordKind.OPENING, 1, 1, 10 + place, 1, 1, 0, 1, 20_500) for place in range(15)
    )
    station = station_of(opened_office, known={families[0]: taken})
    card = blank(UID)
    assert tapped(station, card, families[:1]).outcome is Done.MADE
    (application,) = card.memory.applications.values()
    assert card.mac_file.counter == 16
    assert card.mac_file.reader_id == READER_ID
    records = application.files[1].records  # type: ignore[attr-defined]
    assert [record[0] & 15 for record in records] == [
        *([RecordKind.OPENING] * 15),
        RecordKind.PERSONALISED,
    ]


def test_more_than_the_chip_remembers_is_not_begun(
    opened_office: Office, families: list[bytes]
) -> None:
    taken = tuple(
        CardRecord(RecordKind.OPENING, 1, 1, 10 + place, 1, 1, 0, 1, 20_500) for place in range(4)
    )
    station = station_of(opened_office, known={families[0]: taken})
    queue = families[:1]
    tap = tapped(station, blank(UID, make=LIGHT), queue)
    assert tap.outcome is Rejected.TOO_MANY_RECORDS
    assert "EV2 or EV3" in tap.words
    assert (queue, chip_log.every_chip(opened_office.roster)) == (families[:1], [])


def test_made_card_is_refused_and_left_as_it_is(station: Station, families: list[bytes]) -> None:
    card = blank(UID)
    tapped(station, card, families[:1])
    before = card.memory.copy()
    tap = tapped(station, card, families[1:2])
    assert tap.outcome is Rejected.ALREADY_PERSONALISED
    assert families[0].hex() in tap.words
    assert card.memory == before


def test_card_of_another_station_is_refused(
    opened_office: Office, station: Station, families: list[bytes]
) -> None:
    card = blank(UID)
    tapped(station, card, families[:1])
    opened_office.roster.db.execute("DELETE FROM chip")
    before = card.memory.copy()
    assert tapped(station, card, families[1:2]).outcome is Rejected.OTHER_STATION
    assert card.memory == before


def test_card_with_somebodys_application_is_refused_and_left_as_it_is(
    station: Station, families: list[bytes]
) -> None:
    card = blank(UID)
    card.memory.applications[b"\x01\x02\x03"] = Application(b"", b"", 0x0B, [bytes(16)], [0])
    before = card.memory.copy()
    tap = tapped(station, card, families[:1])
    assert tap.outcome is Rejected.FOREIGN_CARD
    assert "aplikasi lain" in tap.words
    assert card.memory == before


def test_bank_card_is_named_and_refused(station: Station, families: list[bytes]) -> None:
    class Bank(DesfireCard):
        def process(self, apdu: bytes) -> bytes:
            return b"\x90\x00" if apdu[5:9] == b"2PAY" else b"\x6a\x82"

    tap = tapped(station, Bank(blank(UID).memory), families[:1])
    assert (tap.outcome, tap.uid) == (Rejected.FOREIGN_CARD, None)
    assert "kartu bank" in tap.words


def test_wiped_card_of_the_log_is_refused(station: Station, families: list[bytes]) -> None:
    tapped(station, blank(UID), families[:1])
    assert tapped(station, blank(UID), families[1:2]).outcome is Rejected.LOG_DISAGREES


def test_chip_that_keeps_other_rights_than_asked_for_is_no_good_card(
    station: Station, families: list[bytes]
) -> None:
    class Careless(DesfireCard):
        """Says yes to new rights of the record file, and keeps the old ones."""

        def process(self, apdu: bytes) -> bytes:
            answer = super().process(apdu)
            for application in self.memory.applications.values():
                for number in (1, 15):
                    if number in application.files:
                        application.files[number].rights[1:] = []
            return answer

    tap = tapped(station, Careless(blank(UID).memory), families[:1])
    assert tap.outcome is Rejected.NOT_AS_WRITTEN
    assert "rights" in tap.words
    assert chip_log.unfinished(station.office.roster)


def test_chip_with_another_transaction_mac_key_is_no_good_card(
    station: Station, families: list[bytes]
) -> None:
    class Swapped(DesfireCard):
        def process(self, apdu: bytes) -> bytes:
            answer = super().process(apdu)
            for application in self.memory.applications.values():
                if application.mac_file is not None:
                    application.mac_file.key = bytes(range(16))
            return answer

    tap = tapped(station, Swapped(blank(UID).memory), families[:1])
    assert tap.outcome is Rejected.NOT_AS_WRITTEN
    assert "Transaction MAC" in tap.words


def test_missing_master_stops_before_anything_is_begun(
    opened_office: Office, families: list[bytes]
) -> None:
    without = FileMasters(m for m in MASTERS.masters if m.purpose is not Purpose.TMAC)
    station = station_of(opened_office, masters=without)
    card = blank(UID)
    with pytest.raises(ProvisioningError, match="khb-tmac-1 is not held"):
        tapped(station, card, families[:1])
    assert (card.memory.applications, chip_log.every_chip(opened_office.roster)) == ({}, [])


def test_card_begins_with_the_generation_that_terminals_hold(
    opened_office: Office, families: list[bytes]
) -> None:
    more = [
        Master(m.purpose, m.kecamatan, 4, bytes([7 + place] * 16))
        for place, m in enumerate(MASTERS.masters)
        if m.purpose is Purpose.REDEEM and m.generation == 3
    ]
    station = station_of(opened_office, masters=FileMasters((*MASTERS.masters, *more)))
    tap = tapped(station, blank(UID), families[:1])
    assert tap.chip is not None
    assert (tap.chip.content.generation, tap.chip.content.away_generation) == (1, 3)
    retire(opened_office, oldest=2)
    tap = tapped(station, blank(OTHER_UID), families[1:2])
    assert tap.chip is not None
    assert tap.chip.content.generation == 2


def test_generation_in_force_without_its_successors_makes_no_card(
    opened_office: Office, families: list[bytes]
) -> None:
    retire(opened_office, oldest=2)
    card = blank(UID)
    with pytest.raises(ProvisioningError, match=r"generation 4.*--generations 4"):
        tapped(station_of(opened_office), card, families[:1])
    assert (card.memory.applications, chip_log.every_chip(opened_office.roster)) == ({}, [])


def retire(office: Office, *, oldest: int) -> None:
    """The policy table lets older generations count no more, wherever they are of."""
    table = office.policy_table
    rows = "".join(
        f'\n[[chip_keys]]\nkecamatan = "{kecamatan}"\noldest = {oldest}\n'
        for kecamatan in (KEC_1, KEC_2)
    )
    table.write_text(table.read_text(encoding="utf-8") + rows, encoding="utf-8")


def test_replacement_raises_the_number_and_leaves_the_unfinished_card_behind(
    opened_office: Office, families: list[bytes]
) -> None:
    station, lost = station_of(opened_office), blank(UID)
    with StationLink(lost, {40: Fault.TORN_BEFORE}) as link:
        assert station.tap(link, families[:1]).outcome is Rejected.PULLED
    assert choose_households(opened_office.roster, families[:1], desa=None, replaces=False) == []
    again = station_of(opened_office, replaces=True)
    tap = tapped(again, blank(b"\x04" * 7), families[:1])
    assert tap.chip is not None
    assert (tap.outcome, tap.chip.issue) == (Done.MADE, 2)
    holder = opened_office.roster.household(families[0])
    assert holder is not None
    assert holder.issue == 2
    before = lost.memory.copy()
    assert tapped(again, lost, families[1:2]).outcome is Rejected.ABANDONED
    assert lost.memory == before


# Batches


def run(
    station: Station, hands: Hands, queue: list[bytes], *, wait_s: float = 5
) -> tuple[Batch, list[Tap]]:
    told: list[Tap] = []
    line = Line(hands.open_reader, wait_s, hands.clock, hands.sleep)
    return run_batch(station, line, queue, told.append), told


def test_batch_goes_through_every_household(station: Station, families: list[bytes]) -> None:
    draw = uids()
    cards = [blank(draw()) for _ in range(3)]
    left_lying = [card for card in cards for _ in range(3)]
    batch, told = run(station, Hands([None, *left_lying]), families[:3])
    assert batch.is_whole
    assert [tap.outcome for tap in told] == [Done.MADE] * 3
    assert [tap.chip.household for tap in told if tap.chip] == families[:3]


def test_batch_goes_on_with_a_card_that_was_pulled(station: Station, families: list[bytes]) -> None:
    draw = uids()
    first, second = blank(draw()), blank(draw())
    hands = Hands([first, None, second, first], faults={0: {50: Fault.TORN_AFTER}})
    batch, told = run(station, hands, families[:2])
    assert batch.is_whole
    assert [tap.outcome for tap in told] == [Rejected.PULLED, Done.MADE, Done.FINISHED]
    assert [serves(station, card, COUNTERS[0]) for card in (first, second)] == [True, True]


def test_batch_ends_when_no_card_comes_and_says_who_waits(
    station: Station, families: list[bytes]
) -> None:
    card = blank(UID)
    hands = Hands([card], faults={0: {30: Fault.TORN_BEFORE}})
    batch, _ = run(station, hands, families[:2])
    assert not batch.is_whole
    assert (batch.waiting, [chip.uid for chip in batch.unfinished]) == ((families[1],), [UID])


def test_card_that_never_answers_does_not_keep_the_batch_for_ever(
    station: Station, families: list[bytes]
) -> None:
    dead = blank(UID)
    hands = Hands([dead] * 200, faults={n: {30: Fault.TORN_BEFORE} for n in range(200)})
    ticking = iter(range(10_000))
    line = Line(hands.open_reader, 20, lambda: float(next(ticking)), hands.sleep)
    batch = run_batch(station, line, families[:1], lambda _: None)
    assert not batch.is_whole
    assert [tap.outcome for tap in batch.taps] == [Rejected.PULLED]


def test_wrong_card_on_the_reader_uses_up_no_household(
    station: Station, families: list[bytes]
) -> None:
    draw = uids()
    good, other = blank(draw()), blank(draw())
    other.memory.applications[b"\x01\x02\x03"] = Application(b"", b"", 0x0B, [bytes(16)], [0])
    batch, told = run(station, Hands([other, other, None, good]), families[:1])
    assert batch.is_whole
    assert [tap.outcome for tap in told] == [Rejected.FOREIGN_CARD, Done.MADE]


def test_households_with_a_card_are_left_out(
    opened_office: Office, station: Station, families: list[bytes]
) -> None:
    tapped(station, blank(UID), families[:1])
    roster = opened_office.roster
    chosen = choose_households(roster, families[:3], desa=None, replaces=False)
    assert chosen == families[1:3]
    everyone = roster.household(families[0])
    assert everyone is not None
    of_desa = choose_households(roster, (), desa=everyone.desa, replaces=False)
    assert families[0] not in of_desa
    assert of_desa == [one.id for one in roster.households(desa=everyone.desa)][1:]
    with pytest.raises(ProvisioningError, match="not in the roster"):
        choose_households(roster, [bytes(8)], desa=None, replaces=False)


def test_first_commit_chains_to_no_reader_and_the_next_to_the_station(
    station: Station, families: list[bytes]
) -> None:
    card = blank(UID)
    tap = tapped(station, card, families[:1])
    assert tap.chip is not None
    key = card.mac_file.key
    with StationLink(card) as link:
        chip = opened_with(station, link, tap.chip.content)
        record = CardRecord(RecordKind.REDEMPTION, 1, 1, 5, 1, 1, 0, 1, 20_600)
        commit = chip.commit_record(record, b"T001.1".ljust(16, b"\x00"))
    done = Transaction(UID, commit.counter, b"T001.1".ljust(16, b"\x00"), commit.enc_reader_id, b"")
    assert previous_reader_id(key, replace(done, record=bytes(16))) == READER_ID


def opened_with(station: Station, link: StationLink, content: ChipContent) -> Khb1Open:
    found = identify(link, [Khb1()])
    assert isinstance(found, PresentCard)
    claims, _ = read_unverified(content.credential)
    chip = Khb1().open_for_redemption(
        found, link, content, credential=claims, keys=COUNTERS[0], draw=station.draw
    )
    assert isinstance(chip, Khb1Open)
    return chip
