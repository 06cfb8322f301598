"""A reader for nfcpy with a double in its field, and a fault at any frame."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import nfc.clf
from nfc.clf.device import Device

from virtual_card.desfire import DesfireCard
from virtual_card.iso_dep import IsoDepCard

RECEIVE_BYTES_MAX = 290  # of an RC-S380


class FrameFault(StrEnum):
    """What goes wrong at a frame."""

    COMMAND_LOST = "command_lost"
    ANSWER_LOST = "answer_lost"
    ANSWER_GARBLED = "answer_garbled"
    TORN_BEFORE = "torn_before"
    TORN_AFTER = "torn_after"


class VirtualDevice(Device):  # type: ignore[misc]
    """Takes the place of a reader's driver.

    Attributes:
        card: the double in the field, or None.
        frames: how many frames were sent.
    """

    def __init__(
        self, card: DesfireCard | None = None, faults: Mapping[int, FrameFault] | None = None
    ) -> None:
        self._vendor_name, self._device_name, self._chipset_name = "Betang", "virtual", "none"
        self._path = "virtual"
        self._faults = dict(faults or {})
        self._field: IsoDepCard | None = None
        self.frames = 0
        self.put(card)

    def put(self, card: DesfireCard | None) -> None:
        """Lay a card into the field, or take it away."""
        self.mute()
        self.card = card
        self._field = IsoDepCard(card) if card is not None else None

    def close(self) -> None:
        """Field off."""
        self.mute()

    def mute(self) -> None:
        """Field off: the card loses what it has not stored."""
        if self._field is not None:
            self._field.field_off()

    def sense_tta(self, target: Any) -> Any:
        """Answer as a DESFire does to the anticollision."""
        if self.card is None or self._field is None:
            return None
        self._field.field_off()
        return nfc.clf.RemoteTarget(
            "106A",
            sens_res=bytearray.fromhex("4403"),
            sel_res=bytearray.fromhex("20"),
            sdd_res=bytearray(self.card.uid),
        )

    def sense_ttb(self, target: Any) -> None:
        """No card of type B."""

    def sense_ttf(self, target: Any) -> None:
        """No card of type F."""

    def send_cmd_recv_rsp(self, target: Any, data: bytes, timeout: float) -> bytearray:
        """One frame there and one back."""
        number, self.frames = self.frames, self.frames + 1
        fault = self._faults.get(number)
        if fault is FrameFault.TORN_BEFORE:
            self.put(None)
        if self._field is None or fault is FrameFault.COMMAND_LOST:
            raise nfc.clf.TimeoutError("no answer")
        answer = self._field.answer(bytes(data))
        if fault is FrameFault.TORN_AFTER:
            self.put(None)
        if answer is None or fault in {FrameFault.ANSWER_LOST, FrameFault.TORN_AFTER}:
            raise nfc.clf.TimeoutError("no answer")
        if fault is FrameFault.ANSWER_GARBLED:
            raise nfc.clf.TransmissionError("crc")
        return bytearray(answer)

    def get_max_send_data_size(self, target: Any) -> int:
        """As an RC-S380."""
        return RECEIVE_BYTES_MAX

    def get_max_recv_data_size(self, target: Any) -> int:
        """As an RC-S380."""
        return RECEIVE_BYTES_MAX

    def turn_on_led_and_buzzer(self) -> None:
        """Nothing to light."""

    def turn_off_led_and_buzzer(self) -> None:
        """Nothing to darken."""


def frontend(device: VirtualDevice) -> Any:
    """A frontend of nfcpy's own over the device; nothing real is opened."""
    clf = nfc.ContactlessFrontend()
    clf.device = device
    return clf
