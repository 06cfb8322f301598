"""Roads to the province: the one interface, and the choice of a road.

A road carries bytes both ways and believes nothing it carries.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from card_codec.keys import PublicKey
from ledger.errors import FolderError, RightsError
from ledger.folder import TerminalFolder
from ledger.rights import Rights
from ledger.sealing import province_key
from sync_agent.batch import Batch
from sync_agent.http_road import HttpRoad
from sync_agent.messages import HeadAnswer, OfferItem, Taken
from sync_agent.stick import Stick
from sync_agent.stick_road import StickRoad

TOKEN_SIZE_MAX = 200
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Road(Protocol):
    """What the agent asks of any road.

    Attributes:
        is_live: the province itself answers now; else what lies there may be of any age.
    """

    is_live: bool

    @property
    def takes_entries(self) -> bool:
        """Whether entries can go this way now."""
        ...

    def head(self) -> HeadAnswer | None:
        """How far the province holds this terminal's chain; None when this road does not say.

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
        FolderError: no road leads there, no road token, an address that is not encrypted, or no
            such authority.
        StickError: no such folder.
    """
    config = folder.config
    url = config.province if where is None else where
    if url.startswith(("http://", "https://")):
        _check_way(url)
        return HttpRoad(
            url,
            _token(folder),
            terminal=config.ordinal,
            epoch=config.epoch,
            trusting=_authority(folder),
        )
    return StickRoad(
        open_stick(url), terminal=config.ordinal, epoch=config.epoch, seal_to=sealed_to(folder)
    )


def sealed_to(folder: TerminalFolder) -> PublicKey | None:
    """The province's key by the ledger installed here; None before one is.

    What lies below ``former`` has no ledger of its own: it is handed in by the terminal's.
    """
    root = folder.root
    own = root.parent.parent / folder.rights.name if root.parent.name == "former" else folder.rights
    try:
        rights = Rights(own)
    except RightsError:
        return None
    try:
        return province_key(rights.trust)
    finally:
        rights.close()


def open_stick(where: str) -> Stick:
    """The stick or folder that somebody named.

    Raises:
        FolderError: it is no name of a folder.
        StickError: no such folder.
    """
    if not where or _SCHEME.match(where):
        raise FolderError(
            f"no road leads to {where[:200]!r}; use a folder such as /media/usb, or https://…"
        )
    return Stick(Path(where))


def _check_way(url: str) -> None:
    """The road token opens a door: it goes in the clear to this machine alone."""
    try:
        httpx.URL(url)
        where = urlsplit(url)
        named = where.hostname
    except (httpx.InvalidURL, ValueError) as error:
        raise FolderError(
            f"{url[:200]!r} is no address; use https://NAME or https://NAME:PORT"
        ) from error
    if not named:
        raise FolderError(f"{url[:200]!r} names no province; use https://NAME")
    if where.scheme == "http" and named not in LOOPBACK:
        raise FolderError(f"{url} is not encrypted; name the province by https://")


def _authority(folder: TerminalFolder) -> ssl.SSLContext | None:
    """Whose certificates to believe: the province's own authority alone, else the system's."""
    named = folder.config.authority
    if named is None:
        return None
    try:
        return ssl.create_default_context(cafile=folder.root / named)
    except (OSError, ssl.SSLError) as error:
        raise FolderError(
            f"{folder.root / named} holds no certificate of an authority; check authority in"
            " terminal.toml"
        ) from error


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
