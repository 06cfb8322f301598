"""Counting and comparing at the doors."""

import pytest

from ledger.access import Access, Door, read_access, token_hash, write_access
from ledger.errors import RecordError
from sync_agent.errors import IntakeRefusedError
from sync_agent.province import doors
from sync_agent.province.doors import DeskKey, Rate


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_caller_is_stopped_within_the_minute_and_let_in_the_next() -> None:
    seconds = Seconds()
    rate = Rate(seconds, most=3)
    for _ in range(3):
        rate.count("one")
    for _ in range(5):
        with pytest.raises(IntakeRefusedError, match="wait a minute"):
            rate.count("one")
    rate.count("another")
    seconds.now = 60.0
    rate.count("one")


def test_heap_of_callers_takes_no_more_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "CALLERS_MAX", 10)
    rate = Rate(Seconds(), most=3)
    for number in range(1_000):
        rate.count(f"caller {number}")
        assert len(rate._counts) <= 10


def test_desk_key_is_new_each_start_and_opens_to_nothing_else() -> None:
    one, two = DeskKey(port=8000), DeskKey(port=8000)
    assert one.token != two.token
    assert len(one.token) >= 32
    assert one.opened_by(one.token)
    for wrong in (None, "", two.token, one.token + "x", one.token[:-1], "ü"):
        assert not one.opened_by(wrong)


def test_road_token_opens_its_own_door() -> None:
    access = Access("khb-access-1", tuple(Door(n, 1, token_hash(f"t{n}")) for n in (1, 2, 3)))
    assert read_access(write_access(access)) == access
    assert access.opens("t2") == Door(2, 1, token_hash("t2"))
    for wrong in ("", "t4", token_hash("t2"), "T2", "t2 "):
        assert access.opens(wrong) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"form":"khb-access-2","terminals":[]}',
        b'{"form":"khb-access-1","terminals":[{"terminal":1,"epoch":1,"sha256":"AB"}]}',
        b'{"form":"khb-access-1","terminals":[{"terminal":true,"epoch":1,"sha256":"'
        + b"ab" * 32
        + b'"}]}',
        b'{"form":"khb-access-1","terminals":[],"more":1}',
        b" " * (8 * 1024 * 1024 + 1),
    ],
)
def test_access_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        read_access(data)
