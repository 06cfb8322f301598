"""The double itself: APDUs in, APDUs out."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from virtual_card import crypto, file_commands, making_commands
from virtual_card.chip import Chip, Habits
from virtual_card.memory import LIGHT, MacFile, Memory
from virtual_card.messaging import Challenge
from virtual_card.status import (
    ABORTED,
    AUTHENTICATION,
    ILLEGAL_COMMAND,
    LENGTH,
    MORE,
    NO_SUCH_KEY,
    OK,
    StatusRefusal,
)

FIRST, NON_FIRST, NEXT, GET_VERSION = 0x71, 0x77, 0xAF, 0x60

_COMMANDS: dict[int, Callable[[Chip, bytes], bytes]] = {
    file_commands.READ_DATA: file_commands.read_data,
    file_commands.WRITE_DATA: file_commands.write_data,
    file_commands.READ_RECORDS: file_commands.read_records,
    file_commands.WRITE_RECORD: file_commands.write_record,
    file_commands.CLEAR_RECORDS: file_commands.clear_records,
    file_commands.COMMIT_READER_ID: file_commands.commit_reader_id,
    file_commands.COMMIT: file_commands.commit,
    file_commands.ABORT: file_commands.abort,
    file_commands.GET_CARD_UID: file_commands.get_card_uid,
    making_commands.SELECT: making_commands.select,
    making_commands.GET_APPLICATIONS: making_commands.application_ids,
    making_commands.CREATE_APPLICATION: making_commands.create_application,
    making_commands.CREATE_DATA: making_commands.create_data_file,
    making_commands.CREATE_CYCLIC: making_commands.create_cyclic_file,
    making_commands.CREATE_MAC: making_commands.create_mac_file,
    making_commands.DELETE_FILE: making_commands.delete_file,
    making_commands.CHANGE_FILE_SETTINGS: making_commands.change_file_settings,
    making_commands.GET_FILE_SETTINGS: making_commands.get_file_settings,
    making_commands.CHANGE_KEY: making_commands.change_key,
    making_commands.GET_KEY_VERSION: making_commands.get_key_version,
    making_commands.SET_CONFIGURATION: making_commands.set_configuration,
}


class DesfireCard:
    """A DESFire EV2, EV3 or Light.

    Args:
        memory: what it holds.
        random: gives random bytes.
        habits: what documents leave open.
    """

    atr = bytes.fromhex("3b8180018080")

    def __init__(
        self,
        memory: Memory,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
        habits: Habits | None = None,
    ) -> None:
        default = Habits(knows_more_rights=memory.make != LIGHT)
        self._chip = Chip(memory, random, habits or default)

    @property
    def memory(self) -> Memory:
        """What it keeps without power; change it to be a lab, or a thief with one."""
        return self._chip.memory

    @memory.setter
    def memory(self, image: Memory) -> None:
        self._chip.memory = image
        self._chip.power_off()

    @property
    def uid(self) -> bytes:
        """7 bytes."""
        return self.memory.uid

    @property
    def mac_file(self) -> MacFile:
        """The one Transaction MAC file of the one application."""
        (application,) = self.memory.applications.values()
        file = application.mac_file
        if file is None:
            raise LookupError("this card has no Transaction MAC file")
        return file

    def power_off(self) -> None:
        """Leaves the field."""
        self._chip.power_off()

    def tear(self, apdu: bytes) -> None:
        """The power fails inside of this command: a plain write is half done."""
        self._chip.is_torn_inside = True
        if apdu[:2] == bytes([0x90, file_commands.WRITE_DATA]):
            self.process(apdu)
        self._chip.is_torn_inside = False
        self.power_off()

    def process(self, apdu: bytes) -> bytes:
        """One APDU there, one back."""
        if len(apdu) < 4:
            return b"\x67\x00"
        if apdu[:2] == b"\xff\xca":
            return self.uid + b"\x90\x00"  # answered by the reader, where there is one
        if apdu[0] == 0x00:
            return self._iso(apdu)
        if apdu[0] != 0x90:
            return b"\x6e\x00"
        if apdu[2:4] != b"\x00\x00":
            return b"\x6a\x86"
        payload = _payload(apdu)
        if payload is None:
            return b"\x67\x00"
        try:
            answer, status = self._native(apdu[1], payload)
        except StatusRefusal as refusal:
            self._chip.forget()
            return bytes([0x91, refusal.status])
        return answer + bytes([0x91, status])

    def _iso(self, apdu: bytes) -> bytes:
        if apdu[1:3] != b"\xa4\x04" or apdu[3] not in {0x00, 0x0C}:
            return b"\x6d\x00" if apdu[1] != 0xA4 else b"\x6a\x82"
        name = _payload(apdu, le=len(apdu) > 5 + apdu[4] if len(apdu) > 4 else False)
        if not name:
            return b"\x67\x00"
        for aid, application in self.memory.applications.items():
            if application.name == name:
                self._chip.forget()
                self._chip.selected = aid
                return b"\x90\x00"
        return b"\x6a\x82"

    def _native(self, ins: int, payload: bytes) -> tuple[bytes, int]:
        chip = self._chip
        if ins == NEXT:
            return self._go_on(payload)
        if chip.challenge is not None or chip.frames:
            raise StatusRefusal(ABORTED)
        if ins in {FIRST, NON_FIRST}:
            return self._begin_authentication(ins, payload), MORE
        if ins == GET_VERSION:
            if payload or chip.session is not None:
                raise StatusRefusal(LENGTH)
            first, *chip.frames = self._version()
            return first, MORE
        command = _COMMANDS.get(ins)
        if command is None:
            raise StatusRefusal(ILLEGAL_COMMAND)
        return command(chip, payload), OK

    def _go_on(self, payload: bytes) -> tuple[bytes, int]:
        chip = self._chip
        if chip.challenge is not None:
            challenge, chip.challenge = chip.challenge, None
            chip.session, answer = challenge.answered(payload, chip.random(4))
            return answer, OK
        if not chip.frames or payload:
            raise StatusRefusal(ILLEGAL_COMMAND)
        frame = chip.frames.pop(0)
        return frame, MORE if chip.frames else OK

    def _begin_authentication(self, ins: int, payload: bytes) -> bytes:
        chip = self._chip
        if ins == FIRST:
            if not 2 <= len(payload) <= 8 or len(payload) != 2 + payload[1]:
                raise StatusRefusal(LENGTH)
        elif len(payload) != 1 or chip.session is None:
            raise StatusRefusal(AUTHENTICATION if len(payload) == 1 else LENGTH)
        if chip.selected is None:
            raise StatusRefusal(AUTHENTICATION)  # the card's own key is no AES key as delivered
        if payload[0] >= len(chip.application.keys):
            raise StatusRefusal(NO_SUCH_KEY)
        key = chip.application.keys[payload[0]]
        carried = chip.session if ins == NON_FIRST else None
        kept = chip.transaction
        chip.forget()
        if carried is not None or chip.habits.is_input_kept_at_authentication:
            chip.transaction = kept
        chip.challenge = Challenge(payload[0], key, chip.random(16), carried)
        return crypto.encrypt(key, chip.challenge.rnd_b)

    def _version(self) -> list[bytes]:
        make = self.memory.make
        kind = 0x08 if make == LIGHT else 0x01
        hardware = bytes([0x04, kind, 0x01, make, 0x00, 0x16, 0x05])
        software = bytes([0x04, kind, 0x01, 0x03, 0x00, 0x16, 0x05])
        return [hardware, software, self.uid + bytes.fromhex("cf0a1b2c3d2226")]


def _payload(apdu: bytes, *, le: bool = True) -> bytes | None:
    """What Lc says follows; None where the lengths do not fit, or Le is not 00."""
    if le:
        if len(apdu) < 5 or apdu[-1]:
            return None
        apdu = apdu[:-1]
    if len(apdu) == 4:
        return b""
    if len(apdu) != 5 + apdu[4] or not apdu[4]:
        return None
    return apdu[5:]
