"""Profile KHB-1: a card of ours on DESFire EV2, EV3 or Light.

    recognise             ISO SELECT by name · GetVersion -> UID
    read_credential       ReadData 00, plain
    open_for_redemption   AuthenticateEV2First · GetCardUID · ReadData 0F -> TMC, TMV
                          · GetFileSettings 01 · ReadRecords 01, twice at most · AbortTransaction
    commit_record         CommitReaderID · WriteRecord 01 · CommitTransaction -> TMC, TMV

What is read under a key becomes part of the next Transaction MAC, except of file 0F; the abort
takes it out again, so that the issuer can compute the value from the redemption alone. Every
commit writes one record: counter and records stay in step. Rules: docs/spec/chip-profile.md.
"""

from card_codec.chip import commands
from card_codec.chip.apdu import SW, CardLink, Mode, NativeChannel, iso_select
from card_codec.chip.diversify import UID_BYTES, KeySource
from card_codec.chip.errors import (
    ChipAuthenticationError,
    ChipError,
    ChipFormatError,
    ChipIntegrityError,
    ChipStatusError,
)
from card_codec.chip.khb1_files import (
    APPLICATION_NAME,
    CREDENTIAL_FILE,
    CREDENTIAL_FILE_BYTES,
    MAC_FILE,
    RECORD_FILE,
    RECORDS_KEPT,
    RECORDS_KEPT_LIGHT,
    ChipContent,
    Silicon,
    decode_content,
    record_count,
)
from card_codec.chip.profile import ChipState, Commit, KeyNotHeld, PresentCard
from card_codec.chip.record import RECORD_BYTES, CardRecord, decode_record, encode_record
from card_codec.chip.secure import Draw, SecureChannel, authenticate
from card_codec.chip.tmac import READER_ID_BYTES, TMV_BYTES
from card_codec.credential import Credential
from card_codec.errors import CardCodecError

_VERSION_BYTES = 28
_UID_AT = 14
_COUNTER_BYTES = 4
_RECORDS_A_READ = 8


class Khb1:
    """See `card_codec.chip.profile.CardProfile`."""

    name = "KHB-1"

    def recognise(self, link: CardLink) -> PresentCard | None:
        """The card, if it holds our application and is a chip that KHB-1 lies on."""
        _, sw = link.transmit(iso_select(APPLICATION_NAME))
        if sw != SW.ISO_OK:
            return None
        version = NativeChannel(link).exchange(commands.GET_VERSION)
        if len(version) != _VERSION_BYTES:
            raise ChipFormatError("the chip does not tell its version as a DESFire does")
        try:
            silicon = Silicon(version[3])
        except ValueError as exc:
            raise ChipFormatError("the chip is of a make that KHB-1 does not lie on") from exc
        return PresentCard(self, version[_UID_AT : _UID_AT + UID_BYTES], silicon)

    def read_credential(self, link: CardLink) -> ChipContent:
        """What anyone may read."""
        read = commands.read_data(CREDENTIAL_FILE, length=CREDENTIAL_FILE_BYTES, mode=Mode.PLAIN)
        return decode_content(NativeChannel(link).exchange(read))

    def open_for_redemption(
        self,
        card: PresentCard,
        link: CardLink,
        content: ChipContent,
        *,
        credential: Credential,
        keys: KeySource,
        draw: Draw,
    ) -> "Khb1Open | KeyNotHeld":
        """Prove the card with the newest of its keys that is held here; read what it remembers."""
        if credential.chip_uid != card.uid:
            raise ChipAuthenticationError("the credential on the chip is that of another chip")
        for name in content.key_names(card.uid):
            key = keys.card_key(name)
            if key is not None:
                opened = Khb1Open(link, card, key, name.number, draw)
                opened.read_back()
                return opened
        return KeyNotHeld(content.kecamatan, content.generation)


