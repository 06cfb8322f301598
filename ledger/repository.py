"""The TUF repository as its writers see it: the office (offline keys) and the province (online).

Only the province's snapshot and timestamp make a state public; the office signs root, decree
targets and kecamatan roles, and hands the folder over. Every role carries the time it was signed
under ``x-khb-time``, because TUF itself dates nothing but expiry.

The folder holds ``metadata/`` (``N.role.json``, ``timestamp.json``) and ``targets/``
(``dir/HASH.name``), as TUF consistent snapshots lay them out.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from card_codec.keys import PrivateKey
from ledger.errors import RightsError
from ledger.folder import write_whole
from ledger.record import TIME_MAX

METADATA_NAME = re.compile(r"([1-9][0-9]{0,8})\.([a-z0-9-]+)\.json")
TIME_FIELD = "x-khb-time"
STOLEN_FIELD = "x-khb-online-stolen"
"""In a root: what the online key of the root before blocked and dated counts no more."""
EXPIRES_DAYS = {"root": 730, "snapshot": 60, "timestamp": 60}
"""Freshness is judged by the policy's ladder; expiry only bounds a freeze."""
TARGETS_EXPIRES_DAYS = 400

Role = TypeVar("Role", bound=Root | Snapshot | Targets | Timestamp)


def tuf_signer(key: PrivateKey) -> CryptoSigner:
    """A key of ours as TUF's library wants it."""
    loaded = load_pem_private_key(key.to_pem(), password=None)
    if not isinstance(loaded, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise RightsError("this kind of key cannot sign a ledger; use Ed25519 or ES256")
    return CryptoSigner(loaded)


def tuf_key(key: PrivateKey) -> SSlibKey:
    """The public half, for root and delegations."""
    public = tuf_signer(key).public_key
    if not isinstance(public, SSlibKey):
        raise RightsError("this kind of key cannot sign a ledger; use Ed25519")
    return public


class Repository:
    """One repository folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metadata = folder / "metadata"
        self.targets = folder / "targets"

    def versions(self, role: str) -> list[int]:
        """Versions of a role that lie here, lowest first."""
        return sorted(version for version, name in self._named() if name == role)

    def roles(self) -> list[str]:
        """Every targets role that lies here (``targets`` and the delegated ones)."""
        return sorted({name for _, name in self._named()} - {"root", "snapshot", "timestamp"})

    def _named(self) -> Iterator[tuple[int, str]]:
        """Version and role of every metadata file; other files are passed over."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self.metadata):
                if match := METADATA_NAME.fullmatch(name):
                    yield int(match[1]), match[2]

    def load(self, role: str, kind: type[Role]) -> Role:
        """The newest content of a role.

        Raises:
            RightsError: there is none, or it cannot be read.
        """
        versions = self.versions(role)
        name = "timestamp.json" if role == "timestamp" else f"{(versions or [0])[-1]}.{role}.json"
        return read_role(self.metadata / name, kind)

    def add_target(self, targets: Targets, path: str, data: bytes) -> None:
        """Lay a file down and name it in a role (not yet signed)."""
        self.lay(path, data)
        name_target(targets, path, data)

    def lay(self, path: str, data: bytes) -> None:
        """Lay a file down under its hash; what lies there already is left."""
        digest = hashlib.sha256(data).hexdigest()
        directory, _, name = path.rpartition("/")
        file = self.targets / directory / f"{digest}.{name}"
        if not (file.is_file() and file.read_bytes() == data):
            write_whole(file, data)

    def target_bytes(self, targets: Targets, path: str) -> bytes:
        """A file a role names.

        Raises:
            RightsError: the role does not name it, or it does not lie here.
        """
        try:
            digest = targets.targets[path].hashes["sha256"]
            directory, _, name = path.rpartition("/")
            return (self.targets / directory / f"{digest}.{name}").read_bytes()
        except (KeyError, OSError) as error:
            raise RightsError(f"the repository does not hold {path}") from error

    def sign(
        self,
        signed: Root | Snapshot | Targets | Timestamp,
        role: str,
        *,
        signers: Sequence[Signer],
        now: int,
        skipping: int = 0,
    ) -> None:
        """Sign a role as its next version and write it.

        Args:
            signed: the content; its version, expiry and time are set here.
            role: name of the role.
            signers: as many as the threshold asks for.
            now: Unix seconds.
            skipping: versions to leave out, as they may have been used by what was lost.
        """
        metadata = self.draft(signed, role, now=now, skipping=skipping)
        for signer in signers:
            metadata.sign(signer, append=True)
        self.write(role, metadata)

    def draft(
        self,
        signed: Root | Snapshot | Targets | Timestamp,
        role: str,
        *,
        now: int,
        skipping: int = 0,
    ) -> Metadata[Any]:
        """A role as its next version, of this time, with no signature yet; nothing is written."""
        signed.version = (self.versions(role) or [0])[-1] + 1 + skipping
        if isinstance(signed, Timestamp):
            signed.version = self._timestamp_version() + 1 + skipping
        days = EXPIRES_DAYS.get(role, TARGETS_EXPIRES_DAYS)
        begins = datetime.fromtimestamp(now, UTC).replace(microsecond=0)
        signed.expires = begins + timedelta(days=days)
        signed.unrecognized_fields[TIME_FIELD] = now
        return Metadata(cast("Any", signed))

    def write(self, role: str, metadata: Metadata[Any]) -> None:
        """Lay a signed role down under its version."""
        name = "timestamp.json" if role == "timestamp" else f"{metadata.signed.version}.{role}.json"
        write_whole(self.metadata / name, write_metadata(metadata))

    def publish(self, online: Signer, *, now: int, skipping: int = 0) -> int:
        """Sign snapshot and timestamp over what lies here; returns the ledger version."""
        snapshot = Snapshot(
            meta={f"{role}.json": MetaFile(self.versions(role)[-1]) for role in self.roles()}
        )
        self.sign(snapshot, "snapshot", signers=[online], now=now, skipping=skipping)
        timestamp = Timestamp(snapshot_meta=MetaFile(snapshot.version))
        self.sign(timestamp, "timestamp", signers=[online], now=now, skipping=skipping)
        return snapshot.version

    def _timestamp_version(self) -> int:
        if not (self.metadata / "timestamp.json").exists():
            return 0
        return self.load("timestamp", Timestamp).version


def online_role(kecamatan: str) -> str:
    """The role by which the key on the network speaks of one kecamatan: usage, blocked cards."""
    return f"online-{kecamatan}"


def name_target(targets: Targets, path: str, data: bytes) -> None:
    """Name a file in a role, by its length and hash."""
    targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])


