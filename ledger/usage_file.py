"""Usage segments: what was redeemed elsewhere, and what of it was taken back.

A kecamatan's segments are a chain: each names the one before it by its hash, so that the newest,
which the online key signs, vouches for all, however many a terminal has missed. A segment adds
elements; a void in it is the whole entry, signed by the terminal that made the redemption.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Literal

import msgspec

from ledger.element import Element, RedemptionId, Right
from ledger.errors import RecordError
from ledger.record import TIME_MAX, U32, Kecamatan, Record, compress, inflate, pack, unpack
from ledger.varint import Varints, write_varints

USAGE_SIZE_MAX = 16 * 1024 * 1024
VOIDS_MAX = 10_000
COLUMNS = 4
NUMBERS_MAX = (0xFFFFFFFF, 0xFFFFFFFF, 0xFF, 0xFF, 0xFF, 0xFFFFFFFF, 0xFFFFFFFF)
"""Of each element: number, minute, member, programme, window, quantity, counter."""
USAGE_PATH = re.compile(r"usage/([0-9]{6})/([1-9][0-9]{0,8})\.cbor")


class SignedVoid(Record, frozen=True):
    """A void as its terminal wrote and signed it: the entry's body, and the head signature."""

    body: Annotated[bytes, msgspec.Meta(max_length=1024)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class UsageFile(Record, frozen=True):
    """A numbered, unchanging segment of usage of one kecamatan.

    Attributes:
        prev: SHA-256 of the segment before it; empty where a chain begins.
        columns: whose elements they are and what they say, compressed (zstd).
        households: 8 bytes of each element, which no compression makes smaller.
        leaves: the same.
    """

    form: Literal["khb-usage-2"]
    kecamatan: Kecamatan
    number: U32
    prev: Annotated[bytes, msgspec.Meta(max_length=32)]
    columns: bytes
    households: bytes
    leaves: bytes
    voids: Annotated[tuple[SignedVoid, ...], msgspec.Meta(max_length=VOIDS_MAX)]


def usage_path(kecamatan: str, number: int) -> str:
    """The path of a segment in the ledger."""
    return f"usage/{kecamatan}/{number}.cbor"


def newest_segment(paths: Iterable[str], kecamatan: str) -> int:
    """Number of the newest segment that a kecamatan's role names; 0 for none.

    Raises:
        RecordError: it names several, or another kecamatan's.
    """
    found = [match for path in paths if (match := USAGE_PATH.fullmatch(path))]
    if len(found) > 1 or any(match[1] != kecamatan for match in found):
        raise RecordError(f"the online role of {kecamatan} names other usage than its newest")
    return int(found[0][2]) if found else 0


def write_usage(
    kecamatan: str,
    number: int,
    elements: Iterable[Element],
    *,
    prev: bytes = b"",
    voids: Sequence[SignedVoid] = (),
) -> bytes:
    """One segment, as the online key signs its hash.

    Args:
        kecamatan: whose feed it is of.
        number: one more than that of the segment before.
        elements: in any order.
        prev: SHA-256 of the segment before; empty for the first.
        voids: of redemptions in this or an earlier segment.
    """
    rows = sorted(elements, key=_place)
    return pack(
        UsageFile(
            form="khb-usage-2",
            kecamatan=kecamatan,
            number=number,
            prev=prev,
            columns=compress(_columns(rows), level=19),
            households=b"".join(e.right.household for e in rows),
            leaves=b"".join(e.leaf for e in rows),
            voids=tuple(sorted(voids, key=_body)),
        )
    )


def read_usage(data: bytes) -> tuple[UsageFile, tuple[Element, ...]]:
    """Read a segment strictly. Nobody's signature under a void is checked here.

    Raises:
        RecordError: not a usage segment.
    """
    file = unpack(data, UsageFile, size_max=USAGE_SIZE_MAX)
    count, odd = divmod(len(file.households), 8)
    if odd or len(file.leaves) != count * 8:
        raise RecordError("a usage file has columns of different lengths")
    if len(file.prev) not in {0, 32}:
        raise RecordError("a usage file does not say which one it follows")
    columns = inflate(file.columns, size_max=64 + count * 72)
    elements = tuple(_elements(file, Varints(columns), count))
    if sorted(elements, key=_place) != list(elements) or _columns(elements) != columns:
        raise RecordError("a usage file has a second form")
    if sorted(set(file.voids), key=_body) != list(file.voids):
        raise RecordError("a usage file has its voids out of order")
    return file, elements


def _place(element: Element) -> tuple[RedemptionId, bytes, bytes]:
    return element.id, element.leaf, element.right.household


def _body(void: SignedVoid) -> bytes:
    return void.body


def _columns(rows: Sequence[Element]) -> bytes:
    """Runs of one terminal and epoch, what can be taken at all, then a column for each number.

    Numbers and minutes are told from those of the element before in the run: they rise by little.
    Most elements take one of a few things.
    """
    runs = [list(run) for _, run in groupby(rows, key=_chain)]
    numbers = [len(runs), *(n for run in runs for n in (*_chain(run[0]), len(run)))]
    things = sorted({_thing(e) for e in rows})
    numbers += [len(things), *(n for thing in things for n in thing)]
    known = {thing: at for at, thing in enumerate(things)}
    table = [row for run in runs for row in _rows(run, known)]
    numbers += [value for column in zip(*table, strict=True) for value in column]
    return write_varints(numbers)


def _chain(element: Element) -> tuple[int, int]:
    return element.id.terminal, element.id.epoch


def _thing(element: Element) -> tuple[int, int, int, int]:
    right = element.right
    return right.programme, right.window, right.member, element.quantity


def _rows(
    run: Sequence[Element], known: Mapping[tuple[int, int, int, int], int]
) -> Iterator[tuple[int, int, int, int]]:
    seq = minute = 0
    for e in run:
        step = e.minute - minute
        moved = step * 2 if step >= 0 else -step * 2 - 1
        yield e.id.seq - seq, moved, known[_thing(e)], e.counter
        seq, minute = e.id.seq, e.minute


def _elements(file: UsageFile, numbers: Varints, count: int) -> Iterator[Element]:
    heads = _groups(numbers, 3, most=count)
    things = _groups(numbers, 4, most=count)
    if sum(size for _, _, size in heads) != count:
        raise RecordError("a usage file has columns of different lengths")
    rows = zip(*(numbers.take(count) for _ in range(COLUMNS)), strict=True)
    if not numbers.is_done():
        raise RecordError("a usage file has bytes to spare")
    at = 0
    for terminal, epoch, size in heads:
        if not (1 <= terminal <= 0xFFFF and 1 <= epoch <= 0xFF):
            raise RecordError("a usage file names no terminal")
        seq = minute = 0
        for step, moved, thing, counter in (next(rows) for _ in range(size)):
            if thing >= len(things):
                raise RecordError("a usage file names a thing it does not list")
            seq += step
            minute += -((moved + 1) // 2) if moved & 1 else moved // 2
            programme, window, member, quantity = things[thing]
            said = (minute, member, programme, window, quantity, counter)
            yield _element(file, at, RedemptionId(terminal, epoch, seq), said)
            at += 1


def _groups(numbers: Varints, width: int, *, most: int) -> list[tuple[int, ...]]:
    """A number of groups of so many numbers, and the groups."""
    count = numbers.take(1)[0]
    if count > most:
        raise RecordError("a usage file has columns of different lengths")
    found = iter(numbers.take(width * count))
    return list(zip(*[found] * width, strict=True))


def _element(file: UsageFile, at: int, id: RedemptionId, said: Sequence[int]) -> Element:
    minute, member, programme, window, quantity, counter = said
    if not 0 <= minute * 60 <= TIME_MAX:
        raise RecordError("a usage file holds a redemption dated past the year 3000")
    if any(n > most for n, most in zip((id.seq, *said), NUMBERS_MAX, strict=True)):
        raise RecordError("a usage file holds a number that no redemption has")
    span = slice(at * 8, at * 8 + 8)
    right = Right(file.households[span], member, programme, window)
    return Element(id, file.leaves[span], right, quantity, minute, counter)
