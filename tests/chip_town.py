"""A town of chip families, two counters that hold keys of chips, and their cards as doubles."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import msgspec

from card_codec.chip.diversify import NO_KECAMATAN, KeyName, card_key
from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1_files import AWAY_KEY, HOME_KEYS, MAC_KEY, ChipContent, encode_content
from card_codec.chip.record import CardRecord, RecordKind, day_of, encode_record
from card_codec.credential import CardKind, Credential, issue_credential
from ledger.card_keys import seal_masters
from ledger.entry import Content, Entry
from ledger.folder import TerminalFolder, open_folder
from ledger.fsck import check_journal
from ledger.policy import DAY, ExceptionQuota
from ledger.rights_file import FLAG_CHIP, MemberRight
from terminal.counter import Counter, Presentation, Redeemed, Request
from terminal.decision import Verdict
from tests.memory import MEMORY
from tests.world import AUDIENCE, KEC_1, KEC_2, NOW, FakeClock, World, programmes
from virtual_card.desfire import DesfireCard
from virtual_card.factory import Making, khb1
from virtual_card.link import Fault, InProcessLink
from virtual_card.memory import EV3

GENERATIONS = range(1, 6)
HOME = {(KEC_1, number): bytes([0x10 + number] * 16) for number in GENERATIONS}
AWAY = {(NO_KECAMATAN, 1): bytes([0x77] * 16)}
HELD = {at: HOME[at] for at in ((KEC_1, 1), (KEC_1, 2), (KEC_1, 3))}
"""What a terminal that serves the kecamatan holds: generations g, g+1 and g+2."""
FAMILIES = 320
PANGAN = Request("pangan")


@dataclass
class Town:
    """Counter 1 is home to every family, counter 2 serves them from its away quota.

    Attributes:
        counters: by ordinal; ``restart`` opens one anew, as after a power cut.
    """

    world: World
    folders: dict[int, TerminalFolder]
    counters: dict[int, Counter] = field(default_factory=dict)
    used: int = 0

    def family(self) -> bytes:
        """A chip family that nobody has served yet."""
        self.used += 1
        return hashlib.sha256(f"cip {self.used - 1}".encode()).digest()[:8]

    def card(
        self,
        household: bytes,
        *,
        issue: int = 1,
        issued: int = NOW - 10 * DAY,
        generation: int = 1,
        opening: Sequence[CardRecord] = (),
        uid: bytes | None = None,
        masters: Mapping[tuple[str, int], bytes] = HOME,
        make: int = EV3,
    ) -> DesfireCard:
        """A chip as the card station leaves it: its mark, then what it opens with."""
        uid = uid or b"\x04" + household[:5] + bytes([issue])
        mark = CardRecord(RecordKind.PERSONALISED, 0, 0, 1, 0, 0, 0, 0, day_of(NOW - 40 * DAY))
        slots = (*HOME_KEYS, AWAY_KEY)
        text = issue_credential(_credential(household, issue, uid, issued), self.world.issuer)
        content = ChipContent(KEC_1, generation, 1, slots, text)
        home = [
            card_key(
                masters[KEC_1, generation + number - 1],
                KeyName(uid, number, KEC_1, generation + number - 1),
            )
            for number in HOME_KEYS
        ]
        making = Making(
            keys=[
                bytes([0x99] * 16),
                *home,
                card_key(AWAY[NO_KECAMATAN, 1], KeyName(uid, AWAY_KEY, NO_KECAMATAN, 1)),
            ],
            mac_key=tmac_key(uid),
            credential_file=encode_content(content),
            opening=[encode_record(record) for record in (mark, *opening)],
        )
        return khb1(uid, making, make=make)

    def tap(
        self,
        at: int,
        card: DesfireCard,
        *,
        request: Request = PANGAN,
        faults: Mapping[int, Fault] | None = None,
    ) -> Redeemed | Verdict | ChipLinkError:
        """Lay a card on a counter's reader and redeem; a card that leaves too early is a value."""
        link = self.link(card, faults)
        try:
            tap = self.counters[at].tap(link)
        except ChipLinkError as error:
            return error
        return self.counters[at].redeem(Presentation.of_tap(tap), request)

    def look(self, at: int, card: DesfireCard, request: Request = PANGAN) -> Redeemed | Verdict:
        """Lay a card on a counter's reader and look."""
        tap = self.counters[at].tap(self.link(card))
        return self.counters[at].look(Presentation.of_tap(tap), request)

    @staticmethod
    def link(card: DesfireCard, faults: Mapping[int, Fault] | None = None) -> InProcessLink:
        """The card in a field anew."""
        card.power_off()
        return InProcessLink(card, error=ChipLinkError, faults=faults)

    def publish(self) -> None:
        """Publish what the office says now, and install it at both counters."""
        self.world.publish()
        for at, folder in self.folders.items():
            self.world.bring(folder)
            installed = self.counters[at].take_in_box()
            assert installed.problem is None, installed.problem

    def restart(self, at: int) -> None:
        """Open a counter anew, as after a power cut."""
        self.counters[at].close()
        self.counters[at] = self.world.counter(self.folders[at])

    def entries(self, at: int, household: bytes | None = None) -> list[Entry]:
        """The journal of a counter, or what of it names a household."""
        journal = self.counters[at]._desk.journal
        found = [entry for entry, _ in journal.tail(100_000)]
        return found if household is None else [e for e in found if names(e.content, household)]

    def journal_holds(self, at: int) -> tuple[str, ...]:
        """What fsck says against a counter's journal."""
        folder = self.folders[at]
        key = folder.signer().public
        checked = check_journal(folder.journal, terminal=at, epoch=1, key=key)
        return checked.faults

    def open_here(self, at: int) -> list[int]:
        """Numbers of the redemptions that wait for their card at a counter."""
        return [one.seq for one in self.counters[at]._desk.journal.cards().open()]

    def close(self) -> None:
        """Close every counter."""
        for counter in self.counters.values():
            counter.close()


