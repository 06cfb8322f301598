"""The report of a terminal's contents as a plain table, to print and to send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.contents import Contents, Readable, Village

SAID = {Readable.YES: "yes", Readable.NO: "no", Readable.PIN: "if PIN guessed"}


def contents_table(contents: Contents) -> Iterator[str]:
    """Lines of the report."""
    yield f"Terminal {contents.terminal}: what a thief could read"
    yield f"the day is {'open' if contents.day_open else 'closed'} now; {_disk(contents)}"
    yield ""
    rows = [
        (r.what, _count(r.count), SAID[r.open], SAID[r.closed], r.where, ", ".join(r.fields))
        for r in contents.records
    ]
    yield from _table(("records", "count", "taken open", "taken closed", "where", "fields"), rows)
    yield ""
    villages = [
        (v.desa, v.name, *map(_count, (v.families, v.members, v.tags)), _whose(v.ours), _room(v))
        for v in contents.villages
    ]
    head = ("village", "name", "families", "members", "tags", "sealed to", "where")
    yield from _table(head, villages)
    yield ""
    keys = [(k.where, k.what, SAID[k.open], SAID[k.closed], k.worth) for k in contents.keys]
    yield from _table(("key", "form", "taken open", "taken closed", "worth to a thief"), keys)
    if contents.others:
        yield ""
        others = [(o.path, f"{o.size_bytes:,}") for o in contents.others]
        yield from _table(("file nobody knows: look at it", "bytes"), others)
    if any(r.count is None for r in contents.records):
        yield ""
        yield "? is counted while the day is open, or with --pin-file."


def _disk(contents: Contents) -> str:
    """What stands behind "closed"."""
    said = {
        True: "its disk is encrypted: taken closed and off, nothing below is readable without"
        " that disk's own key",
        False: "its disk is not encrypted",
        None: "the system does not say whether its disk is encrypted",
    }[contents.disk_encrypted]
    if contents.swap:
        said += f"; memory may be written to {', '.join(contents.swap)}, the day's key with it"
    return said


def _room(village: Village) -> str:
    return f"{village.where.partition('/')[0]}/"


def _whose(ours: bool | None) -> str:
    return {True: "this terminal", False: "others", None: "?"}[ours]


def _count(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for place, line in enumerate(lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()
        if not place:
            yield "  ".join("-" * width for width in widths)
