"""What a chip holds back until CommitTransaction, and the MAC it makes over it."""

from __future__ import annotations

from dataclasses import dataclass, field

from virtual_card import crypto
from virtual_card.memory import NOBODY, Application, CyclicFile, MacFile
from virtual_card.status import BOUNDARY, NO_CHANGES, PERMISSION, StatusRefusal


@dataclass
class Transaction:
    """Everything since the last commit, abort, select or error."""

    pending: dict[int, bytearray] = field(default_factory=dict)
    cleared: set[int] = field(default_factory=set)
    input: bytearray = field(default_factory=bytearray)
    reader_id: bytes | None = None

    def note(self, command: bytes, data: bytes = b"") -> None:
        """Add a command to the Transaction MAC input, in whole blocks."""
        self.input += crypto.zero_pad(command) + crypto.zero_pad(data)

    def write(self, number: int, file: CyclicFile, offset: int, data: bytes) -> None:
        """Write into the record that the commit will add."""
        if offset + len(data) > file.record_size:
            raise StatusRefusal(BOUNDARY)
        record = self.pending.setdefault(number, bytearray(file.record_size))
        record[offset : offset + len(data)] = data

    def name_reader(self, file: MacFile, uid: bytes, reader_id: bytes) -> bytes:
        """CommitReaderID: the reader id before this one, enciphered for the issuer."""
        if self.reader_id is not None:
            raise StatusRefusal(PERMISSION)
        self.reader_id = reader_id
        before = crypto.encrypt(_keys(file, uid)[1], file.reader_id)
        self.input += crypto.zero_pad(b"\xc8" + reader_id + before)
        return before

    def commit(self, application: Application, uid: bytes) -> None:
        """All of it at once."""
        file = application.mac_file
        if not self.pending and not self.cleared and not (file and self.input):
            raise StatusRefusal(NO_CHANGES)
        if file is not None:
            if file.rights[0].read_write != NOBODY and self.reader_id is None:
                raise StatusRefusal(PERMISSION)
            value = crypto.mac8(_keys(file, uid)[0], bytes(self.input))
            file.counter, file.value = file.counter + 1, value
            file.reader_id = self.reader_id or file.reader_id
        for number in self.cleared:
            emptied = application.files[number]
            if isinstance(emptied, CyclicFile):
                emptied.records = []
        for number, record in self.pending.items():
            target = application.files[number]
            if isinstance(target, CyclicFile):
                target.add(bytes(record))


def _keys(file: MacFile, uid: bytes) -> tuple[bytes, bytes]:
    """MAC key and encryption key of the transaction now going on."""
    context = b"\x00\x01\x00\x80" + (file.counter + 1).to_bytes(4, "little") + uid
    return crypto.cmac(file.key, b"\x5a" + context), crypto.cmac(file.key, b"\xa5" + context)
