"""A KHB-1 card at a terminal: what it tells, what it keeps, and attacks upon it by name."""

from dataclasses import replace

import pytest

from card_codec.chip.apdu import SW
from card_codec.chip.diversify import MasterKeys
from card_codec.chip.errors import (
    ChipAuthenticationError,
    ChipError,
    ChipFormatError,
    ChipIntegrityError,
    ChipLinkError,
    ChipStatusError,
)
from card_codec.chip.khb1 import Khb1
from card_codec.chip.khb1_files import Silicon
from card_codec.chip.profile import KeyNotHeld, PresentCard, identify
from card_codec.chip.record import encode_record
from card_codec.chip.tmac import Transaction, previous_reader_id, transaction_value
from card_codec.credential import VerifiedCredential, verify_credential
from tests.chip_world import (
    AWAY,
    HOME,
    KECAMATAN,
    MARK,
    READER_ID,
    TAKEN,
    UID,
    Station,
    keys,
    link_to,
    opened,
    tmac_key,
    tried,
)
from tests.unit.card_codec.samples import TRUST
from virtual_card.chip import Habits
from virtual_card.desfire import DesfireCard
from virtual_card.factory import clone_of
from virtual_card.link import Fault, InProcessLink
from virtual_card.memory import EV2, EV3, LIGHT, CyclicFile
from virtual_card.status import NO_CHANGES

pytestmark = pytest.mark.network_less

MAKES = [EV2, EV3, LIGHT]
OTHER_UID = bytes.fromhex("04ffffffffffff")
OTHER_READER = b"T002.1".ljust(16, b"\x00")


@pytest.mark.parametrize("make", MAKES)
def test_card_is_known_on_every_silicon(make: int) -> None:
    found = identify(link_to(Station().card(make=make)), [Khb1()])
    assert isinstance(found, PresentCard)
    assert (found.uid, found.silicon) == (UID, Silicon(make))


@pytest.mark.parametrize("make", MAKES)
def test_credential_is_read_without_a_key_and_verifies(make: int) -> None:
    link = link_to(Station().card(make=make))
    identify(link, [Khb1()])
    content = Khb1().read_credential(link)
    assert content == Station().content(make=make)
    verified = verify_credential(content.credential, TRUST)
    assert isinstance(verified, VerifiedCredential)
    assert verified.credential.chip_uid == UID


@pytest.mark.parametrize("make", MAKES)
def test_redemption_is_remembered_and_counted(make: int) -> None:
    card = Station().card(make=make)
    chip = opened(link_to(card))
    assert (chip.state.counter, chip.state.records) == (1, (MARK,))
    commit = chip.commit_record(TAKEN, READER_ID)
    assert commit.counter == 2
    again = opened(link_to(card)).state
    assert (again.counter, again.records) == (2, (MARK, TAKEN))
    assert again.value == commit.value
    assert again.unexplained == 0


@pytest.mark.parametrize(("make", "kept"), [(EV3, 16), (LIGHT, 4)])
def test_oldest_record_is_pushed_out_and_counted_on(make: int, kept: int) -> None:
    card = Station().card(make=make)
    chip = opened(link_to(card))
    for _ in range(kept + 3):
        chip.commit_record(TAKEN, READER_ID)
    told = chip.state
    assert told.records == (TAKEN,) * kept
    assert (told.counter, told.unexplained) == (kept + 4, 0)
    assert chip.read_back() == told
    assert opened(link_to(card)).state == told


def test_records_come_oldest_first() -> None:
    card = Station().card()
    chip = opened(link_to(card))
    taken = [replace(TAKEN, seq=number) for number in range(1, 21)]
    for record in taken:
        chip.commit_record(record, READER_ID)
    assert opened(link_to(card)).state.records == tuple(taken[-16:])


@pytest.mark.parametrize("make", MAKES)
def test_issuer_computes_the_same_transaction_mac(make: int) -> None:
    """Over the redemption alone: the reads before it were taken out by the abort."""
    card = Station().card(make=make)
    first = _commit(card, READER_ID)
    second = _commit(card, OTHER_READER)
    assert previous_reader_id(tmac_key(), first) == bytes(16)
    assert previous_reader_id(tmac_key(), second) == READER_ID


