"""A refusal: a value, never an exception. What a family meets at the counter instead of goods."""

from dataclasses import dataclass, field

from card_codec.reason import Reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What a human sentence about a refusal may name; None where it is unknown.

    Attributes:
        at: when it happened (the earlier redemption), unix seconds.
        point: name of the service point it happened at, or where to go.
        terminal: terminal ordinal as printed, ``T001``.
        redemption: receipt number, ``T001-0017``.
        day: a date the sentence names (opens, closed, expired), unix seconds.
        count: a number the sentence names (left, days, quota).
        programme: id of another programme that the sentence names.
        card: what another card is called ("KTP-el").
    """

    at: int | None = None
    point: str | None = None
    terminal: str | None = None
    redemption: str | None = None
    day: int | None = None
    count: int | None = None
    programme: str | None = None
    card: str | None = None


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing may be handed over, and why.

    Attributes:
        entry: number of the journal entry that recorded it, 0 where none did. Two refusals that say
            the same are equal, wherever they stand.
    """

    reason: Reason
    facts: Facts = NO_FACTS
    entry: int = field(default=0, compare=False)
