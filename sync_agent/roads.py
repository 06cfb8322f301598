"""Roads to the province: the one interface, and the choice of a road.

A road carries bytes both ways and believes nothing it carries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ledger.errors import FolderError
from ledger.folder import TerminalFolder
from sync_agent.batch import Batch
from sync_agent.http_road import HttpRoad
from sync_agent.messages import HeadAnswer, OfferItem, Taken
from sync_agent.stick import Stick
from sync_agent.stick_road import StickRoad

TOKEN_SIZE_MAX = 200


class Road(Protocol):
    """What the agent asks of any road.

    Attributes:
        is_live: the province itself answers now; else what lies there may be of any age.
    """

    is_live: bool

    def head(self) -> HeadAnswer | None:
        """How far the province holds this terminal's chain; None when this road cannot ask.

        Raises:
            RoadError: nothing came through.
        """
        ...

    def send(self, batch: Batch) -> Taken | None:
        """Hand over entries; None when the answer comes another day.

        Raises:
            RoadError: nothing came through, or the province refused.
            ForkError: the province holds another history.
        """
        ...

    def offer(self) -> list[OfferItem]:
        """The files this terminal needs.

        Raises:
            RoadError: nothing came through.
        """
        ...

    def fetch(self, item: OfferItem) -> bytes:
        """The bytes of one of them, of the size offered; their hash is the agent's to check.

        Raises:
            RoadError: nothing came through.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def open_road(folder: TerminalFolder, where: str | None) -> Road:
    """The road to take: a folder or stick, a URL, or the province's own URL.

    Raises:
        FolderError: no road token.
        StickError: no such folder.
    """
    config = folder.config
    url = where or config.province
    if url.startswith(("http://", "https://")):
        return HttpRoad(url, _token(folder), terminal=config.ordinal, epoch=config.epoch)
    return StickRoad(Stick(Path(url)), terminal=config.ordinal, epoch=config.epoch)


def _token(folder: TerminalFolder) -> str:
    try:
        token = folder.road_token.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FolderError(
            f"no road token at {folder.road_token}; enrol this terminal, or use --with DIR"
        ) from error
    if not 16 <= len(token) <= TOKEN_SIZE_MAX or not token.isprintable() or " " in token:
        raise FolderError(f"{folder.road_token} does not hold a road token; enrol again")
    return token
