"""People who do not exist: generated households for demonstrations and tests.

Everything follows from one seeded generator, ids too, so that the same seed gives the same
households, rights and classes. A real roster draws its ids from ``secrets``.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated

import msgspec

from provisioning.places import PlacesTable

NAME_LENGTH_MAX = 40
ID_BYTES = 8

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class ClassShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the households are of one class."""

    number: int
    weight: int


class PersonShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A right of persons: who may get it and how often it is drawn."""

    programme: str
    quantity: int
    percent: Percent
    ages: tuple[int, int]


class MembersTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of households and how often each occurs."""

    sizes: tuple[int, ...]
    weights: tuple[int, ...]


class NameStyle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Given names and what may follow them."""

    weight: int
    male: tuple[str, ...]
    female: tuple[str, ...]
    after: tuple[str, ...]


class RosterTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``demo_roster.toml`` says."""

    person_percent: Percent
    class_: tuple[ClassShare, ...] = msgspec.field(name="class")
    person_right: tuple[PersonShare, ...]
    members: MembersTable
    style: tuple[NameStyle, ...]
    places: PlacesTable


@dataclass(frozen=True, slots=True)
class Person:
    """A generated member of a household."""

    number: int
    name: str
    role: str
    age: int


@dataclass(frozen=True, slots=True)
class PersonRight:
    """What a generated person is given."""

    member: int
    programme: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Family:
    """A generated household."""

    id: bytes
    class_number: int
    people: tuple[Person, ...]
    rights: tuple[PersonRight, ...]


class Families:
    """Draws families one after the other; no id comes twice."""

    def __init__(self, table: RosterTable, random: Random) -> None:
        self._table = table
        self._random = random
        self._ids: set[bytes] = set()
        self._class_weights = [share.weight for share in table.class_]
        self._style_weights = [style.weight for style in table.style]

    def draw(self) -> Family:
        """The next family."""
        random, table = self._random, self._table
        (share,) = random.choices(table.class_, self._class_weights)
        people = self._people()
        rights: tuple[PersonRight, ...] = ()
        if random.randrange(100) < table.person_percent:
            rights = self._rights(people)
        return Family(self._id(), share.number, people, rights)

    def _id(self) -> bytes:
        while True:
            id = self._random.randbytes(ID_BYTES)
            if id not in self._ids:
                self._ids.add(id)
                return id

    def _people(self) -> tuple[Person, ...]:
        random = self._random
        (style,) = random.choices(self._table.style, self._style_weights)
        members = self._table.members
        (size,) = random.choices(members.sizes, members.weights)
        female = random.randrange(100) < 15
        age = random.randint(24, 68)
        people = [Person(1, draw_name(style, random, female=female), "head", age)]
        if not female and size > 1 and random.randrange(100) < 90:
            name = draw_name(style, random, female=True)
            people.append(Person(2, name, "spouse", max(20, age - random.randint(0, 6))))
        oldest_child = min(24, max(0, age - 20))
        for number in range(len(people) + 1, size + 1):
            if age < 45 and random.randrange(100) < 8:
                name = draw_name(style, random, female=random.random() < 0.5)
                people.append(Person(number, name, "parent", age + random.randint(20, 32)))
                continue
            name = draw_name(style, random, female=random.random() < 0.5)
            people.append(Person(number, name, "child", random.randint(0, oldest_child)))
        return tuple(people)

    def _rights(self, people: tuple[Person, ...]) -> tuple[PersonRight, ...]:
        drawn = [s for s in self._table.person_right if self._random.randrange(100) < s.percent]
        rights = [right for share in drawn if (right := self._right(share, people))]
        if not rights:
            first = self._right(self._table.person_right[0], people)
            rights = [first] if first else []
        return tuple(rights)

    def _right(self, share: PersonShare, people: tuple[Person, ...]) -> PersonRight | None:
        low, high = share.ages
        # An adult who is as old as a pupil is still no pupil: children only, below the full range.
        fit = [p for p in people if low <= p.age <= high and (low == 0 or p.role == "child")]
        if not fit:
            return None
        return PersonRight(self._random.choice(fit).number, share.programme, share.quantity)


def draw_name(style: NameStyle, random: Random, *, female: bool) -> str:
    """A name of at most 40 characters."""
    given = random.choice(style.female if female else style.male)
    after = random.choice(style.after)
    # "Noor Noor" happens: a name of one word is as common.
    return (given if given == after else f"{given} {after}")[:NAME_LENGTH_MAX]
