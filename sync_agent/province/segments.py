"""Sealed segments: the accepted log as Parquet files that are never written again.

They are the archive, an auditor's input, and what doubles are looked for in at size. A segment
holds what was accepted since the one before; its count and the hash over its entries are kept in
the store, and both are worked out anew from the file and from the log to check it.
Format: docs/spec/segment.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from ledger.entry import Commit, Entry, Pending, Redemption, Void, read_entry
from ledger.errors import LedgerError
from ledger.folder import write_whole
from sync_agent.errors import ProvinceError
from sync_agent.province.schema import acknowledgement, entry, segment, segment_mark
from sync_agent.province.store import Store

FOLDER = "segments"
CONTEXT = b"KHB-SEGMENT-v1\x00"
ENTRIES_MAX = 200_000
"""Entries of one segment; what is left makes the next."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment: its number, how many entries it holds, and the hash over them (hex)."""

    number: int
    entries: int
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a segment."""

    number: int
    detail: str


@dataclass(frozen=True, slots=True)
class _Span:
    """Entries of one chain."""

    terminal: int
    epoch: int
    first: int
    last: int


def seal_segment(store: Store, root: Path, *, now: int) -> Segment | None:
    """Write what was accepted since the last segment; None when there is nothing.

    The file lies whole before the store knows of it: after a power cut between the two, the next
    run writes the same number anew.

    Raises:
        ProvinceError: the store failed, the disk refused, or pyarrow is not installed.
    """
    with store.writing() as db:
        number = (db.execute(select(func.max(segment.c.number))).scalar_one() or 0) + 1
        spans = list(_waiting(db))
        if not spans:
            return None
        entries = list(_entries(db, spans))
        data = _written(entries)
        _keep(root / FOLDER / _name(number), data)
        made = Segment(number, len(entries), _hash(entries).hex())
        values = {
            "number": number, "entries": made.entries, "hash": bytes.fromhex(made.hash),
            "file": hashlib.sha256(data).digest(), "at": now,
        }  # fmt: skip
        db.execute(insert(segment).values(**values))
        marks = [
            {"number": number, "terminal": s.terminal, "epoch": s.epoch, "first": s.first,
             "last": s.last} for s in spans
        ]  # fmt: skip
        db.execute(insert(segment_mark), marks)
    return made


def check_segments(store: Store, root: Path) -> tuple[int, list[Fault]]:
    """Hold every segment against the log; how many there are, and what is wrong.

    Raises:
        ProvinceError: the store cannot be read, or pyarrow is not installed.
    """
    faults = []
    with store.reading() as db:
        rows = db.execute(select(segment).order_by(segment.c.number)).all()
        for row in rows:
            faults += [Fault(row.number, detail) for detail in _wrong(db, root, row)]
    return len(rows), faults


def _wrong(db: Connection, root: Path, row: Any) -> Iterator[str]:
    path = root / FOLDER / _name(row.number)
    try:
        data = path.read_bytes()
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}; bring it back from the archive"
        return
    if hashlib.sha256(data).digest() != row.file:
        yield f"{path} is not the file that was sealed; bring it back from the archive"
        return
    held = list(_entries(db, _spans(db, row.number)))
    archived = _read(data)
    for whose, entries in (("the log", held), ("the file", archived)):
        if len(entries) != row.entries:
            yield f"{whose} has {len(entries)} of its {row.entries} entries"
        elif _hash(entries) != row.hash:
            yield f"{whose} has other entries than were sealed"


def _waiting(db: Connection) -> Iterator[_Span]:
    """What no segment holds yet, chain by chain."""
    own = segment_mark.c
    rows = db.execute(
        select(own.terminal, own.epoch, func.max(own.last).label("last")).group_by(
            own.terminal, own.epoch
        )
    )
    sealed = {(row.terminal, row.epoch): row.last for row in rows}
    said = acknowledgement.c
    heads = db.execute(
        select(said.terminal, said.epoch, func.max(said.seq).label("seq"))
        .group_by(said.terminal, said.epoch)
        .order_by(said.terminal, said.epoch)
    )
    room = ENTRIES_MAX
    for row in heads:
        first = sealed.get((row.terminal, row.epoch), 0) + 1
        last = min(row.seq, first + room - 1)
        if first <= last:
            room -= last - first + 1
            yield _Span(row.terminal, row.epoch, first, last)


def _spans(db: Connection, number: int) -> list[_Span]:
    own = segment_mark.c
    rows = db.execute(
        select(segment_mark).where(own.number == number).order_by(own.terminal, own.epoch)
    )
    return [_Span(row.terminal, row.epoch, row.first, row.last) for row in rows]


def _entries(db: Connection, spans: Iterable[_Span]) -> Iterator[Entry]:
    """Entries as the log holds them, read strictly."""
    for span in spans:
        rows = db.execute(
            select(entry.c.body)
            .where(entry.c.terminal == span.terminal, entry.c.epoch == span.epoch)
            .where(entry.c.seq.between(span.first, span.last))
            .order_by(entry.c.seq)
        )
        for row in rows:
            yield read_entry(row.body)


def _hash(entries: Iterable[Entry]) -> bytes:
    """Over the leaf hashes in order: each names its entry's terminal, epoch and number, too."""
    digest = hashlib.sha256(CONTEXT)
    for one in entries:
        digest.update(one.leaf)
    return digest.digest()


