"""Every byte of every message: cut, flipped, random. Only named errors, or another true message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages import Message, messages

MESSAGES = messages()
SIGNED = ("acknowledgement", "slip")
"""What checks a signature as it is read: nothing else is ever read from it."""


def read_or_named(message: Message, data: bytes) -> bool:
    """Whether it is a message; whatever else it may be must be a named error."""
    try:
        read = message.read(data)
    except message.errors:
        return False
    if message.write is not None:
        assert message.write(read) == data, "one meaning has one form"
    return True


@pytest.mark.parametrize("name", MESSAGES)
def test_example_is_a_message(name: str) -> None:
    assert read_or_named(MESSAGES[name], MESSAGES[name].good)


@pytest.mark.parametrize("name", MESSAGES)
def test_message_cut_at_every_byte_is_refused(name: str) -> None:
    good = MESSAGES[name].good.rstrip(b"\n")
    for length in range(len(good)):
        assert not read_or_named(MESSAGES[name], good[:length]), length


@pytest.mark.parametrize("name", MESSAGES)
def test_message_with_anything_behind_it_is_refused(name: str) -> None:
    good = MESSAGES[name].good
    for more in (b"\0", b"x", good, good[:1]):
        assert not read_or_named(MESSAGES[name], good + more)


@pytest.mark.parametrize("name", MESSAGES)
def test_message_with_any_bit_flipped_is_a_named_error_or_another_message(name: str) -> None:
    message = MESSAGES[name]
    for place in range(len(message.good)):
        for bit in range(8):
            changed = bytearray(message.good)
            changed[place] ^= 1 << bit
            if read_or_named(message, bytes(changed)) and name in SIGNED:
                # A slip typed in small letters is that slip.
                assert message.read(bytes(changed)) == message.read(message.good), (place, bit)


@pytest.mark.parametrize("name", MESSAGES)
@given(data=st.data())
def test_message_with_bytes_changed_moved_or_doubled_is_never_a_defect(name: str, data) -> None:
    message = MESSAGES[name]
    changed = bytearray(message.good)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed)))
        end = min(len(changed), start + data.draw(st.integers(0, 8)))
        changed[start:end] = data.draw(
            st.binary(max_size=8) | st.just(bytes(changed[: end - start])) | st.just(b"\xff" * 8)
        )
    read_or_named(message, bytes(changed))


@pytest.mark.parametrize("name", MESSAGES)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_never_a_defect(name: str, data: bytes) -> None:
    read_or_named(MESSAGES[name], data)
