"""Commands that make and change applications, files and keys, at the chip's end."""

from __future__ import annotations

import zlib

from virtual_card.chip import CARD_ITSELF, FILES_ARE_FREE, LIST_IS_FREE, Chip
from virtual_card.memory import FULL, Application, CyclicFile, DataFile, File, MacFile
from virtual_card.status import (
    DUPLICATE,
    ILLEGAL_COMMAND,
    INTEGRITY,
    LENGTH,
    NO_APPLICATION,
    NO_SUCH_KEY,
    PARAMETER,
    PERMISSION,
    StatusRefusal,
)

SELECT, CREATE_APPLICATION, GET_APPLICATIONS = 0x5A, 0xCA, 0x6A
CREATE_DATA, CREATE_CYCLIC, CREATE_MAC, DELETE_FILE = 0xCD, 0xC0, 0xCE, 0xDF
CHANGE_FILE_SETTINGS, GET_FILE_SETTINGS = 0x5F, 0xF5
CHANGE_KEY, GET_KEY_VERSION, SET_CONFIGURATION = 0xC4, 0x64, 0x5C

_AES = 0x80
_HAS_ISO = 0x20
_RENAME = 0x06


def select(chip: Chip, payload: bytes) -> bytes:
    """By number; 000000 is the card itself."""
    _not_on_light(chip)
    if len(payload) != 3:
        raise StatusRefusal(LENGTH)
    if payload != CARD_ITSELF and payload not in chip.memory.applications:
        raise StatusRefusal(NO_APPLICATION)
    chip.forget()
    chip.selected = None if payload == CARD_ITSELF else payload
    return b""


def application_ids(chip: Chip, payload: bytes) -> bytes:
    """Three bytes each; as delivered, the card tells anyone."""
    _not_on_light(chip)
    if payload:
        raise StatusRefusal(LENGTH)
    if chip.selected is not None:
        raise StatusRefusal(PERMISSION)
    return b"".join(chip.memory.applications)


def create_application(chip: Chip, payload: bytes) -> bytes:
    """As delivered, the card lets anyone do it."""
    _not_on_light(chip)
    if chip.selected is not None:
        raise StatusRefusal(PERMISSION)
    if len(payload) < 5:
        raise StatusRefusal(LENGTH)
    aid, settings, keys, rest = payload[:3], payload[3], payload[4], payload[5:]
    if aid == CARD_ITSELF or not keys & _AES or not 1 <= keys & 0x0F <= 14:
        raise StatusRefusal(PARAMETER)
    if bool(keys & _HAS_ISO) != bool(rest) or (rest and not 3 <= len(rest) <= 18):
        raise StatusRefusal(LENGTH)
    taken = {one.name for one in chip.memory.applications.values()}
    if aid in chip.memory.applications or (rest and rest[2:] in taken):
        raise StatusRefusal(DUPLICATE)
    count = keys & 0x0F
    chip.memory.applications[aid] = Application(
        rest[2:], rest[:2], settings, [bytes(16)] * count, [0] * count
    )
    return b""


def create_data_file(chip: Chip, payload: bytes) -> bytes:
    """A standard data file, all zeros."""
    header, mode = _to_create(chip, CREATE_DATA, payload, 7)
    file = DataFile(0, [], bytearray(_u24(header, 4)))
    return _added(chip, header, file, mode)


def create_cyclic_file(chip: Chip, payload: bytes) -> bytes:
    """A cyclic record file, empty."""
    header, mode = _to_create(chip, CREATE_CYCLIC, payload, 10)
    size, most = _u24(header, 4), _u24(header, 7)
    if not size or most < 2:
        raise StatusRefusal(PARAMETER)
    return _added(chip, header, CyclicFile(0, [], size, most), mode)


def create_mac_file(chip: Chip, payload: bytes) -> bytes:
    """The Transaction MAC file; its key travels enciphered."""
    _may_make_files(chip)
    header, data = chip.opened(CREATE_MAC, payload, 5, FULL)
    if len(header) != 5 or len(data) != 17:
        raise StatusRefusal(LENGTH)
    if header[4] != 0x02:
        raise StatusRefusal(PARAMETER)
    if chip.application.mac_file is not None:
        raise StatusRefusal(DUPLICATE)
    return _added(chip, header, MacFile(0, [], data[:16], data[16]), FULL)


def delete_file(chip: Chip, payload: bytes) -> bytes:
    """Any file; on DESFire Light the Transaction MAC file alone."""
    mode = chip.mode_of_session()
    header, data = chip.opened(DELETE_FILE, payload, 1, mode)
    if len(header) != 1 or data:
        raise StatusRefusal(LENGTH)
    chip.require_key(0)
    file = chip.file(header[0])
    if chip.is_light and not isinstance(file, MacFile):
        raise StatusRefusal(PERMISSION)
    del chip.application.files[header[0]]
    return chip.sealed(b"", mode)


