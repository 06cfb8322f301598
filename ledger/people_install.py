"""Taking people files from the in-box, and taking away those that are over.

They are verified like all else the decree signs, and laid beside ``rights.db`` still sealed: the
day need not be open to install. See docs/spec/people.md §6.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tuf.api.exceptions import LengthOrHashMismatchError

from ledger.brought import Brought
from ledger.errors import RightsError
from ledger.folder import TerminalFolder, write_whole
from ledger.people import served_desa, write_index
from ledger.people_file import people_path
from ledger.policy import Policy
from ledger.purge import purge_people
from ledger.sealing import SEALED_SIZE_MAX


def brought_people(
    brought: Brought, folder: TerminalFolder, policy: Policy, terminal: int
) -> dict[str, bytes]:
    """The sealed people files of the desa this terminal serves, verified, by desa.

    A desa whose people the decree does not name has none; one that it names must have been
    brought, as all that the ledger names.

    Raises:
        RightsError: a file is larger than any people file.
        DownloadError: it was not brought, or is not what the decree signed.
    """
    found: dict[str, bytes] = {}
    for desa in served_desa(policy, terminal):
        info = brought.named(people_path(desa))
        if info is None:
            continue
        if info.length > SEALED_SIZE_MAX:
            raise RightsError(f"the people file of {desa} is too large to be one")
        held = _read(folder.people / f"{desa}.age")
        try:
            info.verify_length_and_hashes(held)
        except LengthOrHashMismatchError:
            held = brought.target(people_path(desa))
        found[desa] = held
    return found


def install_people(folder: TerminalFolder, people: dict[str, bytes]) -> None:
    """Lay down what was verified, and take away all else: people of a period that is over too.

    Raises:
        FolderError: the disk refused; it is done again at the next look into the in-box.
    """
    for desa, sealed in people.items():
        path = folder.people / f"{desa}.age"
        if _read(path) != sealed:
            write_whole(path, sealed, mode=0o600)
    if people:
        write_index(folder.people, people)
    purge_people(folder, keep=people)


def _read(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(SEALED_SIZE_MAX + 1)
    return b""
