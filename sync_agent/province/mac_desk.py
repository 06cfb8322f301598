"""Transaction MACs between the province and the issuer: asked, taken, and shown to people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.mac_verdict import verdict_kids
from sync_agent.province.installed import Installed
from sync_agent.province.mac_questions import write_questions
from sync_agent.province.mac_verdicts import (
    MacCase,
    TakenVerdicts,
    answered,
    mac_cases,
    take_verdicts,
)
from sync_agent.province.store import Store


class MacDesk:
    """The round trip, by the trust list of the release in force.

    Args:
        store: the province's.
        in_force: tells the release in force.
        now: tells Unix seconds.
    """

    def __init__(
        self, store: Store, in_force: Callable[[], Installed], now: Callable[[], int]
    ) -> None:
        self._store = store
        self._in_force = in_force
        self._now = now

    def ask(self, out: Path, *, anew: bool = False) -> list[Path]:
        """Write the Transaction MACs on which the issuer has said nothing yet.

        Args:
            out: folder for the files.
            anew: those, too, on which it has.

        Raises:
            ProvinceError: the store cannot be read, or no release was taken yet.
            FolderError: the disk refused.
        """
        known = set()
        if not anew:
            kids = verdict_kids(self._in_force().rights.trust)
            with self._store.reading() as db:
                known = answered(db, kids)
        return write_questions(self._store, out, answered=known)

    def take(self, data: bytes) -> TakenVerdicts:
        """Take the issuer's verdicts.

        Raises:
            RecordError: not signed by a verdict key of the release in force, or not verdicts.
            ProvinceError: the store failed, or no release was taken yet.
        """
        return take_verdicts(self._store, data, self._in_force().rights.trust, now=self._now())

    def cases(self) -> list[MacCase]:
        """Redemptions whose Transaction MACs people must look at."""
        kids = verdict_kids(self._in_force().rights.trust)
        with self._store.reading() as db:
            return mac_cases(db, kids)
