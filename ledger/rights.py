"""Rights as installed on this terminal: what is owed, to whom, at which home.

``rights.db`` is built here from bytes that were verified; a database from outside is never opened.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from card_codec.errors import CardCodecError
from card_codec.status import StatusList
from card_codec.trust import TrustList, decode_trust_list
from ledger.changes_file import Clearing, Correction
from ledger.element import Right
from ledger.errors import RecordError, RightsError
from ledger.policy import DAY, Policy, Programme
from ledger.rights_build import Versions, base_of, ordinal_of, unpack_row
from ledger.rights_file import HouseholdRow, status_index
from ledger.roll import Roll, trusted_key


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
class _Base:
    """What holds for every household of one rights file."""

    number: int
    kecamatan: str
    count: int
    office_time: int
    desa_codes: tuple[str, ...]
    status: StatusList


IDS_AT_ONCE = 500


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
        self._bases: dict[int, _Base] = {}
        self._last: tuple[bytes, Household | None] | None = None
        # Never changed in place, only replaced whole: SQLite need not lock it at every look-up.
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None,
            check_same_thread=False,
        )  # fmt: skip
        try:
            parts = dict(self._rows("SELECT name, data FROM part"))
            self.versions = msgspec.json.decode(parts["versions"], type=Versions)
            self.policy: Policy = msgspec.msgpack.decode(parts["policy"], type=Policy)
            self.roll: Roll = msgspec.msgpack.decode(parts["roll"], type=Roll)
            self.trust: TrustList = decode_trust_list(parts["trust"])
        except (KeyError, TypeError, msgspec.MsgspecError, RecordError, CardCodecError) as error:
            self._db.close()
            raise _damaged(error) from error
        except RightsError:
            self._db.close()
            raise
        self._places = {place.desa: place for place in self.policy.places}
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
        if self._last is None or self._last[0] != id:  # a redemption mostly follows its look
            self._last = (id, self._find(id))
        return self._last[1]

    def _find(self, id: bytes) -> Household | None:
        rows = self._rows("SELECT packed FROM household WHERE id = ?", id)
        if not rows:
            return None
        packed = rows[0][0]
        base = self._base(base_of(packed))
        listed, ordinal = unpack_row(id, packed, base.desa_codes)
        known = self._places.get(listed.desa)
        place = known.name if known else listed.desa
        return Household(
            listed, place, base.kecamatan, ordinal, base.count, base.office_time, base.status
        )

    def rows(self) -> Iterator[tuple[str, HouseholdRow]]:
        """Every household with its kecamatan (for reports)."""
        for id, packed in self._rows("SELECT id, packed FROM household"):
            base = self._base(base_of(packed))
            yield base.kecamatan, unpack_row(id, packed, base.desa_codes)[0]

    def kecamatan_of(self, ids: Sequence[bytes]) -> dict[bytes, str]:
        """The kecamatan of each of these households that has a row here; many at a time."""
        found = {}
        for at in range(0, len(ids), IDS_AT_ONCE):
            some = ids[at : at + IDS_AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT id, packed FROM household WHERE id IN ({marks})"  # noqa: S608
            for id, packed in self._rows(query, *some):
                found[id] = self._base(base_of(packed)).kecamatan
        return found

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

    def price(self, household: Household, programme: Programme) -> int | None:
        """What this household pays for one unit, rupiah; None for the programme's price."""
        listed = self.policy.class_numbered(household.row.class_number)
        return listed.price(programme.number) if listed else None

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
        if exception is not None:
            return exception
        place = self._places.get(desa)
        return place.home if place else None

    def point(self, terminal: int) -> str | None:
        """The service point of a terminal, by its ordinal."""
        return self._points.get(terminal)

    def age(self, household: Household | None, late: int) -> int:
        """Age of the rights over this household, in seconds (DESIGN: the larger of two).

        Of one that is not listed here, the age of all that was installed.
        """
        quiet = self.policy.quiet_days * DAY
        online = late - self.versions.timestamp_time
        signed = late - household.office_time - quiet if household else 0
        return max(0, online, signed)

    def full_trust(self) -> TrustList:
        """Issuers, log keys and every terminal's key in one list."""
        keys = self.trust.keys + tuple(trusted_key(t) for t in self.roll.terminals)
        return TrustList(version=self.trust.version, keys=keys)

    def blocked_cards(self) -> frozenset[tuple[bytes, int]]:
        """Every card whose status bit is set, as household and issue number."""
        bases = [self._base(number) for (number,) in self._rows("SELECT number FROM base")]
        wanted: dict[tuple[int, int], list[int]] = {}
        for base in bases:
            for index in base.status.indices() if base.count else ():
                issue, ordinal = divmod(index, base.count)
                wanted.setdefault((base.number, ordinal), []).append(issue + 1)
        if not wanted:
            return frozenset()
        found: set[tuple[bytes, int]] = set()
        seen = 0
        for id, packed in self._rows("SELECT id, packed FROM household"):
            seen += 1
            number = base_of(packed)
            found.update((id, issue) for issue in wanted.get((number, ordinal_of(packed)), ()))
        if seen != sum(base.count for base in bases):
            raise _damaged("households are missing")
        return frozenset(found)

    def cleared(self) -> frozenset[Clearing]:
        """Every clearing of a block that was applied."""
        rows = self._rows("SELECT household, issue, number FROM cleared")
        return frozenset(Clearing(*row) for row in rows)

    def corrected(self) -> frozenset[Correction]:
        """Every redemption that the installed changes take back."""
        rows = self._rows("SELECT terminal, epoch, seq, household, number FROM corrected")
        return frozenset(Correction(*row) for row in rows)

    def changes(self) -> dict[str, int]:
        """Number of the newest changes of each kecamatan installed here."""
        return dict(self._rows("SELECT kecamatan, changes FROM base"))

    def changes_by(self) -> dict[str, str]:
        """Which keys might sign the changes of each kecamatan when they were installed."""
        return dict(self._rows("SELECT kecamatan, changes_by FROM base"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _base(self, number: int) -> _Base:
        if number not in self._bases:
            rows = self._rows(
                "SELECT kecamatan, count, office_time, desa, status FROM base WHERE number = ?",
                number,
            )
            if not rows:
                raise _damaged("a household stands in no rights file")
            kecamatan, count, office_time, desa, status = rows[0]
            bits = StatusList.decode(status)
            self._bases[number] = _Base(
                number, kecamatan, count, office_time, tuple(desa.split()), bits
            )
        return self._bases[number]

    def _rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _damaged(error) from error


def _damaged(what: object) -> RightsError:
    told = " ".join(str(what).split())
    return RightsError(f"the installed ledger is damaged ({told}); sync again")
