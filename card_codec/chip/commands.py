"""The native commands that KHB-1 uses, each with the mode its file asks for.

Numbers on the wire are little-endian. Sources: MF2DL(H)x0 data sheet rev. 3.3 (public), the notes
of proxmark3 and AN12196; the list with its sources is docs/spec/chip-profile.md §3.
"""

import binascii
from dataclasses import dataclass

from card_codec.chip.apdu import Command, Mode

GET_VERSION = Command(0x60)
GET_APPLICATION_IDS = Command(0x6A)
GET_CARD_UID = Command(0x51, mode=Mode.FULL)
COMMIT_TRANSACTION = Command(0xC7, header=b"\x01", mode=Mode.MAC)
ABORT_TRANSACTION = Command(0xA7, mode=Mode.MAC)

FREE = 0xE
NOBODY = 0xF

_COMMUNICATION = {Mode.PLAIN: 0x00, Mode.MAC: 0x01, Mode.FULL: 0x03}
_MORE_RIGHTS = 0x80
AES_KEY = 0x02  # kind of the key of a Transaction MAC file


@dataclass(frozen=True, slots=True)
class Rights:
    """Which key opens a file for what: 0 to 13, `FREE` or `NOBODY`.

    Attributes:
        read: for reading.
        write: for writing.
        read_write: for both, and for clearing a record file; of a Transaction MAC file, for
            CommitReaderID.
        change: for changing these rights.
    """

    read: int
    write: int
    read_write: int
    change: int = NOBODY

    def to_bytes(self) -> bytes:
        """The two bytes of the wire."""
        return bytes([self.read_write << 4 | self.change, self.read << 4 | self.write])


@dataclass(frozen=True, slots=True)
class FileSettings:
    """How a file is opened.

    Attributes:
        mode: how what is read and written is secured.
        rights: the first set of rights.
        more: further sets, at most seven; their `change` counts for nothing.
    """

    mode: Mode
    rights: Rights
    more: tuple[Rights, ...] = ()

    def option_bytes(self) -> bytes:
        """FileOption and the first rights, 3 bytes."""
        option = _COMMUNICATION[self.mode] | (_MORE_RIGHTS if self.more else 0)
        return bytes([option]) + self.rights.to_bytes()

    def more_bytes(self) -> bytes:
        """Count and further rights; empty without any."""
        if not self.more:
            return b""
        return bytes([len(self.more)]) + b"".join(rights.to_bytes() for rights in self.more)


# Reading and writing


def read_data(file: int, *, offset: int = 0, length: int = 0, mode: Mode) -> Command:
    """Part of a data file or of the Transaction MAC file; length 0 is all that follows."""
    return Command(0xAD, bytes([file]) + u24(offset) + u24(length), mode=mode)


def write_data(file: int, data: bytes, *, offset: int = 0, mode: Mode) -> Command:
    """Into a standard data file, at once and without a commit."""
    return Command(0x8D, bytes([file]) + u24(offset) + u24(len(data)), data, mode)


def read_records(file: int, *, first: int = 0, count: int = 0, mode: Mode) -> Command:
    """Records of a record file, oldest first; `first` counts from the newest, count 0 is all."""
    return Command(0xAB, bytes([file]) + u24(first) + u24(count), mode=mode)


def write_record(file: int, record: bytes, *, mode: Mode) -> Command:
    """A new record, there for others after the commit."""
    return Command(0x8B, bytes([file]) + u24(0) + u24(len(record)), record, mode)


def commit_reader_id(reader_id: bytes) -> Command:
    """Names the terminal of this transaction, 16 bytes; answers the one before, enciphered."""
    return Command(0xC8, header=reader_id, mode=Mode.MAC)


# Making a card


def select_application(aid: bytes) -> Command:
    """By its number of 3 bytes; ``000000`` is the card itself. Not on DESFire Light."""
    return Command(0x5A, header=aid)


def create_application(aid: bytes, *, settings: bytes, iso_id: bytes, name: bytes) -> Command:
    """A new application.

    Args:
        aid: 3 bytes as sent.
        settings: the two bytes of key settings.
        iso_id: ISO file id, 2 bytes as sent.
        name: ISO name, 1 to 16 bytes.
    """
    return Command(0xCA, header=aid + settings + iso_id + name)


def create_data_file(file: int, settings: FileSettings, *, size: int, mode: Mode) -> Command:
    """A standard data file of so many bytes."""
    return Command(0xCD, bytes([file]) + settings.option_bytes() + u24(size), mode=mode)


def create_cyclic_file(
    file: int, settings: FileSettings, *, record_size: int, records: int, mode: Mode
) -> Command:
    """A cyclic record file; one record fewer than `records` can be read."""
    header = bytes([file]) + settings.option_bytes() + u24(record_size) + u24(records)
    return Command(0xC0, header, mode=mode)


def create_mac_file(file: int, settings: FileSettings, *, key: bytes, version: int) -> Command:
    """The Transaction MAC file of the application, with its key of 16 bytes."""
    header = bytes([file]) + settings.option_bytes() + bytes([AES_KEY])
    return Command(0xCE, header, key + bytes([version]), Mode.FULL)


def delete_file(file: int) -> Command:
    """Deletes a file; on DESFire Light only the Transaction MAC file can be."""
    return Command(0xDF, header=bytes([file]), mode=Mode.MAC)


def change_file_settings(file: int, settings: FileSettings) -> Command:
    """New rights for a file."""
    return Command(0x5F, bytes([file]), settings.option_bytes() + settings.more_bytes(), Mode.FULL)


def get_file_settings(file: int, *, mode: Mode) -> Command:
    """Type, rights and size of a file."""
    return Command(0xF5, header=bytes([file]), mode=mode)


def get_key_version(number: int, *, mode: Mode) -> Command:
    """The version byte that a key was given with."""
    return Command(0x64, header=bytes([number]), mode=mode)


def change_other_key(number: int, *, old: bytes, new: bytes, version: int) -> Command:
    """Changes a key other than the one of this session (AN12196 §6.16)."""
    mixed = bytes(a ^ b for a, b in zip(old, new, strict=True))
    check = (binascii.crc32(new) ^ 0xFFFF_FFFF).to_bytes(4, "little")
    return Command(0xC4, bytes([number]), mixed + bytes([version]) + check, Mode.FULL)


def change_own_key(number: int, *, new: bytes, version: int) -> Command:
    """Changes the key of this session, which ends with the answer, and that has no MAC."""
    return Command(0xC4, bytes([number]), new + bytes([version]), Mode.FULL)


def rename_application(name: bytes, iso_id: bytes) -> Command:
    """SetConfiguration 06: a new ISO name for DESFire Light's one application; once only."""
    data = bytes([0x80 | len(name)]) + name.ljust(16, b"\x00") + iso_id
    return Command(0x5C, b"\x06", data, Mode.FULL)


def u24(number: int) -> bytes:
    """Three bytes, least significant first."""
    return number.to_bytes(3, "little")
