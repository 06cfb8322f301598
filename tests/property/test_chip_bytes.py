"""Whatever is changed on the way: refused; whatever the bytes: one error, or the same bytes."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_codec.chip.errors import ChipError, ChipFormatError, ChipLinkError
from card_codec.chip.khb1_files import ChipContent, decode_content, encode_content
from card_codec.chip.record import CardRecord, RecordKind, decode_record, encode_record
from card_codec.errors import CardCodecError
from tests.chip_world import MARK, READER_ID, TAKEN, Station, counting, opened
from virtual_card.desfire import DesfireCard
from virtual_card.link import InProcessLink

U8 = st.integers(0, 0xFF)
U24 = st.integers(0, 0xFFFFFF)
RECORDS = st.builds(
    CardRecord,
    kind=st.sampled_from([RecordKind.REDEMPTION, RecordKind.VOID, RecordKind.OPENING]),
    terminal=st.integers(0, 0xFFFF),
    epoch=U8,
    seq=U24,
    programme=U8,
    window=U8,
    member=U8,
    quantity=st.integers(1, 0xFFFFFF),
    day=st.integers(0, 0xFFFF),
)


@given(RECORDS)
def test_every_record_survives_being_written(record: CardRecord) -> None:
    assert decode_record(encode_record(record)) == record


@given(st.one_of(st.binary(max_size=20), st.binary(min_size=16, max_size=16)))
def test_any_bytes_are_a_record_that_is_written_alike_or_refused(data: bytes) -> None:
    try:
        record = decode_record(data)
    except CardCodecError:
        return
    assert encode_record(record) == data


CONTENTS = st.builds(
    ChipContent,
    kecamatan=st.integers(0, 999_999).map("{:06}".format),
    generation=st.integers(1, 253),
    away_generation=st.integers(1, 255),
    slots=st.sets(st.sampled_from([1, 2, 3, 4]), min_size=1).map(lambda s: tuple(sorted(s))),
    credential=st.binary(min_size=1, max_size=247),
)


@given(CONTENTS)
def test_every_content_survives_being_written(content: ChipContent) -> None:
    assert decode_content(encode_content(content)) == content


@given(CONTENTS.map(encode_content), st.integers(0, 255), U8)
def test_any_credential_file_is_read_and_written_alike_or_refused(
    data: bytes, at: int, byte: int
) -> None:
    changed = data[:at] + bytes([byte]) + data[at + 1 :]
    try:
        content = decode_content(changed)
    except ChipFormatError:
        return
    assert encode_content(content) == changed


# A whole redemption, with something changed at one place of it

OPENING = [MARK, TAKEN]
Change = Callable[[int, bytes], bytes]


def _card() -> DesfireCard:
    return Station().card(opening=OPENING, random=counting(7))


def _redeem(
    card: DesfireCard, on_command: Change | None = None, on_answer: Change | None = None
) -> InProcessLink:
    card.power_off()
    link = InProcessLink(card, error=ChipLinkError, on_command=on_command, on_answer=on_answer)
    opened(link).commit_record(TAKEN, READER_ID)
    return link


TRACE = _redeem(_card()).trace
FIRST_SECURED = next(number for number, one in enumerate(TRACE) if one.apdu[1] == 0x71)
COMMIT = len(TRACE) - 1
SECURED = range(FIRST_SECURED, len(TRACE))


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _changing(number: int, change: Callable[[bytes], bytes]) -> Change:
    return lambda now, data: change(data) if now == number else data


def test_the_trace_is_what_the_profile_says() -> None:
    assert [one.apdu[1] for one in TRACE] == [
        *(0xA4, 0x60, 0xAF, 0xAF, 0xAD),
        *(0x71, 0xAF, 0x51, 0xAD, 0xF5, 0xAB, 0xA7),
        *(0xC8, 0x8B, 0xC7),
    ]


@pytest.mark.parametrize("number", SECURED, ids=lambda n: f"{n}:{TRACE[n].apdu[1]:02X}")
def test_flip_of_any_bit_of_a_secured_command_is_refused(number: int) -> None:
    """By the card, which then has not committed."""
    for bit in range(len(TRACE[number].apdu) * 8):
        card = _card()
        with pytest.raises(ChipError):
            _redeem(card, on_command=_changing(number, partial(_flip, bit=bit)))
        assert card.mac_file.counter == len(OPENING), bit


@pytest.mark.parametrize("number", SECURED, ids=lambda n: f"{n}:{TRACE[n].apdu[1]:02X}")
def test_flip_of_any_bit_of_a_secured_answer_is_refused(number: int) -> None:
    """By the terminal; at the commit itself the card has committed, and shows it afterwards."""
    for bit in range(len(TRACE[number].answer) * 8):
        card = _card()
        with pytest.raises(ChipError):
            _redeem(card, on_answer=_changing(number, partial(_flip, bit=bit)))
        assert card.mac_file.counter == len(OPENING) + (number == COMMIT), bit


@given(st.sampled_from(SECURED), st.data())
def test_any_change_of_a_secured_command_is_refused(number: int, data: st.DataObject) -> None:
    other = data.draw(_others(TRACE[number].apdu))
    card = _card()
    with pytest.raises(ChipError):
        _redeem(card, on_command=_changing(number, lambda _: other))
    assert card.mac_file.counter == len(OPENING)


@given(st.sampled_from(SECURED), st.data())
def test_any_change_of_a_secured_answer_is_refused(number: int, data: st.DataObject) -> None:
    other = data.draw(_others(TRACE[number].answer))
    card = _card()
    with pytest.raises(ChipError):
        _redeem(card, on_answer=_changing(number, lambda _: other))
    assert card.mac_file.counter == len(OPENING) + (number == COMMIT)


@pytest.mark.parametrize("number", SECURED)
def test_answer_of_another_session_is_refused(number: int) -> None:
    """A replay: what the same card once answered to the same command."""
    card = _card()
    before = InProcessLink(card, error=ChipLinkError)
    opened(before, draw=counting(99)).read_back()
    answers = {one.apdu[1]: one.answer for one in before.trace[FIRST_SECURED:]}
    old = answers.get(TRACE[number].apdu[1], TRACE[number - 1].answer)
    with pytest.raises(ChipError):
        _redeem(card, on_answer=_changing(number, lambda _: old))


@pytest.mark.parametrize(("number", "after"), list(pairwise(SECURED)))
def test_commands_in_another_order_are_refused(number: int, after: int) -> None:
    card = _card()
    with pytest.raises(ChipError):
        _redeem(card, on_command=_changing(number, lambda _: TRACE[after].apdu))
    assert card.mac_file.counter == len(OPENING)


def _others(data: bytes) -> st.SearchStrategy[bytes]:
    """Other bytes: some changed, cut off, or put on; or anything at all."""
    changed = st.lists(
        st.tuples(st.integers(0, len(data) - 1), st.integers(1, 255)), min_size=1, max_size=4
    ).map(lambda changes: _mixed(data, changes))
    cut = st.integers(0, len(data) - 1).map(lambda end: data[:end])
    longer = st.binary(min_size=1, max_size=20).map(lambda more: data + more)
    return st.one_of(changed, cut, longer, st.binary(max_size=64)).filter(lambda o: o != data)


def _mixed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for at, mask in changes:
        changed[at] ^= mask
    return bytes(changed)
