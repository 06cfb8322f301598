"""How profile KHB-1 lays a chip out: application, keys, files, rights, and the credential file.

docs/spec/chip-profile.md §4 is this file in words, with the source of each rule.
"""

from dataclasses import dataclass
from enum import IntEnum

from card_codec.chip import commands, diversify
from card_codec.chip.apdu import Mode
from card_codec.chip.commands import FREE, NOBODY, FileSettings, Rights
from card_codec.chip.errors import ChipFormatError
from card_codec.chip.record import RECORD_BYTES

APPLICATION_NAME = bytes.fromhex("f04b48422d31")  # F0: not registered; then "KHB-1"
APPLICATION_ISO_ID = bytes.fromhex("01f1")  # F101, as sent
LIGHT_NAME = bytes.fromhex("a00000039656434103f015400000000b")  # of DESFire Light as delivered
APPLICATION_SETTINGS = bytes.fromhex("0ba5")  # files by the master key alone; five AES keys, ISO

CREDENTIAL_FILE = 0x00
RECORD_FILE = 0x01
MAC_FILE = 0x0F

CREDENTIAL_FILE_BYTES = 256
RECORDS_KEPT = 16  # that can be read on EV2 and EV3; the file has one more
RECORDS_KEPT_LIGHT = 4  # fixed by the silicon

MASTER_KEY = 0
HOME_KEYS = (1, 2, 3)  # of the generations g, g+1, g+2
AWAY_KEY = 4
MAC_KEY = 15  # not of the application; its number in key derivation alone

KEY_VERSION = 1  # of every key the card station gave; a key as delivered has 0

_VERSION = 1
_HEAD_BYTES = 9
_CYCLIC = 0x04
_CYCLIC_SETTINGS_BYTES = 13
_RECORDS_NOW = slice(10, 13)
CREDENTIAL_BYTES_MAX = CREDENTIAL_FILE_BYTES - _HEAD_BYTES


class Silicon(IntEnum):
    """The chips that KHB-1 lies on, by the major hardware version of GetVersion."""

    EV2 = 0x12
    EV2_XL = 0x22
    LIGHT = 0x30
    EV3 = 0x33


@dataclass(frozen=True, slots=True)
class ChipContent:
    """What the credential file holds; anyone may read it, and nothing of it is believed.

    Attributes:
        kecamatan: whose masters made the home keys, six digits.
        generation: of key 1; key 2 is of the next, key 3 of the one after.
        away_generation: of key 4.
        slots: the keys that open the files, ascending.
        credential: a COSE_Sign1, at most 247 bytes; docs/spec/credential.md.
    """

    kecamatan: str
    generation: int
    away_generation: int
    slots: tuple[int, ...]
    credential: bytes

    def key_names(self, uid: bytes) -> tuple[diversify.KeyName, ...]:
        """The keys to try: of home, newest generation first, then away."""
        home = [
            diversify.KeyName(uid, slot, self.kecamatan, self.generation + slot - HOME_KEYS[0])
            for slot in sorted(self.slots, reverse=True)
            if slot in HOME_KEYS
        ]
        if AWAY_KEY in self.slots:
            home.append(
                diversify.KeyName(uid, AWAY_KEY, diversify.NO_KECAMATAN, self.away_generation)
            )
        return tuple(home)


def file_settings(file: int, slots: tuple[int, ...]) -> FileSettings:
    """The rights of a file when these keys open it.

    Args:
        file: number of the file.
        slots: key numbers, at least one. A chip that knows no further rights (DESFire Light) has
            one.
    """
    if file == CREDENTIAL_FILE:
        return FileSettings(Mode.PLAIN, Rights(FREE, MASTER_KEY, NOBODY, MASTER_KEY))
    first, *others = slots
    if file == RECORD_FILE:
        return FileSettings(
            Mode.FULL,
            Rights(first, first, NOBODY, MASTER_KEY),
            tuple(Rights(slot, slot, NOBODY) for slot in others),
        )
    return FileSettings(
        Mode.MAC,
        Rights(first, NOBODY, first, MASTER_KEY),
        tuple(Rights(slot, NOBODY, slot) for slot in others),
    )


