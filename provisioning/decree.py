"""What the decree signs: policy, roll of terminals, trust list, and the rights of each kecamatan.

Made from the roster and the policy table alone: the same input gives the same bytes, because each
file's number rises only when its content changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from card_codec.keys import PublicKey
from card_codec.trust import KeyUse, TrustedKey, TrustList, decode_trust_list, encode_trust_list
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.policy import Place, Policy, Scope, read_policy, write_policy
from ledger.record import pack
from ledger.rights_file import (
    RightsBase,
    make_base,
    read_base,
    state_root,
    write_base,
)
from ledger.roll import Roll, Terminal, read_roll, trusted_key, write_roll
from provisioning.errors import ProvisioningError
from provisioning.look_up_tags import look_up_master, look_up_salt
from provisioning.office import Office
from provisioning.people_files import sealed_people
from provisioning.policy_rows import PolicyTable
from provisioning.policy_table import make_policy, read_policy_table
from provisioning.progress import show_progress
from provisioning.roster import Roster
from provisioning.roster_check import check_persons, check_row

FULL_TRUST_PATH = "trust.khb"
"""Not part of the ledger: the list that `betang-provision trust` writes, numbered likewise."""


@dataclass(frozen=True, slots=True)
class Decree:
    """Everything the decree signs, by TUF target path."""

    files: dict[str, bytes]
    policy_number: int
    households: int
    terminals: int


def make_decree(office: Office, folded: Mapping[str, int]) -> Decree:
    """Build every file the decree signs.

    Args:
        office: the open office.
        folded: number of each kecamatan's last published changes: the roster holds them.

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
        salt = look_up_salt(look_up_master(office), table.period)
        policy = _policy(roster, table, terminals, salt=salt)
        check_persons(roster, policy)
        roll = _roll(roster, terminals)
        files = {
            POLICY_PATH: write_policy(policy),
            ROLL_PATH: write_roll(roll),
            TRUST_PATH: encode_trust_list(issuer_trust(roster)),
        }
        with show_progress("Laying out rights", sum(counts.values())) as advance:
            for kecamatan, count in counts.items():
                path = base_path(kecamatan)
                draft = _base(roster, policy, kecamatan, period=table.period)
                files[path] = _numbered(roster, path, draft, folded.get(kecamatan, 0))
                advance(count)
        files |= sealed_people(office, policy, table.period, terminals)
    _read_back(files)
    return Decree(files, policy.number, sum(counts.values()), len(terminals))


def base_path(kecamatan: str) -> str:
    """Where the rights of a kecamatan stand in the ledger."""
    return f"rights/{kecamatan}/base.cbor.zst"


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


def _policy(
    roster: Roster, table: PolicyTable, terminals: Iterable[Terminal], *, salt: bytes
) -> Policy:
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
    draft = make_policy(table, number=0, places=places, salt=salt)
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
        " WHERE use IN (?, ?, ?)",
        (KeyUse.ISSUER.value, KeyUse.LOG.value, KeyUse.VERDICT.value),
    )
    return tuple(
        TrustedKey(PublicKey.from_spki(spki), KeyUse(use), holder, *dates)
        for spki, use, holder, *dates in rows
    )


def _numbered_trust(roster: Roster, path: str, keys: tuple[TrustedKey, ...]) -> TrustList:
    digest = _digest(encode_trust_list(TrustList(0, keys)))
    return TrustList(roster.number(path, digest), keys)


def _base(roster: Roster, policy: Policy, kecamatan: str, *, period: str) -> RightsBase:
    persons = {p.id: p.number for p in policy.programmes if p.scope is Scope.PERSON}
    classes = {c.number for c in policy.classes}
    rows = list(roster.rows(kecamatan, persons))
    for row in rows:
        check_row(row, classes)
    return make_base(kecamatan, period=period, number=0, rows=rows)


def _numbered(roster: Roster, path: str, draft: RightsBase, folded: int) -> bytes:
    draft = msgspec.structs.replace(draft, changes=folded)
    return write_base(msgspec.structs.replace(draft, number=roster.number(path, state_root(draft))))


def _read_back(files: dict[str, bytes]) -> None:
    """Nothing is signed that a terminal could not read.

    Raises:
        RecordError: a file that its own reader refuses, such as a name too long.
    """
    read_policy(files[POLICY_PATH])
    read_roll(files[ROLL_PATH])
    decode_trust_list(files[TRUST_PATH])
    for path, data in files.items():
        if path.startswith("rights/"):
            read_base(data)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
