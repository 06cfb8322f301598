"""The slim form: entries without what their reader can work out, the rest in columns.

A reader who knows terminal, epoch, first number and what the first entry follows works out each
entry's place and chain; what is left of an entry is its time, mostly that of the one before it or
some seconds more, and its content. Reading gives back the exact bytes of the journal; the one
signature over the last of them proves it. An entry that does not fit travels whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Annotated, Any

import msgspec

from ledger.clock import Moment
from ledger.entry import Entry, Kind, read_entry
from ledger.errors import RecordError
from ledger.rebuilding import Form, Rebuilder, Said, contents
from ledger.record import U8, Record
from sync_agent.columns import ColumnReader, ColumnWriter
from sync_agent.errors import MessageError

POINTS_BACK = frozenset({Kind.COMMIT, Kind.VOID, Kind.HANDOVER, Kind.COMPLAINT})
"""Their first item is the number of an entry before them: it is written as the distance."""
_TYPES = {int: "i", bytes: "b", str: "t", type(None): "n", bool: "o"}
ZERO = Moment(0, 0, 0, 0, 0, 0, b"")


class Shape(Record, frozen=True):
    """Entries of one kind whose content has items of these types.

    Attributes:
        types: a letter an item: i integer, b byte string, t text, n null, o true or false.
    """

    kind: U8
    types: Annotated[str, msgspec.Meta(pattern=r"^[ibtno]{0,32}\Z")]


class Slim(msgspec.Struct, frozen=True):
    """Entries as they travel: shapes, texts and byte strings once, and columns that name them."""

    shapes: tuple[Shape, ...]
    texts: tuple[str, ...]
    columns: bytes
    pool: bytes


class Place(msgspec.Struct, frozen=True):
    """Where entries stand: the first one's number, and the leaf it follows."""

    terminal: int
    epoch: int
    start: int
    prev: bytes


def write_slim(place: Place, entries: Sequence[Entry]) -> Slim:
    """Write entries in the slim form; those that do not fit, whole."""
    fitting = list(_fitting(place, entries))
    shapes: dict[Shape, list[Entry]] = {}
    for entry, shape in zip(entries, fitting, strict=True):
        if shape is not None:
            shapes.setdefault(shape, []).append(entry)
    numbered = {shape: number for number, shape in enumerate(shapes, 1)}
    out = ColumnWriter()
    out.numbers([0 if shape is None else numbered[shape] for shape in fitting])
    _write_frames([e for e, shape in zip(entries, fitting, strict=True) if shape], out)
    for shape, own in shapes.items():
        for at, letter in enumerate(shape.types):
            _write_items(out, shape, at, letter, own)
    out.strings([e.data for e, shape in zip(entries, fitting, strict=True) if shape is None])
    return Slim(tuple(shapes), out.texts, out.finish(), out.pool)


def read_slim(place: Place, count: int, slim: Slim) -> list[Entry]:
    """Work out ``count`` entries, to the byte.

    Raises:
        MessageError: not what ``write_slim`` writes.
    """
    source = ColumnReader(slim.columns, slim.texts, slim.pool)
    numbers = source.numbers(count)
    _check_shapes(slim.shapes, numbers)
    places: list[list[int]] = [[] for _ in range(len(slim.shapes) + 1)]
    for seq, number in enumerate(numbers, place.start):
        places[number].append(seq)
    try:
        frames = _read_frames(source, count - len(places[0]))
        items = [
            _read_contents(source, shape, seqs)
            for shape, seqs in zip(slim.shapes, places[1:], strict=True)
        ]
        whole = iter(source.strings(len(places[0])))
        source.finish()
        return _chained(place, slim.shapes, numbers, frames=frames, items=items, whole=whole)
    except RecordError as error:
        raise MessageError(f"this is not a batch: {error.detail}") from error


def _chained(
    place: Place,
    shapes: Sequence[Shape],
    numbers: Sequence[int],
    *,
    frames: Iterator[tuple[list[Any], int, str]],
    items: list[Iterator[Said]],
    whole: Iterator[bytes],
) -> list[Entry]:
    """Entries one after the other: each is named by the bytes of the one before it."""
    entries: list[Entry] = []
    prev, frame = place.prev, None
    making = Rebuilder(place.terminal, place.epoch)
    make, forms = making.entry, [Form(shape.kind) for shape in shapes]
    for seq, number in enumerate(numbers, place.start):
        if number == 0:
            entry = read_entry(next(whole))
            if _shape(Place(place.terminal, place.epoch, seq, prev), entry) is not None:
                raise MessageError("this is not a batch: an entry travels whole without need")
        else:
            now = next(frames)
            if now != frame:
                frame = now
                making.set_frame(*frame)
            entry = make(seq, prev, forms[number - 1], next(items[number - 1]))
        entries.append(entry)
        prev = entry.leaf
    return entries