def encode_content(content: ChipContent) -> bytes:
    """The whole credential file, 256 bytes.

    Raises:
        ChipFormatError: the credential is too long, or a number is out of its bounds.
    """
    size = len(content.credential)
    if not 1 <= size <= CREDENTIAL_BYTES_MAX:
        raise ChipFormatError(
            f"a credential of {size} bytes does not fit the chip; leave out its photo or name"
        )
    data = (
        bytes([_VERSION])
        + diversify.kecamatan_bytes(content.kecamatan)
        + bytes([content.generation, content.away_generation])
        + bytes([sum(1 << slot for slot in content.slots)])
        + size.to_bytes(2, "big")
        + content.credential
    ).ljust(CREDENTIAL_FILE_BYTES, b"\x00")
    if decode_content(data) != content:
        raise ChipFormatError("the content has a field that does not survive being written")
    return data


def decode_content(data: bytes) -> ChipContent:
    """What a credential file says.

    Args:
        data: all 256 bytes of it.

    Raises:
        ChipFormatError: it is not laid out as KHB-1 says.
    """
    if len(data) != CREDENTIAL_FILE_BYTES:
        raise ChipFormatError(f"the credential file has {CREDENTIAL_FILE_BYTES} bytes")
    if data[0] != _VERSION:
        raise ChipFormatError("the credential file is of a version that is not known here")
    kecamatan = data[1:4].hex()
    slots = tuple(slot for slot in range(8) if data[6] >> slot & 1)
    end = _HEAD_BYTES + int.from_bytes(data[7:9], "big")
    if not kecamatan.isdigit() or not 1 <= data[4] <= 253 or not data[5]:
        raise ChipFormatError("the credential file names no kecamatan or no generation of keys")
    if not slots or not set(slots) <= {*HOME_KEYS, AWAY_KEY}:
        raise ChipFormatError("the credential file names keys that KHB-1 does not have")
    if not _HEAD_BYTES < end <= CREDENTIAL_FILE_BYTES or any(data[end:]):
        raise ChipFormatError("the credential file is not a credential followed by zeros")
    return ChipContent(kecamatan, data[4], data[5], slots, data[_HEAD_BYTES:end])


def layout_bytes(file: int, *, is_light: bool) -> bytes:
    """Type and size of a file, as GetFileSettings tells them around its option and rights.

    Of the record file with no records in it, of the Transaction MAC file with the station's key.
    """
    if file == CREDENTIAL_FILE:
        return b"\x00" + commands.u24(CREDENTIAL_FILE_BYTES)
    if file == RECORD_FILE:
        most = 1 + (RECORDS_KEPT_LIGHT if is_light else RECORDS_KEPT)
        return bytes([_CYCLIC]) + commands.u24(RECORD_BYTES) + commands.u24(most) + bytes(3)
    return bytes([0x05, commands.AES_KEY, KEY_VERSION])


def split_settings(told: bytes, file: int) -> tuple[bytes, bytes]:
    """What GetFileSettings told, as its layout and its rights.

    Returns:
        The bytes of `layout_bytes`, however many records there are; option, rights and further
        rights as ChangeFileSettings takes them.
    """
    end = {CREDENTIAL_FILE: 7, RECORD_FILE: _CYCLIC_SETTINGS_BYTES}.get(file, 6)
    kept = bytearray(told[:end])
    if file == RECORD_FILE and len(kept) == end:
        kept[_RECORDS_NOW] = bytes(3)
    return bytes(kept[:1] + kept[4:]), told[1:4] + told[end:]


def record_count(settings: bytes, *, record_bytes: int) -> int:
    """How many records a cyclic file holds, from what GetFileSettings says of it.

    Type, option and rights (4 bytes), then size of a record, most records, records now (3 bytes
    each), then further rights.

    Raises:
        ChipFormatError: this is no cyclic file of such records.
    """
    if len(settings) < _CYCLIC_SETTINGS_BYTES or settings[0] != _CYCLIC:
        raise ChipFormatError("file 01 of the chip is not a cyclic record file")
    size, _, now = (int.from_bytes(settings[at : at + 3], "little") for at in (4, 7, 10))
    if size != record_bytes:
        raise ChipFormatError("file 01 of the chip has records of another size")
    return now
