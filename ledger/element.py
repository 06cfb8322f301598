"""Elements: the one idea of this ledger.

What a family has left of a right is its quantity minus the sum over the *union* of every
element of that right known here. An element is a redemption named by who recorded it and by the
hash of what was recorded; a union does not care about order, repetition or route.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Right:
    """What is owed: by one programme, in one window, to a household or one member of it.

    Attributes:
        household: 8 bytes.
        member: the person's number in the household; 0 for a household programme.
        programme: its number in the policy.
        window: its number in the programme.
    """

    household: bytes
    member: int
    programme: int
    window: int

    def text(self) -> str:
        """One stable word for reports: ``household/member/programme/window``."""
        return f"{self.household.hex()}/{self.member}/{self.programme}/{self.window}"


@dataclass(frozen=True, slots=True, order=True)
class RedemptionId:
    """Made by the terminal before anything else happens; never by the card."""

    terminal: int
    epoch: int
    seq: int

    def number(self) -> str:
        """The receipt number people read: ``T001-0017``; ``T001.2-0017`` in epoch 2."""
        terminal = f"T{self.terminal:03d}" + (f".{self.epoch}" if self.epoch != 1 else "")
        return f"{terminal}-{self.seq:04d}"


@dataclass(frozen=True, slots=True)
class Element:
    """One redemption as every road carries it.

    Attributes:
        id: who recorded it, as which entry.
        leaf: first 8 bytes of that entry's leaf hash; two leaves under one id both count.
        right: what was taken from.
        quantity: how much.
        minute: when, in minutes of Unix time, so that another counter can say it.
        counter: the chip's Transaction MAC counter, 0 without a chip.
    """

    id: RedemptionId
    leaf: bytes
    right: Right
    quantity: int
    minute: int
    counter: int = 0
