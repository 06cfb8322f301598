"""Every known answer of docs/spec/vectors/chip, and that the check of them can fail."""

import json
from typing import Any

import pytest

from card_codec.chip.vectors import check_file
from card_codec.errors import CardCodecError
from tests.vectors.loading import VECTORS

FILES = sorted((VECTORS / "chip").glob("*.json"))
CASES: list[dict[str, Any]] = [
    case for path in FILES for case in json.loads(path.read_text(encoding="utf-8"))
]
NAMES = [case["name"] for case in CASES]
KINDS = {"an10922", "cmac", "ev2_keys", "ev2_first", "ev2_exchange", "ev2_iv", "tmac_keys"}
HEX = "0123456789abcdef"


def test_there_are_vectors_of_every_kind() -> None:
    assert {case["kind"] for case in CASES} == KINDS


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_known_answer_is_given(case: dict[str, Any]) -> None:
    assert _check(case)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_any_other_answer_is_called_wrong(case: dict[str, Any]) -> None:
    """One hexadecimal digit of each byte string changed; each counts."""
    for changed in _changed(case):
        assert not _check(changed), changed


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"[1]", b"\xff", b"[" * 100_000, b" " * 1_000_001),
        b'[{"name": "x"}]',
        b'[{"name": "x", "kind": "des"}]',
        b'[{"name": "x", "kind": ["cmac"]}]',
        b'[{"name": "x", "kind": "cmac", "key": "00", "message": "", "expect": ""}]',
        b'[{"name": "x", "kind": "cmac", "key": 1, "message": "", "expect": ""}]',
        b'[{"kind": "cmac", "key": "", "message": "", "expect": ""}]',
    ],
)
def test_file_that_holds_no_vectors_is_refused(data: bytes) -> None:
    with pytest.raises(CardCodecError) as caught:
        check_file(data)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("counter", [-1, 2**16, True, "0", None, 1.5])
def test_counter_that_is_none_is_refused(counter: object) -> None:
    case = next(case for case in CASES if case["kind"] == "ev2_iv")
    with pytest.raises(CardCodecError):
        check_file(json.dumps([case | {"counter": counter}]).encode())


def test_answer_of_the_host_may_be_left_out() -> None:
    case = next(case for case in CASES if case["kind"] == "ev2_first")
    expect = {name: value for name, value in case["expect"].items() if name != "host_answer"}
    assert _check(case | {"expect": expect})


def _check(case: dict[str, Any]) -> bool:
    (checked,) = check_file(json.dumps([case]).encode())
    return checked.ok


def _changed(value: Any) -> list[Any]:
    """This value with one byte string in it changed, in all ways."""
    if isinstance(value, dict):
        return [
            value | {name: other}
            for name, inner in value.items()
            if name not in {"name", "kind", "mode", "direction"}
            and not (name == "enc_key" and value.get("mode") == "mac")
            for other in _changed(inner)
        ]
    if isinstance(value, list):
        return [
            [*value[:at], other, *value[at + 1 :]]
            for at, inner in enumerate(value)
            for other in _changed(inner)
        ]
    if isinstance(value, str) and value:
        middle = len(value) // 2
        digit = HEX[(HEX.index(value[middle]) + 1) % 16]
        return [value[:middle] + digit + value[middle + 1 :]]
    return []
