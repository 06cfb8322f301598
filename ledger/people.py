"""The people files of this terminal: which it holds, and what they say while the day is open.

On the disk they lie as the office sealed them (``people/<desa>.age``). What is opened stays in the
memory of the process and is let go of when the day is closed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ledger.custody import KeyCustody
from ledger.errors import ClosedError, RecordError
from ledger.folder import TerminalFolder, write_whole
from ledger.look_up import KEY_BYTES
from ledger.people_file import Family, PeopleFile, read_people
from ledger.policy import Policy
from ledger.sealing import SEALED_SIZE_MAX

INDEX = "index.json"
INDEX_SIZE_MAX = 1024 * 1024
Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Whose number it is: a member's NIK, or the household's KK number (member 0)."""

    family: Family
    desa: str
    member: int


@dataclass(frozen=True, slots=True)
class People:
    """Opened people files, in memory alone.

    Attributes:
        files: by desa.
        problems: one sentence for each file that could not be opened.
    """

    files: dict[str, PeopleFile] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    _families: dict[bytes, Family] = field(default_factory=dict)
    _tags: dict[str, dict[bytes, list[Match]]] = field(default_factory=dict)

    def family(self, household: bytes) -> Family | None:
        """A household, if its desa is served here and the day is open."""
        return self._families.get(household)

    def names(self, household: bytes) -> dict[int, str]:
        """Names by member; 0 is the household's, by its head."""
        family = self._families.get(household)
        if family is None:
            return {}
        return {0: family.name} | {member.number: member.name for member in family.members}

    def find(self, stretched: bytes, custody: KeyCustody) -> list[Match]:
        """Whose number this is; one match for each household.

        Args:
            stretched: what ``ledger.look_up.stretch`` made of the number.
            custody: makes the tag of each desa.

        Raises:
            ClosedError: the day was closed meanwhile.
            RecordError: a look-up key is sealed to another terminal.
        """
        found: dict[bytes, Match] = {}
        for desa, file in self.files.items():
            tag = custody.tag(file.look_up_key, stretched)
            for match in self._tags[desa].get(tag, ()):
                found.setdefault(match.family.household, match)
        return list(found.values())


NOBODY = People()
"""While the day is closed."""


def open_people(folder: TerminalFolder, custody: KeyCustody) -> People:
    """Open every people file this terminal holds; one that cannot be opened is told and left out.

    Raises:
        ClosedError: the day is not open.
    """
    verified = _verified(folder.people)
    files: dict[str, PeopleFile] = {}
    problems: list[str] = []
    for path in people_files(folder.people):
        try:
            files[path.stem] = _open(path, verified, custody)
        except ClosedError:
            raise
        except (RecordError, OSError) as error:
            problems.append(f"the people of {path.stem} stay closed: {error}")
    return _indexed(files, problems)


def served_desa(policy: Policy, terminal: int) -> tuple[str, ...]:
    """Desa whose people a terminal may read: those it is home to by any programme."""
    return tuple(
        place.desa
        for place in policy.places
        if terminal in homes_of(policy, place.desa) and terminal
    )


def homes_of(policy: Policy, desa: str) -> frozenset[int]:
    """Terminals that are home to a desa by any programme; their keys its people are sealed to."""
    homes = {policy.home_terminal(desa, programme.number) for programme in policy.programmes}
    return frozenset(home for home in homes if home)


def people_files(directory: Path) -> list[Path]:
    """The sealed files in a folder, in order of their desa."""
    return sorted(path for path in directory.glob("*.age") if path.is_file())


def fingerprint(directory: Path) -> Fingerprint:
    """What lies there, told without reading it: changes when a file is put or taken away."""
    found = []
    for path in people_files(directory):
        stat = os.stat(path)
        found.append((path.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def write_index(directory: Path, people: Mapping[str, bytes]) -> None:
    """Note which sealed files were verified, by desa; what is not noted is never opened.

    Raises:
        FolderError: the disk refused.
    """
    digests = {desa: hashlib.sha256(sealed).hexdigest() for desa, sealed in people.items()}
    write_whole(directory / INDEX, msgspec.json.encode(digests, order="sorted"), mode=0o600)


def _verified(directory: Path) -> dict[str, str]:
    """SHA-256 of every file as it was verified, in hex, by desa."""
    try:
        with (directory / INDEX).open("rb") as file:
            return msgspec.json.decode(file.read(INDEX_SIZE_MAX), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}


def _open(path: Path, verified: dict[str, str], custody: KeyCustody) -> PeopleFile:
    """Age tells nothing of who sealed: only bytes that the decree signed are opened."""
    with path.open("rb") as opened:
        sealed = opened.read(SEALED_SIZE_MAX + 1)
    desa = path.stem
    if hashlib.sha256(sealed).hexdigest() != verified.get(desa):
        raise RecordError("it is not the file that the decree signed; sync again")
    file = read_people(custody.unseal(sealed))
    if file.desa != desa:
        raise RecordError(f"it holds the people of {file.desa}; tell the office")
    custody.tag(file.look_up_key, bytes(KEY_BYTES))  # a look-up must not fail later
    return file


def _indexed(files: dict[str, PeopleFile], problems: Iterable[str]) -> People:
    families: dict[bytes, Family] = {}
    tags: dict[str, dict[bytes, list[Match]]] = {}
    for desa, file in files.items():
        by_tag = tags.setdefault(desa, {})
        for family in file.families:
            families[family.household] = family
            for tag in family.tags:
                by_tag.setdefault(tag.tag, []).append(Match(family, desa, tag.member))
    return People(files, tuple(problems), families, tags)
