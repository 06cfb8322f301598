"""What a household took already, for its next chip: from the province's list of redemptions.

The list is what ``betang-sync province redemptions --json`` prints. Only what still counts goes on
a card: of programmes that policy writes on cards, of windows that are not over, and not taken back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from card_codec.chip.record import CardRecord, RecordKind, day_of, encode_record
from card_codec.errors import CardCodecError
from ledger.policy import Policy
from ledger.record import Seconds
from provisioning.errors import WrongUseError

FILE_BYTES_MAX = 256 * 1024 * 1024
_NUMBER = re.compile(r"T([0-9]{3,5})(?:\.([0-9]{1,3}))?-([0-9]{4,8})")
_RIGHT = re.compile(r"([0-9a-f]{16})/([0-9]{1,3})/([0-9]{1,3})/([0-9]{1,3})")


class ListedRedemption(msgspec.Struct, frozen=True):
    """One line of the list, as far as a card is concerned; other keys are left alone.

    Attributes:
        number: of the receipt, ``T001-0017``.
        at: Unix seconds, as the terminal judged it.
        right: ``household/member/programme/window``.
        quantity: how much was taken.
        void: its own terminal, or a correction of the kecamatan, took it back.
    """

    number: Annotated[str, msgspec.Meta(max_length=24)]
    at: Seconds
    right: Annotated[str, msgspec.Meta(max_length=40)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFF)]
    void: bool


def read_known(path: Path, policy: Policy, *, now: int) -> dict[bytes, tuple[CardRecord, ...]]:
    """Opening records by household, oldest first.

    Args:
        path: the list.
        policy: says what is written on cards, and when windows end.
        now: Unix seconds.

    Raises:
        WrongUseError: it cannot be read, or is not such a list.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise WrongUseError(f"{path} is too long to be a list of redemptions; check --known")
        listed = msgspec.json.decode(data, type=list[ListedRedemption])
        found = list(_counting(listed, policy, now))
    except OSError as error:
        raise WrongUseError(f"cannot read {path}: {error.strerror}; check --known") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, CardCodecError) as error:
        raise WrongUseError(
            f"{path} is not the list that `betang-sync province redemptions --json` prints"
            f" ({error}); check --known"
        ) from error
    known: dict[bytes, list[CardRecord]] = {}
    for household, record in sorted(found, key=lambda one: (one[1].day, one[1].seq)):
        known.setdefault(household, []).append(record)
    return {household: tuple(records) for household, records in known.items()}


def _counting(
    listed: list[ListedRedemption], policy: Policy, now: int
) -> Iterator[tuple[bytes, CardRecord]]:
    for one in listed:
        number, right = _NUMBER.fullmatch(one.number), _RIGHT.fullmatch(one.right)
        if number is None or right is None:
            raise msgspec.ValidationError(f"{one.number} {one.right} is no redemption")
        programme = policy.programme_numbered(int(right[3]))
        window = None if programme is None else programme.window(int(right[4]))
        if one.void or programme is None or window is None:
            continue
        if not programme.on_card or programme.ends(window) < now:
            continue
        record = CardRecord(
            kind=RecordKind.OPENING,
            terminal=int(number[1]),
            epoch=int(number[2] or 1),
            seq=int(number[3]),
            programme=programme.number,
            window=window.number,
            member=int(right[2]),
            quantity=one.quantity,
            day=day_of(one.at),
        )
        encode_record(record)  # what does not fit a card is found before a card is begun
        yield bytes.fromhex(right[1]), record
