"""The check before service: the file, the end of the chain, and what the province vouches for."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from card_codec.errors import CardCodecError
from ledger.acknowledgement import Acknowledgement
from ledger.damage import damaged
from ledger.entry import check_head
from ledger.errors import JournalError, RolledBackError
from ledger.journal import Journal

TAIL = 300
"""Entries looked at before service; fsck looks at all of them."""
WAL_BYTES_MAX = 4 * 1024 * 1024


def check_for_service(journal: Journal) -> None:
    """Look at a journal as before a day of service; fsck looks closer.

    Raises:
        JournalDamagedError: the file or its chain does not hold together.
        RolledBackError: it is older than what the province acknowledged.
    """
    check_pages(journal)
    check_tail(journal)
    for word in journal.acknowledgements():
        check_vouched(journal, word)
    shorten_wal(journal, WAL_BYTES_MAX)


def check_tail(journal: Journal) -> None:
    """Each of the newest entries follows the one before, and every act's end is signed.

    Raises:
        JournalDamagedError: one does not.
    """
    tail = journal.tail(TAIL)
    for (before, _), (entry, _) in pairwise(tail):
        if entry.body.prev != before.leaf or entry.body.seq != before.body.seq + 1:
            raise damaged(f"entry {entry.body.seq} does not follow the one before it")
    for entry, signature in tail:
        if signature is None:
            continue
        try:
            check_head(entry.leaf, signature, journal.identity.key)
        except CardCodecError as error:
            raise damaged(f"the signature of entry {entry.body.seq} does not hold") from error


def check_vouched(journal: Journal, word: Acknowledgement) -> None:
    """The journal holds what the province vouches for.

    Raises:
        RolledBackError: it does not: this is an older copy, or another history.
    """
    if journal.leaf(word.seq) == word.head:
        return
    raise RolledBackError(
        f"the province holds {word.seq} entries of this terminal, of which this journal lacks"
        " some: an older copy was put back. Stop service, keep the machine and tell the office"
    )


def shorten_wal(journal: Journal, most: int) -> None:
    """Bring a long WAL into the file; a reader that holds it is waited for another time."""
    wal = Path(f"{journal.path}-wal")
    with suppress(OSError, JournalError):
        if wal.stat().st_size > most:
            journal.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def check_pages(journal: Journal) -> None:
    """Let SQLite look through the whole file, as before a day of service.

    Raises:
        JournalDamagedError: the file does not hold together.
    """
    if _ends_within_a_page(journal.path, journal.rows("PRAGMA page_size")[0][0]):
        raise damaged("the file ends within a page")
    found = journal.rows("PRAGMA quick_check(1)")[0][0]
    if found != "ok":
        raise damaged(str(found).splitlines()[-1])


def _ends_within_a_page(path: Path, page_size: int) -> bool:
    """SQLite fills a cut page with zeros; after a power cut the WAL may still hold it whole."""
    wal = Path(f"{path}-wal")
    has_wal = wal.exists() and wal.stat().st_size
    return not has_wal and path.stat().st_size % page_size != 0