def _fitting(place: Place, entries: Sequence[Entry]) -> Iterator[Shape | None]:
    prev = place.prev
    for seq, entry in enumerate(entries, place.start):
        yield _shape(Place(place.terminal, place.epoch, seq, prev), entry)
        prev = entry.leaf


def _shape(place: Place, entry: Entry) -> Shape | None:
    """The shape of an entry that its reader can work out at this place, or None."""
    body = entry.body
    if (body.terminal, body.epoch, body.seq, body.prev) != (
        place.terminal,
        place.epoch,
        place.start,
        place.prev,
    ):
        return None
    letters = [_TYPES.get(type(item)) for item in body.content]
    if None in letters or len(letters) > 32:
        return None
    return Shape(body.kind, "".join(letter or "" for letter in letters))


def _check_shapes(shapes: Sequence[Shape], numbers: Sequence[int]) -> None:
    """Every shape is used, and they stand in the order of first use."""
    first_used = [number for number in dict.fromkeys(numbers) if number]
    if first_used != list(range(1, len(shapes) + 1)) or len(set(shapes)) != len(shapes):
        raise MessageError("this is not a batch: its shapes are not those of its entries")


# Frames: time, ledger and officer


def _write_frames(entries: Sequence[Entry], out: ColumnWriter) -> None:
    moments: list[Moment] = []
    runs: list[int] = []
    for entry in entries:
        if moments and entry.body.moment == moments[-1]:
            runs[-1] += 1
        else:
            moments.append(entry.body.moment)
            runs.append(0)
    out.numbers([len(runs)])
    out.numbers(runs)
    steps = list(pairwise([ZERO, *moments]))
    out.signed([now.early - last.early for last, now in steps])
    out.signed([now.wall - now.early for now in moments])
    out.signed([now.late - now.early for now in moments])
    out.signed([now.office - last.early for last, now in steps])
    out.signed([now.online - last.online for last, now in steps])
    out.signed([now.boottime - last.boottime - now.early + last.early for last, now in steps])
    out.strings([now.boot_id for now in moments])
    ledgers = [entry.body.ledger for entry in entries]
    out.signed([now - last for last, now in pairwise([0, *ledgers])])
    out.words([entry.body.officer for entry in entries])


def _read_frames(source: ColumnReader, count: int) -> Iterator[tuple[list[Any], int, str]]:
    """(moment, ledger version, officer) of each entry."""
    runs = source.numbers(source.number(count))
    if sum(runs) + len(runs) != count:
        raise MessageError("this is not a batch: its times are not those of its entries")
    moments = _read_moments(source, len(runs))
    if any(last == now for last, now in pairwise(moments)):
        raise MessageError("this is not a batch: it says the same time twice")
    ledgers = accumulate(source.signed(count))
    officers = source.words(count)
    times = chain.from_iterable([now] * (run + 1) for now, run in zip(moments, runs, strict=True))
    return zip(times, ledgers, officers, strict=True)


def _read_moments(source: ColumnReader, count: int) -> list[list[Any]]:
    early = list(accumulate(source.signed(count)))
    wall = [a + b for a, b in zip(early, source.signed(count), strict=True)]
    late = [a + b for a, b in zip(early, source.signed(count), strict=True)]
    before = [0, *early][:count]
    office = [a + b for a, b in zip(before, source.signed(count), strict=True)]
    online = accumulate(source.signed(count))
    # Both clocks run on together: what is written is by how much they do not.
    apart = accumulate(source.signed(count))
    boottime = [a + b for a, b in zip(early, apart, strict=True)]
    columns = (wall, early, late, office, online, boottime, source.strings(count))
    return [list(row) for row in zip(*columns, strict=True)]


# Contents: one column for each item of a shape


def _write_items(
    out: ColumnWriter, shape: Shape, at: int, letter: str, entries: Sequence[Entry]
) -> None:
    values = [entry.body.content[at] for entry in entries]
    if letter == "b":
        out.strings(values)
    elif letter == "t":
        out.words(values)
    elif letter == "o":
        out.numbers([int(value) for value in values])
    elif letter == "i" and at == 0 and shape.kind in POINTS_BACK:
        out.signed([entry.body.seq - value for entry, value in zip(entries, values, strict=True)])
    elif letter == "i":
        out.signed(values)


def _read_contents(source: ColumnReader, shape: Shape, seqs: Sequence[int]) -> Iterator[Said]:
    columns = [_read_items(source, shape, at, seqs) for at in range(len(shape.types))]
    return iter(contents(columns, len(seqs)))


def _read_items(source: ColumnReader, shape: Shape, at: int, seqs: Sequence[int]) -> Sequence[Any]:
    count, letter = len(seqs), shape.types[at]
    if letter == "b":
        return source.strings(count)
    if letter == "t":
        return source.words(count)
    if letter == "n":
        return [None] * count
    if letter == "o":
        return [source.number(1) == 1 for _ in range(count)]
    values = source.signed(count)
    if at == 0 and shape.kind in POINTS_BACK:
        return [seq - value for seq, value in zip(seqs, values, strict=True)]
    return values
