"""What the office publishes, at the size of the province: times of the commands, bytes of a day.

Part of ``make bench-ledger``. The commands run as processes of their own, as at the office; bytes
are those of the files that a terminal with one kecamatan has not fetched yet, each compressed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from bench.table import Figure, at_most, told

HOUSEHOLDS = 300_000
KECAMATAN = 136
ONE = "629901"
CHANGES = 50
LARGE, SMALL = 200_000, 20_000
"""Households published to see how the time grows."""


def publishing(folder: Path) -> list[Figure]:
    """Publish 300,000 households, then change one kecamatan."""
    office, province = folder / "office", folder / "province"
    _run("betang-sync", "province", "init", "--dir", province)
    public = province / "public.json"
    _demo(office, HOUSEHOLDS)
    first = _timed("betang-provision", "publish", "--office", office, "--province", public)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    again = _timed("betang-provision", "publish", "--office", office)
    _release(province, office)
    before = set(_wanted(province / "repository"))
    change = _timed("betang-provision", "change", "--office", office, "--kecamatan", ONE,
                    *_replacements(office))  # fmt: skip
    taken = _timed(*_releasing(province, office))
    new = [path for path in _wanted(province / "repository") if path not in before]
    day = sum(len(_compressed(path.read_bytes())) for path in new)
    return [
        at_most("publish 300,000 households, 136 kecamatan", first, "s", 60),
        told("publish them again", again, "s"),
        at_most("memory of the largest command", peak, "MB", 1024),
        at_most("publish a kecamatan with 50 changes", change, "s", 5),
        told("the province takes that release", taken, "s"),
        at_most("rights-only day with 50 changes, metadata included", day / 1000, "kB", 3.5),
        *_growth(folder, public),
    ]


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
    yield at_most("growth of publishing with ten times the households", growth, "×", 10)


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


def _release(province: Path, office: Path) -> None:
    _run(*_releasing(province, office))


def _wanted(repository: Path) -> Iterator[Path]:
    """The newest metadata and the files that a terminal of one kecamatan fetches."""
    metadata = repository / "metadata"
    roles = {path.name.split(".", 1)[1]: path for path in sorted(metadata.glob("*.*.json"),
             key=lambda path: int(path.name.partition(".")[0]))}  # fmt: skip
    for name, path in roles.items():
        if not name.startswith("changes-") or name == f"changes-{ONE}.json":
            yield path
    for path in (repository / "targets").rglob("*"):
        if path.is_file() and ONE in str(path.relative_to(repository)):
            yield path
    yield _stamped(metadata / "timestamp.json")


def _stamped(timestamp: Path) -> Path:
    """The timestamp under the name of its version, as the others are."""
    signed: dict[str, Any] = json.loads(timestamp.read_bytes())["signed"]
    copy = timestamp.parent.parent / f"{signed['version']}.timestamp"
    copy.write_bytes(timestamp.read_bytes())
    return copy


def _compressed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=10).compress(data)


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
