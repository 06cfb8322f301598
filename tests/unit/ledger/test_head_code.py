"""Eight characters for a head, told and typed by people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.element import RedemptionId
from ledger.errors import RecordError
from ledger.head_code import head_code, read_code, read_id

ID = RedemptionId(1, 1, 17)
LEAF = bytes(range(32))


def test_code_has_eight_characters_that_are_not_misheard() -> None:
    assert head_code(ID, LEAF) == "V6SX-0A1J"


def test_another_entry_epoch_terminal_or_leaf_has_another_code() -> None:
    codes = {
        head_code(ID, LEAF),
        head_code(RedemptionId(2, 1, 17), LEAF),
        head_code(RedemptionId(1, 2, 17), LEAF),
        head_code(RedemptionId(1, 1, 18), LEAF),
        head_code(ID, LEAF[::-1]),
    }
    assert len(codes) == 5


@given(st.binary(min_size=32, max_size=32))
def test_code_is_read_however_it_is_typed(leaf: bytes) -> None:
    code = head_code(ID, leaf)
    heard = code.replace("1", "l").replace("0", "o")
    for typed in (code.lower(), code.replace("-", ""), code.replace("-", " "), heard):
        assert read_code(typed) == code


@pytest.mark.parametrize("text", ["", "1234", "1234-567U", "1234-56789", "é234-5678", "0" * 99])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        read_code(text)


@given(
    st.builds(
        RedemptionId, st.integers(1, 0xFFFF), st.integers(1, 0xFF), st.integers(1, 0xFFFFFFFF)
    )
)
def test_number_is_read_as_it_is_written(id: RedemptionId) -> None:
    assert read_id(id.number()) == id
    assert read_id(f" {id.number().lower()} ") == id


@pytest.mark.parametrize(
    "text", ["", "T001", "T000-0001", "T001-0000", "T001.0-0001", "T99999-0001", "T001-00001x"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        read_id(text)
