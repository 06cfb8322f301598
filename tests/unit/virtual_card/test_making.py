"""A blank card made into a KHB-1 card by its own commands, as a card station will."""

from dataclasses import replace

import pytest

from card_codec.chip import commands
from card_codec.chip.apdu import Command, Mode, NativeChannel, iso_select
from card_codec.chip.diversify import AID
from card_codec.chip.errors import ChipLinkError, ChipStatusError
from card_codec.chip.khb1_files import (
    APPLICATION_ISO_ID,
    APPLICATION_NAME,
    APPLICATION_SETTINGS,
    AWAY_KEY,
    CREDENTIAL_FILE,
    CREDENTIAL_FILE_BYTES,
    HOME_KEYS,
    MAC_FILE,
    RECORD_FILE,
    RECORDS_KEPT,
    encode_content,
    file_settings,
)
from card_codec.chip.record import RECORD_BYTES, encode_record
from card_codec.chip.secure import SecureChannel, authenticate
from tests.chip_world import (
    MARK,
    READER_ID,
    TAKEN,
    UID,
    Station,
    counting,
    link_to,
    opened,
    tmac_key,
)
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault, InProcessLink
from virtual_card.memory import EV2, EV3, LIGHT, LIGHT_NAME

FACTORY_KEY = bytes(16)
ALL_SLOTS = (*HOME_KEYS, AWAY_KEY)


@pytest.mark.parametrize("make", [EV2, EV3])
def test_blank_card_made_by_commands_is_the_card_of_the_factory(make: int) -> None:
    card = blank(UID, make=make)
    _make(card)
    made, expected = card.memory, Station().card(make=make).memory
    (application,), (of_factory,) = made.applications.values(), expected.applications.values()
    assert application.files[MAC_FILE].settings() == of_factory.files[MAC_FILE].settings()
    assert (card.mac_file.key, card.mac_file.counter) == (tmac_key(), 1)
    assert (card.mac_file.reader_id, card.mac_file.value != bytes(8)) == (READER_ID, True)
    assert {n: f for n, f in application.files.items() if n != MAC_FILE} == {
        n: f for n, f in of_factory.files.items() if n != MAC_FILE
    }
    assert (application.keys, application.name) == (of_factory.keys, of_factory.name)


@pytest.mark.parametrize("make", [EV2, EV3, LIGHT])
def test_made_card_serves_at_a_counter(make: int) -> None:
    card = blank(UID, make=make)
    _make(card)
    chip = opened(link_to(card))
    assert (chip.state.counter, chip.state.records) == (1, (MARK,))
    assert chip.commit_record(TAKEN, READER_ID).counter == 2


def test_light_keeps_four_records_whatever_is_written() -> None:
    card = blank(UID, make=LIGHT)
    _make(card)
    chip = opened(link_to(card))
    for _ in range(9):
        chip.commit_record(TAKEN, READER_ID)
    assert opened(link_to(card)).state.records == (TAKEN,) * 4


@pytest.mark.parametrize("fault", [Fault.TORN_BEFORE, Fault.TORN_INSIDE, Fault.TORN_AFTER])
def test_card_torn_at_any_command_of_its_making_is_not_taken_for_a_good_one(fault: Fault) -> None:
    """The master key is changed last: while it is the maker's, the card station goes on with it."""
    whole = blank(UID)
    commands_of_making = _make(whole)
    for step in range(commands_of_making):
        card = blank(UID)
        with pytest.raises(ChipLinkError):
            _make(card, {step: fault})
        done = fault is Fault.TORN_AFTER and step == commands_of_making - 1
        if not done:
            made = card.memory.applications.values()
            assert all(application.keys[0] == FACTORY_KEY for application in made)


def test_settings_read_back_are_those_that_were_asked_for() -> None:
    card = blank(UID)
    _make(card)
    link = link_to(card)
    link.transmit(iso_select(APPLICATION_NAME))
    native = NativeChannel(link)
    for file in (CREDENTIAL_FILE, RECORD_FILE, MAC_FILE):
        told = native.exchange(commands.get_file_settings(file, mode=Mode.PLAIN))
        asked = file_settings(file, ALL_SLOTS)
        assert told[1:4] == asked.option_bytes()
        assert told.endswith(asked.more_bytes())
    for number in range(5):
        version = native.exchange(commands.get_key_version(number, mode=Mode.PLAIN))
        assert version == bytes([1])


