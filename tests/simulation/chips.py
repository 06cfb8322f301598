"""Chips of the town: doubles that remember, in a field that may break at any command.

Every third family holds one. No redeem master is stolen here, so that no chip may be given twice.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec

from card_codec.chip.diversify import NO_KECAMATAN, KeyName, card_key
from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1_files import AWAY_KEY, HOME_KEYS, MAC_KEY, ChipContent, encode_content
from card_codec.chip.record import CardRecord, RecordKind, day_of, encode_record
from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import PrivateKey
from ledger.card_keys import seal_masters
from ledger.clock import Reading
from ledger.day_room import DayRoom
from ledger.folder import TerminalFolder
from ledger.policy import DAY, Programme
from ledger.sealing import new_sealing_key, sealing_key
from tests.world import AUDIENCE, KEC_1, KEC_2, NOW, programmes
from virtual_card.desfire import DesfireCard
from virtual_card.factory import Making, khb1
from virtual_card.link import Fault, InProcessLink

EVERY = 3
ON_CARD = frozenset({1, 2})
"""Numbers of the programmes that are written on chips."""
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
    """The world's, of which some are written on chips."""
    return tuple(
        msgspec.structs.replace(one, on_card=one.number in ON_CARD) for one in programmes()
    )


def give_masters(folder: TerminalFolder) -> None:
    """The redeem masters, sealed to a key of this terminal that lies beside them."""
    key = new_sealing_key()
    (folder.root / "keys" / IDENTITY).write_text(key.identity)
    folder.redeem_keys.write_bytes(seal_masters(MASTERS, key.recipient))


def open_day(folder: TerminalFolder, room: DayRoom, reading: Reading) -> None:
    """What an officer does with the PIN, if the day is closed or a restart has closed it."""
    if room.key(reading) is None:
        room.path.parent.mkdir(mode=0o700, exist_ok=True)
        room.put(sealing_key((folder.root / "keys" / IDENTITY).read_text()), reading)


def make_chip(household: bytes, kecamatan: str, issuer: PrivateKey) -> DesfireCard:
    """A chip as the card station leaves it, with its mark."""
    uid = b"\x04" + household[:5] + b"\x01"
    mark = CardRecord(RecordKind.PERSONALISED, 0, 0, 1, 0, 0, 0, 0, day_of(NOW - 40 * DAY))
    credential = Credential(
        household=household, issue=1, kind=CardKind.CARD, issuer="ID-KT", audience=AUDIENCE,
        issued_at=NOW - 10 * DAY, expires_at=NOW + 900 * DAY, name="Ibu Uji", chip_uid=uid,
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
        mac_key=card_key(bytes([0x55] * 16), KeyName(uid, MAC_KEY, NO_KECAMATAN, 1)),
        credential_file=encode_content(content),
        opening=[encode_record(mark)],
    )
    return khb1(uid, making)


def in_field(card: DesfireCard, chance: random.Random, *, badness: float) -> InProcessLink:
    """The card on a reader anew; now and then it leaves too early, or an answer is lost."""
    faults: Mapping[int, Fault] = {}
    if chance.random() < badness:
        faults = {chance.choice(chance.choice((TAP, COMMIT))): chance.choice(list(Fault))}
    card.power_off()
    return InProcessLink(card, error=ChipLinkError, faults=faults)
