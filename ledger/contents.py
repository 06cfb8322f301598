"""What a thief of this terminal could read, told by opening what really lies in its folder.

Everything is derived from the files: databases are counted, sealed files are tried with the key of
the day, keys are read as their owner reads them, and a file nobody knows is told as readable. It is
the list of data that UU 27/2022 art. 46 asks for within 3×24 hours. See docs/privacy.md.
"""

from __future__ import annotations

import sqlite3
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

import msgspec

from ledger.contents_files import Lying, is_disk_encrypted, lying_files, swap_areas
from ledger.custody import KeyCustody
from ledger.entry import CONTENT, Kind, Pending, Redemption, read_entry
from ledger.errors import FolderError, JournalDamagedError, RecordError, RightsError
from ledger.folder import TerminalFolder
from ledger.fsck import reading_uri
from ledger.locked_key import read_locked
from ledger.people_file import Family, NumberTag, PeopleFile, Person, read_people
from ledger.rights import Rights
from ledger.rights_file import HouseholdRow, MemberRight
from ledger.roll import terminal_name

ENTRY_FIELDS = ("time", "officer's initials")


class Readable(StrEnum):
    """Whether a thief can read it."""

    YES = "yes"
    PIN = "pin"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of record.

    Attributes:
        where: below the terminal's folder.
        count: how many; None where it cannot be told without the day's key.
        fields: what each of them says.
        open: readable to whoever takes the terminal while the day is open.
        closed: readable to whoever takes it closed, or its disk alone.
    """

    where: str
    what: str
    count: int | None
    fields: tuple[str, ...]
    open: Readable
    closed: Readable


@dataclass(frozen=True, slots=True)
class Village:
    """The people file of one desa; counts are None while the day is closed.

    Attributes:
        ours: whether this terminal's key opens it.
    """

    where: str
    desa: str
    name: str
    size_bytes: int
    ours: bool | None
    families: int | None
    members: int | None
    born: int | None
    tags: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """A key in the folder, and what a thief would have of it."""

    where: str
    what: str
    open: Readable
    closed: Readable
    worth: str


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in the folder."""

    terminal: str
    day_open: bool
    disk_encrypted: bool | None
    swap: tuple[str, ...]
    records: tuple[Held, ...]
    villages: tuple[Village, ...]
    keys: tuple[Key, ...]
    others: tuple[Lying, ...]


def read_contents(
    folder: TerminalFolder, custody: KeyCustody, *, day_open: bool | None = None
) -> Contents:
    """Open everything and count; nothing is changed.

    Args:
        folder: the terminal's.
        custody: opens what is sealed, as far as it can.
        day_open: whether the day is open, where custody holds a key of its own.

    Raises:
        LedgerError: a database of the terminal is damaged.
    """
    config = folder.config
    files = lying_files(folder)
    rights = _rights(folder)
    names = {place.desa: place.name for place in rights.policy.places} if rights else {}
    records = [*_of_rights(rights), *_of_journal(folder, rights), *_of_files(files)]
    villages = tuple(_village(folder, one, names, custody) for one in files if one.is_people)
    if rights is not None:
        rights.close()
    return Contents(
        terminal=terminal_name(config.ordinal, config.epoch),
        day_open=custody.is_open() if day_open is None else day_open,
        disk_encrypted=is_disk_encrypted(folder.root),
        swap=swap_areas(),
        records=(*records, *_of_people(villages)),
        villages=villages,
        keys=tuple(_keys(folder, files, villages)),
        others=tuple(one for one in files if one.kind is None),
    )


def _rights(folder: TerminalFolder) -> Rights | None:
    try:
        return Rights(folder.rights)
    except RightsError:
        if folder.rights.exists():
            raise
        return None


def _of_rights(rights: Rights | None) -> Iterator[Held]:
    """Pseudonyms of the households listed, and of the persons with rights of their own."""
    if rights is None:
        return
    households: Tally[str] = Tally()
    persons: Tally[str] = Tally()
    for kecamatan, row in rights.rows():
        households[kecamatan] += 1
        persons[kecamatan] += len(row.members)
    listed = tuple(f.name for f in fields(HouseholdRow) if f.name != "members")
    owed = ("household", *(f.name for f in fields(MemberRight)))
    for kecamatan, count in sorted(households.items()):
        what = f"households of {kecamatan} (pseudonyms)"
        yield Held("rights.db", what, count, listed, Readable.YES, Readable.YES)
        what = f"rights of persons of {kecamatan} (pseudonyms)"
        yield Held("rights.db", what, persons[kecamatan], owed, Readable.YES, Readable.YES)
    blocked = len(rights.blocked_cards())
    issue = ("household", "issue")
    yield Held("rights.db", "blocked cards", blocked, issue, Readable.YES, Readable.YES)


def _of_journal(folder: TerminalFolder, rights: Rights | None) -> Iterator[Held]:
    """What was given, refused and looked up, by kind and by programme."""
    if not folder.journal.exists():
        return
    try:
        with closing(sqlite3.connect(reading_uri(folder.journal), uri=True)) as db:
            kinds, programmes = _tallied(db)
            sql = "SELECT count(*) FROM element WHERE basis = 0"
            (elsewhere,) = db.execute(sql).fetchone()
    except (sqlite3.Error, RecordError) as error:
        raise JournalDamagedError(f"the journal cannot be read ({error}); run fsck") from error
    yes = Readable.YES
    for kind, count in sorted(kinds.items()):
        said = tuple(f.name for f in msgspec.structs.fields(CONTENT[kind]))
        what = f"entries: {kind.name.lower().replace('_', '-')}"
        yield Held("journal.db", what, count, said + ENTRY_FIELDS, yes, yes)
    for number, count in sorted(programmes.items()):
        programme = rights.policy.programme_numbered(number) if rights else None
        name = programme.id if programme else f"number {number}"
        what = f"redemptions of one person by programme {name}"
        yield Held("journal.db", what, count, ("member",), yes, yes)
    said = ("id", "household", "member", "programme", "window", "quantity", "minute")
    yield Held("journal.db", "redemptions elsewhere (usage)", elsewhere, said, yes, yes)


