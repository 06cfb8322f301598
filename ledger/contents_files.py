"""Which files lie in a terminal's folder, and on what they lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ledger.folder import TerminalFolder

SWAPS = Path("/proc/swaps")
DEVICES = Path("/sys/dev/block")
_DESA = re.compile(r"([0-9]{10})\.age\Z")
MARKS = {".road": "lock of the agent", "branch-handed-in": "mark of the agent"}
OWN = frozenset({"terminal.toml", "rights.db", "journal.db", "journal.db-wal", "journal.db-shm",
                 "reserve",
                 ".installing"})  # fmt: skip
KINDS = {
    "metadata": "signed metadata (public)",
    "policy": "policy (public)",
    "terminals": "roll of terminals (public)",
    "issuers": "trust list (public)",
    "rights": "rights, as pseudonyms",
    "changes": "changes of rights, as pseudonyms",
    "status": "blocked cards, by number",
    "usage": "redemptions elsewhere, as pseudonyms",
    "people": "people, sealed",
    "acknowledgements": "acknowledgements",
}


@dataclass(frozen=True, slots=True)
class Lying:
    """One file.

    Attributes:
        path: below the terminal's folder.
        room: its first folder, with a slash; empty for the terminal's own files.
        kind: what it holds, None where nobody knows.
        told: whether it is counted by kind; others are opened and told one by one.
    """

    path: str
    size_bytes: int
    room: str
    kind: str | None
    told: bool = False

    @property
    def is_people(self) -> bool:
        """A people file, wherever it lies."""
        return self.kind == KINDS["people"]

    @property
    def desa(self) -> str:
        """Of a people file, by its name."""
        match = _DESA.search(unquote(self.path))
        return match[1] if match else ""


def lying_files(folder: TerminalFolder) -> list[Lying]:
    """Every file in the folder, in order of its path; links are not followed."""
    return sorted(_walk(folder.root), key=lambda one: one.path)


def _walk(root: Path) -> Iterator[Lying]:
    for directory, _, names in os.walk(root, followlinks=False):
        for name in names:
            path = Path(directory) / name
            relative = str(path.relative_to(root))
            size = path.lstat().st_size
            yield _lying(relative, size)


def _lying(path: str, size: int) -> Lying:
    first, slash, rest = path.partition("/")
    if not slash:
        return Lying(path, size, "", "of the terminal itself" if path in OWN else None)
    room = f"{first}/"
    if first == "keys":
        return Lying(path, size, room, "key")
    if first == "people":
        known = "index of people files" if rest == "index.json" else None
        return Lying(path, size, room, KINDS["people"] if _DESA.search(rest) else known)
    if first == "out-box" and rest in MARKS:
        return Lying(path, size, room, MARKS[rest])
    if first == "former":
        return Lying(path, size, room, "journal of an earlier epoch")
    if first == "trusted":
        return _updaters(path, rest, size)
    if first == "in-box":
        return _brought(path, rest, size)
    return Lying(path, size, room, None)


def _updaters(path: str, rest: str, size: int) -> Lying:
    """What python-tuf keeps: roles as ``role.json``, files under their quoted path."""
    if rest == "seen":
        return Lying(path, size, "trusted/", "mark of what is installed")
    if rest.endswith(".json"):
        return Lying(path, size, "trusted/", KINDS["metadata"], told=True)
    return _of_ledger(path, unquote(rest), size, room="trusted/")


def _brought(path: str, rest: str, size: int) -> Lying:
    first, _, below = rest.partition("/")
    if first in {"metadata", "acknowledgements"}:
        return Lying(path, size, "in-box/", KINDS[first], told=True)
    return _of_ledger(path, below if first == "targets" else "", size, room="in-box/")


def _of_ledger(path: str, name: str, size: int, *, room: str) -> Lying:
    """A file of the ledger by its path in it; people files are opened, others counted."""
    kind = KINDS.get(name.partition("/")[0])
    return Lying(path, size, room, kind, told=kind is not None and kind != KINDS["people"])


def is_disk_encrypted(path: Path, devices: Path = DEVICES) -> bool | None:
    """Whether the folder lies on an encrypted volume; None where the system does not say."""
    device = os.stat(path).st_dev
    block = devices / f"{os.major(device)}:{os.minor(device)}"
    if not block.exists():
        return None
    try:
        return (block / "dm" / "uuid").read_text("ascii").startswith("CRYPT-")
    except OSError:
        return False


def swap_areas(swaps: Path = SWAPS) -> tuple[str, ...]:
    """Where the system writes memory to a disk, but to encrypted or compressed memory."""
    try:
        lines = swaps.read_text("utf-8", "replace").splitlines()[1:]
    except OSError:
        return ()
    names = (line.split()[0] for line in lines if line.split())
    return tuple(name for name in names if not name.startswith("/dev/zram"))
