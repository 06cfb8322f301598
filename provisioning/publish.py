"""Publishing: what the office signs, laid out as a TUF repository in ``release/``.

The office signs root, the decree and each kecamatan's role. It never signs ``status``, ``usage``,
snapshot or timestamp: those are the province's, and only with them does a release become public.
Files come first and ``N.targets.json`` last, so a publication that was cut off leaves the last
one standing and is simply made again. See docs/spec/rights-ledger.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from securesystemslib.signer import Signer, SSlibKey
from tuf.api.metadata import DelegatedRole, Delegations, Root, Targets

from card_codec.keys import PublicKey
from ledger.access import Access, Door, write_access
from ledger.folder import write_whole
from ledger.repository import Repository, signed_time, tuf_signer
from provisioning.decree import Decree, make_decree
from provisioning.errors import ProvisioningError
from provisioning.keys import DECREE, ROOT, KeyRing, OfficeRole, kecamatan_role
from provisioning.office import Office
from provisioning.province_keys import keep_province_keys, list_log_key, read_province_keys
from provisioning.roster import Roster

ROOT_RENEW = timedelta(days=180)
"""A root is signed anew when its keys change or it has less than this left."""
ONLINE_ROLES = (("status", "status/*"), ("usage", "usage/*/*"))
"""Roles the province's online key signs, and the paths they may speak of."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was signed.

    Attributes:
        release: the folder for the province.
        root: version of the root of trust.
        targets: version of the decree's role.
        policy: number of the policy.
    """

    release: Path
    root: int
    targets: int
    policy: int
    households: int
    kecamatan: int
    terminals: int


def publish(
    office: Office, *, now: int, province: Path | None = None, rotate_province: bool = False
) -> Published:
    """Sign everything anew, with a fresh time, and lay it in ``release/``.

    Args:
        office: the open office.
        now: Unix seconds.
        province: the province's ``public.json``; needed the first time.
        rotate_province: whether other keys than the last time are meant.

    Raises:
        WrongUseError: the province's file or the policy table is missing or wrong.
        ProvisioningError: the roster cannot be published, or too few keys are here.
    """
    repository = Repository(office.release)
    _check_clock(repository, now)
    keys = read_province_keys(office, province, rotate=rotate_province)
    with office.roster.db.atomic():
        list_log_key(office.roster, keys.log, now)
        decree = make_decree(office)
    changes = [kecamatan_role(code) for code in office.roster.kecamatan()]
    # Every signer first: a key that is missing must not leave half a publication.
    signers = {role.name: _signers(office.keys, role) for role in (ROOT, DECREE, *changes)}
    root = _root(office.keys, keys.online)
    targets = _decree_targets(repository, decree, office.keys, changes, keys.online)
    if _root_is_due(repository, root, now):
        repository.sign(root, "root", signers=signers[ROOT.name], now=now)
    for role in changes:
        repository.sign(Targets(), role.name, signers=signers[role.name], now=now)
    write_whole(office.release / "access.json", write_access(_access(office.roster)))
    repository.sign(targets, "targets", signers=signers[DECREE.name], now=now)
    keep_province_keys(office, keys)
    _prune(repository, targets)
    return Published(
        office.release,
        repository.versions("root")[-1],
        repository.versions("targets")[-1],
        decree.policy_number,
        decree.households,
        len(changes),
        decree.terminals,
    )


def _access(roster: Roster) -> Access:
    """Who may knock at the province's door: a hash of each terminal's road token."""
    rows = roster.db.execute(
        "SELECT ordinal, epoch, token_sha256 FROM terminal WHERE shut_out IS NULL"
        " ORDER BY ordinal, epoch"
    )
    return Access("khb-access-1", tuple(Door(*row) for row in rows))


def _check_clock(repository: Repository, now: int) -> None:
    if repository.versions("targets"):
        last = signed_time(repository.load("targets", Targets))
        if now < last:
            raise ProvisioningError(
                "the clock of this computer stands before the last publication "
                f"({datetime.fromtimestamp(last, UTC):%Y-%m-%d %H:%M} UTC); set it and try again"
            )


def _signers(keys: KeyRing, role: OfficeRole) -> list[Signer]:
    return [tuf_signer(key) for key in keys.signers(role)]


def _root(keys: KeyRing, online: PublicKey) -> Root:
    """The root of trust: who signs for whom."""
    root = Root(consistent_snapshot=True)
    for role, name in ((ROOT, "root"), (DECREE, "targets")):
        root.roles[name].threshold = role.threshold
        for key in keys.public(role).values():
            root.add_key(_tuf_key(key), name)
    for name in ("snapshot", "timestamp"):
        root.add_key(_tuf_key(online), name)
    return root


def _root_is_due(repository: Repository, root: Root, now: int) -> bool:
    """Terminals walk the chain of roots: it grows only when there is a reason."""
    if not repository.versions("root"):
        return True
    last = repository.load("root", Root)
    same = last.keys == root.keys and last.roles == root.roles
    return not same or last.expires - datetime.fromtimestamp(now, UTC) < ROOT_RENEW


def _decree_targets(
    repository: Repository,
    decree: Decree,
    keys: KeyRing,
    changes: Sequence[OfficeRole],
    online: PublicKey,
) -> Targets:
    """The decree's role: its files, and who may sign what beside it."""
    targets = Targets()
    for path, data in decree.files.items():
        repository.add_target(targets, path, data)
    holders: dict[str, SSlibKey] = {}
    roles: dict[str, DelegatedRole] = {}

    def delegate(name: str, paths: str, public: Iterable[PublicKey], threshold: int) -> None:
        tuf_keys = [_tuf_key(key) for key in public]
        holders.update({key.keyid: key for key in tuf_keys})
        key_ids = [key.keyid for key in tuf_keys]
        roles[name] = DelegatedRole(name, key_ids, threshold, terminating=False, paths=[paths])

    for name, paths in ONLINE_ROLES:
        delegate(name, paths, [online], 1)
    for role in changes:
        kecamatan = role.name.removeprefix("changes-")
        delegate(role.name, f"changes/{kecamatan}/*", keys.public(role).values(), role.threshold)
    targets.delegations = Delegations(dict(holders), roles)
    return targets


def _tuf_key(key: PublicKey) -> SSlibKey:
    loaded = load_der_public_key(key.spki)
    assert isinstance(loaded, Ed25519PublicKey | EllipticCurvePublicKey)  # PublicKey checked it
    return SSlibKey.from_crypto(loaded)


def _prune(repository: Repository, targets: Targets) -> None:
    """Take superseded files away; every root stays, since terminals walk the chain of them."""
    for role in repository.roles():
        for version in repository.versions(role)[:-1]:
            (repository.metadata / f"{version}.{role}.json").unlink()
    named = set()
    for path, file in targets.targets.items():
        directory, _, name = path.rpartition("/")
        named.add(repository.targets / directory / f"{file.hashes['sha256']}.{name}")
    for found in repository.targets.rglob("*"):
        if found.is_file() and found not in named:
            found.unlink()
