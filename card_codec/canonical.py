"""Strict canonical CBOR: one value, one encoding.

The core deterministic encoding of RFC 8949 §4.2.1 over a small set of types: integers of 64 bits,
byte strings, texts, booleans, null, arrays, and maps with integer or text keys. No floats, tags,
undefined or big integers; nothing indefinite; nesting at most 16 deep.

`encode` leaves the bytes to cbor2. `decode` is a reader of its own: it accepts exactly what
`encode` can write, so that what it returns encodes to the bytes it was given. A general CBOR
decoder followed by a comparison would first run every tag it knows (rationals, regular
expressions, MIME) on bytes nobody has vouched for.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import cbor2

from card_codec.errors import CardCodecError, malformed

DEPTH_MAX = 16
INT_MIN = -(2**64)
INT_MAX = 2**64 - 1

Value: TypeAlias = "int | bytes | str | bool | None | list[Value] | dict[int | str, Value]"
Encodable: TypeAlias = (
    "int | bytes | str | None | Sequence[Encodable]"
    " | Mapping[int, Encodable] | Mapping[str, Encodable] | Mapping[int | str, Encodable]"
)

# Exact types that cbor2 encodes canonically as they are.
_FLAT = frozenset((bytes, str, bool, type(None)))


def encode(value: Encodable) -> bytes:
    """The one encoding of a value. Tuples count as arrays, enum members as their plain value.

    Raises:
        CardCodecError: `malformed`, if the value has no canonical encoding.
    """
    try:
        return cbor2.dumps(_plain(value, DEPTH_MAX))
    except UnicodeEncodeError as exc:
        raise malformed("a text is not valid Unicode") from exc


def _plain(value: object, depth: int) -> object:
    """The value in exact built-in types, with map keys in canonical order."""
    kind: type = type(value)
    if kind in _FLAT:
        return value
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise malformed("an integer does not fit 64 bits")
        return value if kind is int else int(value)
    if isinstance(value, str):
        return str.__str__(value)
    if depth == 0:
        raise malformed(f"nested deeper than {DEPTH_MAX}")
    if isinstance(value, (list, tuple)):
        depth -= 1
        return [
            item
            if (kind := type(item)) in _FLAT or (kind is int and INT_MIN <= item <= INT_MAX)
            else _plain(item, depth)
            for item in value
        ]
    if isinstance(value, Mapping):
        return _plain_map(value, depth - 1)
    raise malformed(f"{kind.__name__} has no canonical encoding")


def _plain_map(value: Mapping[object, object], depth: int) -> dict[object, object]:
    keyed = []
    for key, item in value.items():
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise malformed(f"{type(key).__name__} cannot be a map key")
        key = _plain(key, 0)
        keyed.append((cbor2.dumps(key), key, _plain(item, depth)))
    keyed.sort(key=lambda entry: entry[0])
    return {key: item for _, key, item in keyed}


def decode(data: bytes, *, size_max: int) -> Value:
    """The value of canonical CBOR, or a refusal; `encode` of it gives `data` again.

    Args:
        data: all of the bytes; nothing may follow the value.
        size_max: limit in bytes, checked before anything is read.

    Raises:
        CardCodecError: `malformed`, for anything `encode` would not have written.
    """
    if len(data) > size_max:
        raise malformed(f"{len(data)} bytes, more than the {size_max} allowed here")
    try:
        value, end = _read(data, 0, DEPTH_MAX)
    except IndexError as exc:
        raise malformed("the CBOR ends too early") from exc
    except UnicodeDecodeError as exc:
        raise malformed("a text is not UTF-8") from exc
    if end != len(data):
        raise malformed("bytes follow the end of the CBOR")
    return value


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """One item at an offset, and the offset behind it."""
    first = data[at]
    at += 1
    major = first >> 5
    argument = first & 0x1F
    if major == 7:
        return _read_simple(first), at
    if argument >= 24:
        argument, at = _read_argument(data, at, argument)
    if major < 2:
        return (-1 - argument if major else argument), at
    if major == 6:
        raise malformed("CBOR tags are not allowed here")
    if argument > len(data) - at:  # even of the smallest items, one byte each
        raise malformed("the CBOR ends too early")
    if major < 4:
        end = at + argument
        return (data[at:end] if major == 2 else str(data[at:end], "utf-8")), end
    if depth == 0:
        raise malformed(f"nested deeper than {DEPTH_MAX}")
    read = _read_array if major == 4 else _read_map
    return read(data, at, argument, depth - 1)


def _read_simple(first: int) -> bool | None:
    if first == 0xF6:
        return None
    if first == 0xF5:
        return True
    if first == 0xF4:
        return False
    raise malformed("floats, undefined and simple values are not allowed here")


def _read_argument(data: bytes, at: int, argument: int) -> tuple[int, int]:
    """The long form of a head: 1, 2, 4 or 8 bytes, refused where a shorter one would do."""
    if argument > 27:
        raise malformed("CBOR of indefinite length is not allowed here")
    size = 1 << (argument - 24)
    end = at + size
    if end > len(data):
        raise malformed("the CBOR ends too early")
    number = int.from_bytes(data[at:end], "big")
    if number < (24 if size == 1 else 1 << (size * 4)):
        raise malformed("a CBOR number is not in its shortest form")
    return number, end


def _read_array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    for _ in range(count):
        item, at = _read(data, at, depth)
        items.append(item)
    return items, at


def _read_map(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    result: dict[int | str, Value] = {}
    last = b""
    for _ in range(count):
        start = at
        if data[at] >> 5 not in (0, 1, 3):
            raise malformed("a map key is neither an integer nor a text")
        key, at = _read(data, at, 0)
        encoded = data[start:at]
        if encoded <= last:
            raise malformed("map keys are doubled or out of order")
        last = encoded
        item, at = _read(data, at, depth)
        result[key] = item  # type: ignore[index]  # the head says: integer or text
    return result, at


# Typed readers: pick a decoded value apart with one kind of error. `name` is for the sentence.


def take_int(value: Value, name: str, low: int = 0, high: int = 2**63 - 1) -> int:
    """An integer within bounds, both included. A boolean is not an integer.

    Raises:
        CardCodecError: `malformed`.
    """
    if type(value) is not int or not low <= value <= high:
        raise malformed(f"{name} is not an integer from {low} to {high}")
    return value


def take_bytes(
    value: Value, name: str, length: int | None = None, *, length_max: int | None = None
) -> bytes:
    """A byte string of exactly `length`, or of at most `length_max` bytes.

    Raises:
        CardCodecError: `malformed`.
    """
    if type(value) is not bytes:
        raise malformed(f"{name} is not a byte string")
    if length is not None and len(value) != length:
        raise malformed(f"{name} is not {length} bytes long")
    if length_max is not None and len(value) > length_max:
        raise malformed(f"{name} is longer than {length_max} bytes")
    return value


def take_text(value: Value, name: str, length_max: int) -> str:
    """A text of at most `length_max` characters; it may be empty.

    Raises:
        CardCodecError: `malformed`.
    """
    if type(value) is not str or len(value) > length_max:
        raise malformed(f"{name} is not a text of at most {length_max} characters")
    return value


def take_bool(value: Value, name: str) -> bool:
    """A boolean.

    Raises:
        CardCodecError: `malformed`.
    """
    if type(value) is not bool:
        raise malformed(f"{name} is neither true nor false")
    return value


def take_list(
    value: Value, name: str, length: int | None = None, *, length_max: int | None = None
) -> list[Value]:
    """An array of exactly `length`, or of at most `length_max` items.

    Raises:
        CardCodecError: `malformed`.
    """
    if type(value) is not list:
        raise malformed(f"{name} is not an array")
    if length is not None and len(value) != length:
        raise malformed(f"{name} does not have {length} items")
    if length_max is not None and len(value) > length_max:
        raise malformed(f"{name} has more than {length_max} items")
    return value


def take_map(value: Value, name: str) -> dict[int | str, Value]:
    """A map with integer or text keys.

    Raises:
        CardCodecError: `malformed`.
    """
    if type(value) is not dict:
        raise malformed(f"{name} is not a map")
    return value


__all__ = [
    "DEPTH_MAX",
    "CardCodecError",
    "Encodable",
    "Value",
    "decode",
    "encode",
    "take_bool",
    "take_bytes",
    "take_int",
    "take_list",
    "take_map",
    "take_text",
]