def write_metadata(metadata: Metadata[Any]) -> bytes:
    """A role with its signatures, as it lies in a repository."""
    return metadata.to_bytes(JSONSerializer(compact=True))


def read_role(path: Path, kind: type[Role]) -> Role:
    """The content of a metadata file, its signatures not looked at.

    Raises:
        RightsError: it is not there, or not such a role.
    """
    try:
        signed = Metadata.from_file(str(path)).signed
    except (OSError, DeserializationError, RepositoryError) as error:
        raise RightsError(f"no readable {kind.__name__} at {path}") from error
    if not isinstance(signed, kind):
        raise RightsError(f"{path} is a {signed.type}, not a {kind.__name__}")
    return signed


def says_stolen(root: Root) -> bool:
    """Whether a root says that the online key before it was stolen."""
    return root.unrecognized_fields.get(STOLEN_FIELD) is True


def keys_named(targets: Targets, role: str) -> str:
    """A name for the keys that a decree lets sign a role; other keys have another."""
    roles = (targets.delegations.roles or {}) if targets.delegations else {}
    keys = "/".join(sorted(roles[role].keyids)) if role in roles else ""
    return hashlib.sha256(keys.encode()).hexdigest()


def signed_time(signed: Root | Snapshot | Targets | Timestamp) -> int:
    """When a role says it was signed (Unix seconds); 0 when it says nothing that can be."""
    value = signed.unrecognized_fields.get(TIME_FIELD, 0)
    return value if type(value) is int and 0 < value <= TIME_MAX else 0
