"""The road by hand: a USB stick or a folder that somebody carries.

``from-terminals/<terminal>-<epoch>/<start>-<end>.bundle`` waits for the province, sealed to it;
``to-terminals/<terminal>-<epoch>/offer.json`` lists what the province laid down for a terminal,
``head.json`` beside it says how far it held that terminal's chain, and
``to-terminals/files/<sha256>`` holds the bytes, once for all terminals.
"""

from __future__ import annotations

from card_codec.keys import PublicKey
from sync_agent.batch import Batch
from sync_agent.bundle import BUNDLE_NAME, bundle_name, write_bundle
from sync_agent.errors import MessageError, StickError
from sync_agent.messages import (
    OFFER_SIZE_MAX,
    HeadAnswer,
    OfferItem,
    Taken,
    read_json,
    read_offer,
)
from sync_agent.stick import Stick

FROM_TERMINALS = "from-terminals"
TO_TERMINALS = "to-terminals"
FILES = f"{TO_TERMINALS}/files"
HEAD = "head.json"
HEAD_SIZE_MAX = 1024


class StickRoad:
    """One terminal's use of a stick.

    Args:
        stick: the folder.
        terminal: ordinal of the terminal.
        epoch: its epoch.
        seal_to: the province's log key; None before any ledger is installed that names it. Then
            nothing is laid down: the ledger comes first.
    """

    is_live = False

    def __init__(
        self, stick: Stick, *, terminal: int, epoch: int, seal_to: PublicKey | None
    ) -> None:
        self._stick = stick
        self._own = f"{terminal}-{epoch}"
        self._seal_to = seal_to

    @property
    def takes_entries(self) -> bool:
        """Whether there is anybody to seal entries to."""
        return self._seal_to is not None

    def head(self) -> HeadAnswer | None:
        """What the province held when this stick was there last; None where that is not told.

        It may be of any age and of anyone's making: it can only ask for more than was
        acknowledged, as a province does that was put back from a copy.

        Raises:
            StickError: what lies there is no plain file, or too large.
        """
        data = self._stick.read(f"{TO_TERMINALS}/{self._own}/{HEAD}", size_max=HEAD_SIZE_MAX)
        try:
            return read_json(data, HeadAnswer) if data is not None else None
        except MessageError:
            return None

    def send(self, batch: Batch) -> Taken | None:
        """Lay a batch down, sealed, and take off those it covers; the answer comes another day.

        Raises:
            StickError: the stick did not take it.
        """
        if self._seal_to is None:
            raise StickError("there is nobody to seal entries to yet; bring a ledger first")
        directory = f"{FROM_TERMINALS}/{self._own}"
        kept = bundle_name(batch)
        self._stick.write(f"{directory}/{kept}", write_bundle(batch, self._seal_to))
        for name in self._stick.names(directory):
            match = BUNDLE_NAME.match(name)
            if match is None or name == kept:
                continue
            start, end = (int(part) for part in match.groups())
            if batch.start <= start <= end <= batch.end:
                self._stick.remove(f"{directory}/{name}")
        return None

    def offer(self) -> list[OfferItem]:
        """What the province laid down for this terminal; nothing when it has not yet.

        Raises:
            StickError: what lies there cannot be read.
        """
        path = f"{TO_TERMINALS}/{self._own}/offer.json"
        data = self._stick.read(path, size_max=OFFER_SIZE_MAX)
        if data is None:
            return []
        try:
            return read_offer(data)
        except MessageError as error:
            raise StickError(f"{path} on {self._stick.root} is damaged: {error.detail}") from error

    def fetch(self, item: OfferItem) -> bytes:
        """One file of the offer.

        Raises:
            StickError: it is not there, or too large.
        """
        data = self._stick.read(f"{FILES}/{item.sha256}", size_max=item.size)
        if data is None:
            raise StickError(
                f"{self._stick.root} lists {item.path} but does not hold it; take the stick to the"
                " province again"
            )
        return data

    def close(self) -> None:
        """Nothing is held open."""
