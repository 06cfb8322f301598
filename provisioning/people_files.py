"""People files: for each desa the least a counter needs, sealed to the terminals that serve it.

A member stands in the file only if a counter may have to choose that person (a right of their own)
or compare a KTP (a number that leads to them). A desa that no terminal with a sealing key serves
has no file. See docs/spec/people.md §3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from ledger.errors import RecordError
from ledger.people import homes_of
from ledger.people_file import (
    Family,
    NumberTag,
    PeopleFile,
    Person,
    Role,
    people_path,
    seal_people,
    write_people,
)
from ledger.policy import Policy
from ledger.roll import Terminal
from ledger.sealing import seal
from provisioning.errors import ProvisioningError
from provisioning.look_up_tags import look_up_key, look_up_master
from provisioning.office import Office
from provisioning.roster import Roster

ROLES = {role.value: role for role in Role}


@dataclass(slots=True)
class _Gathered:
    """One household while its rows are read."""

    name: str = ""
    members: dict[int, Person] = field(default_factory=dict)
    tags: list[NumberTag] = field(default_factory=list)

    def family(self, household: bytes) -> Family:
        tags = sorted(self.tags, key=lambda t: (t.member, t.tag))
        members = tuple(self.members[number] for number in sorted(self.members))
        return Family(household, self.name, members, tuple(tags))


def sealed_people(
    office: Office, policy: Policy, period: str, terminals: Iterable[Terminal]
) -> dict[str, bytes]:
    """The sealed people file of every desa that is served, by its path in the ledger.

    The same people sealed to the same terminals give the same bytes as at the last publication.

    Raises:
        ProvisioningError: a name that is too long, or another value no counter could read.
    """
    recipients = _recipients(office.roster, terminals)
    found: dict[str, bytes] = {}
    for place in policy.places:
        to = sorted(recipients[t] for t in homes_of(policy, place.desa) if t in recipients)
        if to:
            path = people_path(place.desa)
            found[path] = _sealed(office, place.desa, period, to)
    _forget(office.roster, period, set(found))
    return found


def _forget(roster: Roster, period: str, sealed: set[str]) -> None:
    """Of a period that is over the office keeps no tag, and no file of a desa no longer served."""
    roster.db.execute("DELETE FROM look_up_tag WHERE period != ?", (period,))
    kept = [path for (path,) in roster.db.execute("SELECT path FROM sealed").fetchall()]
    for path in set(kept) - sealed:
        roster.db.execute("DELETE FROM sealed WHERE path = ?", (path,))


def _recipients(roster: Roster, terminals: Iterable[Terminal]) -> dict[int, str]:
    """Sealing recipients of the terminals that serve, by ordinal; the newest epoch's."""
    serving = {(t.ordinal, t.epoch) for t in terminals if t.shut_out is None}
    rows = roster.db.execute(
        "SELECT ordinal, epoch, recipient FROM terminal_sealing ORDER BY ordinal, epoch"
    )
    return {ordinal: to for ordinal, epoch, to in rows if (ordinal, epoch) in serving}


def _sealed(office: Office, desa: str, period: str, recipients: list[str]) -> bytes:
    key = look_up_key(look_up_master(office), period, desa)
    draft = PeopleFile("khb-people-1", desa, period, 0, b"", _families(office.roster, desa, period))
    digest = hashlib.sha256()
    for part in (write_people(draft), key, *(one.encode() for one in recipients)):
        digest.update(hashlib.sha256(part).digest())
    path = people_path(desa)
    kept = office.roster.db.execute(
        "SELECT data FROM sealed WHERE path = ? AND digest = ?", (path, digest.digest())
    ).fetchone()
    if kept is not None:
        return bytes(kept[0])
    file = msgspec.structs.replace(
        draft,
        number=office.roster.number(path, digest.digest()),
        look_up_key=seal(key, recipients),
    )
    try:
        data = seal_people(file, recipients)
    except RecordError as error:
        raise ProvisioningError(
            f"the people of {desa} cannot be sealed: {error.detail}; correct the roster"
        ) from error
    office.roster.replace_all("sealed", [(path, digest.digest(), data)])
    return data


def _families(roster: Roster, desa: str, period: str) -> tuple[Family, ...]:
    """Every household of a desa with those of its members a counter may meet by name."""
    found: dict[bytes, _Gathered] = {}
    for household, name in roster.db.execute(
        "SELECT h.id, m.name FROM household h JOIN member m ON m.household = h.id AND m.number = 1"
        " WHERE h.desa = ?",
        (desa,),
    ):
        found[household] = _Gathered(name)
    for household, member, tag in roster.db.execute(
        "SELECT t.household, t.member, t.tag FROM look_up_tag t"
        " JOIN household h ON h.id = t.household AND h.desa = t.desa"
        " WHERE t.desa = ? AND t.period = ?",
        (desa, period),
    ):
        found[household].tags.append(NumberTag(member, tag))
    for household, number, name, role, born, entitled in roster.db.execute(
        "SELECT m.household, m.number, m.name, m.role, m.born,"
        " EXISTS (SELECT 1 FROM person_right p"
        "  WHERE p.household = m.household AND p.member = m.number)"
        " FROM member m JOIN household h ON h.id = m.household WHERE h.desa = ?",
        (desa,),
    ):
        family = found[household]
        if entitled or any(tag.member == number for tag in family.tags):
            family.members[number] = Person(
                number, name, ROLES.get(role, Role.OTHER), born if entitled else None
            )
    return tuple(found[household].family(household) for household in sorted(found))
