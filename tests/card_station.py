"""A card station and blank cards, for the tests of personalisation."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, cast

from card_codec.chip.diversify import KeyName
from card_codec.chip.errors import ChipError, ChipLinkError
from card_codec.chip.khb1 import Khb1
from card_codec.chip.profile import KeyNotHeld, PresentCard, identify
from card_codec.chip.record import CardRecord
from card_codec.credential import VerifiedCredential, verify_credential
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from card_codec.refusal import Refused
from ledger.card_keys import OpenedCardKeys
from provisioning.chip_masters import FileMasters, Purpose, purpose_of
from provisioning.decree import full_trust
from provisioning.keys import ISSUER
from provisioning.office import Office
from provisioning.policy_table import read_policy_table
from provisioning.station import Station
from terminal.chip_tap import hear_chip
from tests.chip_world import counting
from tests.unit.provisioning.played import KEC_1, KEC_2, NOW
from virtual_card.desfire import DesfireCard
from virtual_card.link import Fault, InProcessLink

MASTERS = FileMasters().completed((KEC_1, KEC_2), generations=3, randomness=secrets.token_bytes)


def station_of(
    office: Office,
    *,
    known: Mapping[bytes, Sequence[CardRecord]] | None = None,
    masters: FileMasters = MASTERS,
    replaces: bool = False,
) -> Station:
    """The office's card station, as a command would open it."""
    (signer,) = office.keys.signers(ISSUER)
    return Station(
        office=office,
        masters=masters,
        signer=signer,
        trust=full_trust(office.roster),
        audience=read_policy_table(office.policy_table).audience,
        known=known or {},
        replaces=replaces,
        now=lambda: NOW,
        draw=counting(),
    )


class StationLink(InProcessLink):
    """A card on the station's reader."""

    def __init__(self, card: DesfireCard, faults: Mapping[int, Fault] | None = None) -> None:
        card.power_off()
        super().__init__(card, error=ChipLinkError, faults=faults)
        self.atr = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.card.power_off()


@dataclass
class Hands:
    """Whoever lays cards on the reader: one at each look, None for an empty reader."""

    cards: list[DesfireCard | None]
    faults: dict[int, Mapping[int, Fault]] = field(default_factory=dict)
    looks: int = 0
    now_s: float = 0.0

    def open_reader(self) -> StationLink:
        place, self.looks = self.looks, self.looks + 1
        card = self.cards[place] if place < len(self.cards) else None
        if card is None:
            raise ReaderError(ReaderState.NO_CARD)
        return StationLink(card, self.faults.get(place))

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Counter:
    """A terminal that holds some masters and nothing else."""

    masters: FileMasters
    purpose: Purpose
    generation: int

    def card_key(self, name: KeyName) -> bytes | None:
        """As a terminal derives it."""
        held = (self.purpose, self.generation) == (purpose_of(name), name.generation)
        return self.masters.derive(name) if held else None


COUNTERS = tuple(
    Counter(MASTERS, purpose, generation)
    for purpose, generation in (
        *((Purpose.REDEEM, generation) for generation in (1, 2, 3)),
        (Purpose.AWAY, 3),
    )
)


SERVED = "served"


def heard_at(station: Station, card: DesfireCard, counter: Counter) -> str:
    """What a terminal makes of this card: `SERVED`, or the reason of its refusal.

    By the road of every tap; only what a terminal knows of its own journal is left out.
    """
    keys = cast(OpenedCardKeys, counter)  # of it a tap asks for a card's key alone
    with StationLink(card) as link:
        tap = hear_chip(link, station.trust, keys, draw=counting(5))
    if isinstance(tap.heard, Refused):
        return tap.heard.reason
    return SERVED if tap.chip is not None else "key not held"


def serves(station: Station, card: DesfireCard, counter: Counter) -> bool:
    """Whether a counter would give something to whoever brings this card."""
    profile = Khb1()
    with StationLink(card) as link, suppress(ChipError):
        found = identify(link, [profile])
        if not isinstance(found, PresentCard):
            return False
        content = profile.read_credential(link)
        verified = verify_credential(content.credential, station.trust)
        if not isinstance(verified, VerifiedCredential):
            return False
        opened = profile.open_for_redemption(
            found, link, content,
            credential=verified.credential, keys=counter, draw=counting(5),
        )  # fmt: skip
        return not isinstance(opened, KeyNotHeld)
    return False


def uids() -> Callable[[], bytes]:
    """A new UID with every call."""
    state = [0]

    def draw() -> bytes:
        state[0] += 1
        return b"\x04\xaa" + state[0].to_bytes(5, "big")

    return draw
