"""The seam between a counter and a family of cards: one new file is one more family.

A counter asks `identify` what lies on the reader. If a profile knows the card, the profile reads
its credential, opens it with a key, and commits records to it; how, nobody else knows.

The card is left selected from `identify` to the commit. Whenever it was away from the field in
between, begin again from `identify`, and compare the UID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from card_codec.chip.apdu import CardLink
from card_codec.chip.diversify import KeySource
from card_codec.chip.foreign import ForeignCard, name_by_atr, name_foreign
from card_codec.chip.khb1_files import ChipContent, Silicon
from card_codec.chip.record import CardRecord
from card_codec.chip.secure import Draw
from card_codec.credential import Credential


@dataclass(frozen=True, slots=True)
class ChipState:
    """What a card remembers, told under its key.

    Attributes:
        counter: number of the last commit (TMC).
        value: Transaction MAC of the last commit (TMV), 8 bytes; for the issuer.
        records: the newest commits, oldest first.
        kept: how many records the card keeps; with fewer than that, all there are.
    """

    counter: int
    value: bytes
    records: tuple[CardRecord, ...]
    kept: int

    @property
    def unexplained(self) -> int:
        """How many records fewer there are than the counter says there should be.

        Every commit writes one record, so this is 0 on an honest card. A stolen key can commit
        without writing; somebody between card and reader can say that there are no records. Of
        commits before the oldest visible record it tells nothing: those were pushed out.
        """
        return min(self.counter, self.kept) - len(self.records)


@dataclass(frozen=True, slots=True)
class Commit:
    """What a card gave for a commit.

    Attributes:
        counter: TMC after it.
        value: TMV, 8 bytes.
        enc_reader_id: the reader id of the commit before, enciphered for the issuer, 16 bytes.
    """

    counter: int
    value: bytes
    enc_reader_id: bytes


@dataclass(frozen=True, slots=True)
class KeyNotHeld:
    """The card is of a family known here, and none of the keys that open it is held here.

    A value, not an error: such a card is taken by the rules of paper.
    """

    kecamatan: str
    generation: int


class OpenChip(Protocol):
    """A card that has shown its key. Over with the first error, and when the card leaves."""

    @property
    def uid(self) -> bytes:
        """The card's UID, told under its key."""

    @property
    def state(self) -> ChipState:
        """What it remembered when it was opened, or last read back."""

    def commit_record(self, record: CardRecord, reader_id: bytes) -> Commit:
        """Write one record and count one up, both or neither.

        Args:
            record: of the redemption or void, whose entry is already durable.
            reader_id: 16 bytes that name the terminal to the issuer.

        Raises:
            ChipError: whether the card committed is UNKNOWN. Never send it again: open the card
                anew and look for the record in its state.
        """

    def read_back(self) -> ChipState:
        """Read counter and records again.

        Raises:
            ChipError: it could not be read.
        """


@dataclass(frozen=True, slots=True)
class PresentCard:
    """A card of a known family in the field.

    Attributes:
        profile: who knows how to go on.
        uid: 7 bytes, as anyone may read it; not yet believed.
        silicon: what chip it says it is.
    """

    profile: "CardProfile"
    uid: bytes
    silicon: Silicon


class CardProfile(Protocol):
    """One family of cards."""

    @property
    def name(self) -> str:
        """As reports name it, ``KHB-1``."""

    def recognise(self, link: CardLink) -> PresentCard | None:
        """The card, if it is of this family.

        Raises:
            ChipError: it began to answer as one and did not go on.
        """

    def read_credential(self, link: CardLink) -> ChipContent:
        """What anyone may read. Nothing of it is believed until the signature is checked.

        Raises:
            ChipError: it could not be read.
        """

    def open_for_redemption(
        self,
        card: PresentCard,
        link: CardLink,
        content: ChipContent,
        *,
        credential: Credential,
        keys: KeySource,
        draw: Draw,
    ) -> OpenChip | KeyNotHeld:
        """Prove the card, and read what it remembers.

        Args:
            card: as `recognise` found it.
            link: the same link.
            content: as `read_credential` gave it.
            credential: of that content, verified; it must name this chip.
            keys: of this terminal; a retired generation is not held.
            draw: gives random bytes.

        Raises:
            ChipAuthenticationError: the card does not hold its key, or its UID is not the one its
                credential names.
            ChipError: it could not be read.
        """


def identify(
    link: CardLink, profiles: Sequence[CardProfile], *, atr: bytes = b""
) -> PresentCard | ForeignCard:
    """What lies on the reader: a card of ours, or another, named and never touched.

    Args:
        link: the card.
        profiles: the families known here.
        atr: what the reader said about the card, if it does; it names plain memory cards.

    Raises:
        ChipLinkError: the card stopped answering.
        ChipError: a card of ours did not answer as it should.
    """
    foreign = name_by_atr(atr)
    if foreign is not None:
        return foreign
    for profile in profiles:
        card = profile.recognise(link)
        if card is not None:
            return card
    return name_foreign(link)
