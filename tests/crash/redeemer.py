"""A counter in a process of its own, to be killed: ``python -m tests.crash.redeemer TASK FOLDER``.

It says ``ready``, waits for a line, and then says what it did only after it was done.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from ledger.entry import Kind
from ledger.errors import NotSavedError
from ledger.folder import open_folder, write_whole
from ledger.fsck import check_journal
from ledger.space import free_bytes
from terminal.counter import Counter, Presentation, Redeemed, Request, open_counter
from tests.world import FakeClock


def main() -> None:
    task, folder = sys.argv[1], Path(sys.argv[2])
    # A disk that fills up without having said so, or the gate would refuse before it is full.
    free = plenty if task == "fill" else free_bytes
    counter = open_counter(open_folder(folder), clock=FakeClock(), free=free)
    say("ready")
    work = json.loads(sys.stdin.readline())
    {"redeem": redeem, "install": install, "fill": fill}[task](counter, work)


def plenty(folder: Path) -> int:
    """What a disk says of its room that says nothing true."""
    return 1 << 40


def redeem(counter: Counter, cards: dict[str, str]) -> None:
    """Give each card all it has; a household and its receipt number once it was given."""
    for household, text in cards.items():
        outcome = counter.redeem(Presentation(text), Request("pangan"))
        if isinstance(outcome, Redeemed):
            say(f"{household} {outcome.number}")
    say("done")


def install(counter: Counter, timestamps: dict[str, str]) -> None:
    """Lay one timestamp after the other into the in-box, each naming a newer ledger."""
    for version, text in timestamps.items():
        write_whole(counter.folder.in_box / "metadata" / "timestamp.json", text.encode())
        installed = counter.take_in_box()
        say(f"{version} {installed.ledger} {installed.problem}")
    say("done")


def fill(counter: Counter, cards: dict[str, str]) -> None:
    """Give until the disk is full, make room, and give on."""
    ballast = counter.folder.root / "ballast"
    given, full = [], False
    for household, text in cards.items():
        try:
            outcome = counter.redeem(Presentation(text), Request("pangan"))
        except NotSavedError:
            assert not full
            full = True
            held = shutil.disk_usage(counter.folder.root).free
            say(f"full {held}")
            ballast.unlink()
            continue
        if isinstance(outcome, Redeemed):
            given.append([household, outcome.number])
    kept = [[e.content.household.hex(), e.id.number()]  # type: ignore[union-attr]
            for e in counter._desk.journal.signed_run(1, limit=10**6)[0]
            if e.body.kind == 1]  # fmt: skip
    path = counter.folder.journal
    seals = sum(kind is Kind.SEAL for _, kind, _ in counter._desk.journal.kinds(0))
    faults = check_journal(path, terminal=1, epoch=1).faults
    say(json.dumps({"full": full, "given": given, "kept": kept, "seals": seals, "faults": faults}))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
