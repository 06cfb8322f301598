"""Places that do not exist: kecamatan and desa of the unassigned regions 62.99 and 62.98."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import msgspec

REGIONS = (6299, 6298)
KECAMATAN_MAX = 99 * len(REGIONS)
DESA_MIN, DESA_MAX = 2, 5


class PlacesTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names to draw from."""

    kecamatan: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Desa:
    """A generated desa."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Kecamatan:
    """A generated kecamatan.

    Attributes:
        code: 6 digits, ``629901`` on.
        desa: 2 to 5 of them, ``6299012001`` on.
        point: name of a service point in it.
    """

    code: str
    name: str
    desa: tuple[Desa, ...]
    point: str


def draw_places(count: int, table: PlacesTable, random: Random) -> list[Kecamatan]:
    """That many kecamatan (at most 198), each with its desa."""
    return [_kecamatan(i, table, random) for i in range(count)]


def _kecamatan(i: int, table: PlacesTable, random: Random) -> Kecamatan:
    code = f"{REGIONS[i // 99]}{i % 99 + 1:02d}"
    again, at = divmod(i, len(table.kecamatan))
    name = table.kecamatan[at] + (f" {again + 1}" if again else "")
    names = random.sample(
        [f"{first} {second}" for first in table.first for second in table.second],
        random.randint(DESA_MIN, DESA_MAX),
    )
    desa = tuple(Desa(f"{code}{2001 + n}", name) for n, name in enumerate(names))
    return Kecamatan(code, name, desa, f"Balai Desa {desa[0].name}")
