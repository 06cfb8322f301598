"""Journal entries: what one says, its one form, its name and its signature."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_codec import canonical
from card_codec.errors import CardCodecError
from card_codec.keys import PrivateKey
from ledger.element import RedemptionId, Right
from ledger.entry import (
    ENTRY_SIZE_MAX,
    Basis,
    Content,
    Presented,
    Redemption,
    check_head,
    genesis,
    leaf_hash,
    make_entry,
    read_entry,
    sign_head,
)
from ledger.errors import RecordError
from tests.unit.ledger.samples import CONTENTS, HOUSEHOLD, KEY, MOMENT, entry

GOOD = entry(CONTENTS[0])


def spoilt(change: Callable[[list[Any]], object]) -> bytes:
    """The good entry with its decoded array changed."""
    values: Any = canonical.decode(GOOD.data, size_max=ENTRY_SIZE_MAX)
    change(values)
    return canonical.encode(values)


def put(*path: int, value: object) -> Callable[[list[Any]], object]:
    """A change of one place."""

    def change(values: list[Any]) -> None:
        for step in path[:-1]:
            values = values[step]
        values[path[-1]] = value

    return change


@pytest.mark.parametrize("content", CONTENTS, ids=lambda c: type(c).__name__)
def test_entry_reads_back_as_it_was_made(content: Content) -> None:
    made = entry(content, seq=9)
    assert read_entry(made.data) == made
    assert made.content == content
    assert made.id == RedemptionId(1, 1, 9)
    assert made.leaf == leaf_hash(made.data)
    assert len(made.data) < 200


def test_only_a_redemption_is_an_element() -> None:
    elements = [entry(content).element() for content in CONTENTS]
    assert [e is not None for e in elements] == [isinstance(c, Redemption) for c in CONTENTS]
    made = elements[0]
    assert made is not None
    assert made.right == Right(HOUSEHOLD, 0, 1, 1)
    assert (made.leaf, made.quantity, made.minute) == (GOOD.leaf[:8], 2, MOMENT.early // 60)


BAD = {
    "another form": put(0, value=2),
    "true for a number": put(2, value=True),
    "terminal 0": put(1, value=0),
    "epoch 0": put(2, value=0),
    "seq 0": put(3, value=0),
    "seq as text": put(3, value="1"),
    "prev of 31 bytes": put(4, value=bytes(31)),
    "prev as base64 text": put(4, value=base64.b64encode(bytes(32)).decode()),
    "an unknown kind": put(5, value=99),
    "a kind without content of its own yet": put(5, value=2),
    "another kind's content": put(5, value=5),
    "a moment without its boot": lambda v: v[6].pop(),
    "a time past all bounds": put(6, 0, value=2**40 + 1),
    "officer of 13 characters": put(8, value="A" * 13),
    "one field more": lambda v: v.append(0),
    "content one field more": lambda v: v[9].append(0),
    "content one field less": lambda v: v[9].pop(),
    "content as a map": put(9, value={1: 2}),
    "household as base64 text": put(9, 0, value=base64.b64encode(HOUSEHOLD).decode()),
    "quantity over 24 bits": put(9, 5, value=2**24),
    "shown by nothing known": put(9, 7, value=0),
    "given on no known basis": put(9, 8, value=7),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_entry_out_of_its_form_is_refused(change: Callable[[list[Any]], object]) -> None:
    with pytest.raises(RecordError, match="not a journal entry"):
        read_entry(spoilt(change))


def test_entry_cut_or_followed_anywhere_is_refused() -> None:
    for data in [*(GOOD.data[:n] for n in range(len(GOOD.data))), GOOD.data + b"\x00"]:
        with pytest.raises(RecordError):
            read_entry(data)


def test_entry_over_its_size_is_refused() -> None:
    with pytest.raises(RecordError, match="more than the 1024"):
        read_entry(bytes(ENTRY_SIZE_MAX + 1))


@given(data=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_entry_in_its_one_form_or_refused(data: bytes) -> None:
    try:
        assert read_entry(data).data == data
    except RecordError:
        return


@given(at=st.integers(0, len(GOOD.data) - 1), change=st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_changed_entry_is_refused_or_has_another_name(at: int, change: int) -> None:
    data = GOOD.data[:at] + bytes([GOOD.data[at] ^ change]) + GOOD.data[at + 1 :]
    try:
        found = read_entry(data)
    except RecordError:
        return
    assert (found.leaf, found.data) == (leaf_hash(data), data)
    assert found.leaf != GOOD.leaf


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": 2**24},
        {"paid": 2**53 + 1},
        {"paid": 2**64},
        {"household": b"short"},
        {"basis": 9},
    ],
    ids=str,
)
def test_entry_that_its_readers_would_refuse_is_not_made(wrong: dict[str, Any]) -> None:
    """Else one redemption of 20 million rupiah would make the journal unreadable for good."""
    content = Redemption(HOUSEHOLD, 1, 0, 1, 1, 1, 0, Presented.TEXT, Basis.HOME)
    with pytest.raises(RecordError):
        entry(msgspec.structs.replace(content, **wrong))


def test_entry_of_a_ledger_number_too_large_is_not_made() -> None:
    with pytest.raises(RecordError):
        make_entry(
            id=RedemptionId(1, 1, 1), prev=bytes(32), moment=MOMENT, ledger=2**32, officer="UJI",
            content=CONTENTS[0],
        )  # fmt: skip


# --- heads ---


def test_head_signature_holds_for_that_leaf_and_key_alone() -> None:
    signature = sign_head(GOOD.leaf, KEY)
    check_head(GOOD.leaf, signature, KEY.public)
    other = entry(CONTENTS[0], seq=2)
    stranger = PrivateKey.generate().public
    for leaf, key in ((other.leaf, KEY.public), (GOOD.leaf, stranger)):
        with pytest.raises(CardCodecError):
            check_head(leaf, signature, key)


def test_signature_over_the_bare_leaf_is_no_head() -> None:
    with pytest.raises(CardCodecError):
        check_head(GOOD.leaf, KEY.sign(GOOD.leaf), KEY.public)


def test_genesis_binds_terminal_epoch_and_key() -> None:
    other = PrivateKey.generate().public
    first = genesis(1, 1, KEY.public)
    assert (
        len({first, genesis(2, 1, KEY.public), genesis(1, 2, KEY.public), genesis(1, 1, other)})
        == 4
    )
    assert first == genesis(1, 1, KEY.public)


def test_receipt_number_names_terminal_epoch_and_entry() -> None:
    assert RedemptionId(1, 1, 17).number() == "T001-0017"
    assert RedemptionId(1, 2, 17).number() == "T001.2-0017"
    assert RedemptionId(65_535, 255, 4_294_967_295).number() == "T65535.255-4294967295"
