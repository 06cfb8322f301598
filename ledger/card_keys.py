"""The redeem masters of a terminal: sealed on its disk, open while its day is.

The office seals them to the terminal. A generation that the ledger retires is not used any more,
whatever lies on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from card_codec.chip.diversify import KeyName, KeySource, card_key
from card_codec.chip.masters import Masters, read_masters, write_masters
from card_codec.errors import CardCodecError
from ledger.custody import KeyCustody
from ledger.errors import ClosedError, RecordError
from ledger.folder import TerminalFolder
from ledger.sealing import SEALED_SIZE_MAX, seal


class CardKeys(KeySource, Protocol):
    """Keys of chips as a counter uses them; a hardware module fits behind it."""

    def holds(self, kecamatan: str) -> bool:
        """Whether a chip of that kecamatan can be asked here to prove itself."""
        ...


@dataclass(frozen=True, slots=True)
class OpenedCardKeys:
    """Masters in memory. Their repr shows none of them.

    Attributes:
        oldest: the oldest generation of a kecamatan that still counts.
    """

    masters: Masters = field(repr=False, default_factory=dict)
    oldest: Mapping[str, int] = field(default_factory=dict)

    def card_key(self, name: KeyName) -> bytes | None:
        """The chip's key, 16 bytes; None if its master is not held here, or is retired."""
        master = self.masters.get((name.kecamatan, name.generation))
        if master is None or self._is_retired(name.kecamatan, name.generation):
            return None
        return card_key(master, name)

    def holds(self, kecamatan: str) -> bool:
        """Whether a master of it that still counts is held here."""
        return any(
            of == kecamatan and not self._is_retired(of, generation)
            for of, generation in self.masters
        )

    def _is_retired(self, kecamatan: str, generation: int) -> bool:
        return generation < self.oldest.get(kecamatan, 1)


NO_KEYS = OpenedCardKeys()


@dataclass(slots=True)
class CardKeyDrawer:
    """The masters of this terminal; let go of when the day is closed."""

    folder: TerminalFolder
    custody: KeyCustody
    _masters: Masters | None = field(default=None, repr=False)
    _seen: tuple[int, int] | None = None

    def look(self, oldest: Mapping[str, int]) -> OpenedCardKeys | None:
        """The keys as they may be used now; None where they lie sealed because the day is closed.

        Args:
            oldest: the oldest generation of a kecamatan that still counts, by the ledger.

        Raises:
            RecordError: what lies there is damaged, or sealed to another terminal.
        """
        lying = _lying(self.folder)
        if lying is None:
            self._masters, self._seen = None, None
            return OpenedCardKeys({}, oldest)
        if not self.custody.is_open():
            self._masters, self._seen = None, None
            return None
        if self._masters is None or lying != self._seen:
            try:
                self._masters, self._seen = unseal_masters(self.folder, self.custody), lying
            except ClosedError:
                return None
        return OpenedCardKeys(self._masters, oldest)


def seal_masters(masters: Masters, recipient: str) -> bytes:
    """A terminal's masters as the office gives them out: for its own sealing key alone.

    Raises:
        RecordError: not the public half of a sealing key.
    """
    return seal(write_masters(masters), [recipient])


def unseal_masters(folder: TerminalFolder, custody: KeyCustody) -> Masters:
    """Open the masters that lie in a terminal's folder.

    Raises:
        ClosedError: the day is not open.
        RecordError: they are damaged, or sealed to another terminal.
    """
    try:
        with folder.redeem_keys.open("rb") as file:
            sealed = file.read(SEALED_SIZE_MAX + 1)
    except OSError as error:
        raise RecordError(f"cannot read {folder.redeem_keys}: {error.strerror}") from error
    try:
        return read_masters(custody.unseal(sealed))
    except CardCodecError as error:
        raise RecordError(
            f"{folder.redeem_keys} holds no redeem masters: {error.detail}"
        ) from error


def _lying(folder: TerminalFolder) -> tuple[int, int] | None:
    """Which file lies there; None when there is none."""
    try:
        found = os.stat(folder.redeem_keys)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