class Khb1Open:
    """A KHB-1 card that has shown its key; see `card_codec.chip.profile.OpenChip`."""

    def __init__(
        self, link: CardLink, card: PresentCard, key: bytes, number: int, draw: Draw
    ) -> None:
        self.uid = card.uid
        self.key_number = number
        self._native = NativeChannel(link)
        self._key = key
        self._draw = draw
        self._kept = RECORDS_KEPT_LIGHT if card.silicon is Silicon.LIGHT else RECORDS_KEPT
        self._state: ChipState | None = None
        self._channel = self._authenticated()

    @property
    def state(self) -> ChipState:
        """What it remembered when it was opened, or last read back."""
        if self._state is None:
            raise ChipError("the card has not told what it remembers; it must be opened anew")
        return self._state

    def commit_record(self, record: CardRecord, reader_id: bytes) -> Commit:
        """Write one record and count one up, both or neither."""
        before = self.state
        data = encode_record(record)
        if len(reader_id) != READER_ID_BYTES:
            raise ValueError(f"a reader id has {READER_ID_BYTES} bytes")
        self._state = None
        enc_reader_id = self._channel.exchange(commands.commit_reader_id(reader_id))
        if len(enc_reader_id) != READER_ID_BYTES:
            raise ChipIntegrityError("the chip's answer to the reader id has the wrong length")
        self._channel.exchange(commands.write_record(RECORD_FILE, data, mode=Mode.FULL))
        counter, value = _mac_file(self._channel.exchange(commands.COMMIT_TRANSACTION))
        if counter != before.counter + 1:
            raise ChipIntegrityError("the chip's counter did not move by one")
        records = (*before.records, record)[-before.kept :]
        self._state = ChipState(counter, value, records, before.kept)
        return Commit(counter, value, enc_reader_id)

    def read_back(self) -> ChipState:
        """Read counter and records again."""
        self._state = None
        read = commands.read_data(MAC_FILE, length=_COUNTER_BYTES + TMV_BYTES, mode=Mode.MAC)
        counter, value = _mac_file(self._channel.exchange(read))
        records = self._records()
        self._forget_what_was_read()
        self._state = ChipState(counter, value, records, self._kept)
        return self._state

    def _authenticated(self) -> SecureChannel:
        channel = authenticate(self._native, self._key, self.key_number, self._draw)
        uid = channel.exchange(commands.GET_CARD_UID)
        if uid != self.uid:
            raise ChipAuthenticationError("the chip has another UID than the card it says it is")
        return channel

    def _records(self) -> tuple[CardRecord, ...]:
        """All records, oldest first.

        How many there are is asked first: a read of more than that ends in a status that nobody
        vouches for, and few readers take an answer longer than 256 bytes.
        """
        settings = self._channel.exchange(commands.get_file_settings(RECORD_FILE, mode=Mode.MAC))
        count = record_count(settings, record_bytes=RECORD_BYTES)
        if count > self._kept:
            raise ChipFormatError("the chip keeps more records than KHB-1 lays out")
        data = b""
        while count:
            first = (count - 1) // _RECORDS_A_READ * _RECORDS_A_READ
            read = commands.read_records(
                RECORD_FILE, first=first, count=count - first, mode=Mode.FULL
            )
            part = self._channel.exchange(read)
            if len(part) != (count - first) * RECORD_BYTES:
                raise ChipIntegrityError("the chip gave another number of records")
            data += part
            count = first
        try:
            return tuple(
                decode_record(data[at : at + RECORD_BYTES])
                for at in range(0, len(data), RECORD_BYTES)
            )
        except CardCodecError as exc:
            raise ChipFormatError(exc.detail) from exc

    def _forget_what_was_read(self) -> None:
        """Take the reads out of the Transaction MAC of the next commit."""
        try:
            self._channel.exchange(commands.ABORT_TRANSACTION)
        except ChipStatusError as exc:
            if exc.sw != SW.NO_CHANGES:
                raise
            self._channel = self._authenticated()


def _mac_file(data: bytes) -> tuple[int, bytes]:
    if len(data) != _COUNTER_BYTES + TMV_BYTES:
        raise ChipIntegrityError("the chip's counter and value have the wrong length")
    return int.from_bytes(data[:_COUNTER_BYTES], "little"), data[_COUNTER_BYTES:]
