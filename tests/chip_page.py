"""A counter's page with a card reader beside it, for a plain client; and what its screens say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from card_codec.reason import Reason
from ledger.entry import Content, Entry
from ledger.policy import ExceptionQuota
from terminal.day_desk import DayDesk
from terminal.web.chips import ChipDesk
from tests.chip_reader import PlayedReaders
from tests.chip_town import Town, make_town
from tests.served import serving

READER = "Pembaca Uji"
QUOTAS = (ExceptionQuota(Reason.CARD_HISTORY_INCOMPLETE, 1), ExceptionQuota(Reason.USE_CHIP, 2))


@dataclass
class Desk:
    """A town, the reader of one of its counters, and a client of that counter's page."""

    town: Town
    readers: PlayedReaders
    page: httpx.Client
    at: int = 1

    def scan(self, household: bytes) -> str:
        """Show the QR of a family's card."""
        text = self.town.world.card(household)
        return self.page.post("/scan", json={"text": text, "programme": "pangan"}).text

    def tap(self, *, meant: bool = False) -> str:
        """Look at what lies on the reader; ``meant`` for the same card once more at once."""
        return self.page.post("/tap", json={"programme": "pangan", "meant": meant}).text

    def give(self, screen: str) -> str:
        """Record what a screen shows."""
        return self.page.post("/redeem", json={"act": act_of(screen)}).text

    def by_two(
        self, screen: str, second: str = "WK", *, compared: bool = True, follow: bool = True
    ) -> httpx.Response:
        """Two officers give what a screen refused."""
        typed = {
            "act": act_of(screen),
            "second": second,
            **({"compared": "on"} if compared else {}),
        }
        return self.page.post("/by-two", data=typed, follow_redirects=follow)

    def shown(self, screen: str) -> str:
        """What came of a screen's act."""
        return self.page.post("/shown", json={"act": act_of(screen)}).text

    def entries(self) -> list[Entry]:
        """The counter's journal."""
        return self.town.entries(self.at)

    def kinds(self) -> list[type[Content]]:
        """What the journal holds, in order."""
        return [type(entry.content) for entry in self.entries()]


@contextmanager
def desk_of(folder: Path, *, at: int = 1) -> Iterator[Desk]:
    """A town whose policy allows two officers something, and one counter's page."""
    town = make_town(folder, QUOTAS)
    readers = PlayedReaders()
    counter = town.counters[at]
    room = town.world.room(town.folders[at])
    try:
        day = DayDesk(counter, room, town.world.clock)
        with browsing(town, ChipDesk(counter, READER, readers=readers), day=day, at=at) as page:
            yield Desk(town, readers, page, at)
    finally:
        town.close()


@contextmanager
def browsing(
    town: Town, chips: ChipDesk | None, *, day: DayDesk | None = None, at: int = 1
) -> Iterator[httpx.Client]:
    """A client that has entered the page of a counter."""
    with serving(town.counters[at], chips=chips, day=day) as page:
        headers = {"Origin": page.url}
        with httpx.Client(base_url=page.url, headers=headers, follow_redirects=True) as client:
            assert client.get(page.entry).status_code == 200
            yield client


def act_of(screen: str) -> str:
    """Id of the act that a screen shows."""
    return screen.split('data-act="')[1].split('"', maxsplit=1)[0]


def said(screen: str) -> tuple[str, str]:
    """Kind and reason of a screen."""
    kind = screen.split('data-kind="')[1].split('"', maxsplit=1)[0]
    return kind, screen.split('data-reason="')[1].split('"', maxsplit=1)[0]
