"""``make bench``: what the counter adds to the floor the machine itself sets.

Interleaved pairs in one run, because the machines are noisy: a bare one-row commit beside each
redemption, the bare decoder beside each scan. Medians are quoted.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import zxingcpp

from bench.table import Figure, at_most, report, told
from card_codec.keys import PrivateKey
from card_codec.readers.scan import Effort, scan_picture
from ledger.entry import Presented
from ledger.journal import PRAGMAS
from terminal.counter import Counter, Presentation, Redeemed, Request
from terminal.decision import Approved
from tests.world import World

FRAMES = Path(__file__).parent / "frames"
PAIRS = 600
ROUNDS = 5
BARE = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
SHM = Path("/dev/shm")  # noqa: S108 - the floor for CPU is a commit that waits for no disk


def main() -> None:
    """Measure everything, print the table, exit 1 when an aim does not hold."""
    figures = [*_redemptions(), *_verdicts()]
    sys.exit(0 if report("main", figures) else 1)


def _redemptions() -> list[Figure]:
    """A bare commit is one of SQLite by itself: WAL and FULL, all else as it comes.

    The journal's WAL is kept short and written over, which a disk takes faster than a file that
    grows. What is left of a redemption's cost beside a bare commit into such a WAL is told too;
    where the disk commits in a tenth of a millisecond it is mostly the CPU of one signature.
    """
    with tempfile.TemporaryDirectory(dir=SHM) as memory:
        cpu = _pairs(Path(memory), BARE, time.process_time, looked=False)
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as disk:
        wall = _pairs(Path(disk) / "bare", BARE, time.perf_counter, looked=True)
        short = _pairs(Path(disk) / "short", PRAGMAS, time.perf_counter, looked=True)
    added = statistics.median(redeem - bare for redeem, bare in cpu)
    return [
        at_most("redemption, CPU added to a bare commit, tmpfs", added * 1000, "ms", 0.5),
        at_most("redemption after its look / bare commit, disk", _ratio(wall), "×", 1.8),
        told("bare commit, disk, median", statistics.median(b for _, b in wall) * 1000, "ms"),
        told("the same / bare commit into a short WAL", _ratio(short), "×"),
        told("bare commit into a short WAL", statistics.median(b for _, b in short) * 1000, "ms"),
    ]


def _ratio(pairs: list[tuple[float, float]]) -> float:
    return statistics.median(redeem / bare for redeem, bare in pairs)


def _pairs(
    folder: Path, pragmas: Sequence[str], clock: Callable[[], float], *, looked: bool
) -> list[tuple[float, float]]:
    """(redemption, bare commit) in seconds, taken in turn.

    With ``looked`` the card was looked at first, untimed, as it is at a counter, where the officer
    confirms what the screen already shows.
    """
    folder.mkdir(exist_ok=True)
    world, counter, texts = _counter(folder, PAIRS)
    bare = _bare(folder / "bare.db", pragmas)
    row = b"x" * 200
    request = Request("pangan")
    pairs = []
    for text in texts:
        world.clock.pass_time(1)
        if looked:
            counter.look(Presentation(text), request)
        start = clock()
        outcome = counter.redeem(Presentation(text), request)
        middle = clock()
        bare.execute("INSERT INTO row (data) VALUES (?)", (row,))
        pairs.append((middle - start, clock() - middle))
        if not isinstance(outcome, Redeemed):
            raise SystemExit(f"the bench expects redemptions, not {outcome}")
    counter.close()
    return pairs[PAIRS // 10 :]


def _bare(path: Path, pragmas: Sequence[str]) -> sqlite3.Connection:
    bare = sqlite3.connect(path, isolation_level=None)
    for pragma in pragmas:
        bare.execute(pragma)
    bare.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, data BLOB)")
    return bare


def _verdicts() -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=SHM) as memory:
        _, counter, texts = _counter(Path(memory), 200)
        scans = _scans(counter)
        text = [_timed(partial(_look, counter, t, Presented.TEXT)) for t in texts]
        counter.close()
    return [
        at_most(
            "scan to verdict / decode alone, 1280×720",
            statistics.median(scan / decode for scan, decode in scans),
            "×",
            1.3,
        ),
        told("decode alone, median", statistics.median(d for _, d in scans) * 1000, "ms"),
        at_most("text to verdict", statistics.median(text) * 1000, "ms", 3),
    ]


def _scans(counter: Counter) -> list[tuple[float, float]]:
    """(scan to verdict, decoder alone) in seconds, in turn over all frames."""
    frames = [path.read_bytes() for path in sorted(FRAMES.glob("*.jpg"))]
    return [
        (_timed(partial(_scan_to_verdict, counter, data)), _timed(partial(_decode_alone, data)))
        for _ in range(ROUNDS)
        for data in frames
    ]


def _scan_to_verdict(counter: Counter, data: bytes) -> None:
    texts = scan_picture(data, effort=Effort.FRAME, accept=lambda t: t.startswith("KHB1"))
    _look(counter, texts[0], Presented.PICTURE)


def _decode_alone(data: bytes) -> None:
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if not zxingcpp.read_barcodes(grey, formats=zxingcpp.barcode_formats_from_str("QRCode")):
        raise SystemExit("the decoder alone does not read a frame; make the frames anew")


def _look(counter: Counter, text: str, presented: Presented) -> None:
    verdict = counter.look(Presentation(text, presented), Request("pangan"))
    if not isinstance(verdict, Approved):
        raise SystemExit(f"the bench expects approvals, not {verdict}")


def _timed(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _counter(folder: Path, households: int) -> tuple[World, Counter, list[str]]:
    """A counter with its ledger, and cards of households that have taken nothing."""
    issuer = PrivateKey.from_pem((FRAMES / "issuer.pem").read_bytes())
    world = World(folder / "world", issuer=issuer)
    for number in range(len(list(FRAMES.glob("*.jpg")))):
        world.household(f"frame {number}")
    texts = [world.card(world.household(f"family {n}")) for n in range(households)]
    terminal = world.terminal("Loket 1")
    world.publish()
    world.bring(terminal)
    counter = world.counter(terminal)
    counter.take_in_box()
    shutil.rmtree(terminal.in_box)
    return world, counter, texts


if __name__ == "__main__":
    main()
