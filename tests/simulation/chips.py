"""Chips of the town: doubles that remember, in a field that may break at any command.

Every third family holds one. As long as no redeem master is stolen, no chip may be given twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec

from card_codec.chip.diversify import NO_KECAMATAN, KeyName, card_key
from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1_files import (
    AWAY_KEY,
    HOME_KEYS,
    MAC_KEY,
    ChipContent,
    decode_content,
    encode_content,
)
from card_codec.chip.record import CardRecord, RecordKind, day_of, decode_record, encode_record
from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import PrivateKey
from ledger.card_keys import seal_masters
from ledger.clock import Reading
from ledger.day_room import DayRoom
from ledger.folder import TerminalFolder, write_whole
from ledger.policy import DAY, Programme, Window
from ledger.sealing import new_sealing_key, sealing_key
from tests.world import AUDIENCE, KEC_1, KEC_2, NOW, programmes
from virtual_card.desfire import DesfireCard
from virtual_card.factory import Making, khb1
from virtual_card.link import Fault, InProcessLink
from virtual_card.memory import CyclicFile

EVERY = 3
MAC_MASTER = bytes([0x55] * 16)
ON_CARD = frozenset({1, 2})
"""Numbers of the programmes that are written on chips."""
SECOND = Window(2, "Tahap 2", NOW + 70 * DAY, NOW + 310 * DAY)
"""Opens when a ledger of the first days is too old to serve by."""
MASTERS = {
    (kecamatan, generation): bytes([at * 16 + generation] * 16)
    for at, kecamatan in enumerate((KEC_1, KEC_2), 1)
    for generation in (1, 2, 3)
}
TAP, COMMIT = range(12), range(12, 15)
"""Commands by which a card is heard, and by which it commits: a fault falls on either as often."""
IDENTITY = "day.identity"


def has_chip(number: int) -> bool:
    """Whether the family of that number in its kecamatan holds a chip."""
    return number % EVERY == 0


def programmes_with_chips() -> tuple[Programme, ...]:
    """The world's, of which some are written on chips; of those another window opens later."""
    first, second = Window(1, "Tahap 1", NOW - 30 * DAY, NOW + 300 * DAY), SECOND
    return tuple(
        msgspec.structs.replace(
            one, on_card=one.number in ON_CARD,
            windows=(first, second) if one.number in ON_CARD else (first,),
        )
        for one in programmes()
    )  # fmt: skip


@dataclass
class Chip:
    """A chip, genuine or not, and what it truly committed.

    Attributes:
        truth: the record of each commit since it was made, by the counter after it.
        signed: the same with its UID and the Transaction MAC that it gave.
        opening: what it began with, its mark left out.
    """

    card: DesfireCard
    household: bytes
    kecamatan: str
    forged: bool = False
    opening: tuple[CardRecord, ...] = ()
    truth: dict[int, CardRecord] = field(default_factory=dict)
    signed: set[tuple[bytes, int, bytes, bytes]] = field(default_factory=set)

    @property
    def uid(self) -> bytes:
        """Of a counterfeit the same as of the chip it copies."""
        return self.card.uid

    @property
    def records(self) -> list[bytes]:
        """What can be read of it, oldest first."""
        (application,) = self.card.memory.applications.values()
        file = application.files[0x01]
        assert isinstance(file, CyclicFile)
        return file.records

    def note(self) -> None:
        """After each time in a field: what it committed there."""
        counter = self.card.mac_file.counter
        if counter not in self.truth and counter > len(self.opening) + 1:
            record, value = self.records[-1], self.card.mac_file.value
            self.truth[counter] = decode_record(record)
            self.signed.add((self.uid, counter, record, value))


class Forgery(StrEnum):
    """How a counterfeit chip begins."""

    FRESH = "fresh"
    """With its mark alone, as if nothing had ever been taken."""
    COPIED = "copied"
    """With the records of the chip it copies, and its counter."""
    TAKEN_BACK = "taken_back"
    """With those, and of every redemption a void that nobody made."""
    INVENTED = "invented"
    """With its mark, and redemptions that no terminal made."""


def give_masters(folder: TerminalFolder, given: Iterable[tuple[str, int]]) -> bytes:
    """The redeem masters, sealed to a key of this terminal that lies beside them; as sealed."""
    path = folder.root / "keys" / IDENTITY
    key = sealing_key(path.read_text()) if path.exists() else new_sealing_key()
    path.write_text(key.identity)
    sealed = seal_masters({name: MASTERS[name] for name in given}, key.recipient)
    write_whole(folder.redeem_keys, sealed)
    return sealed


