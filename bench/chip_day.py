"""A day at one service point whose families bring their chips, lived through a real counter."""

from __future__ import annotations

import random
from pathlib import Path

from ledger.folder import TerminalFolder
from tests.chip_town import FAMILIES, make_town

SECOND_TIME = 0.06
"""Of those who come, who come again for the same."""


def live_chip_day(folder: Path, *, seed: int = 1) -> TerminalFolder:
    """Every family once, some twice, half a minute to some minutes apart; the terminal's folder.

    The journal is what the counter writes: pending, commit and hand-over of each, and a refusal of
    each who comes twice.
    """
    draw = random.Random(seed)
    town = make_town(folder)
    # The chip and its key are doubles; a real chip's id is as random as the household's.
    served = []
    for _ in range(FAMILIES):
        town.world.clock.pass_time(draw.randint(25, 240))
        card = town.card(town.family(), uid=b"\x04" + draw.randbytes(6))
        town.tap(1, card)
        served.append(card)
        if draw.random() < SECOND_TIME:
            town.world.clock.pass_time(draw.randint(25, 240))
            town.tap(1, draw.choice(served))
    town.close()
    return town.folders[1]
