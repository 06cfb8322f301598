"""The demo's chip cards: they live in another program, and lie on each counter's reader by turns.

The program holds cards in software and belongs to the checkout alone; where it is not, the drawer
has paper cards only. Where pcscd with a virtual reader is installed, and this user may make a
namespace, the program runs a pcscd of its own there, and the counters ask it through the real PC/SC
library by the names of its readers; the machine's own pcscd and readers are never touched. Else
each reader is a socket of this machine, with nothing between the program and the counters.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from terminal.demo.programs import ENDS_WITH_US, STOP_SECONDS
from terminal.errors import DemoError

PROGRAM = "virtual_card.drawer"
CHECKOUT = Path(__file__).parents[2]
FOLDER = "chips"

Report = dict[str, Any]


class Link(StrEnum):
    """How the counters reach the cards; the value is the program's word for it."""

    PCSC = "pcsc"
    LOCAL = "local"


SAID = {
    Link.PCSC: "Cards in software, on the virtual readers of a real pcscd of the demo's own.",
    Link.LOCAL: (
        "Cards in software, by an in-process link: no pcscd with a virtual reader is here, or no"
        " right to start one."
    ),
}
MADE = "chips: cards in software; made by an in-process link over a socket"
"""How the demo's cards were personalised."""


def is_here() -> bool:
    """Whether this is a checkout, with the program that holds virtual cards."""
    return (CHECKOUT / PROGRAM.replace(".", "/")).with_suffix(".py").is_file()


@dataclass(slots=True)
class ChipDrawer:
    """The program that holds the cards, running.

    Attributes:
        readers: name of each counter's reader, as a terminal is told it.
        cards: UIDs of all cards.
        link: how they are reached.
        environment: what a program needs in its environment to find the readers.
        lying: UID of the card on each reader, by its number from 1.
    """

    process: subprocess.Popen[str]
    readers: list[str]
    cards: list[str]
    link: Link
    environment: dict[str, str]
    lying: dict[int, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lay(self, reader: int, *uids: str) -> None:
        """Lay a card on a reader; of several, the next as soon as one was personalised.

        Raises:
            DemoError: no such card or reader, or the program has ended.
        """
        self._order("lay", str(reader), *uids)
        self.lying = {r: uid for r, uid in self.lying.items() if uid not in uids}
        self.lying[reader] = uids[0]

    def take(self, reader: int) -> None:
        """Take the card off a reader.

        Raises:
            DemoError: no such reader, or the program has ended.
        """
        self._order("take", str(reader))
        self.lying.pop(reader, None)

    def stop(self) -> None:
        """End the program; its cards are kept."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def _order(self, *words: str) -> None:
        told: Report = {}
        with self.lock:
            try:
                if self.process.stdin and self.process.stdout:
                    self.process.stdin.write(" ".join(words) + "\n")
                    self.process.stdin.flush()
                    told = json.loads(self.process.stdout.readline())
            except (OSError, ValueError) as error:
                raise DemoError("the program with the chip cards has ended") from error
        if "error" in told:
            raise DemoError(told["error"])


def start_chips(folder: Path, *, blank: int, links: Sequence[Link] = tuple(Link)) -> ChipDrawer:
    """Start the program that holds the cards, by the first link that can be had.

    Args:
        folder: the demo's.
        blank: how many cards there are to be.
        links: how the counters may reach them, the best first.

    Raises:
        DemoError: it did not start.
    """
    for link in links:
        drawer = _start(folder, blank=blank, link=link)
        if drawer is not None:
            return drawer
    raise DemoError("the program with the chip cards did not start")


def _start(folder: Path, *, blank: int, link: Link) -> ChipDrawer | None:
    command = [sys.executable, "-m", PROGRAM, "--dir", str(folder / FOLDER)]
    command += ["--blank", str(blank), "--link", link]
    process = subprocess.Popen(  # the caller stops it
        [*ENDS_WITH_US, *command],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    line = process.stdout.readline() if process.stdout else ""
    try:
        told = json.loads(line)
    except ValueError:
        process.kill()
        process.communicate()
        return None
    found = dict(told["environment"])
    return ChipDrawer(process, list(told["readers"]), list(told["cards"]), link, found)
