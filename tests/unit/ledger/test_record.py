"""Records: one meaning has one form, and every reader raises only its own error."""

import base64
import struct
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_codec import canonical
from ledger.element import Element, RedemptionId, Right
from ledger.errors import RecordError
from ledger.policy import Policy, Words
from ledger.record import TIME_MAX, Record, compress, inflate, pack, unpack
from ledger.rights_file import (
    HouseholdRow,
    MemberRight,
    MoreBlocked,
    make_base,
    read_base,
    read_more,
    write_base,
    write_more,
)
from ledger.usage_file import SignedVoid, read_usage, write_usage
from tests.unit.ledger.samples import ACKNOWLEDGEMENT, BASE, ELEMENTS, RECORDS, ROWS

SIZE_MAX = 100_000
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)


def read(data: bytes, kind: type[Record]) -> Record | None:
    """The record, or None where it is refused as one."""
    try:
        return unpack(data, kind, size_max=SIZE_MAX)
    except RecordError:
        return None


@each_record
def test_record_reads_back_as_it_was_written(record: Record) -> None:
    assert read(pack(record), type(record)) == record


@each_record
def test_record_cut_anywhere_or_with_a_byte_more_is_refused(record: Record) -> None:
    data = pack(record)
    assert read(data + b"\x00", type(record)) is None
    for length in range(len(data)):
        assert read(data[:length], type(record)) is None


