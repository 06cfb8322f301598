"""A road inside the process: the real messages to a real province, through a network that fails."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from ledger.folder import TerminalFolder
from ledger.roll import Terminal
from sync_agent.batch import Batch, write_batch
from sync_agent.errors import (
    ForkError,
    IntakeRefusedError,
    MessageError,
    NotOursError,
    ProvinceError,
    RefusedThereError,
    RoadClosedError,
)
from sync_agent.messages import (
    HeadAnswer,
    OfferItem,
    Taken,
    read_json,
    read_offer,
    read_taken,
    write_taken,
)
from sync_agent.province.province import Province, refusal_of

T = TypeVar("T")
FAULTS = ("lost", "lost_answer", "doubled", "reordered", "truncated", "cut_answer", "flipped")


@dataclass
class Network:
    """What lies between the terminals and the province.

    Attributes:
        province: the province as it stands now.
        badness: chance that something happens to one message.
        due: what has to happen yet, the sooner the better.
        late: batches that arrive another day.
        seen: what happened, counted.
        blamed: terminals told that the province holds another history.
    """

    province: Callable[[], Province]
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    badness: float = 0.0
    due: set[str] = field(default_factory=set)
    late: list[tuple[bytes, str]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def fate(self, *possible: str) -> str:
        """What happens to this message."""
        due = sorted(self.due.intersection(possible))
        if self.chance.random() >= (3 * self.badness if due else self.badness):
            return ""
        fate = self.chance.choice(due or possible)
        self.due.discard(fate)
        self.seen[fate] += 1
        return fate

    def deliver_late(self) -> None:
        """What was held up arrives, in another order than it was sent."""
        waiting, self.late = self.late, []
        self.chance.shuffle(waiting)
        for data, token in waiting:
            try:
                self.take(data, token)
            except (IntakeRefusedError, ProvinceError):
                self.seen["late_refused"] += 1

    def take(self, data: bytes, token: str) -> Taken:
        """A batch at the province's door."""
        return self.province().take(data, road="http", sender=self.sender(token))

    def sender(self, token: str) -> Terminal:
        """Who comes through the door with this token."""
        installed = self.province().in_force()
        door = installed.door(token)
        return installed.terminal(door.terminal, door.epoch)


class ProcessRoad:
    """One terminal's way to the province and back."""

    is_live = True
    takes_entries = True

    def __init__(self, network: Network, folder: TerminalFolder) -> None:
        self._network = network
        self._ordinal, self._epoch = folder.config.ordinal, folder.config.epoch
        self._token = folder.road_token.read_text()

    def head(self) -> HeadAnswer | None:
        def ask() -> bytes:
            province = self._network.province()
            self._network.sender(self._token)
            return msgspec.json.encode(province.head(self._ordinal, self._epoch))

        return self._asked(ask, lambda data: read_json(data, HeadAnswer))

    def send(self, batch: Batch) -> Taken | None:
        network = self._network
        data = write_batch(batch)

        def ask() -> bytes:
            fate = network.fate("doubled", "reordered", "truncated", "flipped")
            if fate == "reordered":
                network.late.append((data, self._token))
                raise RoadClosedError("the batch is held up somewhere")
            if fate == "truncated":
                return write_taken(network.take(data[: len(data) // 2], self._token))
            if fate == "flipped":
                at = network.chance.randrange(len(data))
                damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                return write_taken(network.take(damaged, self._token))
            taken = network.take(data, self._token)
            if fate == "doubled":
                again = network.take(data, self._token)
                assert again.accepted == 0, "a batch taken twice is taken once"
            return write_taken(taken)

        return self._asked(ask, read_taken)

    def offer(self) -> list[OfferItem]:
        def ask() -> bytes:
            return msgspec.json.encode(
                self._network.province().offer(self._network.sender(self._token))
            )

        return self._asked(ask, read_offer)

    def fetch(self, item: OfferItem) -> bytes:
        network = self._network

        def ask() -> bytes:
            return network.province().file(network.sender(self._token), item.path, item.sha256)

        data = self._asked(ask, lambda data: data)
        return data[:-1] if data and network.fate("cut_answer") else data

    def close(self) -> None:
        """Nothing is held open."""

    def _asked(self, ask: Callable[[], bytes], read: Callable[[bytes], T]) -> T:
        """One message and its answer, each of which may be lost; errors as by HTTP."""
        network = self._network
        if network.fate("lost"):
            raise RoadClosedError("the message was lost")
        try:
            data = ask()
        except IntakeRefusedError as refusal:
            raise self._refused(refusal) from refusal
        except ProvinceError as error:
            told = refusal_of(error)
            raise RoadClosedError(told.detail if told else str(error)) from error
        fate = network.fate("lost_answer", "cut_answer")
        if fate == "lost_answer":
            raise RoadClosedError("the answer was lost")
        try:
            return read(data[: len(data) // 2] if fate else data)
        except MessageError as error:
            raise NotOursError(error.detail) from error

    @staticmethod
    def _refused(refusal: IntakeRefusedError) -> Exception:
        if refusal.code == "fork":
            return ForkError(refusal.detail)
        return RefusedThereError(refusal.code, refusal.detail)
