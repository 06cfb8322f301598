"""The disk: nothing is given on one that is nearly full, and a full one seals the chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger import space
from ledger.entry import Refusal, Sealed
from ledger.errors import DiskFullError, NotSavedError
from ledger.journal import Journal
from terminal.redeem import Desk, Presentation, append


class DiskWatch:
    """Of one terminal's folder.

    Args:
        folder: where the journal lies.
        free: how many bytes may still be written there.
    """

    def __init__(self, folder: Path, free: space.Room) -> None:
        self._folder = folder
        self._free = free
        self._reserve = space.Reserve(folder / "reserve")
        self._sealed = False
        self._reserve.lay()

    def is_full(self) -> bool:
        """Whether so little room is left that nothing may be given; the reserve is kept laid."""
        if self._free(self._folder) < space.ROOM_MIN or not self._reserve.lay():
            return True
        self._sealed = False
        return False

    def refuse(self, desk: Desk, presentation: Presentation) -> Refused:
        """Refuse for want of room; recorded where there is room for that."""
        refusal = Refusal(Reason.DISK_FULL, None, 0, 0, 0, presentation.presented)
        if not self._sealed:
            with suppress(NotSavedError), self.over(desk):
                with desk.journal.act() as act:
                    append(desk, act, act.moment(desk.clock.read()), refusal)
                return Refused(Reason.DISK_FULL, entry=desk.refused)
        return Refused(Reason.DISK_FULL)

    @contextmanager
    def over(self, desk: Desk) -> Iterator[None]:
        """Watch over an act: on a full disk the reserve is given back and the chain sealed."""
        try:
            yield
        except DiskFullError:
            self._seal(desk)
            raise

    def _seal(self, desk: Desk) -> None:
        if self._sealed:
            return
        self._reserve.give_back()
        journal: Journal = desk.journal
        with suppress(NotSavedError):
            with journal.act() as act:
                head = act.head
                sealed = Sealed("disk_full", journal.identity.epoch, head.seq, head.leaf)
                # An act of nobody's: it says nothing of the last redemption's goods.
                act.append(
                    sealed,
                    moment=act.moment(desk.clock.read()),
                    ledger=desk.rights.versions.ledger if desk.rights else 0,
                    officer=desk.officer,
                    signer=desk.signer,
                )
            self._sealed = True
