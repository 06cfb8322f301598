"""A small town for the browser tests: `tests.world` with the names and programmes of a real day."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import PrivateKey
from card_codec.qr.text import write_text
from ledger.folder import TerminalFolder, open_folder
from ledger.policy import (
    DAY,
    ClassQuantity,
    HouseholdClass,
    Limit,
    Place,
    Policy,
    Programme,
    Scope,
    Window,
    Words,
)
from ledger.rights_file import FLAG_CHIP, FLAG_DECEASED, FLAG_MOVED, MemberRight
from ledger.roll import Terminal
from terminal.counter import Counter, Presentation, Request
from terminal.init import ensure_journal
from tests.world import DESA_1, DESA_2, KEC_1, KEC_2, NOW, World

CLINIC, UNIFORM, LATER, OVER = 3, 4, 5, 6
OPEN = Window(1, "Tahap 4/2026", NOW - 30 * DAY, NOW + 60 * DAY)


def programmes() -> tuple[Programme, ...]:
    """What a decree of the province would name."""
    food = Programme(
        number=1,
        id="pangan",
        name=Words("Bantuan pangan KHBS", "KHBS food parcel"),
        scope=Scope.HOUSEHOLD,
        limit=Limit.QUANTITY,
        unit=Words("paket", "parcel"),
        contents="beras 5 kg, minyak 1 L, gula 1 kg",
        price=0,
        worth=150_000,
        on_card=False,
        windows=(OPEN,),
    )
    alter = msgspec.structs.replace
    person = alter(food, scope=Scope.PERSON, contents="")
    return (
        food,
        alter(
            food, number=2, id="pasar-murah", name=Words("Pasar murah", "Subsidised market"),
            price=15_000, worth=140_000,
        ),
        alter(
            person, number=CLINIC, id="klinik", name=Words("Kunjungan klinik", "Clinic visit"),
            limit=Limit.VISITS, unit=Words("kunjungan", "visit"), worth=25_000,
        ),
        alter(
            person, number=UNIFORM, id="seragam", name=Words("Seragam sekolah", "School uniform"),
            limit=Limit.ONCE, unit=Words("set", "set"), contents="kemeja dan celana",
        ),
        alter(
            food, number=LATER, id="pangan-5", name=Words("Pangan tahap 5", "Food, stage 5"),
            windows=(Window(1, "Tahap 5/2026", NOW + 10 * DAY, NOW + 60 * DAY),),
        ),
        alter(
            food, number=OVER, id="pangan-3", name=Words("Pangan tahap 3", "Food, stage 3"),
            windows=(Window(1, "Tahap 3/2026", NOW - 90 * DAY, NOW - 10 * DAY),),
        ),
    )  # fmt: skip


KK, NIK, PUPIL_NIK = "6299012802260003", "6299014708810001", "6299012203140007"
"""Of the families of `plain` and `children`: a KK, and the NIK of a mother and of a pupil."""
NOBODYS = "6299010101260099"


@dataclass
class Town(World):
    """The world with names as people know them."""

    programmes: tuple[Programme, ...] = field(default_factory=programmes)

    def policy(self) -> Policy:
        """Places with their names, and rights in windows that are not open too."""
        policy = super().policy()
        all_household = tuple(ClassQuantity(number, 1) for number in (1, 2, LATER, OVER))
        first, second = policy.places
        return msgspec.structs.replace(
            policy,
            classes=(HouseholdClass(1, all_household), *policy.classes[1:]),
            places=(
                Place(DESA_1, "Desa Bukit Rawi", first.home),
                Place(DESA_2, "Desa Tumbang Nusa", second.home),
            ),
        )

    def loket(self, number: int, point: str, *, home: str, away: int = 5) -> TerminalFolder:
        """Enrol a counter as the office would."""
        root = self.folder / f"loket{number}"
        self.give_keys(root, number)
        (root / "terminal.toml").write_text(
            f'ordinal = {number}\nepoch = 1\nname = "Loket {number}"\npoint = "{point}"\n'
            f'officer = "BR"\nhome = "{home}"\nprovince = "http://127.0.0.1:1"\n'
        )
        folder = open_folder(root)
        self.terminals.append(
            Terminal(
                ordinal=number,
                epoch=1,
                name=f"Loket {number}",
                point=point,
                home=home,
                holds=(KEC_1, KEC_2),
                away_households=away,
                spki=folder.signer().public.spki,
                enrolled=NOW - DAY,
                shut_out=None,
            )
        )
        ensure_journal(folder)
        return folder

    def named_card(
        self,
        name: str,
        household: bytes,
        *,
        issue: int = 1,
        kind: CardKind = CardKind.CARD,
        signer: PrivateKey | None = None,
        expires: int = NOW + 900 * DAY,
        audience: str = "KHB26",
    ) -> str:
        """A paper card with a name on it: its KHB1 text."""
        credential = Credential(
            household=household, issue=issue, kind=kind, issuer="ID-KT", audience=audience,
            issued_at=NOW - 100 * DAY, expires_at=expires, name=name, chip_uid=None, photo=None,
        )  # fmt: skip
        return write_text(issue_credential(credential, signer or self.issuer))


@dataclass(frozen=True)
class Cards:
    """One card for each way it can end."""

    plain: str
    second: str
    third: str
    children: str
    away: str
    sample: str
    training: str
    blocked: str
    old_issue: str
    not_here: str
    not_listed: str
    moved: str
    deceased: str
    chip: str
    foreign_issuer: str
    expired: str
    other_audience: str
    damaged: str
    altered: str
    website: str
    more_away: tuple[str, ...]

    @staticmethod
    def of(town: Town) -> Cards:
        """List the households and issue the cards."""
        visits = (MemberRight(2, CLINIC, 6), MemberRight(3, CLINIC, 6), MemberRight(3, UNIFORM, 1))
        rahmat, hadi = town.household("rahmat"), town.household("hadi", members=visits)
        town.villagers.add(rahmat, "Siti Aminah", numbers={0: KK, 1: NIK})
        pupils = ("Hadi Wijaya", "Ratna Wijaya", "Putri Wijaya")
        town.villagers.add(hadi, *pupils, numbers={3: PUPIL_NIK})
        blocked = town.household("blocked")
        town.blocked[KEC_1].append((blocked, 1))
        plain = town.named_card("Siti Aminah", rahmat)
        return Cards(
            plain=plain,
            second=town.named_card("Bambang Riyadi", town.household("bambang")),
            third=town.named_card("Dewi Lestari", town.household("dewi")),
            children=town.named_card("Hadi Wijaya", hadi),
            away=town.named_card("Yanti Marlina", town.household("yanti", kecamatan=KEC_2)),
            sample=town.named_card("Kartu Contoh", rahmat, kind=CardKind.SAMPLE),
            training=town.named_card("Latihan", rahmat, kind=CardKind.TRAINING),
            blocked=town.named_card("Lina", blocked),
            old_issue=town.named_card("Eko", town.household("eko", issue=2)),
            not_here=town.named_card("Nia", b"elsewher"),
            not_listed=town.named_card("Tono", town.household("tono", class_number=3)),
            moved=town.named_card("Ani", town.household("ani", flags=FLAG_MOVED)),
            deceased=town.named_card("Umar", town.household("umar", flags=FLAG_DECEASED)),
            chip=town.named_card("Rini", town.household("rini", flags=FLAG_CHIP)),
            foreign_issuer=town.named_card("Joko", rahmat, signer=PrivateKey.generate()),
            expired=town.named_card("Sri", town.household("sri"), expires=NOW - DAY),
            other_audience=town.named_card("Budi", town.household("budi"), audience="KHB25"),
            damaged=plain[:60],
            altered=plain[:-40] + ("A" if plain[-40] != "A" else "B") + plain[-39:],
            website="HTTPS://EXAMPLE.ORG/PROMO",
            more_away=tuple(
                town.named_card(f"Warga {n}", town.household(f"away {n}", kecamatan=KEC_2))
                for n in range(5)
            ),
        )


@dataclass
class Opened:
    """Two counters of one town, and its cards."""

    town: Town
    cards: Cards
    one: Counter
    two: Counter

    @staticmethod
    def at(folder: Path) -> Opened:
        """Enrol, sign, bring and open."""
        town = Town(folder)
        one = town.loket(1, "Balai Desa Bukit Rawi", home=KEC_1)
        two = town.loket(2, "Puskesmas Tumbang Nusa", home=KEC_2)
        cards = Cards.of(town)
        town.publish()
        counters = []
        for terminal in (one, two):
            town.bring(terminal)
            counter = town.counter(terminal)
            counter.take_in_box()
            counters.append(counter)
        return Opened(town, cards, *counters)

    def take_elsewhere(self, text: str, *, programme: str = "pangan") -> None:
        """The same family was served at counter 2, and this counter knows by usage."""
        self.two.redeem(Presentation(text), Request(programme))

    def open_day(self) -> None:
        """As `betang-terminal open-day` does at counter 1."""
        self.town.open_day(self.one.folder)

    def close(self) -> None:
        """Close both counters."""
        self.one.close()
        self.two.close()
        shutil.rmtree(self.town.folder)
