"""Take the pictures of chips, of two officers and of the day: ``python docs/make_chip_screens.py``.

The same small town as for the other screens, with families whose cards have a chip.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from card_codec.readers.status import ReaderState
from docs.make_screens import SETTLED_MS, SIZE, keep
from ledger.card_keys import seal_masters
from ledger.policy import DAY
from ledger.rights_file import FLAG_CHIP
from terminal.day_desk import DayDesk
from terminal.web.chips import ChipDesk
from tests.browser import town as browser_town
from tests.browser.test_after import fill, open_after
from tests.browser.test_chip import enter, wait
from tests.chip_page import QUOTAS
from tests.chip_reader import PlayedReaders
from tests.chip_recovery import flush
from tests.chip_town import HELD, Town
from tests.served import serving
from tests.unit.terminal.test_chip_page import KtpEl
from tests.world import KEC_1, PIN
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault

READER = "ACS ACR1252"


def main() -> None:
    """Take them all."""
    program = shutil.which("chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        for name, walk in WALKS.items():
            with tempfile.TemporaryDirectory() as folder, _shown(chromium, Path(folder)) as shown:
                walk(shown)
                shown.page.wait_for_timeout(SETTLED_MS)
                keep(name, shown.page)
        chromium.close()


@dataclass
class Shown:
    """A counter's page, its town, its reader, and one family's card."""

    page: Page
    town: Town
    readers: PlayedReaders
    family: bytes
    card: DesfireCard

    def lay(self, faults: dict[int, Fault] | None = None) -> None:
        """Lay the family's card on the reader."""
        self.readers.lay(self.card, faults)

    def give(self) -> None:
        """Lay the card down and hand over."""
        self.lay()
        wait(self.page, "approved")
        enter(self.page)
        wait(self.page, "done")

    def scan(self) -> None:
        """Show the printed code of the same card."""
        self.page.keyboard.type(self.town.world.card(self.family))
        self.page.keyboard.press("Enter")
        wait(self.page, "refused")


@contextmanager
def _shown(chromium: Browser, folder: Path) -> Iterator[Shown]:
    town = _town(folder)
    readers = PlayedReaders()
    counter, world = town.counters[1], town.world
    chips = ChipDesk(counter, READER, readers=readers)
    day = DayDesk(counter, world.room(town.folders[1]), world.clock)
    with serving(counter, chips=chips, day=day) as served, chips.watching():
        page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.goto(served.entry)
        page.wait_for_selector("body[data-live]")
        family = world.household("rini", flags=FLAG_CHIP)
        yield Shown(page, town, readers, family, town.card(family))
        page.close()
    counter.close()


def _town(folder: Path) -> Town:
    """One counter that is home to a family with a chip, on an open day."""
    on_card = tuple(
        msgspec.structs.replace(one, on_card=one.id in {"pangan", "pasar-murah"})
        for one in browser_town.programmes()
    )
    world = browser_town.Town(folder / "town", programmes=on_card)
    one = world.loket(1, "Balai Desa Bukit Rawi", home=KEC_1)
    world.villagers.add(world.household("rini", flags=FLAG_CHIP), "Rini Susanti", numbers={})
    world.exceptions = QUOTAS
    world.publish()
    one.redeem_keys.write_bytes(seal_masters(HELD, world.villagers.recipients[1]))
    world.bring(one)
    world.open_day(one)
    counter = world.counter(one)
    counter.take_in_box()
    return Town(world, {1: one}, {1: counter, 2: counter})


def _day(shown: Shown) -> None:
    shown.town.world.room(shown.town.folders[1]).wipe()
    shown.page.keyboard.press("F7")
    shown.page.wait_for_selector("#clock")


def _day_opened(shown: Shown) -> None:
    _day(shown)
    fill(shown.page, PIN)
    shown.page.wait_for_selector(".said")


def _lost(shown: Shown) -> None:
    shown.readers.state = ReaderState.READER_LOST
    shown.page.wait_for_selector("#reader:not([hidden])")


def _two_cards(shown: Shown) -> None:
    shown.readers.state = ReaderState.TWO_CARDS
    shown.page.wait_for_selector("#reader:not([hidden])")


def _ktp(shown: Shown) -> None:
    shown.readers.lay(KtpEl(blank(b"\x04ktp-el").memory))
    wait(shown.page, "refused")


def _pulled(shown: Shown) -> None:
    shown.lay({6: Fault.TORN_BEFORE})
    wait(shown.page, "fault")


def _approved(shown: Shown) -> None:
    shown.lay()
    wait(shown.page, "approved")


def _unfinished(shown: Shown) -> None:
    _approved(shown)
    shown.lay({14: Fault.TORN_AFTER})
    enter(shown.page)
    wait(shown.page, "refused")


def _asked(shown: Shown) -> None:
    shown.scan()
    shown.page.keyboard.press("F9")
    shown.page.wait_for_selector("#two form")
    shown.page.keyboard.type("WK")


def _by_two(shown: Shown) -> None:
    _asked(shown)
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Space")
    shown.page.keyboard.press("Enter")
    wait(shown.page, "done")


def _gap(shown: Shown) -> None:
    flush(shown.town, shown.card)
    shown.lay()
    wait(shown.page, "refused")


def _replacement(shown: Shown) -> None:
    shown.card = shown.town.card(shown.family, issue=2, issued=shown.town.world.clock.wall - DAY)
    shown.lay()
    wait(shown.page, "refused")


def _void(shown: Shown) -> None:
    shown.give()
    shown.readers.lift()
    shown.page.keyboard.press("Escape")
    open_after(shown.page)
    fill(shown.page, "T001-0001", "salah orang", "WK")
    shown.page.wait_for_selector(".said")


def _voided(shown: Shown) -> None:
    _void(shown)
    shown.lay()
    shown.page.keyboard.press("Enter")
    shown.page.get_by_text("Dibatalkan.").wait_for()


WALKS: dict[str, Callable[[Shown], None]] = {
    "day": _day,
    "day_opened": _day_opened,
    "reader_lost": _lost,
    "reader_two_cards": _two_cards,
    "chip_not_ours": _ktp,
    "chip_pulled_early": _pulled,
    "chip_approved": _approved,
    "chip_done": lambda shown: shown.give(),
    "chip_unfinished": _unfinished,
    "chip_gap": _gap,
    "chip_replacement": _replacement,
    "two_officers_offered": lambda shown: shown.scan(),
    "two_officers": _asked,
    "two_officers_done": _by_two,
    "void_card_wanted": _void,
    "void_by_chip": _voided,
}


if __name__ == "__main__":
    main()
