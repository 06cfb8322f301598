"""Purging people and look-up data whose windows are settled: from every place they may lie in.

What is deleted was sealed, and on flash memory a deleted block may stay readable for a while: the
sealing key is what keeps it unreadable. The journal holds pseudonyms only and is never purged.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from ledger.folder import TerminalFolder
from ledger.people import INDEX
from ledger.policy import DAY, Policy


def is_settled(policy: Policy, early: int) -> bool:
    """Whether every window of the policy has been over for so long that nothing is open in it.

    Args:
        policy: the installed one.
        early: the latest time that is certainly past, Unix seconds.
    """
    ends = [programme.ends(w) for programme in policy.programmes for w in programme.windows]
    return bool(ends) and max(ends) + policy.settle_days * DAY < early


def purge_people(folder: TerminalFolder, *, keep: Collection[str] = ()) -> list[str]:
    """Take away every people file but those kept.

    The in-box is the agent's: it sweeps what is no longer offered. Only when nothing is kept is it
    emptied here, since nothing that could lie there is still good.

    Args:
        folder: the terminal's.
        keep: desa whose people are of now.

    Returns:
        Names of what was taken away, below the folder.
    """
    gone = []
    for path in _over(folder, keep):
        with suppress(OSError):  # what belongs to the agent, the agent sweeps
            path.unlink()
            gone.append(str(path.relative_to(folder.root)))
    for directory in {(folder.root / name).parent for name in gone}:
        _to_disk(directory)
    return sorted(gone)


def _over(folder: TerminalFolder, keep: Collection[str]) -> Iterator[Path]:
    kept = {*(f"{desa}.age" for desa in keep), *([INDEX] if keep else [])}
    yield from _plain(folder.people, but=kept)
    # python-tuf keeps what it downloaded under its quoted path; the copy in people/ is enough.
    for path in _plain(folder.trusted):
        if unquote(path.name).startswith("people/"):
            yield path
    if not keep:
        for directory in _directories(folder.in_box / "targets" / "people"):
            yield from _plain(directory)


def _plain(directory: Path, *, but: Collection[str] = ()) -> Iterator[Path]:
    with suppress(OSError):
        for path in sorted(directory.iterdir()):
            if path.name not in but and (path.is_file() or path.is_symlink()):
                yield path


def _directories(directory: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in sorted(directory.iterdir()):
            if path.is_dir() and not path.is_symlink():
                yield path


def _to_disk(directory: Path) -> None:
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
