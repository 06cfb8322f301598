"""The issuer's check of Transaction MACs: each commit is computed anew from the chip's own key.

Done on the office's machine, where the master lies; what comes back are findings alone. A commit is
found valid if its value follows from the record, the counter and the terminal that had the commit
before. That terminal is tried as the reporting one named it and, if that does not fit, as any that
was ever enrolled: who was before is not what is being asked. Each finding says whose card the chip
is, by the card station's log alone: nothing that is asked says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from card_codec.chip import aes
from card_codec.chip.diversify import NO_KECAMATAN, KeyName
from card_codec.chip.khb1_files import MAC_KEY
from card_codec.chip.record import decode_record
from card_codec.chip.tmac import (
    Transaction,
    enciphered_reader_id,
    reader_id,
    transaction_value,
)
from ledger.mac_verdict import AskedCommit, Finding, MacVerdict
from provisioning.chip_masters import ChipMasters
from provisioning.roster import Roster

NOBODY_BEFORE = bytes(16)
"""Before the first commit of a chip."""
_STATION = 0
_MASTER_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one commit.

    Attributes:
        before_differs: it is valid, and another had the commit before than its terminal said.
    """

    verdict: MacVerdict
    before_differs: bool = False


def check_commits(
    commits: Sequence[AskedCommit],
    masters: ChipMasters,
    terminals: Iterable[tuple[int, int]],
    whose: Callable[[bytes], bytes | None],
    advance: Callable[[int], None],
) -> Iterator[Checked]:
    """Check commits, each on its own.

    Args:
        commits: as the province asks.
        masters: derive the Transaction MAC key of each chip.
        terminals: ordinal and epoch of each that was ever enrolled.
        whose: household of the chip of a UID; None for one that the office never made.
        advance: called with 1 for each.

    Raises:
        ProvisioningError: the master of Transaction MACs is not held here.
    """
    known = [_STATION, *(ordinal << 8 | epoch for ordinal, epoch in terminals)]
    for commit in commits:
        yield _check(commit, masters, known, whose(commit.uid))
        advance(1)


def enrolled_terminals(roster: Roster) -> list[tuple[int, int]]:
    """Ordinal and epoch of every terminal of the roster, shut out or not."""
    rows = roster.db.execute("SELECT ordinal, epoch FROM terminal ORDER BY ordinal, epoch")
    return [(int(ordinal), int(epoch)) for ordinal, epoch in rows]


def _check(
    commit: AskedCommit, masters: ChipMasters, known: list[int], household: bytes | None
) -> Checked:
    def found(finding: Finding) -> MacVerdict:
        named = (commit.uid, commit.counter, commit.record, commit.value)
        return MacVerdict(*named, finding, household)

    if not commit.value:
        return Checked(found(Finding.LOST))
    key = masters.derive(KeyName(commit.uid, MAC_KEY, NO_KECAMATAN, _MASTER_GENERATION))
    said = _STATION if commit.before is None else commit.before
    if _fits(commit, key, _reader(said)):
        return Checked(found(Finding.VALID))
    others = (NOBODY_BEFORE, *(_reader(one) for one in known if one != said))
    if any(_fits(commit, key, before) for before in others):
        return Checked(found(Finding.VALID), before_differs=commit.before is not None)
    return Checked(found(Finding.INVALID))


def _fits(commit: AskedCommit, key: bytes, before: bytes) -> bool:
    record = decode_record(commit.record)
    enc_before = enciphered_reader_id(key, commit.uid, commit.counter, before=before)
    mine = reader_id(record.terminal, record.epoch)
    done = Transaction(commit.uid, commit.counter, mine, enc_before, commit.record)
    return aes.same(transaction_value(key, done), commit.value)


def _reader(before: int) -> bytes:
    return reader_id(before >> 8, before & 0xFF)
