"""Intake: a batch is checked to the last byte, then taken whole or not at all.

Only bytes that are malformed, unsigned, foreign or out of order are refused. What a batch *says*
is never judged here: a double, a wrong amount, a late entry is evidence, and is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from card_codec.refusal import Refused
from ledger.acknowledgement import Acknowledgement, write_acknowledgement
from ledger.element import RedemptionId
from ledger.entry import Entry, check_head, genesis
from ledger.newer import software_version
from ledger.roll import Terminal
from sync_agent.batch import Batch, read_batch, write_batch
from sync_agent.errors import IntakeRefusedError, MessageError
from sync_agent.messages import HeadAnswer, Taken
from sync_agent.province.evidence import (
    Shown,
    first_difference,
    hold_code,
    keep_evidence,
    keep_followed,
    keep_fork,
    keep_missing,
    read_slip,
    withdraw_code,
)
from sync_agent.province.installed import Installed, shut_out
from sync_agent.province.store import (
    HeldHead,
    Store,
    acknowledgement_from,
    first_fork,
    head,
)
from sync_agent.province.writing import Rows

HTTP = "http"


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a batch came: over which road, when (Unix seconds), and through whose door, if any."""

    road: str
    at: int
    sender: Terminal | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch that its terminal signed; whether it follows what is held is not known yet."""

    batch: Batch
    data: bytes
    terminal: Terminal
    beginning: bytes
    arrival: Arrival

    @property
    def chain(self) -> tuple[int, int]:
        """Terminal and epoch."""
        return self.batch.terminal, self.batch.epoch


class Intake:
    """Takes batches into the accepted log."""

    def __init__(
        self, store: Store, in_force: Callable[[], Installed], log: Callable[[], Signer]
    ) -> None:
        self._store = store
        self._in_force = in_force
        self._log = log

    def check(self, data: bytes, arrival: Arrival) -> Checked:
        """Everything that can be said of a batch without looking into the store.

        Raises:
            IntakeRefusedError: it is refused.
            ProvinceError: no release was taken yet.
        """
        batch = _read(data)
        _through_own_door(batch, arrival.sender)
        terminal = self._in_force().listed(batch.terminal, batch.epoch)
        key = PublicKey.from_spki(terminal.spki)
        try:
            check_batch(batch, key)
        except IntakeRefusedError as error:
            raise (error if terminal.shut_out is None else shut_out(terminal)) from error
        return Checked(batch, data, terminal, genesis(batch.terminal, batch.epoch, key), arrival)

    def store(self, group: Sequence[Checked]) -> list[Taken | IntakeRefusedError]:
        """Take batches, each all or nothing, in one transaction; a fork's branch is kept.

        Raises:
            ProvinceError: the store failed; nothing of the group was taken.
        """
        installed = self._in_force()
        with self._store.writing() as db:
            taking = _Taking(db, installed, self._log())
            outcomes = [taking.take(checked) for checked in group]
            taking.rows.flush()
        return outcomes

    def show_slip(self, text: str, *, at: int) -> tuple[Shown, Entry]:
        """Hold a family's slip against the log; what it shows, and the entry it is.

        Raises:
            IntakeRefusedError: it is no slip of a terminal on the roll.
            ProvinceError: the store failed.
        """
        roll = self._in_force().rights.roll
        batch = read_slip(text, roll)
        if isinstance(batch, Refused):
            raise IntakeRefusedError(400, batch.reason.value, "this is no slip of our terminals")
        body = batch.entries[0].body
        terminal = roll.terminal(body.terminal, body.epoch)
        assert terminal is not None, "the slip was verified by its key"
        key = PublicKey.from_spki(terminal.spki)
        beginning = genesis(body.terminal, body.epoch, key)
        with self._store.writing() as db:
            data = write_batch(batch)
            shown = keep_evidence(db, batch, beginning, data=data, at=at)
        return shown, batch.entries[0]

    def tell_code(self, id: RedemptionId, code: str, *, at: int) -> Shown:
        """Hold a code that was told over the telephone against the log.

        Raises:
            IntakeRefusedError: the roll does not know the terminal.
            ProvinceError: the store failed.
        """
        if self._in_force().rights.roll.terminal(id.terminal, id.epoch) is None:
            words = (
                f"terminal {id.terminal}, epoch {id.epoch}, is not in the roll; ask for it again"
            )
            raise IntakeRefusedError(403, "not_enrolled", words)
        with self._store.writing() as db:
            return hold_code(db, id, code, at=at)

    def withdraw_code(self, id: RedemptionId, code: str, *, at: int) -> bool:
        """Take back a code that was misheard; False if nobody had told it.

        Raises:
            ProvinceError: the store failed.
        """
        with self._store.writing() as db:
            return withdraw_code(db, id, code, at=at)

    def head(self, ordinal: int, epoch: int) -> HeadAnswer:
        """How far the log holds a terminal's chain.

        Raises:
            IntakeRefusedError: not an enrolled terminal.
        """
        terminal = self._in_force().terminal(ordinal, epoch)
        with self._store.reading() as db:
            held = head(db, ordinal, epoch)
        leaf = held.leaf or genesis(ordinal, epoch, PublicKey.from_spki(terminal.spki))
        return HeadAnswer(held.seq, leaf.hex())


class _Taking:
    """One transaction of the intake.

    Rows wait to be written together. A chain that has rows waiting is looked up only after they
    are written, except where the next batch follows on exactly.
    """

    def __init__(self, db: Connection, installed: Installed, log: Signer) -> None:
        self._db = db
        self._log = log
        self._ledger = installed.rights.versions.ledger
        self.rows = Rows(db, installed)
        self._waiting: dict[tuple[int, int], HeldHead] = {}

    def take(self, checked: Checked) -> Taken | IntakeRefusedError:
        batch = checked.batch
        if checked.terminal.shut_out is not None:
            return self._set_aside(checked)
        held = self._waiting.get(checked.chain)
        if held is None or (batch.start, batch.entries[0].body.prev) != (held.seq + 1, held.leaf):
            self._flush()
            held = head(self._db, *checked.chain)
            refusal = self._refusal(checked, held)
            if refusal is not None:
                return refusal
        if batch.end <= held.seq:
            return self._repeated(batch)
        return self._accept(checked, held)

    def _set_aside(self, checked: Checked) -> IntakeRefusedError:
        """Nothing of a terminal that is shut out is taken as true, and nothing is thrown away.

        What a stick brings may have been laid on it before the theft; people decide.
        """
        batch, arrival = checked.batch, checked.arrival
        if arrival.road != HTTP:
            keep_evidence(self._db, batch, checked.beginning, data=checked.data, at=arrival.at)
        return shut_out(checked.terminal)

    def _refusal(self, checked: Checked, held: HeldHead) -> IntakeRefusedError | None:
        batch, arrival = checked.batch, checked.arrival
        first = batch.entries[0].body.prev
        if batch.start == held.seq + 1 and first == (held.leaf or checked.beginning):
            return None  # the usual case: what is new begins where the log ends
        if batch.start <= held.seq + 1:
            differs = first_difference(self._db, batch, checked.beginning, held=held.seq)
        else:  # what goes on from a branch that is kept is kept with it: it is signed, too
            differs = first_fork(self._db, *checked.chain)
        if batch.start > held.seq + 1 and differs is None:
            if arrival.road != HTTP:  # there, what comes before is on its way
                keep_missing(self._db, batch, checked.data, at=arrival.at)
            words = f"{held.seq} entries are held; send from {held.seq + 1}"
            return IntakeRefusedError(416, "gap", words, size=held.seq)
        if differs is None:
            return None
        keep_fork(self._db, batch, checked.data, differs=differs, at=arrival.at)
        return IntakeRefusedError(
            409,
            "fork",
            f"the province holds another history of this terminal from entry {differs} on; nothing"
            " was accepted and both are kept: keep the machine and tell the office",
        )

    def _accept(self, checked: Checked, held: HeldHead) -> Taken:
        batch, arrival, last = checked.batch, checked.arrival, checked.batch.entries[-1]
        new = batch.entries[held.seq + 1 - batch.start :]
        self.rows.add_entries(new, checked.terminal, at=arrival.at)
        if held.seq == 0:
            keep_followed(self._db, new[0], at=arrival.at)
        said = Acknowledgement(
            "khb-ack-2", batch.terminal, batch.epoch, batch.end, last.leaf, arrival.at,
            self._ledger, software_version(),
        )  # fmt: skip
        data = write_acknowledgement(said, self._log)
        self.rows.add_acknowledgement(said, batch.signature, road=arrival.road, data=data)
        self._waiting[checked.chain] = HeldHead(batch.end, last.leaf)
        return Taken("khb-taken-1", len(new), batch.terminal, batch.epoch, batch.end, data)

    def _repeated(self, batch: Batch) -> Taken:
        found = acknowledgement_from(self._db, batch.terminal, batch.epoch, batch.end)
        assert found is not None, "whoever takes an entry acknowledges it"
        return Taken("khb-taken-1", 0, batch.terminal, batch.epoch, found.seq, found.data)

    def _flush(self) -> None:
        if self._waiting:
            self.rows.flush()
            self._waiting.clear()


def check_batch(batch: Batch, key: PublicKey) -> None:
    """Check each entry's place, the chain inside the batch, and the one signature.

    Raises:
        IntakeRefusedError: not this terminal's entries in order, or not signed by its key.
    """
    last = None
    for place, entry in enumerate(batch.entries, batch.start):
        body = entry.body
        if (body.terminal, body.epoch, body.seq) != (batch.terminal, batch.epoch, place):
            raise IntakeRefusedError(
                400, "malformed", f"entry {place} of the batch is another entry"
            )
        if last is not None and body.prev != last.leaf:
            raise IntakeRefusedError(
                400, "broken_chain", f"entry {place} does not follow the one before it"
            )
        last = entry
    try:
        check_head(batch.entries[-1].leaf, batch.signature, key)
    except CardCodecError as error:
        raise IntakeRefusedError(
            400, "bad_signature", "the batch is not signed by this terminal's key"
        ) from error


def _read(data: bytes) -> Batch:
    try:
        return read_batch(data)
    except MessageError as error:
        raise IntakeRefusedError(400, "malformed", error.detail) from error


def _through_own_door(batch: Batch, sender: Terminal | None) -> None:
    if sender is None:
        return
    if (sender.ordinal, sender.epoch) != (batch.terminal, batch.epoch):
        raise IntakeRefusedError(
            403, "not_yours", "this road token belongs to another terminal than the batch"
        )
