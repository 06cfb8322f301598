"""People of one desa: names for the counter's screen, and tags by which a family is found.

The office seals the file with age to the terminals that serve the desa, and the decree signs what
is sealed. What stands in it is the least a counter needs: no NIK, no KK number, no address; a
member only where someone must be chosen or compared with a KTP; a year of birth only where a
programme asks for it. Format: docs/spec/people.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from ledger.errors import RecordError
from ledger.look_up import TAG_BYTES
from ledger.policy import MemberRole
from ledger.record import U8, U32, Desa, HouseholdId, Record, ShortText, compress, inflate, pack
from ledger.record import unpack as unpack_record
from ledger.sealing import SEALED_SIZE_MAX, seal

PEOPLE_SIZE_MAX = 16 * 1024 * 1024
WRAPPED_KEY_MAX = 16 * 1024
MemberNumber = Annotated[int, msgspec.Meta(ge=1, le=255)]
Born = Annotated[int, msgspec.Meta(ge=1850, le=2250)]


Role = MemberRole
"""What a member is in the family; the policy names roles too."""


class Person(Record, frozen=True):
    """A member who may have to be chosen, or whose KTP may be shown.

    Attributes:
        born: year of birth, only where a programme needs it.
    """

    number: MemberNumber
    name: ShortText
    role: Role
    born: Born | None


class NumberTag(Record, frozen=True):
    """By which a typed number is found: the KK's (member 0) or a member's NIK."""

    member: U8
    tag: Annotated[bytes, msgspec.Meta(min_length=TAG_BYTES, max_length=TAG_BYTES)]


class Family(Record, frozen=True):
    """One household: the name of its head, its members, its tags."""

    household: HouseholdId
    name: ShortText
    members: tuple[Person, ...]
    tags: tuple[NumberTag, ...]


class PeopleFile(Record, frozen=True):
    """The people of one desa in one period.

    Attributes:
        look_up_key: 32 bytes for ``make_tag``, sealed once more: it is used in custody alone.
    """

    form: Literal["khb-people-1"]
    desa: Desa
    period: ShortText
    number: U32
    look_up_key: Annotated[bytes, msgspec.Meta(max_length=WRAPPED_KEY_MAX)]
    families: tuple[Family, ...]


def people_path(desa: str) -> str:
    """Where the people of a desa stand in the ledger: ``people/<kecamatan>/<desa>.age``."""
    return f"people/{desa[:6]}/{desa}.age"


def write_people(file: PeopleFile) -> bytes:
    """The file before it is sealed (compressed)."""
    return compress(pack(file))


def seal_people(file: PeopleFile, recipients: Sequence[str]) -> bytes:
    """The file as the decree signs it: sealed to the terminals that serve the desa.

    Raises:
        RecordError: nobody to seal to, or its own reader would refuse it.
    """
    plain = write_people(file)
    read_people(plain)
    return seal(plain, recipients)


def read_people(plain: bytes) -> PeopleFile:
    """Read what was unsealed strictly.

    Raises:
        RecordError: not a people file, or rows out of order.
    """
    data = inflate(plain, size_max=PEOPLE_SIZE_MAX)
    file = unpack_record(data, PeopleFile, size_max=PEOPLE_SIZE_MAX, name="people file")
    if not _rise([f.household for f in file.families]):
        raise RecordError("a people file lists families out of order")
    for family in file.families:
        if not _rise([m.number for m in family.members]):
            raise RecordError("a people file lists members out of order")
        if not _rise([(t.member, t.tag) for t in family.tags]):
            raise RecordError("a people file lists tags out of order")
    return file


def _rise(keys: Sequence[object]) -> bool:
    """Strictly: nothing stands twice."""
    return all(a < b for a, b in pairwise(keys))  # type: ignore[operator]


__all__ = [
    "SEALED_SIZE_MAX",
    "Family",
    "NumberTag",
    "PeopleFile",
    "Person",
    "Role",
    "people_path",
    "read_people",
    "seal_people",
    "write_people",
]
