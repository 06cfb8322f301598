"""The province's end as one thing: what its commands, its intake and its desk all call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from card_codec.trust import KeyUse
from ledger.element import RedemptionId
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.roll import Terminal
from sync_agent.errors import IntakeRefusedError, ProvinceError, SyncError
from sync_agent.messages import TIMESTAMP_PATH, HeadAnswer, OfferItem, Taken
from sync_agent.province import accounts
from sync_agent.province.accounts import Listed, Waiting
from sync_agent.province.case_records import CaseRecords
from sync_agent.province.cases import Case
from sync_agent.province.complaints import ComplaintDesk
from sync_agent.province.corrections import Misnamed, misnamed_corrections
from sync_agent.province.evidence import ChainCase, Shown, chain_cases
from sync_agent.province.folder import ProvinceFolder
from sync_agent.province.installed import Installed, ReleaseInForce
from sync_agent.province.intake import Arrival, Checked, Intake
from sync_agent.province.judging import find_cases
from sync_agent.province.mac_desk import MacDesk
from sync_agent.province.offer import offer_for, offered_bytes
from sync_agent.province.publishing import (
    keep_time,
    publish_block,
    publish_proved,
    publish_restored,
    publish_usage,
)
from sync_agent.province.release import take_release
from sync_agent.province.segments import Fault, Segment, check_segments, seal_segment
from sync_agent.province.settlement import settlements
from sync_agent.province.settling import Due, settle
from sync_agent.province.store import Store
from sync_agent.province.together import Together

GROUP_MAX = 64
"""Batches taken in one transaction."""
TIMESTAMPS_KEPT = 512
"""Timestamps offered lately, of some 500 bytes each."""


class Province:
    """One province folder, opened.

    Args:
        folder: where its things lie.
        now: tells Unix seconds.
    """

    def __init__(self, folder: ProvinceFolder, *, now: Callable[[], int]) -> None:
        self.folder = folder
        self._now = now
        self._store = Store(folder.store_url)
        self._in_force = ReleaseInForce(folder)
        self._timestamps: dict[str, bytes] = {}
        self._intake = Intake(self._store, self._in_force.now, lambda: folder.key("log"))
        self.complaints = ComplaintDesk(self._store, self._in_force.now)
        self.macs = MacDesk(self._store, self._in_force.now, now)
        self.records = CaseRecords(self._store, self._in_force.now)
        self._together = Together(
            self._take_group, most=GROUP_MAX, failures=(SyncError, LedgerError, CardCodecError)
        )

    def in_force(self) -> Installed:
        """The release in force.

        Raises:
            ProvinceError: none was taken yet.
        """
        return self._in_force.now()

    def take(self, batch: bytes, *, road: str, sender: Terminal | None = None) -> Taken:
        """Take a batch, and publish what it tells before the acknowledgement goes out.

        Args:
            batch: as it travelled.
            road: by which road, for the record.
            sender: whose door it came through; None where a stick has none.

        Raises:
            IntakeRefusedError: nothing was accepted.
            ProvinceError: the store or the repository failed; the batch may be sent again.
        """
        outcome = self._together.join(self._intake.check(batch, Arrival(road, self._now(), sender)))
        if isinstance(outcome, IntakeRefusedError):
            raise outcome
        return outcome

    def _take_group(self, group: Sequence[Checked]) -> list[Taken | IntakeRefusedError]:
        outcomes = self._intake.store(group)
        both = zip(group, outcomes, strict=True)
        chains = {checked.chain for checked, outcome in both if isinstance(outcome, Taken)}
        if chains:
            publish_usage(self.folder, self._store, now=self._now(), only=sorted(chains))
        if any(isinstance(outcome, IntakeRefusedError) for outcome in outcomes):
            publish_proved(self.folder, self._store, self.in_force(), now=self._now())
        return outcomes

    def show_slip(self, text: str) -> tuple[Shown, Entry]:
        """Hold a family's slip against the log: what it shows, and the entry it is.

        Raises:
            IntakeRefusedError: it is no slip of a terminal on the roll.
            ProvinceError: the store failed.
        """
        shown = self._intake.show_slip(text, at=self._now())
        publish_proved(self.folder, self._store, self.in_force(), now=self._now())
        return shown

    def tell_code(self, id: RedemptionId, code: str) -> Shown:
        """Hold the code of a head, as it was told, against the log.

        Raises:
            IntakeRefusedError: the roll does not know the terminal.
            ProvinceError: the store failed.
        """
        return self._intake.tell_code(id, code, at=self._now())

    def withdraw_code(self, id: RedemptionId, code: str) -> bool:
        """Take back a code that was misheard; False if nobody had told it."""
        return self._intake.withdraw_code(id, code, at=self._now())

    def chain_cases(self) -> list[ChainCase]:
        """Terminals with two histories, and terminals that owe entries."""
        with self._store.reading() as db:
            return chain_cases(db)

    def publish(self) -> int:
        """Publish usage that waits since a crash; returns how many elements."""
        riding = publish_usage(self.folder, self._store, now=self._now())
        return riding + publish_proved(self.folder, self._store, self.in_force(), now=self._now())

    def head(self, ordinal: int, epoch: int) -> HeadAnswer:
        """How far a terminal's chain is held."""
        return self._intake.head(ordinal, epoch)

    def offer(self, terminal: Terminal, *, whole: bool = False) -> list[OfferItem]:
        """What a terminal needs now.

        Args:
            terminal: who asks.
            whole: for a stick, whose reader can ask for nothing more.

        Raises:
            LedgerError: nothing was published yet, or the disk refused.
        """
        keep_time(self.folder, now=self._now())
        offer = offer_for(terminal, self.folder.repository, self._store, whole=whole)
        self._timestamps[hashlib.sha256(offer.timestamp).hexdigest()] = offer.timestamp
        while len(self._timestamps) > TIMESTAMPS_KEPT:
            self._timestamps.pop(next(iter(self._timestamps)), None)
        return offer.items

    def file(self, terminal: Terminal, path: str, sha256: str | None = None) -> bytes:
        """One file for a terminal.

        Args:
            terminal: who asks.
            path: as it was offered.
            sha256: of the bytes offered. The timestamp that was offered is given even if a newer
                one stands: over a thin line a busy province would never be caught up with.

        Raises:
            IntakeRefusedError: not one of its files.
        """
        if path == TIMESTAMP_PATH and sha256 in self._timestamps:
            return self._timestamps[sha256]
        return offered_bytes(terminal, path, self.folder.repository, self._store)

    def release(self, source: Path) -> int:
        """Take the office's release; returns the ledger version published.

        Raises:
            ProvinceError: it is not accepted; what was published stays.
        """
        return take_release(self.folder, self._store, source, now=self._now())

    def misnamed_corrections(self) -> list[Misnamed]:
        """Corrections that name another household's redemption, and so take nothing back."""
        with self._store.reading() as db:
            return misnamed_corrections(db, self.in_force().rights.roll)

    def restored(self) -> int:
        """Put back from a copy: publish so that terminals follow again; the ledger's version."""
        return publish_restored(self.folder, now=self._now())

    def block(self, household: bytes, issue: int, reason: str) -> bool:
        """Block one card; False when it was blocked already.

        Raises:
            ProvinceError: no such household.
        """
        folder, store, now = self.folder, self._store, self._now()
        return publish_block(
            folder, store, household=household, issue=issue, reason=reason, now=now
        )

    def cases(self) -> list[Case]:
        """Every case, by the policy in force."""
        keys = _log_keys(self.folder, installed := self.in_force())
        with self._store.reading() as db:
            return find_cases(db, installed, settlements(db, keys))

    def waiting(self, *, language: str) -> list[Waiting]:
        """Redemptions by chip that were cut off, and what is known of each."""
        return accounts.waiting(self._store, self.in_force(), language=language)

    def settle(self) -> list[Due]:
        """Settle every window whose time has come; the windows settled now.

        Raises:
            ProvinceError: the store failed, or no release was taken yet.
        """
        keys = _log_keys(self.folder, installed := self.in_force())
        return settle(self._store, installed, self.folder.key("log"), keys, now=self._now())

    def seal_segment(self) -> Segment | None:
        """Write what was accepted since the last segment; None when there is nothing.

        Raises:
            ProvinceError: the store failed, the disk refused, or pyarrow is not installed.
        """
        return seal_segment(self._store, self.folder.root, now=self._now())

    def check_segments(self) -> tuple[int, list[Fault]]:
        """How many segments there are, and what is wrong with them."""
        return check_segments(self._store, self.folder.root)

    def redemptions(self, *, language: str | None = None, most: int | None = None) -> list[Listed]:
        """Redemptions, the newest first."""
        words = language or self.folder.config.language
        return accounts.redemptions(self._store, self.in_force(), language=words, most=most)

    def received(self) -> int:
        """How many redemptions have arrived."""
        return accounts.received(self._store)

    def close(self) -> None:
        """Let go of the store and of the release."""
        self._in_force.close()
        self._store.close()


def refusal_of(error: Exception) -> IntakeRefusedError | None:
    """How an error of ours is told to whoever asked; None when it is a defect."""
    if isinstance(error, IntakeRefusedError):
        return error
    if isinstance(error, ProvinceError | LedgerError):
        return IntakeRefusedError(503, "not_ready", error.detail)
    if isinstance(error, CardCodecError):
        return IntakeRefusedError(503, "not_ready", error.detail)
    return None


def _log_keys(folder: ProvinceFolder, installed: Installed) -> list[PublicKey]:
    """By which settlements are signed."""
    named = [k.key for k in installed.rights.trust.keys if k.use is KeyUse.LOG]
    return [folder.key("log").public, *named]
