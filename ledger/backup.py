"""Copies of a journal that prove to be equal to it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from ledger.errors import FolderError, JournalError
from ledger.folder import write_whole
from ledger.fsck import Checked, check_journal

NAME = "journal.db"
MANIFEST = "backup.json"
MANIFEST_BYTES_MAX = 4096


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a copy must prove to be.

    Attributes:
        entries: how many, from the first.
        head: leaf hash of the newest, in hex; empty for an empty journal.
        sha256: of the file ``journal.db`` beside this one, in hex.
        spki: the public key of the epoch, in hex.
    """

    form: Literal["khb-backup-1"]
    terminal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    entries: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    head: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    spki: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){1,200}\Z")]


def back_up(journal: Path, folder: Path) -> Manifest:
    """Copy a journal while it is served, read the copy back and prove it equal.

    Args:
        journal: the terminal's; it is read only.
        folder: a new folder for the copy.

    Raises:
        JournalError: the journal or its copy does not hold, or the folder is used already.
        FolderError: the disk refused.
    """
    if folder.exists():
        raise JournalError(f"{folder} exists already; a copy is never overwritten")
    terminal, epoch, spki = _whose(journal)
    copy = _copied(journal, folder)
    whole = check_journal(journal, terminal=terminal, epoch=epoch)
    checked = check_journal(copy, terminal=terminal, epoch=epoch)
    # The journal may have gone on while it was copied: the copy is a beginning of it.
    if not checked.ok or not whole.ok or checked.entries > whole.entries:
        fault = (*checked.faults, *whole.faults, "the copy is longer than the journal")[0]
        raise JournalError(f"the copy in {folder} does not hold ({fault}); do not rely on it")
    if _leaf(journal, checked.entries) != checked.head:
        raise JournalError(f"the copy in {folder} is not the journal's beginning; make another")
    manifest = Manifest(
        "khb-backup-1", terminal, epoch, checked.entries, checked.head, _digest(copy), spki.hex()
    )
    write_whole(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def check_backup(folder: Path) -> tuple[Manifest, Checked]:
    """A copy, proven to be what its manifest says, to the last entry.

    Raises:
        JournalError: there is none, or it is not.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = msgspec.json.decode(file.read(MANIFEST_BYTES_MAX + 1), type=Manifest)
        key = PublicKey.from_spki(bytes.fromhex(manifest.spki))
    except OSError as error:
        raise JournalError(f"no copy of a journal in {folder}; name the folder of one") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, CardCodecError) as error:
        raise JournalError(f"{folder / MANIFEST} is damaged: {error}") from error
    copy = folder / NAME
    if not copy.is_file() or _digest(copy) != manifest.sha256:
        raise JournalError(f"{copy} is not the file that was copied; use another copy")
    checked = check_journal(copy, terminal=manifest.terminal, epoch=manifest.epoch, key=key)
    if not checked.ok:
        raise JournalError(f"{copy} does not hold: {checked.faults[0]}")
    if (checked.entries, checked.head) != (manifest.entries, manifest.head):
        raise JournalError(f"{copy} does not end where its manifest says; use another copy")
    return manifest, checked


def _copied(journal: Path, folder: Path) -> Path:
    copy = folder / NAME
    try:
        folder.mkdir(parents=True)
        with (
            closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        # Written anew and synced: a stick that is pulled out now holds all of it.
        write_whole(copy, copy.read_bytes(), mode=0o600)
    except OSError as error:
        raise FolderError(f"cannot write {folder}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise JournalError(f"cannot copy {journal}: {error}") from error
    return copy


def _whose(journal: Path) -> tuple[int, int, bytes]:
    if not journal.is_file():
        raise JournalError(f"no journal at {journal}; check --config")
    try:
        uri = f"{journal.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            row = db.execute("SELECT terminal, epoch, spki FROM identity").fetchone()
    except sqlite3.Error as error:
        raise JournalError(f"cannot read {journal}: {error}") from error
    if row is None:
        raise JournalError(f"{journal} names no terminal; run fsck")
    return row[0], row[1], bytes(row[2])


def _leaf(journal: Path, seq: int) -> str:
    if seq == 0:
        return ""
    uri = f"{journal.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        row = db.execute("SELECT leaf FROM entry WHERE seq = ?", (seq,)).fetchone()
    return bytes(row[0]).hex() if row else ""


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
