"""What the province's word says is newer there than here: the ledger, and the software."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from ledger.acknowledgement import read_acknowledgement
from ledger.errors import RecordError
from ledger.journal import Journal
from ledger.rights import Rights

DISTRIBUTION = "huma-betang"
_NUMBERS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Newer:
    """What the province had when it last acknowledged; None where it is no newer than here."""

    ledger: int | None = None
    software: str | None = None


NOTHING_NEWER = Newer()


def newer_there(journal: Journal, rights: Rights | None) -> Newer:
    """Hold the newest acknowledgement kept against what is installed here."""
    rows = journal.rows("SELECT data FROM acknowledgement ORDER BY seq DESC LIMIT 1")
    if not rows or rights is None:
        return NOTHING_NEWER
    try:
        word = read_acknowledgement(bytes(rows[0][0]), rights.trust)
    except RecordError:  # its key was revoked since: what it said counts no more
        return NOTHING_NEWER
    newer = _parts(word.software) > _parts(software_version())
    ledger = word.ledger if word.ledger > rights.versions.ledger else None
    return Newer(ledger, word.software if newer else None)


@cache
def software_version() -> str:
    """Of this software, ``0.1.0``; ``0`` where it was not installed as a whole.

    What follows the numbers, as in ``0.2.0rc1``, is left out: no acknowledgement may say it, and
    one that did would be believed by no terminal.
    """
    try:
        numbers = _NUMBERS.match(version(DISTRIBUTION))
    except PackageNotFoundError:
        numbers = None
    return numbers[0] if numbers else "0"


def _parts(software: str) -> tuple[int, ...]:
    parts = [int(part) for part in software.split(".") if part]
    return tuple(parts + [0] * (4 - len(parts)))