def tmac_key(uid: bytes) -> bytes:
    """The Transaction MAC key of a chip, the issuer's alone."""
    return card_key(bytes([0x55] * 16), KeyName(uid, MAC_KEY, NO_KECAMATAN, 1))


def names(content: Content, household: bytes) -> bool:
    """Whether an entry names that household."""
    return getattr(content, "household", None) == household


def make_town(folder: Path, exceptions: tuple[ExceptionQuota, ...] = ()) -> Town:
    """A town on its first day: a copy of one that was built once.

    Args:
        folder: for the copy.
        exceptions: what its policy lets two officers do.
    """
    built = _built(exceptions)
    shutil.copytree(built.world.folder, folder, symlinks=True, dirs_exist_ok=True)
    world = replace(
        built.world,
        folder=folder,
        clock=FakeClock(),
        rows={kecamatan: dict(rows) for kecamatan, rows in built.world.rows.items()},
        blocked={kecamatan: list(cards) for kecamatan, cards in built.world.blocked.items()},
        usage={kecamatan: list(data) for kecamatan, data in built.world.usage.items()},
        terminals=list(built.world.terminals),
    )
    folders = {at: open_folder(folder / one.root.name) for at, one in built.folders.items()}
    town = Town(world, folders)
    for at, one in folders.items():
        world.open_day(one)
        town.counters[at] = world.counter(one)
    return town


@cache
def _built(exceptions: tuple[ExceptionQuota, ...]) -> Town:
    folder = Path(tempfile.mkdtemp(prefix="khb-town-", dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    on_card = tuple(
        msgspec.structs.replace(one, on_card=one.id in {"pangan", "pasar-murah"})
        for one in programmes()
    )
    world = World(folder, programmes=on_card, exceptions=exceptions)
    mine = world.terminal("Satu", away=FAMILIES)
    other = world.terminal("Dua", home=KEC_2, away=FAMILIES)
    for number in range(FAMILIES):
        world.household(f"cip {number}", flags=FLAG_CHIP, members=(MemberRight(2, 3, 6),))
    world.publish()
    town = Town(world, {1: mine, 2: other})
    for ordinal, one in town.folders.items():
        sealed = seal_masters(HELD, world.villagers.recipients[ordinal])
        one.redeem_keys.write_bytes(sealed)
        world.bring(one)
        counter = world.counter(one)
        counter.take_in_box()
        counter.close()
    return town


def _credential(household: bytes, issue: int, uid: bytes, issued: int) -> Credential:
    return Credential(
        household=household, issue=issue, kind=CardKind.CARD, issuer="ID-KT", audience=AUDIENCE,
        issued_at=issued, expires_at=NOW + 900 * DAY, name="Ibu Uji", chip_uid=uid,
    )  # fmt: skip
