import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from card_codec.chip.record import (
    CardRecord,
    RecordKind,
    day_of,
    decode_record,
    encode_record,
)
from card_codec.errors import CardCodecError
from tests.chip_world import MARK, TAKEN


def test_record_is_laid_out_as_specified() -> None:
    record = CardRecord(RecordKind.VOID, 0x0102, 3, 0x040506, 7, 8, 9, 0x0A0B0C, 0x0D0E)
    assert encode_record(record).hex() == "120102030405060708090a0b0c0d0e00"
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("terminal", 0xFFFF),
        ("epoch", 0xFF),
        ("seq", 0xFFFFFF),
        ("programme", 0xFF),
        ("window", 0xFF),
        ("member", 0xFF),
        ("quantity", 0xFFFFFF),
        ("day", 0xFFFF),
    ],
)
def test_every_field_holds_its_most_and_no_more(field: str, most: int) -> None:
    def having(value: int) -> CardRecord:
        changes: dict[str, Any] = {field: value}
        return replace(TAKEN, **changes)

    largest = having(most)
    assert decode_record(encode_record(largest)) == largest
    for wrong in (most + 1, -1):
        with pytest.raises(CardCodecError) as caught:
            encode_record(having(wrong))
        assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encode_record(TAKEN)[:-1],
        encode_record(TAKEN) + b"\x00",
        b"\x01" + encode_record(TAKEN)[1:],
        b"\x21" + encode_record(TAKEN)[1:],
        b"\x10" + encode_record(TAKEN)[1:],
        b"\x15" + encode_record(TAKEN)[1:],
        encode_record(TAKEN)[:-1] + b"\x01",
        encode_record(TAKEN)[:10] + bytes(3) + encode_record(TAKEN)[13:],
        encode_record(MARK)[:7] + b"\x01" + encode_record(MARK)[8:],
    ],
    ids=[
        *("empty", "short", "long", "version 0", "version 2", "kind 0", "kind 5", "spare"),
        *("takes nothing", "mark with a programme"),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CardCodecError) as caught:
        decode_record(data)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-04-30T16:59:59+00:00", "2026-04-30"),
        ("2026-04-30T17:00:00+00:00", "2026-05-01"),
        ("2026-04-30T17:00:00+07:00", "2026-04-30"),
    ],
)
def test_day_is_that_of_wib(moment: str, day: str) -> None:
    seconds = int(dt.datetime.fromisoformat(moment).timestamp())
    expected = dt.date.fromisoformat(day) - dt.date(1970, 1, 1)
    assert day_of(seconds) == expected.days