def open_day(folder: TerminalFolder, room: DayRoom, reading: Reading) -> None:
    """What an officer does with the PIN, if the day is closed or a restart has closed it."""
    if room.key(reading) is None:
        room.path.parent.mkdir(mode=0o700, exist_ok=True)
        room.put(sealing_key((folder.root / "keys" / IDENTITY).read_text()), reading)


def make_chip(
    household: bytes,
    kecamatan: str,
    issuer: PrivateKey,
    *,
    issue: int = 1,
    issued: int = NOW - 10 * DAY,
    opening: Sequence[CardRecord] = (),
) -> Chip:
    """A chip as the card station leaves it, with its mark and what was taken before."""
    uid = b"\x04" + household[:5] + bytes([issue])
    credential = Credential(
        household=household, issue=issue, kind=CardKind.CARD, issuer="ID-KT", audience=AUDIENCE,
        issued_at=issued, expires_at=NOW + 900 * DAY, name="Ibu Uji", chip_uid=uid,
    )  # fmt: skip
    content = ChipContent(
        kecamatan, 1, 1, (*HOME_KEYS, AWAY_KEY), issue_credential(credential, issuer)
    )
    home = [
        card_key(MASTERS[kecamatan, number], KeyName(uid, number, kecamatan, number))
        for number in HOME_KEYS
    ]
    away = card_key(bytes([0x77] * 16), KeyName(uid, AWAY_KEY, NO_KECAMATAN, 1))
    making = Making(
        keys=[bytes([0x99] * 16), *home, away],
        mac_key=card_key(MAC_MASTER, KeyName(uid, MAC_KEY, NO_KECAMATAN, 1)),
        credential_file=encode_content(content),
        opening=[*map(encode_record, opening), encode_record(_mark())],
    )
    return Chip(khb1(uid, making), household, kecamatan, opening=tuple(opening))


def counterfeit(of: Chip, kind: Forgery) -> Chip:
    """What a thief makes who holds the first redeem master of the kecamatan and no other key.

    UID and credential are copied from the chip of a real family; it opens by the stolen key alone,
    and records and counter are what the thief likes.
    """
    records = [encode_record(_mark())] if kind is Forgery.FRESH else list(of.records)
    if kind is Forgery.INVENTED:
        records = [encode_record(_mark()), *(encode_record(_never(n)) for n in (1, 2))]
    if kind is Forgery.TAKEN_BACK:
        taken = [decode_record(data) for data in records]
        records += [
            encode_record(replace(one, kind=RecordKind.VOID))
            for one in taken
            if one.kind in {RecordKind.REDEMPTION, RecordKind.OPENING}
        ]
    (application,) = of.card.memory.applications.values()
    file = application.files[0x00]
    content = decode_content(bytes(getattr(file, "data", b"")))
    stolen = card_key(MASTERS[of.kecamatan, 1], KeyName(of.uid, 1, of.kecamatan, 1))
    junk = bytes([0xEE] * 16)
    making = Making(
        keys=[junk, stolen, junk, junk, junk],
        mac_key=junk,
        credential_file=encode_content(replace(content, generation=1, slots=(1,))),
        opening=records[-16:],
    )
    made = khb1(of.uid, making)
    if kind in {Forgery.COPIED, Forgery.TAKEN_BACK}:
        made.mac_file.counter = max(len(records), of.card.mac_file.counter)
    chip = Chip(made, of.household, of.kecamatan, forged=True)
    chip.truth = {made.mac_file.counter: decode_record(records[-1])}
    return chip


def key_shown(link: InProcessLink) -> int | None:
    """Number of the key that the card was asked to show; None where it was asked for none."""
    asked = [one.apdu[5] for one in link.trace if one.apdu[:2] == b"\x90\x71"]
    return asked[0] if asked else None


def _never(programme: int) -> CardRecord:
    """A redemption of a number that no terminal comes to here."""
    return CardRecord(RecordKind.REDEMPTION, 1, 1, 90_000, programme, 1, 0, 1, day_of(NOW - DAY))


def _mark() -> CardRecord:
    return CardRecord(RecordKind.PERSONALISED, 0, 0, 1, 0, 0, 0, 0, day_of(NOW - 40 * DAY))


def in_field(
    card: DesfireCard, chance: random.Random, *, badness: float = 0.0, at: int | None = None
) -> InProcessLink:
    """The card on a reader anew; now and then it leaves too early, or an answer is lost.

    Args:
        badness: chance of that.
        at: number of the command at which it does for certain.
    """
    faults: Mapping[int, Fault] = {}
    if at is not None:
        faults = {at: chance.choice(list(Fault))}
    elif chance.random() < badness:
        faults = {chance.choice(chance.choice((TAP, COMMIT))): chance.choice(list(Fault))}
    card.power_off()
    return InProcessLink(card, error=ChipLinkError, faults=faults)
