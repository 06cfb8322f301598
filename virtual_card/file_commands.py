"""Commands on files and transactions, at the chip's end.

Each takes the chip and what followed the command's code, and gives what goes back with 9100.
"""

from __future__ import annotations

from virtual_card.chip import Chip
from virtual_card.memory import FULL, NOBODY, CyclicFile, DataFile, MacFile
from virtual_card.status import (
    BOUNDARY,
    LENGTH,
    PARAMETER,
    PERMISSION,
    StatusRefusal,
)
from virtual_card.transaction import Transaction

READ_DATA, WRITE_DATA = 0xAD, 0x8D
READ_RECORDS, WRITE_RECORD, CLEAR_RECORDS = 0xAB, 0x8B, 0xEB
COMMIT_READER_ID, COMMIT, ABORT = 0xC8, 0xC7, 0xA7
GET_CARD_UID = 0x51

ANSWER_BYTES_MAX = 256


def read_data(chip: Chip, payload: bytes) -> bytes:
    """Of a data file, or the content of the Transaction MAC file."""
    file = chip.file(_number(payload))
    mode = chip.mode_for(file, "read")
    header, _ = _opened(chip, READ_DATA, payload, 7, mode)
    offset, length = _u24(header, 1), _u24(header, 4)
    if isinstance(file, DataFile):
        content = bytes(file.data)
    elif isinstance(file, MacFile):
        content = file.content()
    else:
        raise StatusRefusal(PARAMETER)
    length = length or len(content) - offset
    if offset >= len(content) or offset + length > len(content):
        raise StatusRefusal(BOUNDARY)
    data = content[offset : offset + length]
    if isinstance(file, DataFile):
        chip.transaction.note(bytes([READ_DATA]) + header[:4] + length.to_bytes(3, "little"), data)
    return _fitting(chip.sealed(data, mode))


def write_data(chip: Chip, payload: bytes) -> bytes:
    """Into a standard data file: at once, and not all of it if the power fails."""
    file = chip.file(_number(payload))
    mode = chip.mode_for(file, "write")
    header, data = chip.opened(WRITE_DATA, payload, 7, mode)
    offset, length = _u24(header, 1), _u24(header, 4)
    if not isinstance(file, DataFile):
        raise StatusRefusal(PARAMETER)
    if len(data) != length or not length:
        raise StatusRefusal(LENGTH)
    if offset + length > len(file.data):
        raise StatusRefusal(BOUNDARY)
    written = length // 2 if chip.is_torn_inside else length
    file.data[offset : offset + written] = data[:written]
    chip.transaction.note(bytes([WRITE_DATA]) + header, data)
    return chip.sealed(b"", mode)


def read_records(chip: Chip, payload: bytes) -> bytes:
    """Oldest first; the first number counts from the newest."""
    file = chip.file(_number(payload))
    mode = chip.mode_for(file, "read")
    header, _ = _opened(chip, READ_RECORDS, payload, 7, mode)
    if not isinstance(file, CyclicFile):
        raise StatusRefusal(PARAMETER)
    first, count = _u24(header, 1), _u24(header, 4)
    there = len(file.records)
    count = count or there - first
    if not there or first >= there or first + count > there:
        raise StatusRefusal(BOUNDARY)
    data = b"".join(file.records[there - first - count : there - first])
    chip.transaction.note(bytes([READ_RECORDS]) + header[:4] + count.to_bytes(3, "little"), data)
    return _fitting(chip.sealed(data, mode))


def write_record(chip: Chip, payload: bytes) -> bytes:
    """Held back until the commit."""
    number = _number(payload)
    file = chip.file(number)
    mode = chip.mode_for(file, "write")
    header, data = chip.opened(WRITE_RECORD, payload, 7, mode)
    if not isinstance(file, CyclicFile):
        raise StatusRefusal(PARAMETER)
    if len(data) != _u24(header, 4) or not data:
        raise StatusRefusal(LENGTH)
    chip.transaction.write(number, file, _u24(header, 1), data)
    chip.transaction.note(bytes([WRITE_RECORD]) + header, data)
    return chip.sealed(b"", mode)


def clear_records(chip: Chip, payload: bytes) -> bytes:
    """All records gone with the next commit; needs the right to read and write."""
    number = _number(payload)
    file = chip.file(number)
    mode = chip.mode_for(file, "read_write")
    header, _ = _opened(chip, CLEAR_RECORDS, payload, 1, mode)
    if not isinstance(file, CyclicFile):
        raise StatusRefusal(PARAMETER)
    chip.transaction.cleared.add(number)
    chip.transaction.note(bytes([CLEAR_RECORDS]) + header)
    return chip.sealed(b"", mode)


def commit_reader_id(chip: Chip, payload: bytes) -> bytes:
    """Names the terminal; answers the one before, enciphered for the issuer."""
    file = chip.application.mac_file
    if file is None or file.rights[0].read_write == NOBODY:
        raise StatusRefusal(PERMISSION)
    chip.require_key(*(rights.read_write for rights in file.rights))
    mode = chip.mode_of_session()
    reader_id, _ = _opened(chip, COMMIT_READER_ID, payload, 16, mode)
    before = chip.transaction.name_reader(file, chip.memory.uid, reader_id)
    return chip.sealed(before, mode)


def commit(chip: Chip, payload: bytes) -> bytes:
    """All that was held back, at once, with its MAC."""
    mode = chip.mode_of_session()
    header, _ = chip.opened(COMMIT, payload, 1 if len(payload) in {1, 9} else 0, mode)
    option = header[0] if header else 0
    file = chip.application.mac_file
    if option > 1 or (option and file is None):
        raise StatusRefusal(PARAMETER)
    chip.transaction.commit(chip.application, chip.memory.uid)
    chip.transaction = Transaction()
    return chip.sealed(file.content() if option and file else b"", mode)


def abort(chip: Chip, payload: bytes) -> bytes:
    """Nothing of what was begun."""
    mode = chip.mode_of_session()
    _opened(chip, ABORT, payload, 0, mode)
    chip.abort()
    return chip.sealed(b"", mode)


def get_card_uid(chip: Chip, payload: bytes) -> bytes:
    """The UID, enciphered."""
    _opened(chip, GET_CARD_UID, payload, 0, FULL)
    return chip.sealed(chip.memory.uid, FULL)


def _opened(chip: Chip, ins: int, payload: bytes, header: int, mode: int) -> tuple[bytes, bytes]:
    """Of a command that has a header of exactly this size and no data."""
    opened = chip.opened(ins, payload, header, mode)
    if len(opened[0]) != header or opened[1]:
        raise StatusRefusal(LENGTH)
    return opened


def _fitting(answer: bytes) -> bytes:
    if len(answer) > ANSWER_BYTES_MAX:
        raise StatusRefusal(LENGTH)
    return answer


def _number(payload: bytes) -> int:
    if not payload:
        raise StatusRefusal(LENGTH)
    return payload[0]


def _u24(header: bytes, at: int) -> int:
    if len(header) < at + 3:
        raise StatusRefusal(LENGTH)
    return int.from_bytes(header[at : at + 3], "little")
