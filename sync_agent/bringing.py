"""Laying what is offered into the in-box, in an order in which half of it is inert."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ledger.errors import RecordError
from ledger.folder import WRITING, write_whole
from ledger.in_box import read_brought
from ledger.usage_file import USAGE_SIZE_MAX, read_usage
from sync_agent.errors import NotOursError
from sync_agent.messages import ACKNOWLEDGEMENT_PATH, TIMESTAMP_PATH, OfferItem, is_in_box_path
from sync_agent.roads import Road
from sync_agent.superseded import is_superseded

OFFER_TRIES = 4
"""The province may publish between its offer and our fetching; then the offer is asked again."""
METADATA_SIZE_MAX = 16 * 1024 * 1024
SUPERSEDED_SECONDS = 7 * 86_400
"""What no offer has named for so long is swept: whoever was reading it is long done."""
_PEOPLE = "targets/people/"
"""People of a period that is over, or of a desa no longer served, go at once."""
_USAGE = re.compile(r"targets/usage/[0-9]{6}/")
_SEGMENT = re.compile(r"targets/usage/([0-9]{6})/[0-9a-f]{64}\.([1-9][0-9]{0,8})\.cbor\Z")


def bring(in_box: Path, road: Road, *, trusted: Path, now: int, taken: Container[str] = ()) -> int:
    """Lay every offered file into the in-box that does not lie there; returns new elements.

    Args:
        in_box: the terminal's.
        road: what offers them.
        trusted: where the terminal keeps what it has verified.
        now: Unix seconds, to tell what has long been superseded.
        taken: SHA-256, in hex, of usage segments that the terminal has taken in.

    Raises:
        RoadError: the road failed; what had come through stays.
        FolderError: the disk refused.
    """
    usage: list[bytes] = []
    for _ in range(OFFER_TRIES):
        offer = road.offer()
        if not road.is_live and is_superseded(in_box, trusted, road, offer, now=now):
            # Of an old stick only the province's word is of use; the rest would set things back.
            offer = [item for item in offer if ACKNOWLEDGEMENT_PATH.match(item.path)]
            all(_bring_one(in_box, road, item, usage) for item in offer)
            return 0
        chained: dict[str, OfferItem] = {}
        if all(
            _bring_one(in_box, road, item, usage)
            and _bring_before(in_box, road, item, usage, taken=taken, chained=chained)
            for item in _ordered(offer)
        ):
            if offer:
                _sweep(in_box, {item.path for item in (*offer, *chained.values())}, now=now)
            return sum(_count_elements(data) for data in usage)
    raise NotOursError(
        "what was fetched is never what was offered; the road damages files: try another"
    )


def _bring_one(in_box: Path, road: Road, item: OfferItem, usage: list[bytes]) -> bool:
    """False when the bytes are not those offered: the offer is out of date."""
    held = read_brought(in_box, item.path, size_max=item.size)
    if held is not None and hashlib.sha256(held).hexdigest() == item.sha256:
        return True
    data = road.fetch(item)
    if hashlib.sha256(data).hexdigest() != item.sha256:
        return False
    write_whole(in_box / item.path, data)
    if _USAGE.match(item.path):
        usage.append(data)
    return True


def _bring_before(
    in_box: Path,
    road: Road,
    item: OfferItem,
    usage: list[bytes],
    *,
    taken: Container[str],
    chained: dict[str, OfferItem],
) -> bool:
    """The segments that a usage segment follows, back to one that was taken in or looked at.

    Args:
        chained: by digest, what was looked at this time; nothing is walked twice.

    Returns:
        False when one is not what the next one names.
    """
    while item.sha256 not in taken and (before := _before(in_box, item)):
        item = before
        if item.sha256 in taken or item.sha256 in chained:
            break
        chained[item.sha256] = item
        if not _bring_one(in_box, road, item, usage):
            return False
    return True


def _before(in_box: Path, item: OfferItem) -> OfferItem | None:
    """The segment before one that lies here; None where the chain begins, or at no segment."""
    named = _SEGMENT.match(item.path)
    data = read_brought(in_box, item.path, size_max=USAGE_SIZE_MAX) if named else None
    if named is None or data is None:
        return None
    try:
        prev = read_usage(data)[0].prev.hex()
    except RecordError:
        return None
    number = int(named[2]) - 1
    path = f"targets/usage/{named[1]}/{prev}.{number}.cbor"
    return OfferItem(path, USAGE_SIZE_MAX, prev) if prev and number else None


def _ordered(items: list[OfferItem]) -> list[OfferItem]:
    """Targets, acknowledgements, then metadata, the timestamp last: half of an offer is inert."""

    def place(item: OfferItem) -> tuple[bool, bool, str]:
        return item.path == TIMESTAMP_PATH, item.path.startswith("metadata/"), item.path

    return sorted(items, key=place)


def _count_elements(data: bytes) -> int:
    """How many elements a segment holds, for the report alone; the terminal verifies it."""
    try:
        return len(read_usage(data)[1])
    except RecordError:
        return 0


def _sweep(in_box: Path, offered: set[str], *, now: int) -> None:
    """Remove what lies in the in-box, is ours by its name, and is neither offered nor recent."""
    for path in _lying(in_box):
        half = path.rpartition("/")[2].startswith(WRITING)  # of a write that power cut off
        if path in offered or not (half or is_in_box_path(path)):
            continue
        file = in_box / path
        with suppress(OSError):  # what cannot be swept now is swept next time
            age = now - file.stat(follow_symlinks=False).st_mtime
            if age > SUPERSEDED_SECONDS or path.startswith(_PEOPLE):
                file.unlink()


def _lying(in_box: Path) -> Iterator[str]:
    for directory, _, names in os.walk(in_box, followlinks=False):
        for name in names:
            yield str((Path(directory) / name).relative_to(in_box))


class _SnapshotMeta(msgspec.Struct):
    version: int


class _TimestampMeta(msgspec.Struct):
    snapshot: _SnapshotMeta = msgspec.field(name="snapshot.json")


class _TimestampSigned(msgspec.Struct):
    meta: _TimestampMeta


class _TimestampFile(msgspec.Struct):
    signed: _TimestampSigned


def ledger_version(in_box: Path) -> int | None:
    """The snapshot version the timestamp in the in-box names, unverified; None without one."""
    data = read_brought(in_box, TIMESTAMP_PATH, size_max=METADATA_SIZE_MAX)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=_TimestampFile).signed.meta.snapshot.version
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
