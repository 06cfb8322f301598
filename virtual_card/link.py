"""The double in this very process, with a fault at any command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from virtual_card.desfire import DesfireCard


class Fault(StrEnum):
    """What goes wrong at a command.

    The power is gone after each of the first three; after the fourth the card stays in the field
    and only its answer is lost.
    """

    TORN_BEFORE = "torn_before"
    TORN_INSIDE = "torn_inside"
    TORN_AFTER = "torn_after"
    ANSWER_LOST = "answer_lost"


@dataclass(frozen=True)
class Exchange:
    """One command and its answer, as they went over the air."""

    apdu: bytes
    answer: bytes


class InProcessLink:
    """A `CardLink` to a double.

    Args:
        card: the double.
        faults: number of the command, from 0, to what goes wrong at it.
        on_command: changes a command on its way to the card, given its number.
        on_answer: changes an answer on its way back, given its number.
        error: makes the exception for a lost answer; card_codec's own, which is not imported here.
    """

    def __init__(
        self,
        card: DesfireCard,
        *,
        error: Callable[[str], Exception],
        faults: Mapping[int, Fault] | None = None,
        on_command: Callable[[int, bytes], bytes] | None = None,
        on_answer: Callable[[int, bytes], bytes] | None = None,
    ) -> None:
        self.card = card
        self.trace: list[Exchange] = []
        self._error = error
        self._faults = dict(faults or {})
        self._on_command = on_command
        self._on_answer = on_answer
        self._is_in_field = True

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """One APDU there and one back."""
        if not self._is_in_field:
            raise self._error("the card is not in the field")
        number = len(self.trace)
        fault = self._faults.get(number)
        sent = self._on_command(number, apdu) if self._on_command else apdu
        answer = self._run(sent, fault)
        self.trace.append(Exchange(sent, answer))
        if fault is not None:
            raise self._error(f"no answer to command {number} ({fault})")
        got = self._on_answer(number, answer) if self._on_answer else answer
        if len(got) < 2:
            raise self._error("the answer has no status")
        return got[:-2], int.from_bytes(got[-2:], "big")

    def pull(self) -> None:
        """Take the card away."""
        self._is_in_field = False
        self.card.power_off()

    def _run(self, apdu: bytes, fault: Fault | None) -> bytes:
        if fault is Fault.TORN_BEFORE:
            self.pull()
            return b""
        if fault is Fault.TORN_INSIDE:
            self.card.tear(apdu)
            self._is_in_field = False
            return b""
        answer = self.card.process(apdu)
        if fault is Fault.TORN_AFTER:
            self.pull()
        return answer
