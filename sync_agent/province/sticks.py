"""The province's side of the road by hand: take what a stick brings, lay what terminals need."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from ledger.roll import Terminal
from sync_agent.batch import BATCH_SIZE_MAX
from sync_agent.errors import IntakeRefusedError, StickError
from sync_agent.province.province import Province
from sync_agent.stick import Stick
from sync_agent.stick_road import BATCH_NAME, FILES, FROM_TERMINALS, HEAD, TO_TERMINALS

_TERMINAL = re.compile(r"[1-9][0-9]{0,4}-[1-9][0-9]{0,2}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
BATCHES_MAX = 20_000
"""Batches looked at in one act; the rest waits for the next."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of the stick that was not taken, and why."""

    file: str
    error: str
    detail: str


@dataclass(frozen=True, slots=True)
class StickReport:
    """What one act with a stick did."""

    batches: int
    accepted: int
    terminals: int
    refused: tuple[Refused, ...]


def once_with(province: Province, stick: Stick) -> StickReport:
    """Take every batch, then lay every terminal's offer, its newest acknowledgement in it.

    Raises:
        StickError: the stick cannot be read or written.
        ProvinceError: the store failed, or no release was taken yet.
    """
    batches, accepted, refused = 0, 0, []
    for path in _batches(stick):
        batches += 1
        try:
            data = stick.read(path, size_max=BATCH_SIZE_MAX)
            if data is not None:
                accepted += province.take(data, road="stick").accepted
        except IntakeRefusedError as error:
            refused.append(Refused(path, error.code, error.detail))
        except StickError as error:
            refused.append(Refused(path, "not_a_file", error.detail))
    coming = [t for t in province.in_force().rights.roll.terminals if t.shut_out is None]
    laid: set[str] = set()
    for terminal in coming:
        _lay_offer(province, stick, terminal, laid=laid)
        head = province.head(terminal.ordinal, terminal.epoch)
        own = f"{TO_TERMINALS}/{terminal.ordinal}-{terminal.epoch}"
        stick.write(f"{own}/{HEAD}", msgspec.json.encode(head))
    for name in stick.names(FILES):
        if _DIGEST.match(name) and name not in laid:
            stick.remove(f"{FILES}/{name}")
    return StickReport(batches, accepted, len(coming), tuple(refused))


def _batches(stick: Stick) -> list[str]:
    """Paths of batches, each terminal's in the order of its entries."""
    found = []
    for own in stick.names(FROM_TERMINALS):
        if _TERMINAL.match(own):
            directory = f"{FROM_TERMINALS}/{own}"
            starts = [
                (int(match.group(1)), int(match.group(2)), name)
                for name in stick.names(directory)
                if (match := BATCH_NAME.match(name))
            ]
            found += [f"{directory}/{name}" for _, _, name in sorted(starts)]
    return found[:BATCHES_MAX]


def _lay_offer(province: Province, stick: Stick, terminal: Terminal, *, laid: set[str]) -> None:
    """The files first, the list last: a stick pulled out early offers what it offered before.

    Args:
        laid: digests of the files that lie there by now; most are for many terminals.
    """
    items = province.offer(terminal, whole=True)
    for item in items:
        if item.sha256 not in laid:
            stick.write(f"{FILES}/{item.sha256}", province.file(terminal, item.path, item.sha256))
            laid.add(item.sha256)
    own = f"{TO_TERMINALS}/{terminal.ordinal}-{terminal.epoch}/offer.json"
    stick.write(own, msgspec.json.encode(items))
