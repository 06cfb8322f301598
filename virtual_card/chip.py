"""The chip while it is in a field: what is selected, authenticated and begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virtual_card.memory import FREE, FULL, LIGHT, MAC, PLAIN, Application, File, MacFile, Memory
from virtual_card.messaging import Challenge, Session
from virtual_card.status import (
    AUTHENTICATION,
    NO_APPLICATION,
    NO_CHANGES,
    NO_FILE,
    OK,
    PERMISSION,
    StatusRefusal,
)
from virtual_card.transaction import Transaction

CARD_ITSELF = bytes(3)
LIST_IS_FREE = 0x02
FILES_ARE_FREE = 0x04


@dataclass(frozen=True)
class Habits:
    """What public documents leave open, so that tests can try each way.

    Attributes:
        status_of_empty_abort: AbortTransaction where nothing was written: OK or NO_CHANGES.
        is_input_kept_at_authentication: whether reads before AuthenticateEV2First stay in the
            Transaction MAC input.
        knows_more_rights: whether files take further rights (EV2, EV3).
    """

    status_of_empty_abort: int = OK
    is_input_kept_at_authentication: bool = True
    knows_more_rights: bool = True


class Chip:
    """Memory, and what is lost with the field."""

    def __init__(self, memory: Memory, random: Callable[[int], bytes], habits: Habits) -> None:
        self.memory = memory
        self.random = random
        self.habits = habits
        self.is_torn_inside = False  # the power fails half-way through the next write
        self.power_off()

    def power_off(self) -> None:
        """The field is gone: only memory stays."""
        self.selected: bytes | None = None
        self.forget()

    def forget(self) -> None:
        """After an error or a select: nothing is authenticated or begun any more."""
        self.session: Session | None = None
        self.challenge: Challenge | None = None
        self.transaction = Transaction()
        self.frames: list[bytes] = []

    @property
    def is_light(self) -> bool:
        """Whether it is a DESFire Light, with its one fixed application."""
        return self.memory.make == LIGHT

    @property
    def application(self) -> Application:
        """The one selected."""
        if self.selected is None:
            raise StatusRefusal(NO_APPLICATION)
        return self.memory.applications[self.selected]

    def file(self, number: int) -> File:
        """A file of the selected application."""
        found = self.application.files.get(number)
        if found is None:
            raise StatusRefusal(NO_FILE)
        return found

    def mode_for(self, file: File, use: str) -> int:
        """How a read or write of a file is secured now; refused if no right allows it."""
        keys = [getattr(rights, use) for rights in file.rights]
        if not isinstance(file, MacFile):
            keys += [rights.read_write for rights in file.rights]
        if self.session is not None and self.session.number in keys:
            return file.mode
        if FREE in keys:
            return PLAIN
        raise StatusRefusal(AUTHENTICATION if any(key < FREE for key in keys) else PERMISSION)

    def require_key(self, *numbers: int) -> None:
        """One of these keys must be authenticated; 14 asks for none."""
        if FREE in numbers:
            return
        if self.session is None or self.session.number not in numbers:
            raise StatusRefusal(AUTHENTICATION)

    def mode_of_session(self) -> int:
        """MAC inside of a session, plain outside."""
        return PLAIN if self.session is None else MAC

    def opened(self, ins: int, payload: bytes, header: int, mode: int) -> tuple[bytes, bytes]:
        """Header and data of a command in its mode."""
        if self.session is None:
            if mode in {MAC, FULL}:
                raise StatusRefusal(AUTHENTICATION)
            return payload[:header], payload[header:]
        return self.session.opened(ins, payload, header, mode)

    def sealed(self, answer: bytes, mode: int) -> bytes:
        """An answer in its mode."""
        return answer if self.session is None else self.session.sealed(answer, mode)

    def abort(self) -> None:
        """AbortTransaction's own work."""
        begun, self.transaction = self.transaction, Transaction()
        if not begun.pending and not begun.cleared and self.habits.status_of_empty_abort != OK:
            raise StatusRefusal(NO_CHANGES)