def change_file_settings(chip: Chip, payload: bytes) -> bytes:
    """New rights, enciphered, under the file's change key."""
    header, data = chip.opened(CHANGE_FILE_SETTINGS, payload, 1, FULL)
    if len(header) != 1 or len(data) < 3:
        raise StatusRefusal(LENGTH)
    file = chip.file(header[0])
    chip.require_key(file.rights[0].change)
    if data[0] & 0x80 and not chip.habits.knows_more_rights:
        raise StatusRefusal(PARAMETER)
    file.set_options(data)
    return chip.sealed(b"", FULL)


def get_file_settings(chip: Chip, payload: bytes) -> bytes:
    """For anyone, where the application's settings say so."""
    mode = chip.mode_of_session()
    header, data = chip.opened(GET_FILE_SETTINGS, payload, 1, mode)
    if len(header) != 1 or data:
        raise StatusRefusal(LENGTH)
    if not chip.application.settings & LIST_IS_FREE:
        chip.require_key(0)
    return chip.sealed(chip.file(header[0]).settings(), mode)


def get_key_version(chip: Chip, payload: bytes) -> bytes:
    """The version byte of a key."""
    mode = chip.mode_of_session()
    header, data = chip.opened(GET_KEY_VERSION, payload, 1, mode)
    if len(header) != 1 or data:
        raise StatusRefusal(LENGTH)
    if header[0] >= len(chip.application.keys):
        raise StatusRefusal(NO_SUCH_KEY)
    return chip.sealed(bytes([chip.application.versions[header[0]]]), mode)


def change_key(chip: Chip, payload: bytes) -> bytes:
    """Under key 0. Changing key 0 itself ends the session, and its answer has no MAC."""
    header, data = chip.opened(CHANGE_KEY, payload, 1, FULL)
    if len(header) != 1:
        raise StatusRefusal(LENGTH)
    number, application = header[0], chip.application
    if number >= len(application.keys):
        raise StatusRefusal(NO_SUCH_KEY)
    chip.require_key(0)
    if number == 0:
        if len(data) != 17:
            raise StatusRefusal(LENGTH)
        application.keys[0], application.versions[0] = data[:16], data[16]
        chip.forget()
        return b""
    if len(data) != 21:
        raise StatusRefusal(LENGTH)
    old = application.keys[number]
    new = bytes(a ^ b for a, b in zip(old, data[:16], strict=True))
    if int.from_bytes(data[17:], "little") != zlib.crc32(new) ^ 0xFFFFFFFF:
        raise StatusRefusal(INTEGRITY)
    application.keys[number], application.versions[number] = new, data[16]
    return chip.sealed(b"", FULL)


def set_configuration(chip: Chip, payload: bytes) -> bytes:
    """Only the new ISO name of DESFire Light's application, once."""
    header, data = chip.opened(SET_CONFIGURATION, payload, 1, FULL)
    chip.require_key(0)
    if header != bytes([_RENAME]) or not chip.is_light or len(data) != 19 or not data[0] & 0x80:
        raise StatusRefusal(PARAMETER)
    application = chip.application
    if application.renamed:
        raise StatusRefusal(PERMISSION)
    length = data[0] & 0x1F
    application.name, application.iso_id = data[1 : 1 + length], data[17:]
    application.renamed = True
    return chip.sealed(b"", FULL)


def _to_create(chip: Chip, ins: int, payload: bytes, size: int) -> tuple[bytes, int]:
    _not_on_light(chip)
    _may_make_files(chip)
    mode = chip.mode_of_session()
    header, data = chip.opened(ins, payload, size, mode)
    if len(header) != size or data:
        raise StatusRefusal(LENGTH)
    return header, mode


def _added(chip: Chip, header: bytes, file: File, mode: int) -> bytes:
    if header[0] > 0x1F:
        raise StatusRefusal(PARAMETER)
    if header[0] in chip.application.files:
        raise StatusRefusal(DUPLICATE)
    file.set_options(header[1:4])
    chip.application.files[header[0]] = file
    return chip.sealed(b"", mode)


def _may_make_files(chip: Chip) -> None:
    if not chip.application.settings & FILES_ARE_FREE:
        chip.require_key(0)


def _not_on_light(chip: Chip) -> None:
    if chip.is_light:
        raise StatusRefusal(ILLEGAL_COMMAND)


def _u24(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 3], "little")
