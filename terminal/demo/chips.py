"""The demo's chip cards: they live in another program, and lie on each counter's reader by turns.

The program holds cards in software and belongs to the checkout alone; where it is not, the drawer
has paper cards only. Each reader is a socket of this machine: the program and the counters speak
over it as over a reader, with nothing between them, and no root, pcscd or hardware is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terminal.demo.programs import ENDS_WITH_US, STOP_SECONDS
from terminal.errors import DemoError

PROGRAM = "virtual_card.drawer"
CHECKOUT = Path(__file__).parents[2]
FOLDER = "chips"
READERS = 2
SAID = "chips: cards in software, in-process link over a socket; no card reader is used"

Report = dict[str, Any]


def is_here() -> bool:
    """Whether this is a checkout, with the program that holds virtual cards."""
    return (CHECKOUT / PROGRAM.replace(".", "/")).with_suffix(".py").is_file()


@dataclass(slots=True)
class ChipDrawer:
    """The program that holds the cards, running.

    Attributes:
        readers: name of each counter's reader, as a terminal is told it.
        cards: UIDs of all cards.
        lying: UID of the card on each reader, by its number from 1.
    """

    process: subprocess.Popen[str]
    readers: list[str]
    cards: list[str]
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


def start_chips(folder: Path, *, blank: int) -> ChipDrawer:
    """Start the program that holds the cards.

    Args:
        folder: the demo's.
        blank: how many cards there are to be.

    Raises:
        DemoError: it did not start.
    """
    command = [sys.executable, "-m", PROGRAM, "--dir", str(folder / FOLDER)]
    command += ["--readers", str(READERS), "--blank", str(blank)]
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
        process.wait()
        raise DemoError("the program with the chip cards did not start") from None
    return ChipDrawer(process, list(told["readers"]), list(told["cards"]))
