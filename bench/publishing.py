"""What the office publishes, at the size of the province: times and memory of the commands.

Part of ``make bench-ledger``. The commands run as processes of their own, as at the office.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.downloads import downloads
from bench.table import Figure, at_most, told

HOUSEHOLDS = 300_000
KECAMATAN = 136
ONE = "629901"
CHANGES = 50
LARGE, SMALL = 1_000_000, 100_000
"""Households published to see how the time grows."""


def publishing(folder: Path) -> list[Figure]:
    """Publish 300,000 households, then change one kecamatan; what a terminal of it downloads."""
    office, province, terminal = folder / "office", folder / "province", folder / "terminal"
    _run("betang-sync", "province", "init", "--dir", province)
    public = province / "public.json"
    _demo(office, HOUSEHOLDS)
    first = _timed("betang-provision", "publish", "--office", office, "--province", public)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    _enrol(office, terminal)
    again = _timed("betang-provision", "publish", "--office", office)
    taken = _timed(*_releasing(province, office))
    seconds = []

    def change() -> None:
        words = _replacements(office)
        seconds.append(
            _timed("betang-provision", "change", "--office", office, "--kecamatan", ONE, *words)
        )

    fetched = downloads(province, terminal, ONE, now=int(time.time()), change=change)
    return [
        at_most("publish 300,000 households, 136 kecamatan", first, "s", 60),
        told("publish them again", again, "s"),
        at_most("memory of the largest command", peak, "MB", 1024),
        at_most("publish a kecamatan with 50 changes", seconds[0], "s", 5),
        told("the province takes that release", taken, "s"),
        *fetched,
        *_growth(folder, public),
    ]


def _enrol(office: Path, terminal: Path) -> None:
    _run("betang-terminal", "init", "--dir", terminal)
    _run("betang-provision", "enrol", "--office", office, "--terminal", terminal, "--name", "T1",
         "--point", "Balai", "--home", ONE, "--province-url", "http://127.0.0.1:1")  # fmt: skip


def _growth(folder: Path, public: Path) -> Iterator[Figure]:
    """Ten times the households: how many times as long."""
    seconds = {}
    for households in (SMALL, LARGE):
        office = folder / f"office-{households}"
        _demo(office, households)
        seconds[households] = _timed(
            "betang-provision", "publish", "--office", office, "--province", public
        )
    growth = seconds[LARGE] / seconds[SMALL]
    yield at_most("publishing 1,000,000 against 100,000, of linear", growth / 10, "×", 1)


def _demo(office: Path, households: int) -> None:
    _run("betang-provision", "demo", "--households", households, "--kecamatan", KECAMATAN,
         "--seed", 1, "--dir", office)  # fmt: skip


def _replacements(office: Path) -> list[str]:
    desa = f"{ONE}2001"
    listed = json.loads(
        _run("betang-provision", "households", "--office", office, "--desa", desa, "--limit",
             CHANGES, "--json")
    )  # fmt: skip
    return [word for one in listed for word in ("--replace", one["household"])]


def _releasing(province: Path, office: Path) -> tuple[str | Path, ...]:
    return ("betang-sync", "province", "release", "--config", province / "province.toml",
            "--from", office / "release")  # fmt: skip


def _timed(*words: object) -> float:
    begun = time.monotonic()
    _run(*words)
    return time.monotonic() - begun


def _run(*words: object) -> str:
    program, *rest = map(str, words)
    command = [str(Path(sys.executable).with_name(program)), *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} {rest[0]}: {done.stderr.strip()}")
    return done.stdout
