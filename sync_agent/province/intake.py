"""Intake: a batch is checked to the last byte, then taken whole or not at all.

Only bytes that are malformed, unsigned, foreign or out of order are refused. What a batch *says*
is never judged here: a double, a wrong amount, a late entry is evidence, and is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from ledger.acknowledgement import Acknowledgement, write_acknowledgement
from ledger.element import RedemptionId
from ledger.entry import Entry, Redemption, Void, check_head, genesis
from ledger.roll import Terminal
from sync_agent.batch import Batch, read_batch
from sync_agent.errors import IntakeRefusedError, MessageError
from sync_agent.messages import HeadAnswer, Taken
from sync_agent.province import schema
from sync_agent.province.installed import Installed
from sync_agent.province.store import (
    HeldHead,
    Store,
    acknowledgement_from,
    first_fork,
    head,
    keep_fork,
    leaves,
    voided_among,
)

FORKS_MAX = 1_000
"""Diverging batches kept of one terminal: evidence enough, and a bound on the disk."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a batch came: over which road, when (Unix seconds), and through whose door, if any."""

    road: str
    at: int
    sender: Terminal | None = None


class Intake:
    """Takes batches into the accepted log."""

    def __init__(self, store: Store, in_force: Callable[[], Installed], log: Signer) -> None:
        self._store = store
        self._in_force = in_force
        self._log = log

    def take(self, data: bytes, arrival: Arrival) -> Taken:
        """Take one batch, all or nothing.

        Raises:
            IntakeRefusedError: nothing was accepted; a fork's branch is kept as evidence.
            ProvinceError: the store failed, or no release was taken yet.
        """
        batch = _read(data)
        installed = self._in_force()
        _through_own_door(batch, arrival.sender)
        terminal = installed.terminal(batch.terminal, batch.epoch)
        key = PublicKey.from_spki(terminal.spki)
        check_batch(batch, key)
        entries = batch.entries
        fork_at = None
        with self._store.writing() as db:
            held = head(db, batch.terminal, batch.epoch)
            known_fork = first_fork(db, batch.terminal, batch.epoch)
            gap = batch.start > held.seq + 1
            if gap and known_fork is None:
                raise IntakeRefusedError(
                    416,
                    "gap",
                    f"{held.seq} entries are held; send from {held.seq + 1}",
                    size=held.seq,
                )
            beginning = genesis(batch.terminal, batch.epoch, key)
            # What goes on from a branch that is kept is kept with it: it is signed, too.
            fork_at = known_fork if gap else _fork_at(db, batch, entries, held, beginning)
            if fork_at is None:
                return self._accept(db, installed, terminal, entries, batch, arrival)
            keep_fork(db, _evidence(data, batch, fork_at, arrival), most=FORKS_MAX)
        raise IntakeRefusedError(
            409,
            "fork",
            f"the province holds another history of this terminal from entry {fork_at} on; nothing"
            " was accepted and both are kept: keep the machine and tell the office",
        )

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

    def _accept(  # noqa: PLR0917 - the whole of one transaction
        self,
        db: Connection,
        installed: Installed,
        terminal: Terminal,
        entries: Sequence[Entry],
        batch: Batch,
        arrival: Arrival,
    ) -> Taken:
        held = head(db, batch.terminal, batch.epoch).seq
        new = [entry for entry in entries if entry.body.seq > held]
        if new:
            _append(db, new)
            _project(db, new, installed, terminal, arrival.at)
            self._acknowledge(db, batch, entries[-1].leaf, arrival)
        found = acknowledgement_from(db, batch.terminal, batch.epoch, batch.end)
        assert found is not None, "whoever takes an entry acknowledges it"
        return Taken("khb-taken-1", len(new), batch.terminal, batch.epoch, found.seq, found.data)

    def _acknowledge(self, db: Connection, batch: Batch, leaf: bytes, arrival: Arrival) -> None:
        said = Acknowledgement(
            "khb-ack-1", batch.terminal, batch.epoch, batch.end, leaf, arrival.at
        )
        db.execute(
            insert(schema.acknowledgement).values(
                terminal=batch.terminal,
                epoch=batch.epoch,
                seq=batch.end,
                head=leaf,
                signature=batch.signature,
                road=arrival.road,
                at=arrival.at,
                data=write_acknowledgement(said, self._log),
            )
        )


def check_batch(batch: Batch, key: PublicKey) -> None:
    """Check each entry's place, the chain inside the batch, and the one signature.

    Raises:
        IntakeRefusedError: not this terminal's entries in order, or not signed by its key.
    """
    last = None
    for place, entry in enumerate(batch.entries, batch.start):
        if entry.id != RedemptionId(batch.terminal, batch.epoch, place):
            raise IntakeRefusedError(
                400, "malformed", f"entry {place} of the batch is another entry"
            )
        if last is not None and entry.body.prev != last.leaf:
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


def _fork_at(
    db: Connection, batch: Batch, entries: Sequence[Entry], held: HeldHead, beginning: bytes
) -> int | None:
    """The first entry whose history the log holds otherwise; None when all agree."""
    before = batch.start - 1
    last = min(batch.end, held.seq)
    known = leaves(db, batch.terminal, batch.epoch, first=max(before, 1), last=last)
    if before == 0:
        known.insert(0, beginning)
    claimed = [entries[0].body.prev, *(entry.leaf for entry in entries)]
    for offset, (ours, theirs) in enumerate(zip(known, claimed, strict=False)):
        if ours != theirs:
            return max(before + offset, 1)
    return None


def _evidence(data: bytes, batch: Batch, fork_at: int, arrival: Arrival) -> dict[str, object]:
    return {
        "digest": hashlib.sha256(data).digest(),
        "terminal": batch.terminal,
        "epoch": batch.epoch,
        "seq": fork_at,
        "at": arrival.at,
        "batch": data,
    }


def _append(db: Connection, entries: Sequence[Entry]) -> None:
    rows = [_key(entry) | {"leaf": entry.leaf, "body": entry.data} for entry in entries]
    db.execute(insert(schema.entry), rows)


def _project(
    db: Connection,
    entries: Sequence[Entry],
    installed: Installed,
    terminal: Terminal,
    at: int,
) -> None:
    """Keep what follows from entries in step with them."""
    rows = []
    for entry in entries:
        if isinstance(entry.content, Redemption):
            kecamatan = installed.kecamatan(entry.content.household, terminal)
            rows.append(_redemption_row(entry, entry.content, kecamatan, at))
    if rows:
        db.execute(insert(schema.redemption), rows)
    voids = {e.content.seq for e in entries if isinstance(e.content, Void)}
    for seq in sorted(voids - voided_among(db, terminal.ordinal, terminal.epoch, voids)):
        values = {"terminal": terminal.ordinal, "epoch": terminal.epoch, "seq": seq}
        db.execute(insert(schema.voided).values(values))


def _redemption_row(
    entry: Entry, content: Redemption, kecamatan: str, at: int
) -> dict[str, object]:
    return _key(entry) | {
        "leaf": entry.leaf,
        "household": content.household,
        "issue": content.issue,
        "member": content.member,
        "programme": content.programme,
        "window": content.window,
        "quantity": content.quantity,
        "paid": content.paid,
        "basis": content.basis,
        "at": entry.body.moment.early,
        "officer": entry.body.officer,
        "kecamatan": kecamatan,
        "arrival": at,
    }


def _key(entry: Entry) -> dict[str, object]:
    return {"terminal": entry.id.terminal, "epoch": entry.id.epoch, "seq": entry.id.seq}
