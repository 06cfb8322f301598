"""``make bench-ledger``: the signed ledger at the size of the province.

Sizes are exact; times are medians of one run. The households are synthetic: 8 random bytes each,
which no compression makes smaller, and rights drawn as in the demo's roster.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
from rich.progress import track

from bench.publishing import publishing
from bench.table import Figure, at_most, report, told
from card_codec.keys import PrivateKey
from card_codec.status import StatusList
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.policy import ClassQuantity, FreshnessStep, HouseholdClass, Place, Policy
from ledger.rights import Rights
from ledger.rights_build import BaseToInstall, Versions, build_rights
from ledger.rights_file import (
    HouseholdRow,
    MemberRight,
    RightsBase,
    make_base,
    read_base,
    write_base,
)
from ledger.roll import Roll
from tests.world import NOW, World

KECAMATAN = 136
HOUSEHOLDS = 7_353  # × 136 = 1,000,008
A_KECAMATAN = 7_400
LOOK_UPS = 20_000
COLD = 41


def main() -> None:
    """Measure everything, print the table, exit 1 when an aim does not hold."""
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        figures = [
            *_files(chance),
            *_status(chance),
            *_installed(Path(folder), chance),
            *publishing(Path(folder)),
        ]
    sys.exit(0 if report("ledger", figures) else 1)


def _files(chance: random.Random) -> list[Figure]:
    """The largest file that travels: the base of a kecamatan."""
    base = _base(0, A_KECAMATAN, chance)
    data = write_base(base)
    read = _timed(lambda: read_base(data))
    return [
        at_most("base of 7,400 households with rights of persons", len(data) / 1000, "kB", 90),
        told("reading that base", read * 1000, "ms"),
    ]


def _status(chance: random.Random) -> list[Figure]:
    """50,000 blocked cards of a million."""
    million = 1_000_000
    blocked = chance.sample(range(million), 50_000)
    size = len(StatusList.from_indices(million, blocked).encode())
    return [at_most("50,000 blocked of 1,000,000, bits alone", size / 1000, "kB", 46)]


def _installed(folder: Path, chance: random.Random) -> list[Figure]:
    """What a terminal holds: one kecamatan, a tenth of the province, all of it."""
    one, _ = _install(folder / "one.db", [_base(0, A_KECAMATAN, chance)])
    tenth = [_base(k, HOUSEHOLDS, chance) for k in range(KECAMATAN // 10)]
    small = statistics.median(_install(folder / "tenth.db", tenth)[1] for _ in range(3))
    before = _peak_mb()
    bases = [_base(k, HOUSEHOLDS, chance) for k in track(range(KECAMATAN), "drawing households")]
    drawn = _peak_mb()
    all_of_it, busy = _install(folder / "all.db", bases)
    added = _peak_mb() - max(before, drawn)
    path = folder / "all.db"
    size = path.stat().st_size / 1e6
    ids = _some_ids(bases, chance)
    warm, cold = _warm(path, ids), _cold(path, ids)
    growth = (busy / small) / (len(bases) / len(tenth))
    return [
        at_most("install a kecamatan, verified files to service", one, "s", 1),
        at_most("install the province, 1,000,000 households", all_of_it, "s", 30),
        at_most("memory added by that install", added, "MB", 200),
        at_most("on disk, 1,000,000 households", size, "MB", 30),
        at_most("look-up warm, p99", warm * 1000, "ms", 0.1),
        at_most("look-up cold, p50", cold * 1000, "ms", 2),
        at_most("install 1,000,000 against 100,000, work, of linear", growth, "×", 1.1),
    ]


def _install(path: Path, bases: list[RightsBase]) -> tuple[float, float]:
    """Seconds from verified files to the ledger that is served by: read strictly, build, switch.

    The second figure is those this process was at work.
    """
    policy = _policy(path.parent)
    files = [write_base(base) for base in bases]
    issuer = TrustedKey(PrivateKey.generate().public, KeyUse.ISSUER, "ID-KT", 0, None, None)

    def install() -> None:
        to_install = [
            BaseToInstall(base, StatusList.from_indices(max(base.count, 1), []), NOW)
            for base in map(read_base, files)
        ]
        build_rights(
            path, versions=Versions(1, NOW, NOW), policy=policy, roll=Roll("khb-roll-1", 1, ()),
            trust=TrustList(1, [issuer]), bases=to_install,
        )  # fmt: skip

    begun = time.process_time()
    return _timed(install), time.process_time() - begun


def _policy(folder: Path) -> Policy:
    """The policy of six programmes and the desa of the whole province."""
    places = tuple(
        Place(_desa(k, d), f"Desa {k}.{d}", k % 200 + 1)
        for k in range(KECAMATAN)
        for d in range(11)
    )
    classes = tuple(
        HouseholdClass(n, tuple(ClassQuantity(p, n) for p in range(1, 7))) for n in range(1, 5)
    )
    ladder = (FreshnessStep(7, 100), FreshnessStep(30, 0))
    return msgspec.structs.replace(
        World(folder).policy(), places=places, classes=classes, freshness=ladder
    )


def _base(kecamatan: int, count: int, chance: random.Random) -> RightsBase:
    rows = list(_rows(kecamatan, count, chance))
    return make_base(_kecamatan(kecamatan), period="2026-4", number=1, rows=rows)


def _rows(kecamatan: int, count: int, chance: random.Random) -> Iterator[HouseholdRow]:
    for _ in range(count):
        members: tuple[MemberRight, ...] = ()
        if chance.random() < 0.3:
            members = (MemberRight(chance.randint(1, 6), chance.choice((3, 4)), 1),)
        yield HouseholdRow(
            chance.randbytes(8),
            _desa(kecamatan, chance.randrange(11)),
            1 if chance.random() < 0.97 else 2,
            chance.randint(1, 4),
            1 if chance.random() < 0.5 else 0,
            members,
        )


def _warm(path: Path, ids: list[bytes]) -> float:
    rights = Rights(path)
    for id in ids[:2000]:
        rights.household(id)
    times = sorted(_timed(partial(rights.household, id)) for id in ids)
    rights.close()
    return times[len(times) * 99 // 100]


def _cold(path: Path, ids: list[bytes]) -> float:
    """Open anew with the file out of the page cache, then look one up."""
    times = []
    for id in ids[:COLD]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
        times.append(_timed(partial(_open_and_find, path, id)))
    return statistics.median(times)


def _open_and_find(path: Path, id: bytes) -> None:
    rights = Rights(path)
    if rights.household(id) is None:
        raise SystemExit("the bench expects to find a household")
    rights.close()


def _some_ids(bases: list[RightsBase], chance: random.Random) -> list[bytes]:
    ids = []
    for _ in range(LOOK_UPS):
        base = chance.choice(bases)
        at = chance.randrange(base.count) * 8
        ids.append(base.households[at : at + 8])
    return ids


def _kecamatan(number: int) -> str:
    return f"{6298 + number // 99}{number % 99 + 1:02d}"


def _desa(kecamatan: int, number: int) -> str:
    return f"{_kecamatan(kecamatan)}2{number + 1:03d}"


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