def test_light_knows_neither_applications_nor_more_rights() -> None:
    link = link_to(blank(UID, make=LIGHT))
    native = NativeChannel(link)
    for command in (commands.select_application(AID), _create_application()):
        with pytest.raises(ChipStatusError, match="illegal_command"):
            native.exchange(command)
    link.transmit(iso_select(LIGHT_NAME))
    channel = authenticate(native, FACTORY_KEY, 0, counting())
    with pytest.raises(ChipStatusError, match="parameter_error"):
        channel.exchange(
            commands.change_file_settings(RECORD_FILE, file_settings(RECORD_FILE, ALL_SLOTS))
        )


def test_light_is_renamed_once() -> None:
    card = blank(UID, make=LIGHT)
    _make(card)
    link = link_to(card)
    link.transmit(iso_select(APPLICATION_NAME))
    (application,) = card.memory.applications.values()
    channel = authenticate(NativeChannel(link), application.keys[0], 0, counting())
    with pytest.raises(ChipStatusError, match="permission_denied"):
        channel.exchange(commands.rename_application(LIGHT_NAME, b"\x01\xdf"))


def _make(card: DesfireCard, faults: dict[int, Fault] | None = None) -> int:
    """All that a card station sends, the master key last; how many commands that was."""
    link = link_to(card, faults)
    light = card.memory.make == LIGHT
    slots = (1,) if light else ALL_SLOTS
    _begin(link, light=light)
    native = NativeChannel(link)
    channel = authenticate(native, FACTORY_KEY, 0, counting())
    if light:
        channel.exchange(commands.delete_file(MAC_FILE))
        channel.exchange(commands.rename_application(APPLICATION_NAME, APPLICATION_ISO_ID))
        for file in (CREDENTIAL_FILE, RECORD_FILE):
            channel.exchange(commands.change_file_settings(file, file_settings(file, slots)))
    else:
        _create_files(channel, slots)
    mac = file_settings(MAC_FILE, slots)
    channel.exchange(
        commands.create_mac_file(MAC_FILE, replace(mac, more=()), key=tmac_key(), version=0)
    )
    if mac.more:
        channel.exchange(commands.change_file_settings(MAC_FILE, mac))
    _fill(channel, card)
    return len(link.trace)


def _begin(link: InProcessLink, *, light: bool) -> None:
    if not light:
        NativeChannel(link).exchange(_create_application())
    link.transmit(iso_select(LIGHT_NAME if light else APPLICATION_NAME))


def _create_files(channel: SecureChannel, slots: tuple[int, ...]) -> None:
    credential = file_settings(CREDENTIAL_FILE, slots)
    records = file_settings(RECORD_FILE, slots)
    channel.exchange(
        commands.create_data_file(
            CREDENTIAL_FILE, credential, size=CREDENTIAL_FILE_BYTES, mode=Mode.MAC
        )
    )
    channel.exchange(
        commands.create_cyclic_file(
            RECORD_FILE,
            replace(records, more=()),
            record_size=RECORD_BYTES,
            records=RECORDS_KEPT + 1,
            mode=Mode.MAC,
        )
    )
    channel.exchange(commands.change_file_settings(RECORD_FILE, records))


def _fill(channel: SecureChannel, card: DesfireCard) -> None:
    """Credential under the master key; the mark under key 1; then all keys, the master last."""
    (final,) = Station().card(make=card.memory.make).memory.applications.values()
    data = encode_content(Station().content(make=card.memory.make))
    for at in range(0, len(data), 128):
        channel.exchange(
            commands.write_data(CREDENTIAL_FILE, data[at : at + 128], offset=at, mode=Mode.PLAIN)
        )
    channel.exchange(commands.ABORT_TRANSACTION)
    channel.authenticate_again(FACTORY_KEY, 1, counting(3))
    channel.exchange(commands.commit_reader_id(READER_ID))
    channel.exchange(commands.write_record(RECORD_FILE, encode_record(MARK), mode=Mode.FULL))
    channel.exchange(commands.COMMIT_TRANSACTION)
    channel.authenticate_again(FACTORY_KEY, 0, counting(4))
    for number in range(1, 5):
        channel.exchange(
            commands.change_other_key(number, old=FACTORY_KEY, new=final.keys[number], version=1)
        )
    channel.exchange_last(commands.change_own_key(0, new=final.keys[0], version=1))


def _create_application() -> Command:
    return commands.create_application(
        AID, settings=APPLICATION_SETTINGS, iso_id=APPLICATION_ISO_ID, name=APPLICATION_NAME
    )