@each_record
def test_changed_byte_is_refused_or_says_something_else(record: Record) -> None:
    data = pack(record)
    for at in range(0, len(data), 1 + len(data) // 400):
        for change in (0x01, 0x20, 0x80, 0xFF):
            changed = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
            found = read(changed, type(record))
            assert found is None or (found != record and pack(found) == changed)


@each_record
def test_bytes_written_as_base64_text_are_refused(record: Record) -> None:
    """They would be a second form of the same record: msgspec alone takes them."""
    values = msgspec.to_builtins(record, builtin_types=(bytes,))
    places = [i for i, value in enumerate(values) if isinstance(value, bytes)]
    for at in places:
        spoilt = list(values)
        spoilt[at] = base64.b64encode(values[at]).decode()
        assert read(canonical.encode(spoilt), type(record)) is None
    assert places or isinstance(record, Policy) or type(record).__name__ == "Roll"


@each_record
def test_record_larger_than_its_limit_is_refused_unread(record: Record) -> None:
    data = pack(record)
    with pytest.raises(RecordError, match="more than"):
        unpack(data, type(record), size_max=len(data) - 1)


def test_true_is_no_number_and_a_number_too_large_is_refused() -> None:
    values = msgspec.to_builtins(ACKNOWLEDGEMENT, builtin_types=(bytes,))
    for at, wrong in ((1, True), (2, 256), (3, -1), (3, 2**32), (5, 2**41), (0, "khb-ack-1")):
        spoilt = [*values[:at], wrong, *values[at + 1 :]]
        assert read(canonical.encode(spoilt), type(ACKNOWLEDGEMENT)) is None


def test_what_cannot_be_written_is_an_error_of_ours() -> None:
    with pytest.raises(RecordError, match="cannot write"):
        pack(Words("\ud800", "x"))


@given(data=st.binary(max_size=300), kind=st.sampled_from([type(r) for r in RECORDS]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_record_in_its_one_form_or_refused(data: bytes, kind: type[Record]) -> None:
    found = read(data, kind)
    assert found is None or pack(found) == data


# --- compressed files ---


def frame(blocks: int, declared: int, *, single: bool) -> bytes:
    """A zstd frame of run-length blocks of 128 KiB each, whatever size it declares."""
    if single:
        head = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", declared)
    else:
        head = b"\x28\xb5\x2f\xfd\x80\x50" + struct.pack("<I", declared)
    block = 128 * 1024 << 3 | 1 << 1
    body = (struct.pack("<I", block)[:3] + b"\x00") * (blocks - 1)
    return head + body + struct.pack("<I", block | 1)[:3] + b"\x00"


@pytest.mark.parametrize("single", [True, False])
def test_frame_that_lies_about_its_size_is_refused_without_growing(single: bool) -> None:
    assert len(inflate(frame(4, 4 << 17, single=single))) == 4 << 17
    bomb = frame(20_000, 1 << 20, single=single)  # 2.5 GB
    tracemalloc.start()
    with pytest.raises(RecordError):
        inflate(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_frame_that_declares_too_much_or_nothing_is_refused() -> None:
    with pytest.raises(RecordError, match="too large"):
        inflate(compress(bytes(1000)), size_max=999)
    undeclared = bytearray(compress(b"x"))
    undeclared[4] &= 0x1F  # neither a size nor a single segment: no declared size
    with pytest.raises(RecordError):
        inflate(bytes(undeclared))


def test_compressed_file_cut_or_followed_is_refused() -> None:
    data = compress(b"khb" * 100)
    assert inflate(data) == b"khb" * 100
    for length in range(len(data)):
        with pytest.raises(RecordError):
            inflate(data[:length])
    for more in (b"\x00", data):
        with pytest.raises(RecordError):
            inflate(data + more)


# --- rights and usage, which pack columns ---


def test_base_holds_its_rows_whatever_their_order() -> None:
    turned = make_base("629901", period="2026-4", number=1, rows=ROWS[::-1])
    assert turned == BASE
    assert tuple(read_base(write_base(BASE)).rows()) == ROWS


BAD_COLUMNS = {
    "households out of order": {"households": BASE.households[8:] + BASE.households[:8]},
    "a household twice": {"households": BASE.households[:8] * 2},
    "half a household": {"households": BASE.households[:-1]},
    "a short column": {"classes": BASE.classes[:-1]},
    "a desa that is not listed": {"desa": b"\x00\x02"},
    "more persons than counted": {"member_counts": b"\x01\x00"},
    "fewer quantities": {"quantities": BASE.quantities[:-4]},
    "a quantity no entry can hold": {"quantities": b"\x01" + BASE.quantities[1:]},
    "issue number 0": {"issues": b"\x00\x01"},
}


@pytest.mark.parametrize("spoilt", BAD_COLUMNS.values(), ids=BAD_COLUMNS.keys())
def test_base_with_columns_that_do_not_fit_is_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises(RecordError, match="a rights file"):
        read_base(write_base(msgspec.structs.replace(BASE, **spoilt)))


def test_usage_holds_its_elements_whatever_their_order() -> None:
    data = write_usage("629901", 1, ELEMENTS[::-1])
    assert data == write_usage("629901", 1, ELEMENTS)
    file, elements = read_usage(data)
    assert (file.kecamatan, file.number, elements) == ("629901", 1, ELEMENTS)
    assert read_usage(write_usage("629901", 2, ()))[1] == ()


def test_usage_with_columns_that_do_not_fit_is_refused() -> None:
    file, _ = read_usage(write_usage("629901", 1, ELEMENTS))
    columns = inflate(file.columns)
    for change in (
        {"households": file.households[:-1]},
        {"leaves": file.leaves[:-8]},
        {"prev": b"short"},
        {"columns": compress(columns[:-1])},
        {"columns": compress(columns + b"\0")},
        {"columns": compress(bytes([columns[0] + 1]) + columns[1:])},
        {"columns": compress(columns.replace(b"\1", b"\x81\0", 1))},
    ):
        with pytest.raises(RecordError):
            read_usage(pack(msgspec.structs.replace(file, **change)))


def test_usage_truncated_anywhere_is_refused() -> None:
    data = write_usage("629901", 2, ELEMENTS, prev=bytes(32))
    for length in range(len(data)):
        with pytest.raises(RecordError):
            read_usage(data[:length])


def test_usage_of_unsorted_or_repeated_voids_is_refused() -> None:
    file, _ = read_usage(write_usage("629901", 1, ELEMENTS))
    voids = (SignedVoid(b"b", bytes(64)), SignedVoid(b"a", bytes(64)))
    assert len(read_usage(write_usage("629901", 1, (), voids=voids))[0].voids) == 2
    for wrong in (voids, (voids[0], voids[0])):
        with pytest.raises(RecordError, match="voids out of order"):
            read_usage(pack(msgspec.structs.replace(file, voids=wrong)))


@given(
    st.lists(
        st.builds(
            Element,
            id=st.builds(
                RedemptionId, st.integers(1, 3), st.integers(1, 2), st.integers(0, 2**32 - 1)
            ),
            leaf=st.binary(min_size=8, max_size=8),
            right=st.builds(
                Right,
                st.binary(min_size=8, max_size=8),
                st.integers(0, 255),
                st.integers(0, 255),
                st.integers(0, 255),
            ),
            quantity=st.integers(0, 2**32 - 1),
            minute=st.integers(0, TIME_MAX // 60),
            counter=st.integers(0, 2**32 - 1),
        ),
        max_size=8,
        unique_by=lambda e: (e.id, e.leaf, e.right.household),
    )
)
def test_any_elements_survive_the_columns(elements: list[Element]) -> None:
    assert set(read_usage(write_usage("629901", 1, elements))[1]) == set(elements)


@given(st.sets(st.integers(0, 7_999_999), min_size=1, max_size=40))
def test_further_blocked_cards_survive_their_gaps(indices: set[int]) -> None:
    data = write_more(indices)
    assert read_more(data) == indices
    assert len(data) <= 20 + 5 * len(indices)


def test_further_blocked_cards_have_one_form() -> None:
    data = write_more({3, 9})
    for length in range(len(data)):
        with pytest.raises(RecordError):
            read_more(data[:length])
    for gaps in (b"", b"\x83\0", b"\xff\xff\xff\xff\x7f", b"\x80", b"\xff" * 9):
        with pytest.raises(RecordError):
            read_more(pack(MoreBlocked("khb-more-1", gaps)))


def test_usage_dated_past_what_a_calendar_holds_is_refused() -> None:
    file, _ = read_usage(write_usage("629901", 1, ELEMENTS[:1]))
    columns = b"\1\1\1\1" + b"\1\1\1\0\1" + b"\1" + b"\xff\xff\xff\xff\x0f" + b"\0\0"
    late = msgspec.structs.replace(file, columns=compress(columns))
    with pytest.raises(RecordError, match="past the year 3000"):
        read_usage(pack(late))


@given(
    st.lists(
        st.builds(
            MemberRight,
            st.integers(1, 255),
            st.integers(1, 255),
            st.integers(0, 2**24 - 1),
        ),
        max_size=4,
        unique_by=lambda m: (m.member, m.programme),
    )
)
def test_rights_of_persons_survive_the_columns(members: list[MemberRight]) -> None:
    ordered = tuple(sorted(members, key=lambda m: (m.member, m.programme)))
    row = HouseholdRow(b"12345678", "6299012001", 1, 1, 0, ordered)
    base = make_base("629901", period="p", number=1, rows=[row])
    assert tuple(read_base(write_base(base)).rows()) == (row,)
