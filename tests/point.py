"""A service point to attack: one terminal that serves a few families, and what it would answer."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from card_codec.credential import CardKind
from ledger.element import Element, RedemptionId, Right
from ledger.folder import TerminalFolder, open_folder
from ledger.install import Installed
from ledger.policy import Programme
from ledger.rights_file import FLAG_CHIP, MemberRight
from terminal import redeem as main_path
from terminal.counter import Counter, Presentation, Redeemed, Request
from terminal.decision import Request as Asked
from terminal.decision import Verdict
from tests.memory import MEMORY
from tests.world import KEC_2, NOW, FakeClock, World

FAMILIES = ("mawar", "melati", "kamboja", "tanjung", "anggrek", "cempaka", "kenanga", "dahlia")


@dataclass
class Point:
    """A counter, home to the first kecamatan, with a ledger installed.

    mawar: two parcels at home · melati: at home elsewhere · kamboja: blocked · tanjung: replaced ·
    anggrek: persons 2 and 3 · cempaka: of a class without rights · kenanga: a chip household ·
    dahlia: took at counter 2, as usage says · asing: not listed · contoh: a sample.
    """

    world: World
    folder: TerminalFolder
    other: TerminalFolder
    counter: Counter
    ids: dict[str, bytes] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)

    def show(self, name: str, programme: str = "pangan", **asked: int | None) -> Redeemed | Verdict:
        """Show a family's card and give what was asked for."""
        request = Request(programme, asked.get("member"), asked.get("quantity"))
        return self.counter.redeem(Presentation(self.cards[name]), request)

    def answers(self) -> dict[tuple[str, str], Verdict]:
        """What the counter would decide on every card now; nothing is recorded."""
        found = {}
        desk = self.counter._desk
        for name, text in self.cards.items():
            for programme, member in (("pangan", None), ("klinik", 2)):
                asked = Asked(self.programme(programme), member)
                with main_path.turn_of(desk, Presentation(text), asked) as turn:
                    found[name, programme] = main_path.judge(turn)
        return found

    def programme(self, name: str) -> Programme:
        return self.counter.programme(name)

    def held(self) -> tuple[bytes, dict[str, list[tuple[object, ...]]]]:
        """Everything that must not change when what was brought is refused."""
        return self.folder.rights.read_bytes(), tables(self.folder.journal)

    def take(self) -> Installed:
        """Look into the in-box."""
        return self.counter.take_in_box()

    def bring(self) -> None:
        """Lay the newest repository into the in-box, and nothing else."""
        shutil.rmtree(self.folder.in_box, ignore_errors=True)
        self.world.bring(self.folder)

    def restart(self) -> None:
        """Open the counter anew."""
        self.counter.close()
        self.counter = self.world.counter(self.folder)


def make_point(folder: Path, *, away: int = 5) -> Point:
    """A service point on its first day: a copy of one that was built once."""
    built = _built(away)
    shutil.copytree(built.world.folder, folder, symlinks=True, dirs_exist_ok=True)
    world = replace(
        built.world,
        folder=folder,
        clock=FakeClock(),
        rows={kecamatan: dict(rows) for kecamatan, rows in built.world.rows.items()},
        blocked={kecamatan: list(cards) for kecamatan, cards in built.world.blocked.items()},
        usage={kecamatan: list(data) for kecamatan, data in built.world.usage.items()},
        changes=dict(built.world.changes),
        folded=dict(built.world.folded),
        terminals=list(built.world.terminals),
    )
    mine = open_folder(folder / built.folder.root.name)
    other = open_folder(folder / built.other.root.name)
    counter = world.counter(mine)
    return Point(world, mine, other, counter, dict(built.ids), dict(built.cards))


@cache
def _built(away: int) -> Point:
    folder = Path(tempfile.mkdtemp(prefix="khb-point-", dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = World(folder)
    mine, other = world.terminal("Satu", away=away), world.terminal("Dua", home=KEC_2)
    point = Point(world, mine, other, world.counter(mine))
    _enrol_families(point)
    world.publish()
    world.bring(mine)
    point.take()
    point.counter.close()
    return point


def _enrol_families(point: Point) -> None:
    world = point.world
    persons = (MemberRight(2, 3, 6), MemberRight(3, 4, 1))
    for name in FAMILIES:
        point.ids[name] = {
            "mawar": lambda n: world.household(n, class_number=2),
            "melati": lambda n: world.household(n, kecamatan=KEC_2),
            "tanjung": lambda n: world.household(n, issue=2),
            "anggrek": lambda n: world.household(n, members=persons),
            "cempaka": lambda n: world.household(n, class_number=3),
            "kenanga": lambda n: world.household(n, flags=FLAG_CHIP),
        }.get(name, world.household)(name)
        point.cards[name] = world.card(point.ids[name])
    world.blocked["629901"].append((point.ids["kamboja"], 1))
    world.add_usage(taken_elsewhere(point.ids["dahlia"]))
    point.ids["asing"] = b"asing..."
    point.cards["asing"] = world.card(point.ids["asing"])
    point.cards["contoh"] = world.card(point.ids["mawar"], kind=CardKind.SAMPLE)


def taken_elsewhere(household: bytes, *, seq: int = 17, quantity: int = 1) -> Element:
    """A redemption of the food parcel at counter 2, an hour ago."""
    right = Right(household, 0, 1, 1)
    return Element(RedemptionId(2, 1, seq), bytes(8), right, quantity, NOW // 60 - 60)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of a database."""
    with closing(sqlite3.connect(path)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}
