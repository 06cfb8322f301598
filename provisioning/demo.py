"""The demonstration office: keys, a policy table and a roster of people who do not exist."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from random import Random
from string import Template

import msgspec

from card_codec.trust import KeyUse
from provisioning.errors import WrongUseError
from provisioning.keys import ISSUER, VERDICT, office_roles
from provisioning.office import Office, create_office
from provisioning.people import Families, Family, RosterTable
from provisioning.places import KECAMATAN_MAX, Kecamatan, draw_places
from provisioning.policy_table import WIB, read_policy_table
from provisioning.progress import show_progress

HOUSEHOLDS_MAX = 5_000_000
BATCH = 2_000
OPEN_BEFORE_DAYS = 30
OPEN_AFTER_DAYS = 60


@dataclass(frozen=True, slots=True)
class DemoOffice:
    """What was made."""

    office: Path
    households: int
    kecamatan: tuple[str, ...]
    points: tuple[str, ...]


def make_demo_office(
    root: Path, *, households: int, kecamatan: int, seed: int, now: int
) -> DemoOffice:
    """Make an office with generated people in a new folder.

    Args:
        root: the folder; new or empty.
        households: how many, spread evenly over the kecamatan.
        kecamatan: how many, 1 to 198.
        seed: fixes people, rights and classes; keys are always fresh.
        now: Unix seconds; the demo's windows are open then.

    Raises:
        WrongUseError: a number out of bounds.
        ProvisioningError: the folder is not empty, or the disk refused.
    """
    if not 1 <= kecamatan <= KECAMATAN_MAX:
        raise WrongUseError(f"--kecamatan is not from 1 to {KECAMATAN_MAX}; give a number of them")
    if not kecamatan <= households <= HOUSEHOLDS_MAX:
        raise WrongUseError(
            f"--households is not from {kecamatan} (one a kecamatan) to {HOUSEHOLDS_MAX}; "
            "give a number of them"
        )
    table = _roster_table()
    random = Random(seed)
    places = draw_places(kecamatan, table.places, random)
    today = (datetime.fromtimestamp(now, UTC) + WIB).date()
    policy = demo_policy(today)
    with create_office(root, issuer="ID-KT", card_years=5, policy=policy, demo_seed=seed) as office:
        read_policy_table(office.policy_table)
        for role in office_roles([place.code for place in places]):
            office.keys.create(role)
        families = Families(table, random)
        with office.roster.db.atomic():
            _insert_places(office, places)
            _insert_keys(office, now)
            for batch in _batches(_placed(families, places, households, random), households):
                _insert_families(office, batch, today.year)
    return DemoOffice(
        root, households, tuple(p.code for p in places), tuple(p.point for p in places)
    )


def demo_policy(today: date) -> str:
    """The demo's policy table with windows that are open on that day.

    They open on the first of a month at least 30 days before, and close at the end of a month at
    least 60 days after.
    """
    opens = (today - timedelta(days=OPEN_BEFORE_DAYS)).replace(day=1)
    last = (today + timedelta(days=OPEN_AFTER_DAYS)).replace(day=28) + timedelta(days=4)
    school_year = today.year if today.month >= 7 else today.year - 1
    text = resources.files("provisioning.data").joinpath("demo_policy.toml").read_text("utf-8")
    return Template(text).substitute(
        year=today.year,
        stage=f"Tahap {(today.month + 2) // 3}/{today.year}",
        school_year=f"{school_year}/{school_year + 1}",
        opens=opens.isoformat(),
        closes=(last.replace(day=1) - timedelta(days=1)).isoformat(),
    )


def _roster_table() -> RosterTable:
    text = resources.files("provisioning.data").joinpath("demo_roster.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), RosterTable)


def _placed(
    families: Families, places: list[Kecamatan], households: int, random: Random
) -> Iterator[tuple[str, Family]]:
    """Families with the code of their desa, evenly over the kecamatan."""
    for i in range(households):
        place = places[i * len(places) // households]
        yield random.choice(place.desa).code, families.draw()


def _batches(
    placed: Iterator[tuple[str, Family]], households: int
) -> Iterator[list[tuple[str, Family]]]:
    with show_progress("Drawing households", households) as advance:
        batch: list[tuple[str, Family]] = []
        for item in placed:
            batch.append(item)
            if len(batch) == BATCH:
                yield batch
                advance(len(batch))
                batch = []
        yield batch


def _insert_places(office: Office, places: list[Kecamatan]) -> None:
    office.roster.insert_all("kecamatan", ((p.code, p.name) for p in places))
    desa = ((d.code, p.code, d.name) for p in places for d in p.desa)
    office.roster.insert_all("desa", desa)


def _insert_keys(office: Office, now: int) -> None:
    """Those of the office that sign what counters and the province read."""
    for role, use in ((ISSUER, KeyUse.ISSUER), (VERDICT, KeyUse.VERDICT)):
        for key in office.keys.public(role).values():
            row = (key.spki, use.value, office.config.issuer, now, None, None)
            office.roster.insert_all("public_key", [row])


def _insert_families(office: Office, batch: list[tuple[str, Family]], year: int) -> None:
    roster = office.roster
    listed = ((f.id, desa, f.class_number, 1, 0, "listed") for desa, f in batch)
    roster.insert_all("household", listed)
    roster.insert_all("member", _member_rows(batch, year))
    rights = (
        (f.id, right.member, right.programme, right.quantity)
        for _, f in batch
        for right in f.rights
    )
    roster.insert_all("person_right", rights)


def _member_rows(batch: list[tuple[str, Family]], year: int) -> Iterator[tuple[object, ...]]:
    """A year of birth stands only where a right of persons needs it."""
    for _, family in batch:
        entitled = {right.member for right in family.rights}
        for person in family.people:
            born = year - person.age if person.number in entitled else None
            yield family.id, person.number, person.name, person.role, born
