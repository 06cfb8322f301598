"""Which generations of redeem masters still count: signed data of the policy.

A generation is retired when a terminal that held its master is stolen. Its cards go on with the
next one, and what was made with the stolen master is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from ledger.record import Kecamatan, Record


class ChipKeys(Record, frozen=True):
    """From which generation on the redeem masters of a kecamatan count; older ones are retired.

    Attributes:
        kecamatan: six digits; ``000000`` for the masters by which chips are served away.
        oldest: the oldest generation that counts, 1 to 255.
    """

    kecamatan: Kecamatan
    oldest: Annotated[int, msgspec.Meta(ge=1, le=255)]


def oldest_generations(rows: Iterable[ChipKeys]) -> dict[str, int]:
    """The oldest generation that counts, by kecamatan; where none is named all of them do."""
    return {row.kecamatan: row.oldest for row in rows}
