"""Telling an offer that is older than what lies here, on a road that anyone may have laid.

Nothing is verified by the agent, so a timestamp in the in-box is only a claim: one that the
terminal has had time to take and did not take keeps nothing out. What it has verified does.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ledger.in_box import read_brought
from sync_agent.messages import TIMESTAMP_PATH, OfferItem
from sync_agent.roads import Road

TIMESTAMP_SIZE_MAX = 16_384
TAKEN_WITHIN = 86_400
"""Seconds after which a terminal has looked into its in-box."""


class _Signed(msgspec.Struct):
    version: int


class _Metadata(msgspec.Struct):
    signed: _Signed


def is_superseded(
    in_box: Path, trusted: Path, road: Road, offer: list[OfferItem], *, now: int
) -> bool:
    """Whether an offer is older than what the terminal has, or is about to take.

    A new root may begin the numbers anew; an offer that brings one is never called old.

    Raises:
        RoadError: the road failed.
    """
    named = next((item for item in offer if item.path == TIMESTAMP_PATH), None)
    if named is None or named.size > TIMESTAMP_SIZE_MAX or _brings_root(in_box, offer):
        return False
    offered = _version(road.fetch(named))
    known = [_version(read_brought(trusted, "timestamp.json", size_max=TIMESTAMP_SIZE_MAX))]
    if now - _laid_at(in_box / TIMESTAMP_PATH) < TAKEN_WITHIN:
        known.append(_version(read_brought(in_box, TIMESTAMP_PATH, size_max=TIMESTAMP_SIZE_MAX)))
    return offered < max(known)


def _brings_root(in_box: Path, offer: list[OfferItem]) -> bool:
    roots = [item.path for item in offer if item.path.endswith(".root.json")]
    return any(not os.path.lexists(in_box / path) for path in roots)


def _laid_at(path: Path) -> float:
    try:
        return path.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0


def _version(data: bytes | None) -> int:
    """The version a timestamp claims; 0 for what is none."""
    try:
        return msgspec.json.decode(data or b"", type=_Metadata).signed.version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
