"""Tags by which families are found: made from a list of numbers, of which nothing else is kept.

One line of the list is ``household,member,number`` with member 0 for the KK. Each number is made
slow to guess (argon2id, on every processor), tagged with the look-up key of its desa, and let go
of. See docs/spec/people.md §4.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from card_codec.refusal import Refused
from ledger.folder import write_whole
from ledger.look_up import KEY_BYTES, make_tag, read_number, stretch
from ledger.policy import LookUpRules
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.numbers import invent_number
from provisioning.office import Office
from provisioning.policy_table import look_up_rules, read_policy_table
from provisioning.progress import show_progress
from provisioning.roster import RosterHousehold

SALT_CONTEXT = b"KHB-LOOK-UP-SALT-v1\x00"
KEY_CONTEXT = b"KHB-LOOK-UP-KEY-v1\x00"
LINE_LENGTH_MAX = 120
BATCH = 1_000
SALT_BYTES = 16
DEMO_ROLES = ("head", "spouse", "parent")
"""Of the made-up people, those who would have a KTP; a child is found by the KK."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """One number and whose it is: a member's NIK, or (member 0) the household's KK number."""

    household: bytes
    member: int
    number: str

    def __repr__(self) -> str:
        return f"Numbered({self.household.hex()}, {self.member})"


@dataclass(frozen=True, slots=True)
class Tagged:
    """What was made.

    Attributes:
        tags: numbers that lead to their household now.
        doubled: households with a number that another one has too; a person must look at them.
    """

    tags: int
    doubled: tuple[str, ...]


def tag_numbers(office: Office, numbers: Iterable[Numbered]) -> Tagged:
    """Make and keep the tags of these numbers; the numbers themselves are not kept.

    Every ``BATCH`` of them is kept at once: a list that is broken off need only be given again
    from there.

    Raises:
        ProvisioningError: a household or member that the roster does not list.
    """
    table = read_policy_table(office.policy_table)
    master = look_up_master(office)
    rules = look_up_rules(table, salt=look_up_salt(master, table.period))
    listed = list(numbers)
    desa = _desa_of(office, listed)
    # Of the whole office, not of a desa: one number in two families is one too many.
    first: dict[bytes, bytes] = {}
    doubled: set[bytes] = set()
    with show_progress("Making tags", len(listed)) as advance, _workers() as pool:
        for batch in (listed[at : at + BATCH] for at in range(0, len(listed), BATCH)):
            rows = []
            for one, stretched in zip(batch, _stretched(pool, batch, rules), strict=True):
                other = first.setdefault(stretched, one.household)
                if other != one.household:
                    doubled |= {other, one.household}
                key = look_up_key(master, table.period, desa[one.household])
                tag = make_tag(key, stretched)
                rows.append((one.household, one.member, desa[one.household], table.period, tag))
            with office.roster.db.atomic():
                office.roster.replace_all("look_up_tag", rows)
            advance(len(batch))
    return Tagged(len(listed), tuple(sorted(id.hex() for id in doubled)))


def read_numbers(path: Path) -> Iterator[Numbered]:
    """Numbers of a list, line by line.

    Raises:
        WrongUseError: a line that is none; it is named by its place, never by its text.
    """
    try:
        with path.open("r", encoding="ascii") as file:
            for place, line in enumerate(iter(lambda: file.readline(LINE_LENGTH_MAX), ""), 1):
                yield _line(line.strip(), place)
    except OSError as error:
        raise WrongUseError(f"cannot read {path}: {error.strerror}; check --numbers") from error
    except UnicodeDecodeError as error:
        raise WrongUseError(f"{path} is not a list of numbers; check --numbers") from error


def demo_numbers(office: Office, households: Iterable[bytes] | None = None) -> Iterator[Numbered]:
    """Numbers of the made-up people of a demonstration: of these families, or of all.

    Raises:
        WrongUseError: this is no demonstration; its people have numbers of their own.
        ProvisioningError: a household that the roster does not list.
    """
    seed = office.config.demo_seed
    if seed is None:
        raise WrongUseError(
            "this office's people are no inventions; give the list of their numbers with --numbers"
        )
    wanted = None if households is None else list(households)
    for household in office.roster.households() if wanted is None else _named(office, wanted):
        marks = ", ".join("?" * len(DEMO_ROLES))
        members = office.roster.db.execute(
            f"SELECT number FROM member WHERE household = ? AND role IN ({marks}) ORDER BY number",  # noqa: S608 - marks alone
            (household.id, *DEMO_ROLES),
        ).fetchall()
        for member in (0, *(number for (number,) in members)):
            number = invent_number(seed, household.id, member, kecamatan=household.kecamatan)
            yield Numbered(household.id, member, number)


def look_up_master(office: Office) -> bytes:
    """The office's secret of 32 bytes, made when it is first needed.

    Raises:
        ProvisioningError: it is damaged.
    """
    path = office.look_up_master
    if not path.exists():
        write_whole(path, f"{secrets.token_bytes(KEY_BYTES).hex()}\n".encode(), mode=0o600)
    try:
        master = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ProvisioningError(f"{path} is damaged; restore it from a copy") from error
    if len(master) != KEY_BYTES:
        raise ProvisioningError(f"{path} is damaged; restore it from a copy")
    return master


def look_up_salt(master: bytes, period: str) -> bytes:
    """Salt of a period (16 bytes): no tag of one period is a tag of another."""
    return _derived(master, SALT_CONTEXT, period)[:SALT_BYTES]


def look_up_key(master: bytes, period: str, desa: str) -> bytes:
    """Look-up key of a desa in a period (32 bytes), for the terminals that serve it."""
    return _derived(master, KEY_CONTEXT, f"{period}\x00{desa}")


def _derived(master: bytes, context: bytes, name: str) -> bytes:
    return hmac.new(master, context + name.encode(), hashlib.sha256).digest()


def _workers() -> ThreadPoolExecutor:
    """argon2id lets go of Python's lock, so threads use every processor."""
    return ThreadPoolExecutor(os.cpu_count() or 1)


