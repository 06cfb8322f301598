"""A KHB-1 card made out of a chip as delivered, from wherever it was left.

    lay out      application, files, rights; the Transaction MAC file with its key
    records      under key 1 as delivered: the station's mark, and what the card before remembered
    keys         1 to 4, then 0: from there on only its issuer changes the card
    credential   last of all: without it no counter takes the card

What is there already is left as it is, so that a card that was pulled is laid down again and
finished. No step of an unfinished card is one of a good card: until the keys are changed no
terminal opens it, and until the last byte of the credential is written none believes it. Whether a
card is good is told by `check_card` alone. Order and rules: docs/spec/chip-profile.md §4.1.
"""

from dataclasses import dataclass, field, replace

from card_codec.chip import aes, commands
from card_codec.chip.apdu import SW, CardLink, Mode, NativeChannel, iso_select
from card_codec.chip.diversify import AID, UID_BYTES
from card_codec.chip.errors import ChipFormatError, ChipStatusError
from card_codec.chip.foreign import ForeignCard, ForeignKind
from card_codec.chip.khb1 import Khb1, Khb1Open
from card_codec.chip.khb1_files import (
    APPLICATION_ISO_ID,
    APPLICATION_NAME,
    APPLICATION_SETTINGS,
    AWAY_KEY,
    CREDENTIAL_FILE,
    CREDENTIAL_FILE_BYTES,
    HOME_KEYS,
    KEY_VERSION,
    LIGHT_NAME,
    MAC_FILE,
    MASTER_KEY,
    RECORD_FILE,
    RECORDS_KEPT,
    RECORDS_KEPT_LIGHT,
    ChipContent,
    Silicon,
    encode_content,
    file_settings,
    layout_bytes,
    split_settings,
)
from card_codec.chip.profile import ChipState, PresentCard, identify
from card_codec.chip.record import RECORD_BYTES, CardRecord, encode_record
from card_codec.chip.secure import Draw, SecureChannel, authenticate
from card_codec.chip.tmac import Transaction, enciphered_reader_id, transaction_value

FACTORY_KEY = bytes(aes.KEY_BYTES)
ALL_SLOTS = (*HOME_KEYS, AWAY_KEY)
LIGHT_SLOTS = HOME_KEYS[:1]

_CARD_ITSELF = bytes(3)
_VERSION_BYTES = 28
_WRITE_BYTES = 128
_FILES = (CREDENTIAL_FILE, RECORD_FILE, MAC_FILE)


@dataclass(frozen=True, slots=True)
class BlankChip:
    """A chip as delivered: nobody's application lies on it.

    Attributes:
        uid: 7 bytes.
        silicon: which chip it is.
    """

    uid: bytes
    silicon: Silicon

    @property
    def slots(self) -> tuple[int, ...]:
        """The keys that can open its files."""
        return LIGHT_SLOTS if self.silicon is Silicon.LIGHT else ALL_SLOTS

    @property
    def kept(self) -> int:
        """How many records it will keep."""
        return RECORDS_KEPT_LIGHT if self.silicon is Silicon.LIGHT else RECORDS_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPlan:
    """All that shall be on a card.

    Attributes:
        chip: the chip it is for.
        content: of the credential file.
        keys: the five keys of the application, 16 bytes each, by number.
        mac_key: of the Transaction MAC, 16 bytes.
        records: it begins with these, oldest first; at least the station's mark.
        reader_id: 16 bytes that name the card station.
    """

    chip: BlankChip
    content: ChipContent
    keys: tuple[bytes, ...] = field(repr=False)
    mac_key: bytes = field(repr=False)
    records: tuple[CardRecord, ...]
    reader_id: bytes


def find(link: CardLink, *, atr: bytes = b"") -> BlankChip | PresentCard | ForeignCard:
    """What lies on the reader of a card station.

    Args:
        link: the card.
        atr: what the reader said about it.

    Raises:
        ChipLinkError: the card stopped answering.
        ChipError: it did not answer as such a chip does.
    """
    found = identify(link, (Khb1(),), atr=atr)
    if isinstance(found, PresentCard) or found.kind is not ForeignKind.OTHER_DESFIRE:
        return found
    native = NativeChannel(link)
    version = native.exchange(commands.GET_VERSION)
    try:
        silicon = Silicon(version[3])
    except (ValueError, IndexError):
        return ForeignCard(ForeignKind.OTHER_DESFIRE, "kartu DESFire jenis lain")
    if len(version) != _VERSION_BYTES:
        raise ChipFormatError("the chip does not tell its version as a DESFire does")
    if not _is_empty(link, native, silicon):
        return ForeignCard(ForeignKind.OTHER_DESFIRE, "kartu DESFire dengan aplikasi lain")
    return BlankChip(version[14 : 14 + UID_BYTES], silicon)


