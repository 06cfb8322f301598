"""What a chip keeps without power: applications, keys, files."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from virtual_card.status import PARAMETER, StatusRefusal

FREE = 0xE
NOBODY = 0xF
PLAIN, MAC, FULL = 0x00, 0x01, 0x03

LIGHT = 0x30
EV2 = 0x12
EV3 = 0x33

LIGHT_NAME = bytes.fromhex("a00000039656434103f015400000000b")


@dataclass
class Rights:
    """Key numbers for read, write, read-write, change."""

    read: int
    write: int
    read_write: int
    change: int

    @classmethod
    def parse(cls, word: bytes) -> Rights:
        """From two bytes, least significant first."""
        return cls(word[1] >> 4, word[1] & 15, word[0] >> 4, word[0] & 15)

    def word(self) -> bytes:
        """As two bytes, least significant first."""
        return bytes([self.read_write << 4 | self.change, self.read << 4 | self.write])


@dataclass
class File:
    """What all files have."""

    mode: int
    rights: list[Rights]

    kind = 0xFF

    def set_options(self, data: bytes) -> None:
        """Take option, rights and further rights from a ChangeFileSettings."""
        option, first, rest = data[0], data[1:3], data[3:]
        if option & 0x7C or option & 0x03 == 0x02 or len(first) != 2:
            raise StatusRefusal(PARAMETER)
        more: list[Rights] = []
        if option & 0x80:
            if not rest or not 1 <= rest[0] <= 7 or len(rest) != 1 + 2 * rest[0]:
                raise StatusRefusal(PARAMETER)
            more = [Rights.parse(rest[at : at + 2]) for at in range(1, len(rest), 2)]
        elif rest:
            raise StatusRefusal(PARAMETER)
        self.mode, self.rights = option & 0x03, [Rights.parse(first), *more]

    def settings(self) -> bytes:
        """As GetFileSettings tells them."""
        more = self.rights[1:]
        option = self.mode | (0x80 if more else 0)
        told = bytes([self.kind, option]) + self.rights[0].word() + self.details()
        if more:
            told += bytes([len(more)]) + b"".join(rights.word() for rights in more)
        return told

    def details(self) -> bytes:
        """What is special about this kind."""
        return b""


@dataclass
class DataFile(File):
    """A standard data file: written at once, without a commit."""

    data: bytearray = field(default_factory=bytearray)

    kind = 0x00

    def details(self) -> bytes:
        """Its size."""
        return len(self.data).to_bytes(3, "little")


@dataclass
class CyclicFile(File):
    """A cyclic record file; one place is always kept for the record being written."""

    record_size: int = 16
    most: int = 2
    records: list[bytes] = field(default_factory=list)

    kind = 0x04

    def details(self) -> bytes:
        """Size of a record, most records, records now."""
        numbers = (self.record_size, self.most, len(self.records))
        return b"".join(number.to_bytes(3, "little") for number in numbers)

    def add(self, record: bytes) -> None:
        """The newest record; the oldest is pushed out when the file is full."""
        self.records = [*self.records, record][-(self.most - 1) :]


@dataclass
class MacFile(File):
    """The Transaction MAC file; its read_write right is that of CommitReaderID."""

    key: bytes = bytes(16)
    version: int = 0
    counter: int = 0
    value: bytes = bytes(8)
    reader_id: bytes = bytes(16)

    kind = 0x05

    def details(self) -> bytes:
        """Kind and version of its key."""
        return bytes([0x02, self.version])

    def content(self) -> bytes:
        """As ReadData gives it."""
        return self.counter.to_bytes(4, "little") + self.value


@dataclass
class Application:
    """A directory with keys and files."""

    name: bytes
    iso_id: bytes
    settings: int
    keys: list[bytes]
    versions: list[int]
    files: dict[int, File] = field(default_factory=dict)
    renamed: bool = False

    @property
    def mac_file(self) -> MacFile | None:
        """Its Transaction MAC file, if it has one."""
        return next((file for file in self.files.values() if isinstance(file, MacFile)), None)


@dataclass
class Memory:
    """All of a chip that outlasts the field."""

    uid: bytes
    make: int = EV3
    applications: dict[bytes, Application] = field(default_factory=dict)

    def copy(self) -> Memory:
        """An image of the whole chip."""
        return copy.deepcopy(self)


def new_light(uid: bytes) -> Memory:
    """DESFire Light as delivered: one application, its files fixed."""
    all_keys = Rights(1, 2, 3, 0)
    files: dict[int, File] = {
        0x00: DataFile(FULL, [all_keys], bytearray(256)),
        0x01: CyclicFile(FULL, [all_keys], 16, 5),
        0x04: DataFile(FULL, [all_keys], bytearray(256)),
        0x1F: DataFile(PLAIN, [Rights(FREE, 2, 3, 0)], bytearray(32)),
        0x0F: MacFile(PLAIN, [Rights(FREE, NOBODY, 1, 0)]),
    }
    application = Application(LIGHT_NAME, b"\x01\xdf", 0x0B, [bytes(16)] * 5, [0] * 5, files)
    return Memory(uid, LIGHT, {b"": application})
