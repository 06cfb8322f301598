"""Known answers: check this program's chip cryptography against vectors of others.

A file is a JSON list of objects, byte strings in hexadecimal. Each object names its kind; the
kinds and their fields are in docs/spec/chip-profile.md §10.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from card_codec.chip import aes
from card_codec.chip.apdu import Command, Mode
from card_codec.chip.diversify import UID_BYTES, diversified
from card_codec.chip.secure import (
    COUNTER_MAX,
    TI_BYTES,
    SecureSession,
    SessionKeys,
    finish_first,
    host_answer,
    session_keys,
)
from card_codec.chip.tmac import COUNTER_MAX as TMC_MAX
from card_codec.chip.tmac import transaction_keys
from card_codec.errors import CardCodecError, malformed

FILE_BYTES_MAX = 1_000_000

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_BYTES_MAX = 4096

Case = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """One vector and whether this program gives the known answer."""

    name: str
    ok: bool


def check_file(data: bytes) -> Iterator[Checked]:
    """Check every vector of a file, in its order.

    Args:
        data: the whole file, at most 1 MB.

    Raises:
        CardCodecError: `malformed`, before the first vector is checked: this is no such file.
    """
    cases = _read(data)
    checks = [(case["name"], _prepared(case, number)) for number, case in enumerate(cases, 1)]
    return (Checked(name, _holds(check)) for name, check in checks)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except CardCodecError:
        return False


def _read(data: bytes) -> list[Case]:
    if len(data) > FILE_BYTES_MAX:
        raise malformed("a file of vectors has at most 1 MB")
    try:
        cases = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise malformed("this is not JSON") from exc
    if not isinstance(cases, list) or not cases:
        raise malformed("this is not a list of vectors")
    for number, case in enumerate(cases, 1):
        if not isinstance(case, dict) or not isinstance(case.get("name"), str):
            raise malformed(f"vector {number} has no name")
    return cases


def _prepared(case: Case, number: int) -> Callable[[], bool]:
    """The check of one vector, all of its fields read."""
    kind = case.get("kind")
    prepare = _KINDS.get(kind) if isinstance(kind, str) else None
    if prepare is None:
        raise malformed(f"vector {number} is of no kind known here ({', '.join(_KINDS)})")
    try:
        return prepare(case)
    except CardCodecError as exc:
        raise malformed(f"vector {number}: {exc.detail}") from exc


def _an10922(case: Case) -> Callable[[], bool]:
    key, message, expect = _key(case), _hex(case, "message", low=1, high=31), _hex(case, "expect")
    return lambda: diversified(key, message) == expect


def _cmac(case: Case) -> Callable[[], bool]:
    key, message, expect = _key(case), _hex(case, "message"), _hex(case, "expect")
    return lambda: aes.cmac(key, message) == expect


def _ev2_keys(case: Case) -> Callable[[], bool]:
    key, rnd_a, rnd_b = _key(case), _block(case, "rnd_a"), _block(case, "rnd_b")
    expect = _expected_keys(case)
    return lambda: session_keys(key, rnd_a, rnd_b) == expect


def _ev2_first(case: Case) -> Callable[[], bool]:
    key, rnd_a, enc_rnd_b = _key(case), _block(case, "rnd_a"), _block(case, "enc_rnd_b")
    answer = _hex(case, "card_answer", low=32, high=32)
    expect = _object(case, "expect")
    keys, ti = _expected_keys(case), _hex(expect, "ti", low=TI_BYTES, high=TI_BYTES)
    ours = _hex(expect, "host_answer") if "host_answer" in expect else None

    def check() -> bool:
        given, rnd_b = host_answer(key, rnd_a=rnd_a, enc_rnd_b=enc_rnd_b)
        session = finish_first(key, rnd_a=rnd_a, rnd_b=rnd_b, answer=answer)
        return (
            (ours is None or given == ours)
            and session.ti == ti
            and session_keys(key, rnd_a, rnd_b) == keys
        )

    return check


@dataclass(frozen=True, slots=True)
class _Step:
    command: Command
    sent: bytes
    status: int
    answer: bytes
    plain: bytes


def _ev2_exchange(case: Case) -> Callable[[], bool]:
    if case.get("mode") not in ("mac", "full"):
        raise malformed("the mode is neither mac nor full")
    mode = Mode(case["mode"])
    keys = SessionKeys(enc=_block(case, "enc_key"), mac=_block(case, "mac_key"))
    ti, counter = _hex(case, "ti", low=TI_BYTES, high=TI_BYTES), _number(case, "counter", 0xFFFF)
    steps = [_step(one, mode) for one in _list(case, "steps")]
    if counter + len(steps) > COUNTER_MAX:
        raise malformed("the counter does not last for the steps")

    def check() -> bool:
        session = SecureSession(keys, ti, counter)
        return all(
            session.seal(step.command) == step.sent
            and session.open(mode, step.status, step.answer) == step.plain
            for step in steps
        )

    return check


def _step(one: object, mode: Mode) -> _Step:
    if not isinstance(one, dict):
        raise malformed("a step is not an object")
    ins, status = _hex(one, "ins", low=1, high=1)[0], _hex(one, "status", low=1, high=1)[0]
    return _Step(
        Command(ins, _hex(one, "header"), _hex(one, "data"), mode),
        _hex(one, "sent"),
        status,
        _hex(one, "answer"),
        _hex(one, "plain"),
    )


def _ev2_iv(case: Case) -> Callable[[], bool]:
    key, ti = _block(case, "enc_key"), _hex(case, "ti", low=TI_BYTES, high=TI_BYTES)
    counter, expect = _number(case, "counter", COUNTER_MAX), _hex(case, "expect")
    direction = case.get("direction")
    if direction not in ("command", "response"):
        raise malformed("the direction is neither command nor response")
    session = SecureSession(SessionKeys(enc=key, mac=bytes(aes.KEY_BYTES)), ti, counter)
    return lambda: session.iv(of_command=direction == "command") == expect


def _tmac_keys(case: Case) -> Callable[[], bool]:
    key, uid = _key(case), _hex(case, "uid", low=UID_BYTES, high=UID_BYTES)
    counter = _number(case, "counter", TMC_MAX)
    expect = _expected_keys(case)

    def check() -> bool:
        keys = transaction_keys(key, uid, counter)
        return (keys.mac, keys.enc) == (expect.mac, expect.enc)

    return check


_KINDS: dict[str, Callable[[Case], Callable[[], bool]]] = {
    "an10922": _an10922,
    "cmac": _cmac,
    "ev2_keys": _ev2_keys,
    "ev2_first": _ev2_first,
    "ev2_exchange": _ev2_exchange,
    "ev2_iv": _ev2_iv,
    "tmac_keys": _tmac_keys,
}


def _expected_keys(case: Case) -> SessionKeys:
    expect = _object(case, "expect")
    return SessionKeys(enc=_block(expect, "enc_key"), mac=_block(expect, "mac_key"))


def _key(case: Case) -> bytes:
    return _block(case, "key")


def _block(case: Case, name: str) -> bytes:
    return _hex(case, name, low=16, high=16)


def _hex(case: Case, name: str, *, low: int = 0, high: int = _BYTES_MAX) -> bytes:
    text = case.get(name)
    if not isinstance(text, str) or _HEX.fullmatch(text) is None:
        raise malformed(f"{name} is missing or not hexadecimal")
    if not low <= len(text) // 2 <= high:
        raise malformed(f"{name} has {len(text) // 2} bytes, not {low} to {high}")
    return bytes.fromhex(text)


def _number(case: Case, name: str, high: int) -> int:
    number = case.get(name)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= high:
        raise malformed(f"{name} is not an integer from 0 to {high}")
    return number


def _object(case: Case, name: str) -> Case:
    value = case.get(name)
    if not isinstance(value, dict):
        raise malformed(f"{name} is not an object")
    return value


def _list(case: Case, name: str) -> list[object]:
    value = case.get(name)
    if not isinstance(value, list) or not value:
        raise malformed(f"{name} is not a list")
    return value
