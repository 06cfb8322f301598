"""Chip cards for the demo's drawer, made as a card station makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ledger.folder import write_whole
from terminal.demo.chips import MADE, ChipDrawer, Link, is_here, start_chips
from terminal.demo.programs import call
from terminal.errors import DemoError

PASSPHRASE_FILE, PASSPHRASE = "chip-passphrase", "a demonstration's masters"
"""Opens the office's masters of chips; a real one's lies in a safe."""
CARDS = 3
WAIT_S = "20"

Report = dict[str, Any]


def make_chips(
    folder: Path, office: Path, terminals: list[Report], households: list[Report]
) -> list[Report]:
    """Masters, the counters' part of them, and a few cards; none where no virtual cards are.

    Args:
        folder: the demo's.
        office: the office's folder.
        terminals: the enrolled ones.
        households: who may get one, in order; enough of each kecamatan.

    Returns:
        What the interface says of each chip card, with the household's own description under
        ``of``.

    Raises:
        DemoError: a program could not be driven.
    """
    if not is_here():
        return []
    passphrase = folder / PASSPHRASE_FILE
    write_whole(passphrase, f"{PASSPHRASE}\n".encode(), mode=0o600)
    opens = ("--office", office, "--passphrase-file", passphrase, "--json")
    call("betang-provision", "chip-masters", *opens)
    folders = [Path(terminal["config"]).parent for terminal in terminals]
    given = [word for root in folders for word in ("--terminal", root)]
    call("betang-provision", "redeem-keys", *given, *opens)
    chosen = _choose(households)
    chips = start_chips(folder, blank=CARDS, links=(Link.LOCAL,))
    try:
        return _personalise(chips, chosen, opens)
    finally:
        chips.stop()


def _personalise(
    chips: ChipDrawer, chosen: list[Report], opens: tuple[str | Path, ...]
) -> list[Report]:
    who = [word for household in chosen for word in ("--household", household["household"])]
    chips.lay(1, *chips.cards)
    words = ("--reader", chips.readers[0], "--wait", WAIT_S, *who, *opens)
    done = call("betang-provision", "personalise", *words)
    made = {card["household"]: card for card in done["cards"] if card["outcome"] == "made"}
    if len(made) != len(chosen):
        raise DemoError(f"only {len(made)} of {len(chosen)} chip cards could be made")
    return [
        {
            "uid": made[of["household"]]["uid"],
            "household": of["household"],
            "card": f"{of['household']}{made[of['household']]['issue']:02x}",
            "status": "ok",
            "link": MADE,
            "of": of,
        }
        for of in chosen
    ]


def _choose(households: list[Report]) -> list[Report]:
    """Two of the first kecamatan and one of the last, each with two rights of the household."""
    codes = sorted({household["kecamatan"] for household in households})
    able = [one for one in households if len(one["programmes"]) >= 2 and not one["chip"]]
    here = [one for one in able if one["kecamatan"] == codes[0]][: CARDS - 1]
    there = [one for one in able if one["kecamatan"] == codes[-1] and one not in here]
    if len(here) < CARDS - 1 or not there:
        raise DemoError("the roster holds no families for chip cards; try another --seed")
    return [*here, there[0]]
