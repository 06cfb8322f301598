"""A batch gives back the journal's own bytes, in one form; anything else is a named error."""

from collections.abc import Sequence

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ledger.clock import Moment
from ledger.element import RedemptionId
from ledger.entry import (
    Basis,
    Complaint,
    Content,
    Entry,
    Handover,
    Opened,
    Presented,
    Redemption,
    Refusal,
    Void,
    make_entry,
)
from ledger.record import compress, inflate, pack, unpack
from sync_agent.batch import BATCH_SIZE_MAX, Batch, BatchFile, read_batch, write_batch
from sync_agent.columns import ColumnWriter
from sync_agent.errors import MessageError
from tests.world import NOW

SIGNATURE = b"s" * 64
HOUSEHOLDS = [bytes([n]) * 8 for n in range(4)]


def moment(at: int, **changed: int) -> Moment:
    values = {"wall": at, "early": at, "late": at, "office": at, "online": NOW} | changed
    return Moment(**values, boottime=at - NOW + 1_000, boot_id=b"bootboot")


def redemption(household: bytes = HOUSEHOLDS[0], quantity: int = 1) -> Redemption:
    return Redemption(household, 1, 0, 1, 1, quantity, 0, Presented.TEXT, Basis.HOME)


def chained(
    *contents: tuple[Moment, Content], start: int = 1, prev: bytes = b"\1" * 32
) -> list[Entry]:
    """Entries one after the other."""
    entries: list[Entry] = []
    for seq, (at, content) in enumerate(contents, start):
        entry = make_entry(
            id=RedemptionId(3, 2, seq), prev=prev, moment=at, ledger=seq // 3, officer="UJI",
            content=content,
        )  # fmt: skip
        entries.append(entry)
        prev = entry.leaf
    return entries


def morning() -> list[Entry]:
    return chained(
        (moment(NOW), Opened("Balai")),
        (moment(NOW + 40), redemption()),
        (moment(NOW + 90), Handover(2)),
        (moment(NOW + 90), redemption(HOUSEHOLDS[1])),
        (moment(NOW + 99), Refusal("malformed", None, 0, 0, 1, Presented.PICTURE)),
        (moment(NOW + 99), Refusal("already_redeemed", HOUSEHOLDS[0], 1, 0, 1, Presented.TEXT)),
        (moment(NOW + 200), Void(4, "salah", "PW")),
    )


def written(entries: Sequence[Entry], *, start: int = 1) -> bytes:
    return write_batch(Batch(3, 2, start, tuple(entries), SIGNATURE))


def file_of(data: bytes) -> BatchFile:
    return unpack(data, BatchFile, size_max=BATCH_SIZE_MAX)


def changed(data: bytes, **fields: object) -> bytes:
    return pack(msgspec.structs.replace(file_of(data), **fields))


GOOD = written(morning())


def test_batch_gives_back_the_bytes_of_the_journal() -> None:
    batch = read_batch(GOOD)
    assert [e.data for e in batch.entries] == [e.data for e in morning()]
    assert (batch.terminal, batch.epoch, batch.start, batch.end) == (3, 2, 1, 7)
    assert batch.signature == SIGNATURE


def test_nothing_that_a_reader_can_work_out_travels() -> None:
    batch = GOOD
    for entry in morning()[1:]:
        assert entry.body.prev not in batch
    assert len(batch) < len(b"".join(e.data for e in morning())) / 2


TIMES = st.integers(0, 2**40)
MOMENTS = st.builds(
    Moment, TIMES, TIMES, TIMES, TIMES, TIMES, TIMES, st.sampled_from([b"bootboot", b"rebooted"])
)
U8 = st.integers(0, 255)
CONTENTS = st.one_of(
    st.builds(
        Redemption, st.sampled_from(HOUSEHOLDS) | st.binary(min_size=8, max_size=8), U8, U8, U8,
        U8, st.integers(0, 2**24 - 1), st.integers(0, 2**53), st.sampled_from(Presented),
        st.sampled_from(Basis),
    ),
    st.builds(Void, st.integers(0, 2**32 - 1), st.text("ab", min_size=1, max_size=9), st.just("P")),
    st.builds(Handover, st.integers(0, 2**32 - 1)),
    st.builds(
        Refusal, st.sampled_from(["revoked", "expired"]), st.none() | st.sampled_from(HOUSEHOLDS),
        U8, U8, U8, st.sampled_from(Presented),
    ),
    st.builds(
        Complaint, st.integers(0, 2**32 - 1), st.sampled_from(["revoked", "expired"]),
        st.none() | st.sampled_from(HOUSEHOLDS), U8, U8, st.sampled_from(Presented),
    ),
    st.builds(Opened, st.text(min_size=1, max_size=9).filter(lambda t: t.isprintable())),
)  # fmt: skip