def _name(number: int) -> str:
    return f"log-{number:06d}.parquet"


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        _set_aside(path, data)
        write_whole(path, data, mode=0o444)
        if path.read_bytes() != data:
            raise ProvinceError(f"{path} gave back other bytes than were written; use another disk")
    except (OSError, LedgerError) as error:
        raise ProvinceError(f"cannot write {path}: {error}; nothing was sealed") from error


def _set_aside(path: Path, data: bytes) -> None:
    """Keep what lies there under another name: the store was put back from a copy.

    It holds what was accepted after the copy was made, and may be all that still does.
    """
    with suppress(FileNotFoundError):
        held = path.read_bytes()
        if held != data:
            digest = hashlib.sha256(held).hexdigest()
            path.rename(path.with_name(f"former-{path.stem}-{digest[:16]}.parquet"))


def _written(entries: list[Entry]) -> bytes:
    """One Parquet file: what names an entry, its body, and what a redemption or a void says."""
    pa, pq = _arrow()
    rows = [_row(one) for one in entries]
    columns = [
        pa.array(values, kind)
        for values, (_, kind) in zip(zip(*rows, strict=True), _schema(pa), strict=True)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=pa.schema(_schema(pa))), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _read(data: bytes) -> list[Entry]:
    """The entries of a file whose own hash was right."""
    pa, pq = _arrow()
    table = pq.read_table(pa.BufferReader(data), columns=["body"])
    return [read_entry(body) for body in table.column("body").to_pylist()]


def _schema(pa: Any) -> list[tuple[str, Any]]:
    return [
        ("terminal", pa.uint16()), ("epoch", pa.uint8()), ("seq", pa.uint32()),
        ("leaf", pa.binary(32)), ("kind", pa.uint8()), ("early", pa.int64()),
        ("ledger", pa.uint32()), ("officer", pa.string()), ("household", pa.binary(8)),
        ("issue", pa.uint8()), ("member", pa.uint8()), ("programme", pa.uint8()),
        ("window", pa.uint8()), ("quantity", pa.uint32()), ("paid", pa.int64()),
        ("basis", pa.uint8()), ("voids", pa.uint32()),
        ("commits", pa.uint32()), ("body", pa.binary()),
    ]  # fmt: skip


def _row(one: Entry) -> tuple[object, ...]:
    """In the order of the schema."""
    body, said = one.body, one.content
    given: tuple[object, ...] = (None,) * 8
    if isinstance(said, Redemption | Pending):
        given = (
            said.household, said.issue, said.member, said.programme, said.window, said.quantity,
            said.paid, int(said.basis),
        )  # fmt: skip
    return (
        body.terminal, body.epoch, body.seq, one.leaf, body.kind, body.moment.early, body.ledger,
        body.officer, *given, said.seq if isinstance(said, Void) else None,
        said.seq if isinstance(said, Commit) else None, one.data,
    )  # fmt: skip


def _arrow() -> tuple[Any, Any]:
    """Only the province has it: a terminal is installed without."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ProvinceError(
            "sealing segments needs pyarrow; install huma-betang[province]"
        ) from error
    return pa, parquet
