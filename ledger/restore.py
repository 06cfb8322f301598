"""Bringing a copy of a journal back: always in a new epoch.

A copy knows nothing of what was recorded after it was made; to go on in its epoch would use numbers
a second time, and make two histories of one terminal. So the office enrols a new epoch with a new
key. Its journal begins with an entry that names the last one brought back, and counts as taken all
that was brought back. The old chain lies whole under ``former/``, to be handed in by stick.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from card_codec.keys import PublicKey, Signer
from ledger.act import Identity
from ledger.backup import NAME, Manifest, check_backup
from ledger.clock import Reading, judge_time
from ledger.element import RedemptionId
from ledger.entry import Entry, Sealed, read_entry
from ledger.errors import FolderError, JournalError, NotSavedError
from ledger.folder import TerminalConfig, TerminalFolder, write_whole
from ledger.fsck import check_journal
from ledger.journal import create_journal, open_journal

Chain = tuple[int, bytes, list[tuple[Entry, bytes | None]], tuple[int, bytes | None]]
"""An epoch, its public key, its entries with their signatures, and after which they begin."""


@dataclass(frozen=True, slots=True)
class _Copied:
    """What of a copy goes into the new epoch's journal."""

    chains: list[Chain]
    corrections: list[tuple[RedemptionId, bytes]]


def bring_back(folder: TerminalFolder, source: Path, *, signer: Signer, now: Reading) -> Manifest:
    """Begin this terminal's new epoch with the journal of an earlier one.

    Args:
        folder: of the new epoch: enrolled, with its key, and without a journal.
        source: what ``back_up`` made.
        signer: the new epoch's key.
        now: the machine's clocks.

    Raises:
        JournalError: the copy does not prove to be what it was, or it may not be brought back here.
        FolderError: the disk refused; nothing was brought back.
    """
    manifest, _ = check_backup(source)
    _check_may(folder, manifest)
    copied = _Copied(_chains(source / NAME, manifest), _corrections(source / NAME))
    building = folder.root / ".restoring.db"
    _remove(building)
    try:
        _build(building, folder.config, copied, signer=signer, now=now)
        lay_former(folder, source / NAME, manifest.epoch)
        os.link(building, folder.journal)
        _sync(folder.root)
    except OSError as error:
        raise FolderError(f"cannot write {folder.root}: {error.strerror}") from error
    finally:
        _remove(building)
    return manifest


def _check_may(folder: TerminalFolder, manifest: Manifest) -> None:
    config = folder.config
    if folder.journal.exists():
        raise JournalError(f"{folder.journal} exists already; a journal is never overwritten")
    if config.ordinal != manifest.terminal:
        raise JournalError(
            f"the copy is of terminal {manifest.terminal}, not of {config.ordinal}; check --from"
        )
    if config.epoch <= manifest.epoch:
        raise JournalError(
            f"the copy is of epoch {manifest.epoch}, which is never gone on with: its numbers may"
            " have been used. Ask the office to enrol a new epoch and bring it back there"
        )
    if manifest.entries == 0:
        raise JournalError("the copy holds no entry; begin the new epoch without it")


def _build(
    path: Path, config: TerminalConfig, copied: _Copied, *, signer: Signer, now: Reading
) -> None:
    """The new epoch's journal, whole, checked, and nowhere yet where it would be served from."""
    create_journal(path, Identity(config.ordinal, config.epoch, signer.public)).close()
    journal = open_journal(path)
    try:
        newest = copied.chains[-1][2]
        last = newest[-1][0]
        with journal.act() as act:
            for epoch, spki, signed, after in copied.chains:
                act.bring_back(epoch, spki, signed, after=after)
            act.known.correct(copied.corrections)
            act.append(
                Sealed("restored", last.body.epoch, last.body.seq, last.leaf),
                moment=judge_time(now, journal.floors(), last.body.moment),
                ledger=last.body.ledger,
                officer=config.officer,
                signer=signer,
            )
    except NotSavedError as error:
        raise FolderError(f"there is no room to bring it back: {error.detail}") from error
    finally:
        journal.close()
    checked = check_journal(path, terminal=config.ordinal, epoch=config.epoch, key=signer.public)
    if not checked.ok:
        raise JournalError(f"what was brought back does not hold: {checked.faults[0]}")


def _chains(copy: Path, manifest: Manifest) -> list[Chain]:
    """The copy's own chain, after those that it had been given itself."""
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as db:
        found = []
        for epoch, spki, *after in db.execute(
            "SELECT epoch, spki, after, leaf FROM former_epoch ORDER BY epoch"
        ):
            rows = db.execute(
                "SELECT body, signature FROM former WHERE epoch = ? ORDER BY seq", (epoch,)
            )
            signed = [(read_entry(body), signature) for body, signature in rows]
            found.append((epoch, bytes(spki), signed, (after[0], after[1])))
        rows = db.execute("SELECT body, signature FROM entry ORDER BY seq")
        own = [(read_entry(body), signature) for body, signature in rows]
        pruned = db.execute("SELECT seq, leaf FROM pruned").fetchone() or (0, None)
    key = PublicKey.from_spki(bytes.fromhex(manifest.spki))
    return [*found, (manifest.epoch, key.spki, own, (pruned[0], pruned[1]))]


def _corrections(copy: Path) -> list[tuple[RedemptionId, bytes]]:
    """Redemptions that a kecamatan took back: the in-box may not say so anew for weeks."""
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT terminal, epoch, seq, household FROM corrected")
        return [(RedemptionId(*id), bytes(household)) for *id, household in rows]


def lay_former(folder: TerminalFolder, copy: Path, epoch: int) -> None:
    """A chain that was copied as a folder of its own, which the agent can hand in by stick."""
    config, root = folder.config, folder.root / "former" / str(epoch)
    write_whole(root / NAME, copy.read_bytes(), mode=0o600)
    with closing(sqlite3.connect(root / NAME)) as db:
        db.execute("PRAGMA journal_mode=WAL")  # as whoever reads a journal expects it
    lines = [
        f"ordinal = {config.ordinal}",
        f"epoch = {epoch}",
        *(
            f"{name} = {_quoted(getattr(config, name))}"
            for name in ("name", "point", "officer", "home", "province", "language")
        ),
    ]
    write_whole(root / "terminal.toml", "\n".join(lines).encode() + b"\n")


def _quoted(text: str) -> str:
    """A TOML basic string."""
    safe = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return '"' + "".join(safe) + '"'


def _remove(building: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            Path(f"{building}{suffix}").unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
