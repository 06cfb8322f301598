"""An office, a province and one terminal that serves by what they publish: for drills."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from card_codec.credential import CardKind
from card_codec.qr.text import read_text
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.folder import TerminalFolder, open_folder
from ledger.install import Installed
from ledger.rights import Rights
from provisioning.cards import Order, issue_card
from provisioning.changes import Change, ChangeKind
from provisioning.office import open_office
from provisioning.publish import publish, publish_changes
from terminal.counter import Counter, Presentation, Request, open_counter
from terminal.decision import Approved
from terminal.init import ensure_journal, make_keys
from tests.unit.provisioning.played import KEC_1, NOW, Province, enrol_terminal
from tests.world import FakeClock


@dataclass
class Served:
    """One terminal at home in the first kecamatan, with a ledger installed."""

    office: Path
    province: Province
    folder: TerminalFolder
    counter: Counter
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    @property
    def now(self) -> int:
        return self.clock.wall

    def publish(self, *, rotate: bool = False) -> None:
        """The office signs a decree; the province makes it public."""
        with open_office(self.office) as opened:
            public = self.province.public if rotate else None
            publish(opened, now=self.now, province=public, rotate_province=rotate)
        self.take()

    def change(self, household: bytes, kind: ChangeKind, value: str = "") -> None:
        """The kecamatan's two sign a change; the province makes it public."""
        with open_office(self.office) as opened:
            publish_changes(opened, KEC_1, [Change(household, kind, value)], now=self.now)
        self.take()

    def take(self) -> None:
        """The province makes the release public as it stands."""
        self.province.take(self.office / "release", now=self.now)

    def bring(self) -> Installed:
        """The agent brings it and the terminal looks at it."""
        shutil.rmtree(self.folder.in_box, ignore_errors=True)
        shutil.copytree(self.province.repository.folder, self.folder.in_box)
        return self.counter.take_in_box()

    def installed(self) -> Rights:
        return Rights(self.folder.rights)

    def households(self, desa_of: str = KEC_1) -> list[bytes]:
        """Those of a kecamatan that get food aid at home, in order."""
        with closing(sqlite3.connect(self.office / "office.db")) as db:
            found = db.execute(
                "SELECT h.id FROM household h JOIN desa d ON d.code = h.desa"
                " WHERE d.kecamatan = ? AND h.class < 3 ORDER BY h.id",
                (desa_of,),
            )
            return [id for (id,) in found]

    def card(self, household: bytes) -> str:
        """Issue the household's current card; its text."""
        with open_office(self.office) as opened:
            order = Order(household=household, kind=CardKind.CARD)
            return issue_card(
                opened, order, self.office.parent / "cards", now=self.now, randomness=bytes
            ).text

    def asked(self, text: str) -> Reason | None:
        """Why a card would be refused food aid now; None when it would not."""
        assert read_text(text)
        verdict = self.counter.look(Presentation(text), Request("pangan"))
        assert isinstance(verdict, Approved | Refused)
        return verdict.reason if isinstance(verdict, Refused) else None


def make_served(office: Path, province: Province) -> Served:
    """A terminal that was enrolled and has installed the first ledger that lists it."""
    with open_office(office) as opened:
        publish(opened, now=NOW, province=province.public)
    root = office.parent / "counter"
    make_keys(root)
    enrol_terminal(office, root)
    folder = open_folder(root)
    ensure_journal(folder)
    clock = FakeClock(NOW)
    served = Served(office, province, folder, open_counter(folder, clock=clock), clock)
    served.publish()
    assert served.bring().problem is None
    return served