def make_card(link: CardLink, plan: CardPlan, draw: Draw) -> None:
    """Do what is still to be done until the card is as planned.

    Args:
        link: the card, `find` just before.
        plan: what shall be on it; of a card begun before, the very same plan.
        draw: gives random bytes.

    Raises:
        ChipLinkError: the card was taken away; lay it down again and begin again.
        ChipAuthenticationError: its keys are neither those as delivered nor those of the plan.
        ChipFormatError: it holds something else than the plan.
        ChipError: any other fault.
    """
    making = _Making(link, plan, draw)
    making.select()
    if making.ask_versions():
        making.lay_out()
        making.commit_records()
        making.change_keys()
    making.write_credential()


def check_card(link: CardLink, plan: CardPlan, draw: Draw) -> ChipState:
    """Read everything back, as a counter would and under every key; nothing is written.

    Raises:
        ChipError: something is not as planned; the card is not a good one.
    """
    found = Khb1().recognise(link)
    if found is None or found.uid != plan.chip.uid:
        raise ChipFormatError("another chip lies on the reader than the one that was made")
    if Khb1().read_credential(link) != plan.content:
        raise ChipFormatError("the chip does not hold the credential that was written")
    native = NativeChannel(link)
    _check_rights(authenticate(native, plan.keys[MASTER_KEY], MASTER_KEY, draw), plan)
    state = _expected_state(plan)
    for number in plan.content.slots:
        opened = Khb1Open(link, found, plan.keys[number], number, draw)
        if opened.read_back() != state:
            raise ChipFormatError("the chip does not remember what was written")
    return state


class _Making:
    """One card on its way to the plan."""

    def __init__(self, link: CardLink, plan: CardPlan, draw: Draw) -> None:
        self._link = link
        self._native = NativeChannel(link)
        self._plan = plan
        self._draw = draw
        self._is_light = plan.chip.silicon is Silicon.LIGHT
        self._delivered: set[int] = set()

    def select(self) -> None:
        """The application, made or renamed if it is not there yet."""
        if self._is_selected(APPLICATION_NAME):
            return
        if self._is_light:
            if not self._is_selected(LIGHT_NAME):
                raise ChipFormatError("the chip has neither our application nor its own any more")
            rename = commands.rename_application(APPLICATION_NAME, APPLICATION_ISO_ID)
            self._as_master(FACTORY_KEY).exchange(rename)
        else:
            self._native.exchange(commands.select_application(_CARD_ITSELF))
            self._native.exchange(
                commands.create_application(
                    AID,
                    settings=APPLICATION_SETTINGS,
                    iso_id=APPLICATION_ISO_ID,
                    name=APPLICATION_NAME,
                )
            )
        if not self._is_selected(APPLICATION_NAME):
            raise ChipFormatError("the chip does not find the application it was just given")

    def ask_versions(self) -> bool:
        """Which keys are those of the plan; whether the master is not yet.

        Asked before any session. It says which of two keys to try, and nothing is believed of it.
        """
        for number in (MASTER_KEY, *ALL_SLOTS):
            told = self._native.exchange(commands.get_key_version(number, mode=Mode.PLAIN))
            if told != bytes([KEY_VERSION]):
                self._delivered.add(number)
        return MASTER_KEY in self._delivered

    def lay_out(self) -> None:
        """Files and their rights."""
        told = {file: self._settings(file) for file in _FILES}
        channel = self._as_master(FACTORY_KEY)
        if self._is_light and not _has_our_key(told[MAC_FILE]):
            if told[MAC_FILE] is not None:
                channel.exchange(commands.delete_file(MAC_FILE))
            told[MAC_FILE] = None
        for file in _FILES:
            asked = file_settings(file, self._plan.content.slots)
            layout, rights = self._layout_and_rights(file, told[file], channel)
            if layout != layout_bytes(file, is_light=self._is_light):
                raise ChipFormatError(f"file {file:02X} of the chip is of another kind or size")
            if rights != asked.option_bytes() + asked.more_bytes():
                channel.exchange(commands.change_file_settings(file, asked))

    def commit_records(self) -> None:
        """What of the first records is not on it yet, each with its Transaction MAC checked."""
        plan, number = self._plan, HOME_KEYS[0]
        is_delivered = number in self._delivered
        key = FACTORY_KEY if is_delivered else plan.keys[number]
        card = PresentCard(Khb1(), plan.chip.uid, plan.chip.silicon)
        opened = Khb1Open(self._link, card, key, number, self._draw)
        done = opened.read_back().counter
        if done and opened.state != _expected_state(plan, done):
            raise ChipFormatError("the chip remembers what this card station did not write")
        if done < len(plan.records) and not is_delivered:
            raise ChipFormatError("the chip lacks records, and its keys are changed already")
        for record in plan.records[done:]:
            commit = opened.commit_record(record, plan.reader_id)
            written = Transaction(
                plan.chip.uid,
                commit.counter,
                plan.reader_id,
                commit.enc_reader_id,
                encode_record(record),
            )
            if commit.value != transaction_value(plan.mac_key, written):
                raise ChipFormatError("the chip's Transaction MAC is not the one it was given")

    def change_keys(self) -> None:
        """Those as delivered to those of the plan, the master last."""
        channel = self._as_master(FACTORY_KEY)
        for number in sorted(self._delivered - {MASTER_KEY}):
            new = self._plan.keys[number]
            channel.exchange(
                commands.change_other_key(number, old=FACTORY_KEY, new=new, version=KEY_VERSION)
            )
        own = self._plan.keys[MASTER_KEY]
        channel.exchange_last(commands.change_own_key(MASTER_KEY, new=own, version=KEY_VERSION))
        if not self._is_selected(APPLICATION_NAME):
            raise ChipFormatError("the chip does not find its application any more")

    def write_credential(self) -> None:
        """The file that makes it a card; its head comes last."""
        data = encode_content(self._plan.content)
        read = commands.read_data(CREDENTIAL_FILE, length=CREDENTIAL_FILE_BYTES, mode=Mode.PLAIN)
        if self._native.exchange(read) == data:
            return
        channel = self._as_master(self._plan.keys[MASTER_KEY])
        for at in range(CREDENTIAL_FILE_BYTES - _WRITE_BYTES, -1, -_WRITE_BYTES):
            part = data[at : at + _WRITE_BYTES]
            channel.exchange(commands.write_data(CREDENTIAL_FILE, part, offset=at, mode=Mode.PLAIN))

    def _layout_and_rights(
        self, file: int, told: bytes | None, channel: SecureChannel
    ) -> tuple[bytes, bytes]:
        """Of the file as it is there; created, with its first rights alone, if it is not."""
        if told is not None:
            return split_settings(told, file)
        first = replace(file_settings(file, self._plan.content.slots), more=())
        if file == CREDENTIAL_FILE:
            command = commands.create_data_file(
                file, first, size=CREDENTIAL_FILE_BYTES, mode=Mode.MAC
            )
        elif file == RECORD_FILE:
            command = commands.create_cyclic_file(
                file, first, record_size=RECORD_BYTES, records=RECORDS_KEPT + 1, mode=Mode.MAC
            )
        else:
            key = self._plan.mac_key
            command = commands.create_mac_file(file, first, key=key, version=KEY_VERSION)
        channel.exchange(command)
        return layout_bytes(file, is_light=self._is_light), first.option_bytes()

    def _as_master(self, key: bytes) -> SecureChannel:
        return authenticate(self._native, key, MASTER_KEY, self._draw)

    def _settings(self, file: int) -> bytes | None:
        try:
            return self._native.exchange(commands.get_file_settings(file, mode=Mode.PLAIN))
        except ChipStatusError as exc:
            if exc.sw != SW.FILE_NOT_FOUND:
                raise
            return None

    def _is_selected(self, name: bytes) -> bool:
        return self._link.transmit(iso_select(name))[1] == SW.ISO_OK


