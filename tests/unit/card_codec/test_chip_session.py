"""Secure messaging on its own: what ends a session, and the second way to authenticate."""

import pytest

from card_codec.chip import commands
from card_codec.chip.apdu import Command, Mode, NativeChannel, iso_select, status_name, wrap
from card_codec.chip.diversify import KeyName
from card_codec.chip.errors import (
    ChipAuthenticationError,
    ChipError,
    ChipIntegrityError,
    ChipLinkError,
    ChipStatusError,
)
from card_codec.chip.khb1_files import APPLICATION_NAME, RECORD_FILE
from card_codec.chip.secure import SecureChannel, SecureSession, SessionKeys, authenticate
from tests.chip_world import KECAMATAN, MARK, UID, Station, counting, keys, link_to
from virtual_card.link import InProcessLink

CLEAR_RECORDS = Command(0xEB, header=b"\x01", mode=Mode.FULL)
GET_RECORDS = commands.read_records(RECORD_FILE, mode=Mode.FULL)


def _key(number: int) -> bytes:
    key = keys(number).card_key(KeyName(UID, number, KECAMATAN, number))
    assert key is not None
    return key


def _selected() -> tuple[InProcessLink, NativeChannel]:
    link = link_to(Station().card())
    link.transmit(iso_select(APPLICATION_NAME))
    return link, NativeChannel(link)


def test_second_authentication_goes_on_with_counter_and_transaction() -> None:
    link, native = _selected()
    channel = authenticate(native, _key(1), 1, counting())
    channel.exchange(commands.commit_reader_id(bytes(16)))
    channel.authenticate_again(_key(2), 2, counting(5))
    assert len(channel.exchange(GET_RECORDS)) == 16
    assert channel.exchange(commands.GET_CARD_UID) == UID
    assert [one.apdu[1] for one in link.trace].count(0x77) == 1


def test_second_authentication_with_a_wrong_key_ends_the_session() -> None:
    _, native = _selected()
    channel = authenticate(native, _key(1), 1, counting())
    with pytest.raises(ChipAuthenticationError):
        channel.authenticate_again(_key(1), 2, counting())
    with pytest.raises(ChipError, match="over"):
        channel.exchange(GET_RECORDS)


def test_second_authentication_without_a_first_is_refused() -> None:
    _, native = _selected()
    session = SecureSession(SessionKeys(bytes(16), bytes(16)), bytes(4))
    with pytest.raises(ChipStatusError, match="authentication_error"):
        SecureChannel(native, session).authenticate_again(_key(1), 1, counting())


def test_key_number_that_the_card_has_not_is_refused() -> None:
    _, native = _selected()
    with pytest.raises(ChipStatusError, match="no_such_key"):
        authenticate(native, bytes(16), 9, counting())


@pytest.mark.parametrize("size", [0, 15, 17])
def test_challenge_of_another_length_is_refused(size: int) -> None:
    class Answering:
        def transmit(self, apdu: bytes) -> tuple[bytes, int]:
            return bytes(size), 0x91AF

    with pytest.raises(ChipAuthenticationError, match="length"):
        authenticate(NativeChannel(Answering()), bytes(16), 1, counting())


def test_last_answer_of_another_length_is_refused() -> None:
    class Answering:
        def transmit(self, apdu: bytes) -> tuple[bytes, int]:
            return (bytes(16), 0x91AF) if apdu[1] == 0x71 else (bytes(16), 0x9100)

    with pytest.raises(ChipAuthenticationError, match="length"):
        authenticate(NativeChannel(Answering()), bytes(16), 1, counting())


def test_counter_does_not_run_over() -> None:
    link, native = _selected()
    session = SecureSession(SessionKeys(bytes(16), bytes(16)), bytes(4), 0xFFFF)
    with pytest.raises(ChipError, match="over"):
        SecureChannel(native, session).exchange(GET_RECORDS)
    assert len(link.trace) == 1


def test_answer_that_never_ends_is_refused() -> None:
    class Endless:
        def transmit(self, apdu: bytes) -> tuple[bytes, int]:
            return bytes(200), 0x91AF

    with pytest.raises(ChipIntegrityError, match="does not end"):
        NativeChannel(Endless()).exchange(commands.GET_VERSION)


def test_answer_of_empty_frames_is_refused() -> None:
    class Empty:
        def transmit(self, apdu: bytes) -> tuple[bytes, int]:
            return b"", 0x91AF

    with pytest.raises(ChipIntegrityError, match="does not end"):
        NativeChannel(Empty()).exchange(commands.GET_VERSION)


