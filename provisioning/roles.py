"""The roles the office signs, as content: who signs for whom, and which files a role names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import DelegatedRole, Delegations, Root, Targets

from card_codec.keys import PublicKey
from ledger.changes_file import changes_path
from ledger.repository import STOLEN_FIELD, Repository, name_target, online_role
from provisioning.keys import DECREE, ROOT, KeyRing, OfficeRole, kecamatan_role

ROOT_RENEW = timedelta(days=180)
"""A root is signed anew when its keys change or it has less than this left."""


def root_role(keys: KeyRing, online: PublicKey, *, stolen: bool = False) -> Root:
    """The root of trust: who signs for whom.

    Args:
        keys: the office's.
        online: the province's.
        stolen: whether the online key of the root before is a thief's.
    """
    root = Root(consistent_snapshot=True)
    for role, name in ((ROOT, "root"), (DECREE, "targets")):
        root.roles[name].threshold = role.threshold
        for key in keys.public(role).values():
            root.add_key(tuf_public(key), name)
    for name in ("snapshot", "timestamp"):
        root.add_key(tuf_public(online), name)
    if stolen:
        root.unrecognized_fields[STOLEN_FIELD] = True
    return root


def root_is_due(repository: Repository, root: Root, now: int) -> bool:
    """Terminals walk the chain of roots: it grows only when there is a reason."""
    if not repository.versions("root"):
        return True
    last = repository.load("root", Root)
    same = last.keys == root.keys and last.roles == root.roles
    return not same or last.expires - datetime.fromtimestamp(now, UTC) < ROOT_RENEW


def decree_role(
    files: Mapping[str, bytes], keys: KeyRing, changes: Iterable[OfficeRole], online: PublicKey
) -> Targets:
    """The decree's role: its files, and who may sign what beside it."""
    targets = Targets()
    for path, data in files.items():
        name_target(targets, path, data)
    holders: dict[str, SSlibKey] = {}
    roles: dict[str, DelegatedRole] = {}

    def delegate(name: str, paths: list[str], public: Iterable[PublicKey], threshold: int) -> None:
        tuf_keys = [tuf_public(key) for key in public]
        holders.update({key.keyid: key for key in tuf_keys})
        key_ids = [key.keyid for key in tuf_keys]
        roles[name] = DelegatedRole(name, key_ids, threshold, terminating=False, paths=paths)

    for role in changes:
        kecamatan = role.name.removeprefix("changes-")
        holders_of = keys.public(role).values()
        delegate(role.name, [f"changes/{kecamatan}/*"], holders_of, role.threshold)
        said_online = [f"usage/{kecamatan}/*", f"status/{kecamatan}/*"]
        delegate(online_role(kecamatan), said_online, [online], 1)
    targets.delegations = Delegations(dict(holders), roles)
    return targets


def last_changes(repository: Repository, kecamatan: str) -> int:
    """Number of the changes of a kecamatan that were published last; 0 before the first.

    Raises:
        RightsError: its role names other files.
    """
    role = kecamatan_role(kecamatan).name
    if not repository.versions(role):
        return 0
    path = changes_path(repository.load(role, Targets).targets, kecamatan)
    return 0 if path is None else int(path.rpartition("/")[2].partition(".")[0])


def tuf_public(key: PublicKey) -> SSlibKey:
    """A public key as TUF names it."""
    loaded = load_der_public_key(key.spki)
    assert isinstance(loaded, Ed25519PublicKey | EllipticCurvePublicKey)  # PublicKey checked it
    return SSlibKey.from_crypto(loaded)
