"""Named people for the small world: as the office would name, tag and seal them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger.look_up import make_tag, stretch
from ledger.people import homes_of
from ledger.people_file import (
    Family,
    NumberTag,
    PeopleFile,
    Person,
    Role,
    people_path,
    seal_people,
)
from ledger.policy import LookUpRules, Policy
from ledger.sealing import seal

DESA = "6299012001"
CHEAP_LOOK_UP = LookUpRules(b"salt of a period", 64, 1, per_day=5)


@dataclass
class Villagers:
    """Families by desa, and the sealing keys of the terminals, by ordinal."""

    families: dict[str, list[Family]] = field(default_factory=dict)
    recipients: dict[int, str] = field(default_factory=dict)
    look_up: LookUpRules = CHEAP_LOOK_UP
    period: str = "2026-4"

    def add(
        self,
        household: bytes,
        *names: str,
        numbers: dict[int, str] | None = None,
        desa: str = DESA,
    ) -> None:
        """Name a household and its members; give it numbers by member (0: the KK)."""
        tags = [
            NumberTag(member, make_tag(self.look_up_key(desa), stretch(number, self.look_up)))
            for member, number in (numbers or {}).items()
        ]
        members = tuple(
            Person(number, name, Role.HEAD if number == 1 else Role.OTHER, None)
            for number, name in enumerate(names, 1)
        )
        ordered = tuple(sorted(tags, key=lambda t: (t.member, t.tag)))
        self.families.setdefault(desa, []).append(Family(household, names[0], members, ordered))

    def file(self, desa: str, recipients: Sequence[str]) -> PeopleFile:
        """The people of a desa, before they are sealed."""
        return PeopleFile(
            form="khb-people-1",
            desa=desa,
            period=self.period,
            number=1,
            look_up_key=seal(self.look_up_key(desa), recipients),
            families=tuple(sorted(self.families[desa], key=lambda f: f.household)),
        )

    def sealed(self, policy: Policy) -> Iterator[tuple[str, bytes]]:
        """Every people file, by its path in the ledger."""
        for desa in self.families:
            homes = [self.recipients[t] for t in sorted(homes_of(policy, desa))]
            if homes:
                yield people_path(desa), seal_people(self.file(desa, homes), homes)

    def look_up_key(self, desa: str) -> bytes:
        """Of a desa in this period."""
        return hashlib.sha256(f"{self.period} {desa}".encode()).digest()