def test_command_that_does_not_fit_is_our_own_fault() -> None:
    assert wrap(0x60, b"") == bytes.fromhex("9060000000")
    assert len(wrap(0x8D, bytes(255))) == 261
    with pytest.raises(ValueError, match="pieces"):
        wrap(0x8D, bytes(256))


def test_link_error_ends_the_session() -> None:
    link, native = _selected()
    channel = authenticate(native, _key(1), 1, counting())
    link.pull()
    for _ in range(2):
        with pytest.raises(ChipError):
            channel.exchange(GET_RECORDS)
    with pytest.raises(ChipLinkError):
        link.transmit(b"\x90\x60\x00\x00\x00")


def test_plain_command_in_a_session_moves_the_counter() -> None:
    _, native = _selected()
    channel = authenticate(native, _key(1), 1, counting())
    read = commands.read_data(0, length=8, mode=Mode.PLAIN)
    assert channel.exchange(read)[:4] == bytes.fromhex("01629901")
    assert len(channel.exchange(GET_RECORDS)) == 16


def test_secrets_are_not_shown() -> None:
    shown = SessionKeys(b"\xaa" * 16, b"\xbb" * 16)
    assert "aa" not in repr(shown).replace("\\xaa", "aa")
    assert "bb" not in repr(shown).replace("\\xbb", "bb")


def test_status_has_a_name_or_says_that_it_has_none() -> None:
    assert status_name(0x91AE) == "authentication_error"
    assert "not know" in status_name(0x9199)


def test_empty_record_file_answers_boundary_error() -> None:
    link = link_to(Station().card(opening=[]))
    link.transmit(iso_select(APPLICATION_NAME))
    channel = authenticate(NativeChannel(link), _key(1), 1, counting())
    with pytest.raises(ChipStatusError, match="91BE"):
        channel.exchange(GET_RECORDS)


def test_record_is_there_for_others_after_the_commit_alone() -> None:
    _, native = _selected()
    channel = authenticate(native, _key(1), 1, counting())
    channel.exchange(commands.write_record(RECORD_FILE, bytes(16), mode=Mode.FULL))
    assert len(channel.exchange(GET_RECORDS)) == 16
    with pytest.raises(ChipStatusError, match="permission_denied"):
        channel.exchange(commands.COMMIT_TRANSACTION)  # no CommitReaderID


def test_reader_id_is_named_once_in_a_transaction() -> None:
    _, native = _selected()
    channel = authenticate(native, _key(1), 1, counting())
    channel.exchange(commands.commit_reader_id(bytes(16)))
    with pytest.raises(ChipStatusError, match="permission_denied"):
        channel.exchange(commands.commit_reader_id(bytes(16)))


@pytest.mark.parametrize(
    "command",
    [
        CLEAR_RECORDS,
        commands.change_other_key(2, old=bytes(16), new=bytes(16), version=1),
        commands.change_own_key(1, new=bytes(16), version=1),
        commands.delete_file(1),
        commands.write_data(0, bytes(16), mode=Mode.PLAIN),
    ],
    ids=["clear records", "change key", "own key", "delete", "write credential"],
)
def test_stolen_redeem_key_cannot_undo_or_take_over(command: Command) -> None:
    card = Station().card(opening=[MARK, MARK])
    before = card.memory.copy()
    link = link_to(card)
    link.transmit(iso_select(APPLICATION_NAME))
    channel = authenticate(NativeChannel(link), _key(1), 1, counting())
    with pytest.raises(ChipStatusError):
        channel.exchange(command)
    assert card.memory == before


def test_records_are_cleared_by_whoever_has_the_right_that_khb1_gives_nobody() -> None:
    """So that the refusal above is the right's doing, and not the double's ignorance."""
    card = Station().card()
    (application,) = card.memory.applications.values()
    application.files[RECORD_FILE].rights[0].read_write = 1
    link = link_to(card)
    link.transmit(iso_select(APPLICATION_NAME))
    channel = authenticate(NativeChannel(link), _key(1), 1, counting())
    channel.exchange(CLEAR_RECORDS)
    channel.exchange(commands.commit_reader_id(bytes(16)))
    channel.exchange(commands.COMMIT_TRANSACTION)
    with pytest.raises(ChipStatusError, match="91BE"):
        channel.exchange(GET_RECORDS)
