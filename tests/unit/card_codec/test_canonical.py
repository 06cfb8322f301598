from enum import IntEnum, StrEnum
from typing import Any

import pytest

from card_codec import canonical
from card_codec.errors import CardCodecError

# Each is CBOR that a lenient reader takes.
NOT_CANONICAL = {
    "trailing byte": "0100",
    "long form of 1": "1801",
    "two bytes for 255": "1900ff",
    "four bytes for 65535": "1a0000ffff",
    "eight bytes for 1": "1b0000000000000001",
    "long length": "580161",
    "indefinite array": "9f01ff",
    "indefinite bytes": "5f4101ff",
    "indefinite map": "bf0101ff",
    "float": "f93c00",
    "double": "fb3ff0000000000000",
    "undefined": "f7",
    "simple value": "e0",
    "tag": "c101",
    "big integer": "c249010000000000000000",
    "doubled key": "a201010102",
    "unordered keys": "a202010101",
    "length-first order": "a220011818 01".replace(" ", ""),
    "bytes as key": "a1410101",
    "true as key": "a1f501",
    "array as key": "a1810101",
    "cut-off array": "8201",
    "cut-off map": "a101",
    "cut-off bytes": "4401",
    "cut-off head": "19ff",
    "huge array": "9bffffffffffffffff",
    "huge map": "bb00ffffffffffffff",
    "huge bytes": "5bffffffffffffffff",
    "not UTF-8": "61ff",
    "surrogate": "63eda080",
    "reserved head": "1c",
    "break alone": "ff",
    "nothing": "",
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_other_encodings_are_refused(data: str) -> None:
    with pytest.raises(CardCodecError) as caught:
        canonical.decode(bytes.fromhex(data), size_max=100)
    assert caught.value.code == "malformed"


def test_keys_are_ordered_by_their_bytes() -> None:
    value: dict[int | str, canonical.Value] = {"a": 1, -1: 2, 24: 3, 1000: 4, 0: 5, "": 6, "bb": 7}
    data = canonical.encode(value)
    assert data.hex() == "a7000518180319 03e804200260 06616101626262 07".replace(" ", "")
    assert canonical.decode(data, size_max=100) == value


@pytest.mark.parametrize("value", [1.5, {1.5: 1}, {True: 1}, {b"k": 1}, {1}, 2**64, -(2**64) - 1])
def test_what_has_no_encoding_is_not_written(value: Any) -> None:
    for held in (value, [value], {"a": value}):
        with pytest.raises(CardCodecError):
            canonical.encode(held)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_a_character_is_not_written(text: str) -> None:
    for held in (text, [text], {text: 1}):
        with pytest.raises(CardCodecError):
            canonical.encode(held)


def test_depth_is_limited_to_16_both_ways() -> None:
    value: canonical.Value = 1
    for _ in range(16):
        value = [value]
    data = canonical.encode(value)
    assert canonical.decode(data, size_max=100) == value
    with pytest.raises(CardCodecError):
        canonical.encode([value])
    with pytest.raises(CardCodecError):
        canonical.decode(b"\x81" + data, size_max=100)
    with pytest.raises(CardCodecError):
        canonical.decode(b"\xa1\x01" + data, size_max=100)


def test_size_is_limited_before_reading() -> None:
    data = canonical.encode(bytes(100))
    assert canonical.decode(data, size_max=len(data)) == bytes(100)
    with pytest.raises(CardCodecError, match="102 bytes, more than the 101"):
        canonical.decode(data, size_max=101)


def test_tuples_and_enum_members_are_written_as_plain_values() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Number(IntEnum):
        ONE = 1

    keyed: dict[str, int] = {Colour.RED: Number.ONE}
    written = canonical.encode((Colour.RED, Number.ONE, keyed))
    assert written == canonical.encode(["red", 1, {"red": 1}])


@pytest.mark.parametrize(
    ("take", "good", "bad"),
    [
        (lambda v: canonical.take_int(v, "n", 1, 3), (1, 3), (0, 4, True, "1", None, b"")),
        (lambda v: canonical.take_int(v, "n"), (0, 2**63 - 1), (-1, 2**63)),
        (lambda v: canonical.take_bytes(v, "b", 2), (b"ab",), (b"a", b"abc", "ab", None)),
        (lambda v: canonical.take_bytes(v, "b", length_max=2), (b"", b"ab"), (b"abc", 1)),
        (lambda v: canonical.take_text(v, "t", 2), ("", "ab"), ("abc", b"ab", 1)),
        (lambda v: canonical.take_bool(v, "o"), (True, False), (1, 0, None)),
        (lambda v: canonical.take_list(v, "l", 1), ([1],), ([], [1, 2], {1: 1}, None)),
        (lambda v: canonical.take_list(v, "l", length_max=1), ([], [1]), ([1, 2],)),
        (lambda v: canonical.take_map(v, "m"), ({}, {1: 2}), ([], None, "")),
    ],
)
def test_typed_readers_take_what_fits_and_nothing_else(take: Any, good: Any, bad: Any) -> None:
    for value in good:
        assert take(value) is value
    for value in bad:
        with pytest.raises(CardCodecError) as caught:
            take(value)
        assert caught.value.code == "malformed"
