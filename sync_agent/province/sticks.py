"""The province's side of the road by hand: take what a stick brings, lay what terminals need."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from ledger.roll import Terminal
from sync_agent.batch import read_batch
from sync_agent.bundle import BUNDLE_NAME, BUNDLE_SIZE_MAX, code_of, open_bundle
from sync_agent.errors import IntakeRefusedError, MessageError, StickError
from sync_agent.province.province import Province
from sync_agent.stick import Stick
from sync_agent.stick_road import FILES, FROM_TERMINALS, HEAD, TO_TERMINALS

_TERMINAL = re.compile(r"[1-9][0-9]{0,4}-[1-9][0-9]{0,2}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
BUNDLES_MAX = 20_000
"""Bundles looked at in one act; that there are more is told."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of the stick that was not taken, and why."""

    file: str
    error: str
    detail: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry a stick brought of a terminal, and its code for the telephone."""

    number: str
    code: str


@dataclass(frozen=True, slots=True)
class StickReport:
    """What one act with a stick did."""

    batches: int
    accepted: int
    terminals: int
    refused: tuple[Refused, ...]
    heads: tuple[Head, ...] = ()


def once_with(province: Province, stick: Stick) -> StickReport:
    """Take every bundle, then lay every terminal's offer, its newest acknowledgement in it.

    What is wrong with one terminal's part is told and stops no other's; what was taken is told
    even of a stick that then takes nothing.

    Raises:
        StickError: the stick cannot be read.
        ProvinceError: the store failed, or no release was taken yet.
    """
    taken = _Taken()
    for path in taken.bundles(stick):
        taken.take(province, stick, path)
    coming = [t for t in province.in_force().rights.roll.terminals if t.shut_out is None]
    laid: set[str] = set()
    count = 0
    try:
        for terminal in coming:
            count += taken.lay(province, stick, terminal, laid=laid)
        for name in stick.names(FILES):
            if _DIGEST.match(name) and name not in laid:
                stick.remove(f"{FILES}/{name}")
    except StickError as error:  # full, broken or pulled out: no terminal's part goes on
        taken.refused.append(Refused(FILES, "not_laid", error.detail))
    heads = tuple(taken.heads[chain] for chain in sorted(taken.heads))
    return StickReport(taken.batches, taken.accepted, count, tuple(taken.refused), heads)


@dataclass(slots=True)
class _Taken:
    """What was taken of a stick so far."""

    batches: int = 0
    accepted: int = 0
    refused: list[Refused] = field(default_factory=list)
    heads: dict[tuple[int, int], Head] = field(default_factory=dict)

    def take(self, province: Province, stick: Stick, path: str) -> None:
        """One bundle; whatever is wrong with it, the others are taken."""
        self.batches += 1
        try:
            sealed = stick.read(path, size_max=BUNDLE_SIZE_MAX)
            if sealed is None:
                return
            data = open_bundle(sealed, province.folder.key("log"))
            self.accepted += province.take(data, road="stick").accepted
            batch = read_batch(data)
            self.heads[batch.terminal, batch.epoch] = Head(*code_of(batch))
        except MessageError as error:
            self.refused.append(Refused(path, "not_sealed_to_us", error.detail))
        except IntakeRefusedError as error:
            self.refused.append(Refused(path, error.code, error.detail))
        except StickError as error:
            self.refused.append(Refused(path, "not_a_file", error.detail))

    def bundles(self, stick: Stick) -> list[str]:
        """Paths of bundles, each terminal's in the order of its entries."""
        found = []
        for own in stick.names(FROM_TERMINALS):
            directory = f"{FROM_TERMINALS}/{own}"
            if not _TERMINAL.match(own):
                continue
            try:
                names = stick.names(directory)
            except StickError as error:
                self.refused.append(Refused(directory, "not_a_folder", error.detail))
                continue
            matches = [match for match in map(BUNDLE_NAME.match, names) if match]
            matches.sort(key=lambda match: (int(match[1]), int(match[2])))
            found += [f"{directory}/{match.string}" for match in matches]
        if len(found) > BUNDLES_MAX:
            detail = (
                f"{stick.root} holds {len(found)} bundles and only the first {BUNDLES_MAX} were"
                " looked at; take those off that were taken, and bring it again"
            )
            self.refused.append(Refused(FROM_TERMINALS, "too_many", detail))
        return found[:BUNDLES_MAX]

    def lay(self, province: Province, stick: Stick, terminal: Terminal, *, laid: set[str]) -> bool:
        """One terminal's offer; False when its own folder cannot be used.

        The files first, the list last: a stick pulled out early offers what it offered before.

        Args:
            laid: digests of the files that lie there by now; most are for many terminals.

        Raises:
            StickError: the files that are for all cannot be written.
        """
        items = province.offer(terminal, whole=True)
        for item in items:
            if item.sha256 not in laid:
                data = province.file(terminal, item.path, item.sha256)
                stick.write(f"{FILES}/{item.sha256}", data)
                laid.add(item.sha256)
        own = f"{TO_TERMINALS}/{terminal.ordinal}-{terminal.epoch}"
        head = province.head(terminal.ordinal, terminal.epoch)
        try:
            stick.write(f"{own}/offer.json", msgspec.json.encode(items))
            stick.write(f"{own}/{HEAD}", msgspec.json.encode(head))
        except StickError as error:
            self.refused.append(Refused(own, "not_laid", error.detail))
            return False
        return True
