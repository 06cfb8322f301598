"""Cases: which of several redemptions of one right counts, and which are double.

A pure function of what the records say and of the policy: never of who arrived first, so that
every party that holds the same records reaches the same verdict. What the issuer found of a chip's
Transaction MAC goes first. Only once a window is settled does what comes after that stand behind
all that was held. The loser is kept beside the winner; what follows for people is decided by
people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ledger.element import RedemptionId, Right
from ledger.entry import Basis
from ledger.mac_verdict import Finding


class CaseKind(StrEnum):
    """What a case is about."""

    DOUBLE = "double"
    """Several records took more of one right than it holds."""
    EXCESS = "excess"
    """One record alone took more than its right holds."""


class Why(StrEnum):
    """What put the record that counts before the first that does not."""

    MAC_VALID = "mac_valid"
    """The issuer found that its own chip signed it; of the other, nothing of the kind."""
    MAC_INVALID = "mac_invalid"
    """The issuer found that no chip of the household signed the other."""
    HOME = "home"
    """It was made at the home terminal."""
    BEFORE_EXCEPTION = "before_exception"
    """It was made by the ordinary rule, the other by exception."""
    FINGERPRINT = "fingerprint"
    """Both have the same standing; the lower leaf hash goes first."""
    SETTLED = "settled"
    """It was held when the window was settled; the other arrived after that."""
    NONE = "none"
    """No record fits the right at all."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One redemption as it stands before judgement.

    Attributes:
        leaf: the whole leaf hash, 32 bytes.
        at_home: made at the home terminal of household and programme, by policy.
        basis: what the record says it was given by; only an exception is believed of it.
        late: it arrived after its window was settled.
        finding: the issuer's verdict on its Transaction MAC; None without one.
        voided_late: it was taken back, and that arrived after its window was settled.
        proved: the log does not hold it; evidence does, perhaps under the number of another.
    """

    id: RedemptionId
    leaf: bytes
    quantity: int
    at_home: bool
    basis: Basis
    late: bool = False
    finding: Finding | None = None
    voided_late: bool = False
    proved: bool = False

    @property
    def name(self) -> tuple[RedemptionId, bytes]:
        """By which it is told from another under its number."""
        return self.id, self.leaf[:8]


@dataclass(frozen=True, slots=True)
class Case:
    """A right of which more was taken than it holds.

    Attributes:
        counted: records that count, first in order first.
        losers: records over the right, in order.
        settled: its window is settled; the verdict stands.
    """

    kind: CaseKind
    right: Right
    counted: tuple[Claim, ...]
    losers: tuple[Claim, ...]
    why: Why
    settled: bool = False

    @property
    def winner(self) -> str | None:
        """Receipt number of the first record that counts."""
        return self.counted[0].id.number() if self.counted else None


def judge(
    right: Right, quantity: int, claims: Iterable[Claim], *, settled: bool = False
) -> Case | None:
    """Say which claims count: in order, as long as their sum stays within the right.

    Args:
        right: what was taken from.
        quantity: what it holds.
        claims: every record of it, voids taken out, in any order and any number of times.
        settled: the window is settled.
    """
    ordered = in_order(claims)
    total, fitting = 0, 0
    for claim in ordered:
        total += claim.quantity
        if total <= quantity:
            fitting += 1
    if total <= quantity:
        return None
    counted, losers = tuple(ordered[:fitting]), tuple(ordered[fitting:])
    kind = CaseKind.DOUBLE if len(ordered) > 1 else CaseKind.EXCESS
    return Case(kind, right, counted, losers, _why(counted, losers), settled)


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Claims as they stand before one another, each once."""
    return sorted(set(claims), key=_order)


def _order(claim: Claim) -> tuple[bool, int, int, bytes, RedemptionId]:
    return claim.late, _signed(claim), _standing(claim), claim.leaf, claim.id


def _signed(claim: Claim) -> int:
    """0 signed by the chip, 1 nothing known, 2 not signed by it; a lost value says nothing."""
    if claim.finding is Finding.VALID:
        return 0
    return 2 if claim.finding is Finding.INVALID else 1


def _standing(claim: Claim) -> int:
    """0 at home, 1 away from the quota, 2 by exception."""
    if claim.at_home:
        return 0
    return 2 if claim.basis is Basis.EXCEPTION else 1


def _why(counted: tuple[Claim, ...], losers: tuple[Claim, ...]) -> Why:
    if not counted:
        return Why.NONE
    last, first = counted[-1], losers[0]
    if first.late and not last.late:
        return Why.SETTLED
    if _signed(last) != _signed(first):
        return Why.MAC_VALID if last.finding is Finding.VALID else Why.MAC_INVALID
    winner, loser = _standing(last), _standing(first)
    if winner == loser:
        return Why.FINGERPRINT
    return Why.HOME if winner == 0 else Why.BEFORE_EXCEPTION