@given(st.lists(st.tuples(MOMENTS, CONTENTS), min_size=1, max_size=12), st.integers(1, 2**31))
def test_any_entries_come_back_to_the_byte(contents, start: int) -> None:
    entries = chained(*contents, start=start)
    data = written(entries, start=start)
    back = read_batch(data)
    assert [e.data for e in back.entries] == [e.data for e in entries]
    assert [e.leaf for e in back.entries] == [e.leaf for e in entries]
    assert write_batch(back) == data


@given(st.lists(st.sampled_from(morning()), min_size=1, max_size=6), st.integers(1, 3))
def test_entries_that_do_not_fit_their_place_travel_whole(entries, start: int) -> None:
    data = written(entries, start=start)
    assert [e.data for e in read_batch(data).entries] == [e.data for e in entries]


def test_five_hundred_of_the_longest_entries_fit_a_batch() -> None:
    text = "ü" * 80
    long = chained(*((moment(NOW + n), Opened(f"{n} {text}"[:80])) for n in range(500)))
    strangers = [msgspec.structs.replace(e) for e in reversed(long)]
    assert len(read_batch(written(strangers)).entries) == 500


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminal": 0}, {"epoch": 0}, {"start": 0}, {"count": 0}, {"count": 501}, {"count": 6},
        {"count": 8}, {"signature": b"s" * 63}, {"terminal": True}, {"form": "khb-batch-1"},
        {"shapes": ()}, {"texts": ()}, {"pool": b""}, {"columns": b""}, {"prev": b"\1" * 31},
        {"pool": file_of(GOOD).pool + b"x"}, {"texts": (*file_of(GOOD).texts, "more")},
        {"shapes": file_of(GOOD).shapes[::-1]}, {"shapes": file_of(GOOD).shapes * 2},
        {"texts": ("UJI",) * len(file_of(GOOD).texts)},
        {"columns": compress(inflate(file_of(GOOD).columns) + b"\0")},
        {"columns": compress(inflate(file_of(GOOD).columns)[:-1])},
    ],
)  # fmt: skip
def test_batch_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MessageError):
        read_batch(changed(GOOD, **wrong))


def test_batch_cut_at_every_byte_is_refused() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(MessageError):
            read_batch(GOOD[:length])
    with pytest.raises(MessageError):
        read_batch(GOOD + b"\0")


def test_bomb_is_refused_by_the_size_it_declares() -> None:
    with pytest.raises(MessageError, match="too large"):
        read_batch(changed(GOOD, columns=compress(b"\0" * (BATCH_SIZE_MAX + 1))))
    hiding = zstandard.ZstdCompressor(write_content_size=False)
    with pytest.raises(MessageError, match="hides its size"):
        read_batch(changed(GOOD, columns=hiding.compress(b"\0" * 10_000_000)))


def test_entry_that_would_have_fitted_is_refused_whole() -> None:
    (entry,) = chained((moment(NOW), Opened("Balai")))
    columns = ColumnWriter()
    columns.numbers([0])
    columns.numbers([0])
    columns.strings([entry.data])
    whole = {"count": 1, "shapes": (), "texts": (), "pool": columns.pool}
    with pytest.raises(MessageError, match="without need"):
        read_batch(changed(GOOD, columns=compress(columns.finish()), **whole))


def test_number_in_a_longer_form_is_refused() -> None:
    columns = inflate(file_of(GOOD).columns)
    longer = bytes([columns[0] | 0x80, 0]) + columns[1:]
    with pytest.raises(MessageError, match="too long"):
        read_batch(changed(GOOD, columns=compress(longer)))


@given(st.data())
def test_any_changed_byte_is_another_batch_or_a_named_error(data) -> None:
    file = file_of(GOOD)
    columns, pool = bytearray(inflate(file.columns)), bytearray(file.pool)
    changing = data.draw(st.sampled_from([columns, pool]))
    for _ in range(data.draw(st.integers(1, 3))):
        changing[data.draw(st.integers(0, len(changing) - 1))] = data.draw(st.integers(0, 255))
    hostile = changed(GOOD, columns=compress(bytes(columns)), pool=bytes(pool))
    try:
        read = read_batch(hostile)
    except MessageError:
        return
    assert write_batch(read) == hostile, "one meaning has one form"


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_any_bytes_are_a_named_error(data: bytes, pool: bytes) -> None:
    for hostile in (data, changed(GOOD, columns=compress(data), pool=pool)):
        with pytest.raises(MessageError):
            read_batch(hostile)
