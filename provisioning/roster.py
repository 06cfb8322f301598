"""The roster: households, their people, terminals and cards of the office (``office.db``).

The only place where names are. No NIK and no KK number is stored. Household ids stand in the
roster because cards and rights are made from it; outside the office they are pseudonyms.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from ledger.rights_file import (
    FLAG_CHIP,
    FLAG_DECEASED,
    FLAG_MOVED,
    FLAG_REMOVED,
    HouseholdRow,
    MemberRight,
)
from provisioning.errors import ProvisioningError, WrongUseError

ROSTER_VERSION = 4

TABLES: dict[
    str, tuple[dict[str, type], str | tuple[str, ...], tuple[tuple[str, str, str], ...]]
] = {
    "kecamatan": ({"code": str, "name": str}, "code", ()),
    "desa": (
        {"code": str, "kecamatan": str, "name": str},
        "code",
        (("kecamatan", "kecamatan", "code"),),
    ),
    "household": (
        {"id": bytes, "desa": str, "class": int, "issue": int, "chip": int, "state": str},
        "id",
        (("desa", "desa", "code"),),
    ),
    "member": (
        {"household": bytes, "number": int, "name": str, "role": str, "born": int},
        ("household", "number"),
        (("household", "household", "id"),),
    ),
    "person_right": (
        {"household": bytes, "member": int, "programme": str, "quantity": int},
        ("household", "member", "programme"),
        (("household", "household", "id"),),
    ),
    "terminal": (
        {
            "ordinal": int,
            "epoch": int,
            "name": str,
            "point": str,
            "home": str,
            "away": int,
            "spki": bytes,
            "token_sha256": str,
            "enrolled": int,
            "shut_out": int,
        },
        ("ordinal", "epoch"),
        (("home", "kecamatan", "code"),),
    ),
    "terminal_holds": (
        {"ordinal": int, "epoch": int, "kecamatan": str},
        ("ordinal", "epoch", "kecamatan"),
        (("kecamatan", "kecamatan", "code"),),
    ),
    "card": (
        {"number": int, "household": bytes, "issue": int, "kind": str, "listed": int, "at": int},
        "number",
        (),
    ),
    # Every chip this card station began: what was to be on it, and whether it is a good card.
    "chip": (
        {
            "number": int,
            "uid": bytes,
            "household": bytes,
            "issue": int,
            "silicon": int,
            "content": bytes,
            "records": bytes,
            "state": str,
            "begun": int,
            "made": int,
        },
        "number",
        (("household", "household", "id"),),
    ),
    "public_key": (
        {
            "spki": bytes,
            "use": str,
            "holder": str,
            "valid_from": int,
            "valid_until": int,
            "revoked_at": int,
        },
        "spki",
        (),
    ),
    # By which a typed number finds a household or its member (0: the number of the KK). Neither
    # the number nor anything it could be told from without the look-up key stands here.
    "look_up_tag": (
        {"household": bytes, "member": int, "desa": str, "period": str, "tag": bytes},
        ("household", "member"),
        (("household", "household", "id"),),
    ),
    "terminal_sealing": (
        {"ordinal": int, "epoch": int, "recipient": str},
        ("ordinal", "epoch"),
        (),
    ),
    # Sealing the same twice gives other bytes: what was sealed is kept until its content changes.
    "sealed": ({"path": str, "digest": bytes, "data": bytes}, "path", ()),
    "numbered": ({"path": str, "digest": bytes, "number": int}, "path", ()),
    "change": (
        {
            "id": int,
            "kecamatan": str,
            "household": bytes,
            "kind": str,
            "value": str,
            "at": int,
            "published": int,
        },
        "id",
        (("kecamatan", "kecamatan", "code"), ("household", "household", "id")),
    ),
}
MAY_BE_NULL = {"born", "made", "shut_out", "valid_until", "revoked_at", "published"}
STATES = {"listed": 0, "moved": FLAG_MOVED, "deceased": FLAG_DECEASED, "ended": FLAG_REMOVED}
"""Whether a household still gets something, and the flag that tells why not."""


@dataclass(frozen=True, slots=True)
class RosterHousehold:
    """One household of the roster, with the name of its head.

    Attributes:
        id: 8 bytes.
        desa: 10-digit code.
        issue: number of its current card.
        name: of member 1, the head of household.
    """

    id: bytes
    desa: str
    desa_name: str
    kecamatan: str
    class_number: int
    issue: int
    chip: bool
    name: str


class Roster:
    """The open roster."""

    def __init__(self, db: Database) -> None:
        self.db = db

    @classmethod
    @contextmanager
    def create(cls, path: Path) -> Iterator[Roster]:
        """Make an empty roster.

        Raises:
            ProvisioningError: the disk refused.
        """
        with _opened(path) as db:
            with db.atomic():
                for name, (columns, key, foreign) in TABLES.items():
                    db.table(name).create(
                        columns,
                        pk=key,
                        not_null=columns.keys() - MAY_BE_NULL,
                        foreign_keys=foreign,
                        strict=True,
                    )
                db.table("household").create_index(["desa"])
                db.table("chip").create_index(["uid"], unique=True)
                db.table("chip").create_index(["household"])
            db.execute(f"PRAGMA user_version = {ROSTER_VERSION}")
            yield cls(db)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Roster]:
        """Open a roster.

        Raises:
            WrongUseError: there is none, or it is of another version.
            ProvisioningError: it is damaged.
        """
        if not path.is_file():
            raise WrongUseError(f"the roster {path} is missing; restore it from a copy")
        with _opened(path) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != ROSTER_VERSION:
                raise WrongUseError(
                    f"{path} is a roster of version {version}, not {ROSTER_VERSION}; "
                    "use the software it was made with"
                )
            yield cls(db)

    def kecamatan(self) -> dict[str, str]:
        """Names of the kecamatan by code, in order."""
        return dict(self.db.execute("SELECT code, name FROM kecamatan ORDER BY code").fetchall())

    def has_desa(self, code: str, kecamatan: str) -> bool:
        """Whether a desa of that code lies in the kecamatan."""
        row = self.db.execute(
            "SELECT 1 FROM desa WHERE code = ? AND kecamatan = ?", (code, kecamatan)
        ).fetchone()
        return row is not None

    def has_terminal(self, ordinal: int, epoch: int) -> bool:
        """Whether a terminal was enrolled under that ordinal and epoch, shut out since or not."""
        row = self.db.execute(
            "SELECT 1 FROM terminal WHERE ordinal = ? AND epoch = ?", (ordinal, epoch)
        ).fetchone()
        return row is not None

    def household(self, id: bytes) -> RosterHousehold | None:
        """A household by its id."""
        return next(self._households("WHERE h.id = ?", (id,)), None)

    def households(
        self, *, desa: str | None = None, limit: int | None = None
    ) -> Iterator[RosterHousehold]:
        """Households in order of desa and id, with the name of their head."""
        where, values = ("WHERE h.desa = ?", (desa,)) if desa else ("", ())
        order = "ORDER BY h.desa, h.id LIMIT ?"
        limit = -1 if limit is None else limit
        yield from self._households(f"{where} {order}", (*values, limit))

    def _households(self, rest: str, values: tuple[object, ...]) -> Iterator[RosterHousehold]:
        columns = "h.id, h.desa, d.name, d.kecamatan, h.class, h.issue, h.chip, m.name"
        tables = (
            "household h JOIN desa d ON d.code = h.desa"
            " JOIN member m ON m.household = h.id AND m.number = 1"
        )
        text = f"SELECT {columns} FROM {tables} {rest}"  # noqa: S608 - all of it is our own text
        rows = self.db.execute(text, values)
        for id, desa, desa_name, kecamatan, class_number, issue, chip, name in rows:
            yield RosterHousehold(
                id, desa, desa_name, kecamatan, class_number, issue, bool(chip), name
            )

    def counts(self) -> dict[str, int]:
        """Households of each kecamatan, those without any too."""
        return dict(
            self.db.execute(
                "SELECT k.code, count(h.id) FROM kecamatan k"
                " LEFT JOIN desa d ON d.kecamatan = k.code LEFT JOIN household h ON h.desa = d.code"
                " GROUP BY k.code ORDER BY k.code"
            ).fetchall()
        )

    def rows(self, kecamatan: str, programmes: dict[str, int]) -> Iterator[HouseholdRow]:
        """Households of a kecamatan as the decree lists them.

        Args:
            kecamatan: 6-digit code.
            programmes: numbers of the programmes of persons, by id.

        Raises:
            ProvisioningError: a right of a programme that is not among them.
        """
        persons: dict[bytes, list[MemberRight]] = {}
        for household, member, programme, quantity in self.db.execute(
            # CROSS JOIN keeps this order: SQLite would go through all persons for each kecamatan.
            "SELECT p.household, p.member, p.programme, p.quantity FROM desa d"
            " CROSS JOIN household h ON h.desa = d.code"
            " CROSS JOIN person_right p ON p.household = h.id WHERE d.kecamatan = ?",
            (kecamatan,),
        ):
            if programme not in programmes:
                raise ProvisioningError(
                    f"the roster gives a person a right by {programme!r}, which the policy table "
                    "does not list as a programme of persons; add it there or take the right out"
                )
            right = MemberRight(member, programmes[programme], quantity)
            persons.setdefault(household, []).append(right)
        for id, desa, issue, class_number, chip, state in self.db.execute(
            "SELECT h.id, h.desa, h.issue, h.class, h.chip, h.state FROM household h"
            " JOIN desa d ON d.code = h.desa WHERE d.kecamatan = ?",
            (kecamatan,),
        ):
            flags = (FLAG_CHIP if chip else 0) | STATES[state]
            yield HouseholdRow(id, desa, issue, class_number, flags, tuple(persons.get(id, ())))

    def number(self, path: str, digest: bytes) -> int:
        """The number of a signed file: one higher than before when its content changed.

        Args:
            path: of the file.
            digest: of its content, the number left out.
        """
        row = self.db.execute(
            "SELECT number, digest FROM numbered WHERE path = ?", (path,)
        ).fetchone()
        if row is not None and row[1] == digest:
            return int(row[0])
        number = 1 if row is None else int(row[0]) + 1
        self.db.table("numbered").upsert(
            {"path": path, "digest": digest, "number": number}, pk="path"
        )
        return number

    def note_change(
        self, household: bytes, *, kecamatan: str, kind: str, value: str, now: int
    ) -> None:
        """Remember what changed since the decree, until a publication carries it."""
        row = {
            "kecamatan": kecamatan,
            "household": household,
            "kind": kind,
            "value": value,
            "at": now,
            "published": None,
        }
        self.db.table("change").insert(row)

    def insert_all(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Insert many rows, columns in the order of the schema."""
        marks = ", ".join("?" * len(TABLES[table][0]))
        self.db.conn.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - own names

    def replace_all(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Insert many rows, each in the place of the one with its key."""
        marks = ", ".join("?" * len(TABLES[table][0]))
        self.db.conn.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)  # noqa: S608 - own names


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    db = Database(path)
    try:
        db.execute("PRAGMA foreign_keys = ON")
        yield db
    except sqlite3.Error as error:
        raise ProvisioningError(
            f"the roster {path} cannot be used ({error}); nothing was changed; "
            "check the disk or restore a copy"
        ) from error
    finally:
        db.close()
