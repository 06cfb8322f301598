"""Settlement: some days after a window's end, fourteen by default, its cases stand as they are.

The province signs how far it held each chain at that moment, what of it did not count, and how each
case stood. What arrives later is kept like all else, and stands behind everything that was held:
nobody's settled case is turned over by a machine that was found in a drawer a year later, by a void
that was held back, or by a late verdict. Format: docs/spec/settlement.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from sqlalchemy import Connection, select

from card_codec.cose import open_sign1, sign1
from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from ledger.element import RedemptionId, Right
from ledger.errors import RecordError
from ledger.record import U8, U16, U32, Hash, HouseholdId, Record, Seconds, pack, unpack
from sync_agent.errors import ProvinceError
from sync_agent.province.cases import Case, Why
from sync_agent.province.schema import settlement

SETTLEMENT_SIZE_MAX = 64 * 1024 * 1024
"""65,535 terminals of some 50 bytes, and a million records that did not count or are doubles."""
_OLDER = (b"\x70khb-settlement-1", b"\x70khb-settlement-2")
"""The first item of those that earlier versions signed."""


class OlderSettlementError(RecordError):
    """Rightly signed, in the form of an earlier version, which did not keep how its cases stood."""


class Mark(Record, frozen=True):
    """How far a chain was held."""

    terminal: U16
    epoch: U8
    seq: U32
    head: Hash


class Named(Record, frozen=True):
    """A redemption by its id."""

    terminal: U16
    epoch: U8
    seq: U32

    def id(self) -> RedemptionId:
        """The same as everywhere else."""
        return RedemptionId(self.terminal, self.epoch, self.seq)


class Standing(Record, frozen=True):
    """A record of a case: two under one number are told apart by their leaf hashes."""

    terminal: U16
    epoch: U8
    seq: U32
    leaf: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]

    def name(self) -> tuple[RedemptionId, bytes]:
        """The same as everywhere else."""
        return RedemptionId(self.terminal, self.epoch, self.seq), self.leaf


class StandingCase(Record, frozen=True):
    """A case as it stood: which records counted, which did not, each in order, and why."""

    household: HouseholdId
    member: U8
    counted: tuple[Standing, ...]
    losers: tuple[Standing, ...]
    why: Annotated[str, msgspec.Meta(max_length=20)]

    def __post_init__(self) -> None:
        """Refuse a reason that nobody knows, and a case about nothing."""
        if self.why not in set(Why) or not self.losers:
            raise ValueError("a case names its losers and a known reason")

    def names(self) -> frozenset[tuple[RedemptionId, bytes]]:
        """Every record of it."""
        return frozenset(one.name() for one in (*self.counted, *self.losers))


class Settlement(Record, frozen=True):
    """The cases of a window stand; signed by the province log key.

    Attributes:
        out: records held that did not count: taken back, or by a chip not known to have committed.
    """

    form: Literal["khb-settlement-3"]
    programme: U8
    window: U8
    ended: Seconds
    at: Seconds
    marks: Annotated[tuple[Mark, ...], msgspec.Meta(max_length=0xFFFF)]
    out: tuple[Named, ...]
    cases: tuple[StandingCase, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled window, for judging what stands behind it.

    Attributes:
        held: number of the newest entry held of each (terminal, epoch).
        out: records held that did not count.
        cases: as they stood.
    """

    held: Mapping[tuple[int, int], int]
    out: frozenset[RedemptionId]
    cases: Mapping[Right, StandingCase]

    def stood(self, id: RedemptionId) -> bool:
        """Whether a record counted when the window was settled."""
        return id.seq <= self.held.get((id.terminal, id.epoch), 0) and id not in self.out


def settlements(db: Connection, keys: Iterable[PublicKey]) -> dict[tuple[int, int], Settled]:
    """How each (programme, window) stands that is settled.

    Args:
        db: open for reading.
        keys: log keys of now and before.

    Raises:
        ProvinceError: one is not as it was signed, or of an earlier version.
    """
    found: dict[tuple[int, int], Settled] = {}
    by_kid = {key.kid: key for key in keys}
    for row in db.execute(select(settlement.c.programme, settlement.c.window, settlement.c.data)):
        try:
            said = read(row.data, by_kid.get)
        except RecordError as error:
            of = f"programme {row.programme}, window {row.window},"
            raise ProvinceError(
                f"{of} was settled by an older version, in a form that this one does not read;"
                " go on with that version, on a copy of the store from before the update"
                if isinstance(error, OlderSettlementError)
                else f"the settlement of {of} is not as it was signed;"
                " bring the store back from a copy"
            ) from error
        found[said.programme, said.window] = _settled(said)
    return found


def standing_case(case: Case) -> StandingCase:
    """A case as a settlement keeps it."""
    counted, losers = (
        tuple(Standing(c.id.terminal, c.id.epoch, c.id.seq, c.leaf[:8]) for c in claims)
        for claims in (case.counted, case.losers)
    )
    right = case.right
    return StandingCase(right.household, right.member, counted, losers, case.why.value)


def write(said: Settlement, signer: Signer) -> bytes:
    """Signed by the log key (COSE_Sign1)."""
    return sign1(pack(said), signer)


def read(data: bytes, find: Callable[[bytes], PublicKey | None]) -> Settlement:
    """Read a settlement and check whose it is.

    Args:
        data: as it is kept.
        find: the log key of a kid.

    Raises:
        RecordError: not one, or not signed by such a key.
        OlderSettlementError: of an earlier version.
    """
    try:
        payload, _ = open_sign1(data, find, size_max=SETTLEMENT_SIZE_MAX)
    except CardCodecError as error:
        raise RecordError(f"not a settlement of the province: {error.detail}") from error
    if payload[1:].startswith(_OLDER):
        raise OlderSettlementError("a settlement of an earlier version")
    return unpack(payload, Settlement, size_max=SETTLEMENT_SIZE_MAX)


def _settled(said: Settlement) -> Settled:
    return Settled(
        {(m.terminal, m.epoch): m.seq for m in said.marks},
        frozenset(one.id() for one in said.out),
        {Right(c.household, c.member, said.programme, said.window): c for c in said.cases},
    )
