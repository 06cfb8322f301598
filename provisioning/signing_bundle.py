"""The signing bundle: one file with everything that waits for signatures.

It travels from the office that prepared it to each holder and back. It holds the roles as they will
be signed, every new file they name, and what of the ledger in force is needed to tell what changes.
What it says is worked out anew from its content wherever it is opened, never taken from a text in
it; its fingerprint is the same before and after signing, so that two holders can compare by voice.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import CanonicalJSONSerializer

from ledger.errors import RecordError
from ledger.record import Record, Seconds, compress, inflate, pack, unpack
from ledger.repository import write_metadata
from provisioning.errors import ProvisioningError

BUNDLE_SIZE_MAX = 512 * 1024 * 1024
"""A province of 300,000 households, old and new, is under 100 MB."""

RoleName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
TargetPath = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9./-]{0,99}\Z")]
KeyId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class RoleFile(Record, frozen=True):
    """A role's metadata, JSON as TUF has it, with the signatures it has so far."""

    role: RoleName
    metadata: bytes


class BundleFile(Record, frozen=True):
    """A file of the ledger."""

    path: TargetPath
    data: bytes


class Holder(Record, frozen=True):
    """Whose key a key is, as the office knows it."""

    role: RoleName
    holder: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    keyid: KeyId


class SigningBundle(Record, frozen=True):
    """What waits for signatures.

    Attributes:
        roles: what is to be signed, in the order in which it is laid down.
        files: what the roles name and the release does not hold yet.
        standing: the roles in force that these follow: root, targets, changes.
        before: files in force that the new ones are to be compared with or were made on.
        access: hashes of the terminals' road tokens; empty where they do not change.
        province: the province's ``public.json``; empty where it does not change.
        mark: the newest entry of the office's list of changes that is in it.
    """

    form: Literal["khb-signing-1"]
    prepared: Seconds
    roles: tuple[RoleFile, ...]
    files: tuple[BundleFile, ...]
    standing: tuple[RoleFile, ...]
    before: tuple[BundleFile, ...]
    holders: tuple[Holder, ...]
    access: bytes
    province: bytes
    mark: Annotated[int, msgspec.Meta(ge=0, le=2**53)]

    def file(self, path: str) -> bytes | None:
        """A new file by its path."""
        return next((f.data for f in self.files if f.path == path), None)

    def standing_file(self, path: str) -> bytes | None:
        """A file in force by its path."""
        return next((f.data for f in self.before if f.path == path), None)


@dataclass(frozen=True, slots=True)
class Content:
    """A bundle whose roles were read."""

    bundle: SigningBundle
    roles: Mapping[str, Metadata[Any]]
    standing: Mapping[str, Metadata[Any]]

    @property
    def fingerprint(self) -> str:
        """What is to be signed, in 8 groups of 4 digits; signatures do not change it."""
        digest = hashlib.sha256()
        for role, metadata in self.roles.items():
            signed = CanonicalJSONSerializer().serialize(metadata.signed)
            digest.update(f"{role} {len(signed)}\n".encode() + signed)
        text = digest.hexdigest()[:32].upper()
        return " ".join(text[i : i + 4] for i in range(0, 32, 4))

    def root(self) -> Root:
        """The root of trust that holds once the bundle is laid down."""
        root: Root = self._in_force("root")
        return root

    def targets(self) -> Targets:
        """The decree's role that holds once the bundle is laid down."""
        targets: Targets = self._in_force("targets")
        return targets

    def _in_force(self, role: str) -> Any:
        metadata = self.roles.get(role) or self.standing.get(role)
        if metadata is None:
            raise ProvisioningError(f"the bundle lacks the role {role}; prepare it again")
        return metadata.signed  # of the right kind: open_bundle checked it

    def holder_of(self, keyid: str) -> str:
        """Whose key that is, in words."""
        found = next((h.holder for h in self.bundle.holders if h.keyid == keyid), None)
        return found or f"the key {keyid[:8]}"

    def with_roles(self) -> SigningBundle:
        """The bundle with the signatures its roles have now."""
        roles = tuple(RoleFile(role, write_metadata(m)) for role, m in self.roles.items())
        return msgspec.structs.replace(self.bundle, roles=roles)


def write_bundle(bundle: SigningBundle) -> bytes:
    """The file that travels (compressed)."""
    return compress(pack(bundle))


def read_bundle(data: bytes, name: str) -> Content:
    """Read a bundle strictly.

    Args:
        data: all of the file.
        name: what to call it in an error.

    Raises:
        ProvisioningError: not a bundle, or a role in it that is none.
    """
    try:
        bundle = unpack(
            inflate(data, size_max=BUNDLE_SIZE_MAX), SigningBundle, size_max=BUNDLE_SIZE_MAX
        )
    except RecordError as error:
        raise ProvisioningError(
            f"{name} is not a signing bundle ({error.detail}); take the file"
            " `betang-provision prepare` wrote"
        ) from error
    return open_bundle(bundle, name)


def open_bundle(bundle: SigningBundle, name: str) -> Content:
    """Read the roles of a bundle.

    Raises:
        ProvisioningError: one is no role, or bears two signatures of one key.
    """
    content = Content(bundle, _read(bundle.roles, name), _read(bundle.standing, name))
    for one in bundle.roles:
        _check_signatures(one, content, name)
    return content


def _read(roles: Iterable[RoleFile], name: str) -> dict[str, Metadata[Any]]:
    found: dict[str, Metadata[Any]] = {}
    for one in roles:
        kind = Root if one.role == "root" else Targets
        try:
            parsed = json.loads(one.metadata)
            # Each key once here; that one stands twice is told below, by whose it is.
            parsed["signatures"] = list({s["keyid"]: s for s in parsed["signatures"]}.values())
            metadata: Metadata[Any] = Metadata.from_bytes(json.dumps(parsed).encode())
        except (
            *(DeserializationError, RepositoryError, RecursionError),
            *(ValueError, TypeError, KeyError, AttributeError),
        ) as error:
            raise ProvisioningError(
                f"{name} holds no readable {one.role}; send it again"
            ) from error
        if not isinstance(metadata.signed, kind) or one.role in found:
            raise ProvisioningError(f"{name} holds another role as {one.role}; send it again")
        found[one.role] = metadata
    return found


def _check_signatures(one: RoleFile, content: Content, name: str) -> None:
    keyids = Counter(s["keyid"] for s in json.loads(one.metadata)["signatures"])
    for keyid, times in keyids.items():
        if times > 1:
            raise ProvisioningError(
                f"{name} bears two signatures of {content.holder_of(keyid)} under {one.role}; one"
                " holder counts once: take the bundle as it was before"
            )
