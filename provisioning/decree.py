"""What the decree signs: policy, roll of terminals, trust list, and the rights of each kecamatan.

Made from the roster and the policy table alone: the same input gives the same bytes, because each
file's number rises only when its content changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from card_codec.keys import PublicKey
from card_codec.trust import KeyUse, TrustedKey, TrustList, encode_trust_list
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.policy import Place, Policy, Scope, write_policy
from ledger.record import pack
from ledger.rights_file import HouseholdRow, make_base, state_root, write_base
from ledger.roll import Roll, Terminal, trusted_key, write_roll
from provisioning.errors import ProvisioningError
from provisioning.office import Office
from provisioning.policy_table import PolicyTable, make_policy, read_policy_table
from provisioning.roster import Roster

FULL_TRUST_PATH = "trust.khb"
"""Not part of the ledger: the list that `betang-provision trust` writes, numbered likewise."""
MEMBER_RIGHTS_MAX = 255


@dataclass(frozen=True, slots=True)
class Decree:
    """Everything the decree signs, by TUF target path."""

    files: dict[str, bytes]
    policy_number: int
    households: int
    terminals: int


def make_decree(office: Office) -> Decree:
    """Build every file the decree signs.

    Raises:
        ProvisioningError: the roster is empty or does not fit the policy table.
        WrongUseError: the policy table is wrong.
    """
    table = read_policy_table(office.policy_table)
    roster = office.roster
    counts = roster.counts()
    if not sum(counts.values()):
        raise ProvisioningError("the roster lists no household; import one before publishing")
    empty = next((code for code, count in counts.items() if not count), None)
    if empty is not None:
        raise ProvisioningError(
            f"kecamatan {empty} has no household in the roster; import some or take it out"
        )
    with roster.db.atomic():
        terminals = read_terminals(roster)
        policy = _policy(roster, table, terminals)
        roll = _roll(roster, terminals)
        files = {
            POLICY_PATH: write_policy(policy),
            ROLL_PATH: write_roll(roll),
            TRUST_PATH: encode_trust_list(issuer_trust(roster)),
        }
        for kecamatan in counts:
            path = f"rights/{kecamatan}/base.cbor.zst"
            files[path] = _base(roster, table.period, policy, kecamatan)
    return Decree(files, policy.number, sum(counts.values()), len(terminals))


def issuer_trust(roster: Roster) -> TrustList:
    """The trust list of the ledger: card issuers and the province's log."""
    return _numbered_trust(roster, TRUST_PATH, _office_keys(roster))


def full_trust(roster: Roster) -> TrustList:
    """Issuers, log and every enrolled terminal: to check cards and slips with elsewhere."""
    terminals = (trusted_key(terminal) for terminal in read_terminals(roster))
    return _numbered_trust(roster, FULL_TRUST_PATH, (*_office_keys(roster), *terminals))


def read_terminals(roster: Roster) -> tuple[Terminal, ...]:
    """Every enrolled terminal, in order of ordinal and epoch."""
    holds: dict[tuple[int, int], list[str]] = {}
    for ordinal, epoch, kecamatan in roster.db.execute(
        "SELECT ordinal, epoch, kecamatan FROM terminal_holds ORDER BY kecamatan"
    ):
        holds.setdefault((ordinal, epoch), []).append(kecamatan)
    rows = roster.db.execute(
        "SELECT ordinal, epoch, name, point, home, away, spki, enrolled, shut_out FROM terminal"
        " ORDER BY ordinal, epoch"
    )
    return tuple(
        Terminal(
            ordinal=ordinal,
            epoch=epoch,
            name=name,
            point=point,
            home=home,
            holds=tuple(holds.get((ordinal, epoch), ())),
            away_households=away,
            spki=spki,
            enrolled=enrolled,
            shut_out=shut_out,
        )
        for ordinal, epoch, name, point, home, away, spki, enrolled, shut_out in rows
    )


def _policy(roster: Roster, table: PolicyTable, terminals: Iterable[Terminal]) -> Policy:
    homes: dict[str, int] = {}
    ordinals = set()
    for terminal in terminals:
        if terminal.shut_out is None:
            homes.setdefault(terminal.home, terminal.ordinal)
            ordinals.add(terminal.ordinal)
    places = [
        Place(desa, name, homes.get(kecamatan, 0))
        for desa, kecamatan, name in roster.db.execute("SELECT code, kecamatan, name FROM desa")
    ]
    _check_homes(table, {place.desa for place in places}, ordinals)
    draft = make_policy(table, number=0, places=places)
    number = roster.number(POLICY_PATH, _digest(pack(draft)))
    return msgspec.structs.replace(draft, number=number)


def _check_homes(table: PolicyTable, desa: set[str], ordinals: set[int]) -> None:
    for home in table.home:
        if home.desa not in desa:
            raise ProvisioningError(
                f"the policy table gives desa {home.desa} another home, but the roster does not "
                "list that desa; correct the code"
            )
        if home.terminal not in ordinals:
            raise ProvisioningError(
                f"the policy table makes terminal {home.terminal} home to desa {home.desa}, but no "
                "such terminal serves; enrol it first or name another"
            )


def _roll(roster: Roster, terminals: tuple[Terminal, ...]) -> Roll:
    draft = Roll("khb-roll-1", 0, terminals)
    return msgspec.structs.replace(draft, number=roster.number(ROLL_PATH, _digest(pack(draft))))


def _office_keys(roster: Roster) -> tuple[TrustedKey, ...]:
    rows = roster.db.execute(
        "SELECT spki, use, holder, valid_from, valid_until, revoked_at FROM public_key"
        " WHERE use IN (?, ?)",
        (KeyUse.ISSUER.value, KeyUse.LOG.value),
    )
    return tuple(
        TrustedKey(PublicKey.from_spki(spki), KeyUse(use), holder, *dates)
        for spki, use, holder, *dates in rows
    )


def _numbered_trust(roster: Roster, path: str, keys: tuple[TrustedKey, ...]) -> TrustList:
    digest = _digest(encode_trust_list(TrustList(0, keys)))
    return TrustList(roster.number(path, digest), keys)


def _base(roster: Roster, period: str, policy: Policy, kecamatan: str) -> bytes:
    persons = {p.id: p.number for p in policy.programmes if p.scope is Scope.PERSON}
    classes = {c.number for c in policy.classes}
    rows = list(roster.rows(kecamatan, persons))
    for row in rows:
        _check_row(row, classes)
    draft = make_base(kecamatan, period=period, number=0, rows=rows)
    path = f"rights/{kecamatan}/base.cbor.zst"
    number = roster.number(path, state_root(draft))
    return write_base(msgspec.structs.replace(draft, number=number))


def _check_row(row: HouseholdRow, classes: set[int]) -> None:
    if row.class_number not in classes:
        raise ProvisioningError(
            f"household {row.household.hex()} is of class {row.class_number}, which the policy "
            "table does not list; add the class or correct the roster"
        )
    if len(row.members) > MEMBER_RIGHTS_MAX:
        raise ProvisioningError(
            f"household {row.household.hex()} has more than {MEMBER_RIGHTS_MAX} rights of persons; "
            "correct the roster"
        )


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
