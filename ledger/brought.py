"""The ledger as it lies in the in-box, seen through python-tuf with this terminal's own time.

Nothing leaves here that was not verified: a role by the threshold of those who may sign it, a file
by the role that names it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.metadata import Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig

from ledger.clock import Moment
from ledger.errors import RightsError
from ledger.folder import TerminalFolder
from ledger.in_box import BASE_URL, InBoxFetcher, read_brought
from ledger.repository import Role, keys_named, read_role, says_stolen, signed_time
from ledger.rights_build import Versions
from ledger.usage_file import USAGE_SIZE_MAX

DELEGATIONS_MAX = 1000
"""Two for each of 136 kecamatan, and room."""


class Brought:
    """What was brought, verified."""

    def __init__(self, folder: TerminalFolder, moment: Moment) -> None:
        """Verify root, timestamp, snapshot and the decree's role.

        Raises:
            RepositoryError, DownloadError, OSError: python-tuf's own; what was brought is refused.
        """
        self._folder = folder
        folder.trusted.mkdir(exist_ok=True)
        self._updater = Updater(
            str(folder.trusted),
            f"{BASE_URL}metadata/",
            target_dir=str(folder.trusted),
            target_base_url=f"{BASE_URL}targets/",
            fetcher=InBoxFetcher(folder.in_box),
            config=UpdaterConfig(max_delegations=DELEGATIONS_MAX),
            bootstrap=folder.first_root.read_bytes(),
        )
        # python-tuf reads the wall clock; expiry must be judged by the time this terminal can
        # prove, or a clock set back would accept a frozen ledger (measured).
        now = datetime.fromtimestamp(moment.early, UTC)
        self._updater._trusted_set.reference_time = now  # noqa: SLF001
        self._updater.refresh()

    def holds(self, path: str) -> bool:
        """Whether a role that may speak of it names this file."""
        return self._updater.get_targetinfo(path) is not None

    def named(self, path: str) -> TargetFile | None:
        """Length and hash under which a role names this file; None if none does."""
        return self._updater.get_targetinfo(path)

    def target(self, path: str) -> bytes:
        """A file, of the length and hash that its role names.

        Raises:
            RightsError: no role names it.
        """
        info = self._updater.get_targetinfo(path)
        if info is None:
            raise RightsError(f"the ledger does not name {path}; fetch it again")
        kept = self._updater.find_cached_target(info) or self._updater.download_target(info)
        return Path(kept).read_bytes()

    def segment(self, kecamatan: str, number: int, digest: str) -> bytes:
        """A usage segment that a later one names by its SHA-256 (hex).

        Raises:
            RightsError: it was not brought, or is another.
        """
        path = f"targets/usage/{kecamatan}/{digest}.{number}.cbor"
        data = read_brought(self._folder.in_box, path, size_max=USAGE_SIZE_MAX)
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            raise RightsError(
                f"usage {number} of {kecamatan} is missing, and later ones were brought"
            )
        return data

    def role(self, role: str, kind: type[Role]) -> Role:
        """The content of a role that python-tuf has verified and kept."""
        return read_role(self._folder.trusted / f"{role}.json", kind)

    def delegated(self, role: str, path: str) -> Targets:
        """The content of a role that the decree lets speak of a path.

        Raises:
            RightsError: the decree names no such role.
        """
        delegations = self.role("targets", Targets).delegations
        if delegations is None or role not in (delegations.roles or {}):
            raise RightsError(f"the decree names nobody for {role}; fetch the ledger again")
        self._updater.get_targetinfo(path)  # walks to the role, and keeps it once it is verified
        return self.role(role, Targets)

    def keys_of(self, role: str) -> str:
        """A name for the keys that the decree lets sign a role; other keys have another."""
        return keys_named(self.role("targets", Targets), role)

    def time(self, role: str, kind: type[Role]) -> int:
        """When a role was signed; it must say so, or the age of the rights could not be told.

        Raises:
            RightsError: it does not.
        """
        time = signed_time(self.role(role, kind))
        if not time:
            raise RightsError(
                f"what was brought is not accepted: {role} does not say when it is from"
            )
        return time

    def online_stolen_since(self, version: int) -> bool:
        """Whether a root after that version says that the online key before it was stolen."""
        found = (self._folder.trusted / "root_history").glob("*.root.json")
        roots = [read_role(path, Root) for path in found]  # python-tuf keeps those it verified
        return any(says_stolen(root) for root in roots if root.version > version)

    def versions(self, office_time: int) -> Versions:
        """Which ledger this is; ``office_time`` is the newest offline signature in it."""
        return Versions(
            ledger=self.role("snapshot", Snapshot).version,
            timestamp_time=self.time("timestamp", Timestamp),
            office_time=office_time,
            root=self.role("root", Root).version,
            decree=self.role("targets", Targets).version,
        )