@pytest.mark.parametrize(
    "habits",
    [
        Habits(status_of_empty_abort=NO_CHANGES),
        Habits(is_input_kept_at_authentication=False),
        Habits(status_of_empty_abort=NO_CHANGES, is_input_kept_at_authentication=False),
    ],
)
def test_transaction_mac_does_not_hang_on_what_documents_leave_open(habits: Habits) -> None:
    card = DesfireCard(Station().card().memory, habits=habits)
    _commit(card, READER_ID)


def _commit(card: DesfireCard, reader: bytes) -> Transaction:
    """A redemption whose value the issuer computes alike."""
    commit = opened(link_to(card)).commit_record(TAKEN, reader)
    done = Transaction(UID, commit.counter, reader, commit.enc_reader_id, encode_record(TAKEN))
    assert transaction_value(tmac_key(), done) == commit.value
    return done


def test_card_without_a_record_yet_is_opened() -> None:
    card = Station().card(opening=[])
    chip = opened(link_to(card))
    assert (chip.state.counter, chip.state.records, chip.state.unexplained) == (0, (), 0)
    assert chip.commit_record(MARK, READER_ID).counter == 1


# Keys and generations


@pytest.mark.parametrize("held", [(1,), (2,), (3,), (1, 2, 3)])
def test_any_of_the_three_generations_opens_the_card(held: tuple[int, ...]) -> None:
    chip = opened(link_to(Station().card()), keys(*held))
    assert chip.key_number == max(held)
    assert chip.commit_record(TAKEN, READER_ID).counter == 2


def test_light_is_opened_by_its_first_generation_alone() -> None:
    card = Station().card(make=LIGHT)
    assert opened(link_to(card), keys(1, 2, 3)).key_number == 1
    assert isinstance(tried(link_to(card), keys(2, 3)), KeyNotHeld)


def test_away_master_opens_the_card_of_another_kecamatan() -> None:
    chip = opened(link_to(Station().card()), MasterKeys(AWAY))
    assert chip.key_number == 4
    assert chip.commit_record(TAKEN, READER_ID).counter == 2


@pytest.mark.parametrize(
    "held", [MasterKeys({}), keys(4, 5), MasterKeys({("629902", 1): HOME[KECAMATAN, 1]})]
)
def test_key_that_is_not_held_here_is_a_value(held: MasterKeys) -> None:
    """Foreign kecamatan, or a retired generation: the card is taken by the rules of paper."""
    assert tried(link_to(Station().card()), held) == KeyNotHeld(KECAMATAN, 1)


def test_counterfeit_of_a_retired_generation_is_refused() -> None:
    """Made with a stolen master of generation 1; the terminal holds 2 alone since."""
    card = Station().card()
    (application,) = card.memory.applications.values()
    application.keys[2:] = [bytes([9] * 16)] * 3
    with pytest.raises(ChipAuthenticationError):
        opened(link_to(card), keys(2))
    assert opened(link_to(card), keys(1)).key_number == 1


def test_foreign_key_on_the_card_is_refused() -> None:
    with pytest.raises(ChipAuthenticationError):
        opened(link_to(Station().card()), MasterKeys({(KECAMATAN, 1): bytes(16)}))


# Attacks


def test_clone_on_another_uid_is_refused() -> None:
    """All that anyone can read, on another chip: its credential names the first."""
    clone = clone_of(Station().card(), OTHER_UID)
    with pytest.raises(ChipAuthenticationError):
        opened(link_to(clone))


def test_clone_with_the_same_uid_is_refused() -> None:
    with pytest.raises(ChipAuthenticationError):
        opened(link_to(clone_of(Station().card(), UID)))


def test_genuine_card_with_the_bytes_of_another_is_refused() -> None:
    """A card of ours with the credential of a family that is owed more: it names another chip."""
    victim, card = Station().card(), Station().card(OTHER_UID)
    (theirs,), (ours,) = (one.memory.applications.values() for one in (victim, card))
    ours.files[0] = theirs.files[0]
    link = link_to(card)
    with pytest.raises(ChipAuthenticationError, match="another chip"):
        opened(link)
    assert all(one.apdu[1] != 0x71 for one in link.trace)


