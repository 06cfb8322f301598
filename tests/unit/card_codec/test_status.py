import base64
import zlib

import pytest

from card_codec import canonical
from card_codec.errors import CardCodecError
from card_codec.status import StatusList


def test_set_bits_are_set_and_others_clear() -> None:
    status = StatusList.from_indices(20, [0, 7, 8, 19])
    assert status.size == 24
    assert [i for i in range(24) if status.is_set(i)] == [0, 7, 8, 19]


def test_the_drafts_own_example_is_read() -> None:
    # draft-ietf-oauth-status-list §4.1: 16 statuses of one bit, as base64url of the zlib stream.
    lst = base64.urlsafe_b64decode("eNrbuRgAAhcBXQ==")
    status = StatusList.decode(canonical.encode({"bits": 1, "lst": lst}))
    expected = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    assert [int(status.is_set(i)) for i in range(16)] == expected


def test_union_only_sets_whichever_is_longer() -> None:
    short, long = StatusList.from_indices(8, [1]), StatusList.from_indices(24, [2, 20])
    for joined in (short.union(long), long.union(short)):
        assert joined == StatusList.from_indices(24, [1, 2, 20])
    assert long.union(long) == long


def test_list_survives_its_file() -> None:
    status = StatusList.from_indices(279_434, range(0, 279_434, 1_000))
    assert StatusList.decode(status.encode()) == status
    assert len(status.encode()) < 2_000


@pytest.mark.parametrize("index", [-1, 24, 10**9, True])
def test_index_outside_is_refused_and_not_clear(index: int) -> None:
    with pytest.raises(CardCodecError):
        StatusList.from_indices(24, []).is_set(index)


@pytest.mark.parametrize(("size", "indices"), [(0, []), (8_000_001, []), (8, [8]), (8, [-1])])
def test_list_out_of_bounds_cannot_be_built(size: int, indices: list[int]) -> None:
    with pytest.raises(CardCodecError):
        StatusList.from_indices(size, indices)


def test_largest_list_is_read_and_one_byte_more_is_not() -> None:
    for size, good in ((1_000_000, True), (1_000_001, False)):
        data = canonical.encode({"bits": 1, "lst": zlib.compress(bytes(size), 9)})
        if good:
            assert StatusList.decode(data).size == 8_000_000
        else:
            with pytest.raises(CardCodecError):
                StatusList.decode(data)
