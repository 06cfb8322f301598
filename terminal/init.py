"""Preparing a terminal's folder, and opening its journal once the office has enrolled it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from card_codec.keys import PrivateKey
from ledger.custody import make_sealing_key
from ledger.errors import FolderError, JournalError
from ledger.folder import TerminalFolder, write_whole
from ledger.journal import Identity, create_journal
from ledger.locked_key import STRONG, PinCost, check_pin


def make_keys(root: Path) -> Path:
    """Make the terminal's own signing key; only its public half ever leaves the folder.

    Returns:
        The public key's file, for the office.

    Raises:
        FolderError: there is a key already; it is never replaced.
    """
    private, public = root / "keys" / "terminal.pem", root / "keys" / "terminal.pub"
    if private.exists():
        raise FolderError(f"{private} exists already; a terminal's key is never replaced")
    key = PrivateKey.generate()
    # The public half first: a power cut between the two leaves nothing that blocks the next try.
    write_whole(public, key.public.to_pem().encode())
    write_whole(private, key.to_pem(), mode=0o600)
    return public


def add_sealing_key(
    root: Path,
    pin: str,
    *,
    randomness: Callable[[int], bytes],
    anew: bool = False,
    cost: PinCost = STRONG,
) -> Path:
    """Make the key that opens people files, locked under the day's PIN.

    Args:
        root: the terminal's folder.
        pin: 6 to 64 printable characters.
        randomness: gives that many random bytes (``secrets.token_bytes``).
        anew: whether it takes the place of one whose PIN is forgotten.
        cost: of one guess of the PIN.

    Returns:
        The public half's file, for the office, which seals to it from its next publication on.

    Raises:
        FolderError: there is a key already, and no new one was asked for.
        CustodyError: the PIN is none.
    """
    check_pin(pin)
    if anew:
        for name in ("sealing.locked", "sealing.tries"):
            (root / "keys" / name).unlink(missing_ok=True)
    return make_sealing_key(root / "keys", pin, randomness=randomness, cost=cost)


def ensure_journal(folder: TerminalFolder) -> None:
    """Make the journal of a terminal that was just enrolled; an existing one is left alone.

    Raises:
        JournalError: this terminal has served and its journal is gone. A new one under the same
            epoch would forget what was given and number it anew.
    """
    if folder.journal.exists():
        return
    if folder.rights.exists():
        raise JournalError(
            f"{folder.journal} is gone; bring it back, or ask the office for a new epoch"
        )
    config = folder.config
    identity = Identity(config.ordinal, config.epoch, folder.signer().public)
    try:
        create_journal(folder.journal, identity).close()
    except JournalError:
        if not folder.journal.exists():  # unless another process was faster
            raise
