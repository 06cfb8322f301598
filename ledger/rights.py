"""Rights as installed on this terminal: what is owed, to whom, at which home.

``rights.db`` is built here from bytes that were verified; a database from outside is never opened.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from card_codec.errors import CardCodecError
from card_codec.status import StatusList
from card_codec.trust import TrustList, decode_trust_list, encode_trust_list
from ledger.element import Right
from ledger.errors import RecordError, RightsError
from ledger.policy import DAY, Policy, Programme, read_policy, write_policy
from ledger.rights_file import HouseholdRow, MemberRight, RightsBase, state_root, status_index
from ledger.roll import Roll, read_roll, trusted_key, write_roll

SCHEMA = """
CREATE TABLE part (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE base (
    number INTEGER PRIMARY KEY, kecamatan TEXT UNIQUE NOT NULL, root BLOB NOT NULL,
    count INTEGER NOT NULL, office_time INTEGER NOT NULL, status BLOB NOT NULL
) STRICT;
CREATE TABLE desa (number INTEGER PRIMARY KEY, code TEXT UNIQUE NOT NULL) STRICT;
CREATE TABLE household (
    id BLOB PRIMARY KEY, base INTEGER NOT NULL, ordinal INTEGER NOT NULL, desa INTEGER NOT NULL,
    issue INTEGER NOT NULL, class INTEGER NOT NULL, flags INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE member_right (
    household BLOB NOT NULL, programme INTEGER NOT NULL, member INTEGER NOT NULL,
    quantity INTEGER NOT NULL, PRIMARY KEY (household, programme, member)
) STRICT, WITHOUT ROWID;
"""


class Versions(msgspec.Struct, frozen=True):
    """Which ledger is installed under which root, and how new its signed times are (Unix s)."""

    ledger: int
    timestamp_time: int
    office_time: int
    root: int = 0


@dataclass(frozen=True, slots=True)
class Household:
    """A household as the installed ledger lists it.

    Attributes:
        row: what the decree lists.
        place: name of its desa.
        kecamatan: whose rights file it stands in.
        office_time: newest offline signature over that kecamatan.
    """

    row: HouseholdRow
    place: str
    kecamatan: str
    ordinal: int
    count: int
    office_time: int
    status: StatusList


@dataclass(frozen=True, slots=True)
class BaseToInstall:
    """A verified base with its verified status bits."""

    base: RightsBase
    status: StatusList
    office_time: int


class Rights:
    """The installed ledger, opened for reading."""

    def __init__(self, path: Path) -> None:
        """Open the installed ledger.

        Raises:
            RightsError: nothing is installed, or it is damaged.
        """
        if not path.is_file():
            raise RightsError("no ledger is installed yet; sync once or bring a USB stick")
        self.inode = os.stat(path).st_ino  # before it is opened: a newer one is then noticed
        self._status: dict[int, StatusList] = {}
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None,
            check_same_thread=False,
        )  # fmt: skip
        try:
            parts = dict(self._rows("SELECT name, data FROM part"))
            self.versions = msgspec.json.decode(parts["versions"], type=Versions)
            self.policy: Policy = read_policy(parts["policy"])
            self.roll: Roll = read_roll(parts["roll"])
            self.trust: TrustList = decode_trust_list(parts["trust"])
            self._desa = dict(self._rows("SELECT number, code FROM desa"))
        except (KeyError, TypeError, msgspec.MsgspecError, RecordError, CardCodecError) as error:
            self._db.close()
            raise _damaged(error) from error
        except RightsError:
            self._db.close()
            raise
        self._homes = {p.desa: p.home for p in self.policy.places}
        self._place_names = {p.desa: p.name for p in self.policy.places}
        self._points = {t.ordinal: t.point for t in self.roll.terminals}
        self._home_exceptions = {(e.desa, e.programme): e.home for e in self.policy.home_exceptions}

    def check_pages(self) -> None:
        """Let SQLite look through the whole file.

        Raises:
            RightsError: it does not hold together.
        """
        found = self._rows("PRAGMA quick_check(1)")[0][0]
        if found != "ok":
            raise _damaged(found)

    def household(self, id: bytes) -> Household | None:
        """Find a household by its 8-byte id; None when it has no row here."""
        rows = self._rows(
            "SELECT h.ordinal, h.desa, h.issue, h.class, h.flags, b.number, b.kecamatan, b.count,"
            " b.office_time FROM household h JOIN base b ON b.number = h.base WHERE h.id = ?",
            id,
        )
        if not rows:
            return None
        ordinal, desa, issue, class_number, flags, base, kecamatan, count, office_time = rows[0]
        members = self._rows(
            "SELECT member, programme, quantity FROM member_right WHERE household = ?", id
        )
        listed = HouseholdRow(
            id,
            self._desa[desa],
            issue,
            class_number,
            flags,
            tuple(MemberRight(*m) for m in members),
        )
        status = self._status_of(base)
        place = self._place_names.get(listed.desa, listed.desa)
        return Household(listed, place, kecamatan, ordinal, count, office_time, status)

    def quantity(self, household: Household, right: Right) -> int | None:
        """What the right holds in its window; None when the household has no such right."""
        if right.member:
            held = [
                m.quantity
                for m in household.row.members
                if m.member == right.member and m.programme == right.programme
            ]
            return (held[0] or None) if held else None
        listed = self.policy.class_numbered(household.row.class_number)
        return (listed.quantity(right.programme) or None) if listed else None

    def members(self, household: Household, programme: Programme) -> tuple[int, ...]:
        """Numbers of the persons who have a right by this programme."""
        number = programme.number
        return tuple(
            sorted(m.member for m in household.row.members if m.programme == number and m.quantity)
        )

    def blocked(self, household: Household, issue: int) -> bool:
        """Whether the status bit of that card is set."""
        index = status_index(household.ordinal, issue=issue, count=household.count)
        return index < household.status.size and household.status.is_set(index)

    def home_terminal(self, household: Household, programme: Programme) -> int | None:
        """Ordinal of the one home terminal for this household and programme."""
        desa = household.row.desa
        exception = self._home_exceptions.get((desa, programme.number))
        return exception if exception is not None else self._homes.get(desa)

    def point(self, terminal: int) -> str | None:
        """The service point of a terminal, by its ordinal."""
        return self._points.get(terminal)

    def age(self, household: Household, late: int) -> int:
        """Age of the rights over this household, in seconds (DESIGN: the larger of two)."""
        quiet = self.policy.quiet_days * DAY
        online = late - self.versions.timestamp_time
        return max(0, online, late - household.office_time - quiet)

    def full_trust(self) -> TrustList:
        """Issuers, log keys and every terminal's key in one list."""
        keys = self.trust.keys + tuple(trusted_key(t) for t in self.roll.terminals)
        return TrustList(version=self.trust.version, keys=keys)

    def blocked_cards(self) -> frozenset[tuple[bytes, int]]:
        """Every card whose status bit is set, as household and issue number."""
        found = set()
        for base, count, data in self._rows("SELECT number, count, status FROM base"):
            ids = self._rows("SELECT id FROM household WHERE base = ? ORDER BY ordinal", base)
            if len(ids) != count:
                raise _damaged("households are missing")
            bits = StatusList.decode(data).bits if count else b""
            for index in (at * 8 + k for at, byte in enumerate(bits) for k in _set_bits(byte)):
                found.add((ids[index % count][0], index // count + 1))
        return frozenset(found)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _status_of(self, base: int) -> StatusList:
        if base not in self._status:
            [(data,)] = self._rows("SELECT status FROM base WHERE number = ?", base)
            self._status[base] = StatusList.decode(data)
        return self._status[base]

    def _rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _damaged(error) from error


def _damaged(what: object) -> RightsError:
    told = " ".join(str(what).split())
    return RightsError(f"the installed ledger is damaged ({told}); sync again")


def _set_bits(byte: int) -> tuple[int, ...]:
    return tuple(k for k in range(8) if byte >> k & 1) if byte else ()


def build_rights(
    path: Path,
    *,
    versions: Versions,
    policy: Policy,
    roll: Roll,
    trust: TrustList,
    bases: list[BaseToInstall],
) -> None:
    """Build ``rights.db`` beside the old one and switch atomically.

    Raises:
        RightsError: the disk refused; the old ledger stands.
    """
    building = path.with_name(".building-rights.db")
    try:
        building.unlink(missing_ok=True)
        with closing(sqlite3.connect(building, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=OFF")
            db.executescript("BEGIN;" + SCHEMA)
            parts = {
                "versions": msgspec.json.encode(versions),
                "policy": write_policy(policy),
                "roll": write_roll(roll),
                "trust": encode_trust_list(trust),
            }
            db.executemany("INSERT INTO part VALUES (?, ?)", parts.items())
            for number, to_install in enumerate(bases):
                _insert_base(db, number, to_install)
            db.execute("COMMIT")
        _switch(building, path)
    except (sqlite3.Error, OSError) as error:
        building.unlink(missing_ok=True)
        raise RightsError(f"could not install the ledger ({error}); the old one stands") from error


def _insert_base(db: sqlite3.Connection, number: int, to_install: BaseToInstall) -> None:
    base = to_install.base
    db.execute(
        "INSERT INTO base VALUES (?, ?, ?, ?, ?, ?)",
        (number, base.kecamatan, state_root(base), base.count, to_install.office_time,
         to_install.status.encode()),
    )  # fmt: skip
    db.executemany(
        "INSERT OR IGNORE INTO desa (code) VALUES (?)", [(code,) for code in base.desa_codes]
    )
    desa = {code: n for n, code in db.execute("SELECT number, code FROM desa")}
    persons: list[tuple[bytes, int, int, int]] = []
    households = []
    for ordinal, row in enumerate(base.rows()):
        households.append(
            (row.household, number, ordinal, desa[row.desa], row.issue, row.class_number, row.flags)
        )
        persons += [(row.household, m.programme, m.member, m.quantity) for m in row.members]
    db.executemany("INSERT INTO household VALUES (?, ?, ?, ?, ?, ?, ?)", households)
    db.executemany("INSERT INTO member_right VALUES (?, ?, ?, ?)", persons)


def _switch(building: Path, path: Path) -> None:
    for target in (building, building.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if target == building:
            os.replace(building, path)