def test_card_that_lies_about_its_uid_is_refused() -> None:
    """It shows another card's UID and credential, and holds a key that a lab took from it."""
    victim, card = Station().card(), Station().card(OTHER_UID)
    (theirs,), (ours,) = (one.memory.applications.values() for one in (victim, card))
    ours.files[0], ours.keys = theirs.files[0], theirs.keys

    def lie(number: int, answer: bytes) -> bytes:
        return answer.replace(OTHER_UID, UID) if number == 3 else answer

    link = InProcessLink(card, error=ChipLinkError, on_answer=lie)
    with pytest.raises(ChipAuthenticationError, match="another UID"):
        opened(link)


def test_rolled_back_image_shows_an_older_counter() -> None:
    card = Station().card()
    image = card.memory.copy()
    later = opened(link_to(card)).commit_record(TAKEN, READER_ID)
    card.memory = image
    state = opened(link_to(card)).state
    assert state.counter < later.counter
    assert TAKEN not in state.records


def test_commit_without_a_record_is_seen() -> None:
    """A stolen key can count up without writing."""
    card = Station().card()
    card.mac_file.counter += 2
    assert opened(link_to(card)).state.unexplained == 2


def test_flushed_record_file_is_seen() -> None:
    """As if somebody had the right that nobody has, ClearRecordFile's."""
    card = Station().card(opening=[MARK, TAKEN, TAKEN])
    (application,) = card.memory.applications.values()
    records = application.files[1]
    assert isinstance(records, CyclicFile)
    records.records.clear()
    assert opened(link_to(card)).state.unexplained == 3


def test_record_of_an_unknown_version_is_not_passed_over() -> None:
    card = Station().card()
    (application,) = card.memory.applications.values()
    records = application.files[1]
    assert isinstance(records, CyclicFile)
    records.add(b"\x21" + bytes(15))
    with pytest.raises(ChipFormatError, match="version 2"):
        opened(link_to(card))


def test_error_status_in_the_middle_ends_the_session() -> None:
    """Nobody vouches for an error status; whoever forges one gains a session that is over."""

    def forge(number: int, answer: bytes) -> bytes:
        return SW.PERMISSION_DENIED.to_bytes(2, "big") if number == 13 else answer

    card = Station().card()
    link = InProcessLink(card, error=ChipLinkError, on_answer=forge)
    chip = opened(link)
    with pytest.raises(ChipStatusError, match="permission_denied"):
        chip.commit_record(TAKEN, READER_ID)
    sent = len(link.trace)
    for act in (lambda: chip.commit_record(TAKEN, READER_ID), chip.read_back):
        with pytest.raises(ChipError):
            act()
    assert len(link.trace) == sent


# The card leaves the field


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", [0, 1, 2])
def test_tear_during_the_commit_is_never_repeated_and_told_by_the_card(
    step: int, fault: Fault
) -> None:
    """All or nothing, and the next tap tells which; no command is sent a second time."""
    card = Station().card()
    link = link_to(card, {12 + step: fault})
    chip = opened(link)
    with pytest.raises(ChipLinkError):
        chip.commit_record(TAKEN, READER_ID)
    sent = len(link.trace)
    with pytest.raises(ChipError):
        chip.commit_record(TAKEN, READER_ID)
    with pytest.raises(ChipError):
        chip.state  # noqa: B018 - asked for, and refused
    assert len(link.trace) == sent
    state = opened(link_to(card)).state
    committed = step == 2 and fault in {Fault.TORN_AFTER, Fault.ANSWER_LOST}
    assert (state.counter, TAKEN in state.records) == (1 + committed, committed)
    assert state.unexplained == 0


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", range(12))
def test_tear_before_the_commit_changes_nothing(step: int, fault: Fault) -> None:
    card = Station().card()
    before = card.memory.copy()
    with pytest.raises(ChipLinkError):
        opened(link_to(card, {step: fault}))
    assert card.memory == before
    assert opened(link_to(card)).state.records == (MARK,)


def test_wrong_counter_after_the_commit_is_not_believed() -> None:
    card = Station().card()
    chip = opened(link_to(card))
    card.mac_file.counter += 5
    with pytest.raises(ChipIntegrityError, match="did not move by one"):
        chip.commit_record(TAKEN, READER_ID)
