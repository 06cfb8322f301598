"""Redemptions by chip whose Transaction MACs are real, and the issuer who checks them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from card_codec.chip.diversify import NO_KECAMATAN, KeyName
from card_codec.chip.khb1_files import MAC_KEY
from card_codec.chip.record import CardRecord, RecordKind, day_of, decode_record, encode_record
from card_codec.chip.tmac import (
    Transaction,
    enciphered_reader_id,
    reader_id,
    transaction_value,
)
from card_codec.keys import PrivateKey
from card_codec.trust import KeyUse, TrustedKey
from ledger.entry import Basis, Commit, Pending
from ledger.folder import TerminalFolder
from ledger.mac_verdict import AskedCommit, Finding, MacVerdict, read_asked, write_verdicts
from provisioning.mac_check import check_commits
from sync_agent.batch import read_batch
from sync_agent.province.cases import Case, Why
from tests.card_station import MASTERS
from tests.sync_world import SyncWorld, batch_of
from tests.world import NOW

UID = bytes.fromhex("04a1b2c3d4e580")
FALSE_VALUE = b"no chip\0"


def pending(
    household: bytes, *, uid: bytes = UID, counter: int = 1, before: int = 0, basis: Basis
) -> Pending:
    """One unit of the first programme, by chip."""
    return Pending(
        household=household, issue=1, member=0, programme=1, window=1, quantity=1, paid=0,
        basis=basis, uid=uid, counter=counter, before=before,
    )  # fmt: skip


def mac_of(record: bytes, counter: int, *, uid: bytes = UID, before: tuple[int, int]) -> bytes:
    """As the chip of the tests' office signs it."""
    said = decode_record(record)
    key = MASTERS.derive(KeyName(uid, MAC_KEY, NO_KECAMATAN, 1))
    enc = enciphered_reader_id(key, uid, counter, before=reader_id(*before))
    mine = reader_id(said.terminal, said.epoch)
    return transaction_value(key, Transaction(uid, counter, mine, enc, record))


def begin(
    world: SyncWorld,
    folder: TerminalFolder,
    household: bytes,
    *,
    uid: bytes = UID,
    counter: int = 1,
    basis: Basis = Basis.HOME,
) -> bytes:
    """A pending redemption at a counter of the chip; the record its card is asked to write."""
    world.record(folder, pending(household, uid=uid, counter=counter, basis=basis))
    body = read_batch(batch_of(folder)).entries[-1].body
    day = day_of(body.moment.early)
    return encode_record(
        CardRecord(RecordKind.REDEMPTION, body.terminal, body.epoch, body.seq, 1, 1, 0, 1, day)
    )


def redeem(
    world: SyncWorld,
    folder: TerminalFolder,
    household: bytes,
    *,
    uid: bytes = UID,
    value: bytes | None = None,
    whose: bytes = b"",
) -> MacVerdict:
    """A redemption that its terminal says was committed; what the issuer finds of it.

    Args:
        world: with the terminal.
        folder: of the terminal.
        household: whose.
        uid: of the chip.
        value: as the terminal tells it; None for what the chip signs.
        whose: household of the chip, where it is not that one.
    """
    record = begin(world, folder, household, uid=uid)
    told = mac_of(record, 2, uid=uid, before=(0, 0)) if value is None else value
    world.record(folder, Commit(int.from_bytes(record[4:7], "big"), 2, told))
    (checked,) = check([AskedCommit(uid, 2, record, told, 0)], {uid: whose or household})
    return checked


def check(commits: list[AskedCommit], whose: Mapping[bytes, bytes]) -> list[MacVerdict]:
    """What the issuer finds; it made the chips of these UIDs for these households."""
    terminals = [(1, 1), (2, 1)]
    done = check_commits(commits, MASTERS, terminals, whose.get, lambda _: None)
    return [one.verdict for one in done]


def asked(world: SyncWorld, folder: Path, *, anew: bool = False) -> list[AskedCommit]:
    """What the province asks."""
    files = world.province.macs.ask(folder, anew=anew)
    return [commit for path in files for commit in read_asked(path.read_bytes())]


def otherwise(verdict: MacVerdict) -> MacVerdict:
    """The same commit, found the other way."""
    valid = verdict.finding is Finding.VALID
    return replace(verdict, finding=Finding.INVALID if valid else Finding.VALID)


class IssuerCheck:
    """Whoever holds the verdict key; the province's release names it."""

    def __init__(self, world: SyncWorld) -> None:
        self.world = world
        self.key = PrivateKey.generate()
        world.verdict_keys.append(TrustedKey(self.key.public, KeyUse.VERDICT, "ID-KT", NOW - 1))
        world.province.release(world.sign_release())

    def file(self, *verdicts: MacVerdict, at: int = NOW) -> bytes:
        """Verdicts as they travel."""
        return write_verdicts(verdicts, self.key, at=at)

    def end(self, *, stolen: bool) -> None:
        """The next release ends the life of the key, or revokes it."""
        (named,) = self.world.verdict_keys
        at = NOW + 10
        self.world.verdict_keys[:] = [
            dataclasses.replace(named, revoked_at=at)
            if stolen
            else dataclasses.replace(named, valid_until=at)
        ]
        self.world.province.release(self.world.sign_release())


def hand_in(world: SyncWorld) -> None:
    """Both terminals send what they hold."""
    for folder in (world.one, world.two):
        world.province.take(batch_of(folder), road="http")


def the_case(world: SyncWorld) -> Case:
    """The one case there is."""
    (case,) = world.province.cases()
    return case


def told(case: Case) -> tuple[str | None, list[str], Why]:
    """Winner, losers, and why."""
    return case.winner, [loser.id.number() for loser in case.losers], case.why