def _is_empty(link: CardLink, native: NativeChannel, silicon: Silicon) -> bool:
    if silicon is Silicon.LIGHT:
        return link.transmit(iso_select(LIGHT_NAME))[1] == SW.ISO_OK
    try:
        native.exchange(commands.select_application(_CARD_ITSELF))
        return native.exchange(commands.GET_APPLICATION_IDS) == b""
    except ChipStatusError:
        return False  # somebody else's: as delivered it tells anyone


def _has_our_key(told: bytes | None) -> bool:
    return told is not None and split_settings(told, MAC_FILE)[0] == layout_bytes(
        MAC_FILE, is_light=True
    )


def _check_rights(channel: SecureChannel, plan: CardPlan) -> None:
    is_light = plan.chip.silicon is Silicon.LIGHT
    for file in _FILES:
        told = channel.exchange(commands.get_file_settings(file, mode=Mode.MAC))
        asked = file_settings(file, plan.content.slots)
        wanted = layout_bytes(file, is_light=is_light), asked.option_bytes() + asked.more_bytes()
        if split_settings(told, file) != wanted:
            raise ChipFormatError(f"file {file:02X} of the chip does not have the rights asked for")
    for number in range(len(plan.keys)):
        version = channel.exchange(commands.get_key_version(number, mode=Mode.MAC))
        if version != bytes([KEY_VERSION]):
            raise ChipFormatError(f"key {number} of the chip is still the one as delivered")


def _expected_state(plan: CardPlan, count: int | None = None) -> ChipState:
    """What the card remembers after so many of its first commits; after all of them."""
    count = len(plan.records) if count is None else count
    if not 1 <= count <= len(plan.records):
        raise ChipFormatError("the chip has counted more than this card station wrote")
    before = plan.reader_id if count > 1 else bytes(len(plan.reader_id))
    enc_before = enciphered_reader_id(plan.mac_key, plan.chip.uid, count, before=before)
    record = encode_record(plan.records[count - 1])
    last = Transaction(plan.chip.uid, count, plan.reader_id, enc_before, record)
    kept = plan.chip.kept
    value = transaction_value(plan.mac_key, last)
    return ChipState(count, value, plan.records[:count][-kept:], kept)