def _stretched(
    pool: ThreadPoolExecutor, numbers: list[Numbered], rules: LookUpRules
) -> Iterator[bytes]:
    return pool.map(lambda one: stretch(one.number, rules), numbers)


def _line(text: str, place: int) -> Numbered:
    household, _, rest = text.partition(",")
    member, _, typed = rest.partition(",")
    number = read_number(typed)
    try:
        id = bytes.fromhex(household)
        at = int(member) if member.isascii() and member.isdigit() and len(member) <= 3 else -1
    except ValueError:
        id, at = b"", -1
    if len(id) != 8 or not 0 <= at <= 255 or isinstance(number, Refused):
        raise WrongUseError(
            f"line {place} of the list is not household,member,number (16 hexadecimal digits, 0 for"
            " the KK or the member's number, 16 digits); correct it"
        )
    return Numbered(id, at, number)


def _named(office: Office, households: Iterable[bytes]) -> Iterator[RosterHousehold]:
    for id in households:
        found = office.roster.household(id)
        if found is None:
            raise ProvisioningError(f"household {id.hex()} is not in the roster; check --household")
        yield found


def _desa_of(office: Office, numbers: Iterable[Numbered]) -> dict[bytes, str]:
    """Desa of every household of the list; its members must be in the roster too."""
    found: dict[bytes, str] = {}
    for one in numbers:
        row = office.roster.db.execute(
            "SELECT h.desa, m.number FROM household h LEFT JOIN member m ON m.household = h.id"
            " AND m.number = ? WHERE h.id = ?",
            (one.member, one.household),
        ).fetchone()
        if row is None or (one.member and row[1] is None):
            raise ProvisioningError(
                f"the roster does not list member {one.member} of household {one.household.hex()};"
                " correct the list"
            )
        found[one.household] = row[0]
    return found