def _tallied(db: sqlite3.Connection) -> tuple[Tally[Kind], Tally[int]]:
    """Entries by kind, and redemptions of one person by programme: a clinic's are health data."""
    kinds: Tally[Kind] = Tally()
    programmes: Tally[int] = Tally()
    for (body,) in db.execute("SELECT body FROM entry ORDER BY seq"):
        entry = read_entry(body or b"")
        kinds[entry.kind] += 1
        if isinstance(entry.content, Redemption | Pending) and entry.content.member:
            programmes[entry.content.programme] += 1
    return kinds, programmes


def _of_files(files: list[Lying]) -> Iterator[Held]:
    """What the agent brought, and the updater's copies: the same pseudonyms once more."""
    tally: Tally[tuple[str, str]] = Tally()
    for one in files:
        if one.kind is not None and one.told:
            tally[one.room, one.kind] += 1
    for (room, kind), count in sorted(tally.items()):
        yield Held(room, f"files: {kind}", count, (), Readable.YES, Readable.YES)


def _village(
    folder: TerminalFolder, lying: Lying, names: dict[str, str], custody: KeyCustody
) -> Village:
    desa = lying.desa
    file, ours = _opened(folder.root / lying.path, custody)
    families = file.families if file else None
    return Village(
        where=lying.path,
        desa=desa,
        name=names.get(desa, desa),
        size_bytes=lying.size_bytes,
        ours=ours,
        families=None if families is None else len(families),
        members=None if families is None else sum(len(f.members) for f in families),
        born=None
        if families is None
        else sum(m.born is not None for f in families for m in f.members),
        tags=None if families is None else sum(len(f.tags) for f in families),
    )


def _opened(path: Path, custody: KeyCustody) -> tuple[PeopleFile | None, bool | None]:
    """What it says, and whether it is sealed to this terminal; None where the day is closed."""
    if not custody.is_open():
        return None, None
    try:
        return read_people(custody.unseal(path.read_bytes())), True
    except (RecordError, OSError):
        return None, False


def _of_people(villages: tuple[Village, ...]) -> Iterator[Held]:
    """Names and tags, summed over the villages whose installed file opens here."""
    installed = [v for v in villages if v.where.startswith("people/") and v.ours is not False]
    if not installed:
        return

    def total(counts: list[int | None]) -> int | None:
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    said = (("household", "name"), tuple(f.name for f in msgspec.structs.fields(Person)),
            ("household", *(f.name for f in msgspec.structs.fields(NumberTag))))  # fmt: skip
    assert {"household", "name"} <= {f.name for f in msgspec.structs.fields(Family)}
    rows = (
        ("families by name", [v.families for v in installed], said[0]),
        ("members by name", [v.members for v in installed], said[1]),
        ("years of birth", [v.born for v in installed], ("born",)),
        ("tags of NIK and KK numbers", [v.tags for v in installed], said[2]),
    )
    for what, counts, says in rows:
        yield Held("people/", what, total(counts), says, Readable.YES, Readable.PIN)


def _keys(
    folder: TerminalFolder, files: list[Lying], villages: tuple[Village, ...]
) -> Iterator[Key]:
    desa = sorted({v.desa for v in villages if v.ours is not False})
    for one in files:
        if one.room == "keys/":
            yield _key(folder, one, ", ".join(desa) or "no village yet")


def _key(folder: TerminalFolder, one: Lying, desa: str) -> Key:
    yes, no = Readable.YES, Readable.NO
    name = one.path.removeprefix("keys/")
    if name == "terminal.pem":
        try:
            folder.signer()
        except FolderError:
            return Key(one.path, "no key that can be used", yes, yes, "nothing as it lies here")
        worth = (
            "sign journal entries as this terminal: claims up to its home list and away quota,"
            " until it is shut out"
        )
        return Key(one.path, "signing key, in clear", yes, yes, worth)
    if name == "sealing.locked":
        worth = (
            f"read the people of the villages served here ({desa}), and try numbers on their tags"
        )
        return Key(one.path, f"sealing key, {_price(folder)}", yes, Readable.PIN, worth)
    if name == "redeem.sealed":
        worth = (
            "ask chips to prove themselves, and make chips that pass at terminals without a road,"
            " until their generation is retired"
        )
        return Key(one.path, "redeem masters of chips, sealed", yes, Readable.PIN, worth)
    if name == "road.token":
        worth = "fetch and bring bytes at the province's door; no right and no name"
        return Key(one.path, "road token, in clear", yes, yes, worth)
    if name in {"terminal.pub", "sealing.pub", "root.json"}:
        return Key(one.path, "public", no, no, "nothing: it is public")
    if name == "sealing.tries":
        return Key(one.path, "count of wrong PINs", yes, yes, "nothing")
    return Key(one.path, "not known to this software", yes, yes, "look at it yourself")


def _price(folder: TerminalFolder) -> str:
    try:
        locked = read_locked(folder.sealing_key.read_bytes())
    except (RecordError, OSError):
        return "damaged"
    memory = locked.memory_kib // 1024
    return f"locked under the PIN at {memory} MiB × {locked.passes} passes a guess"
