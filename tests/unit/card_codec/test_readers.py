"""Every state of a reader by name; faults that no virtual reader has, by the codes PC/SC gives."""

from collections.abc import Iterator
from typing import Any

import pytest
from smartcard import scard

from card_codec.chip.errors import ChipLinkError
from card_codec.readers import desk, nfc, pcsc
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import (
    SENTENCES,
    Driver,
    ReaderState,
    ReaderStatus,
    choose,
)

ACR = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00"
SAM = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 01 00"
OK = scard.SCARD_S_SUCCESS


def _status(name: str, state: ReaderState) -> ReaderStatus:
    return ReaderStatus(name, Driver.PCSC, state)


def test_every_state_has_a_sentence() -> None:
    assert set(SENTENCES) == set(ReaderState)
    for state in ReaderState:
        assert not ReaderError(state, "X").detail.endswith(".")


@pytest.mark.parametrize("name", [ACR, "PICC] 00 00", "picc"])
def test_reader_is_found_by_its_name_or_a_part_only_it_has(name: str) -> None:
    here = [_status(ACR, ReaderState.NO_CARD), _status(SAM, ReaderState.CARD)]
    assert choose(here, name) == here[0]


@pytest.mark.parametrize("name", ["ACR1252", "OMNIKEY"])
def test_name_of_two_or_none_is_unknown(name: str) -> None:
    here = [_status(ACR, ReaderState.NO_CARD), _status(SAM, ReaderState.NO_CARD)]
    assert choose(here, name) is ReaderState.UNKNOWN_READER


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ([], ReaderState.NO_READER),
        ([ReaderState.NO_CARD, ReaderState.NO_CARD], ReaderState.NO_CARD),
        ([ReaderState.CARD, ReaderState.CARD], ReaderState.TWO_CARDS),
        ([ReaderState.NO_CARD, ReaderState.MUTE], ReaderState.MUTE),
        ([ReaderState.IN_USE, ReaderState.NO_CARD], ReaderState.IN_USE),
        ([ReaderState.READER_LOST], ReaderState.READER_LOST),
    ],
)
def test_without_one_card_there_is_a_reason(states: list[ReaderState], chosen: ReaderState) -> None:
    assert choose([_status(str(n), state) for n, state in enumerate(states)]) is chosen


def test_the_one_reader_with_a_card_is_taken() -> None:
    here = [_status(SAM, ReaderState.MUTE), _status(ACR, ReaderState.CARD)]
    assert choose(here) == here[1]


# PC/SC by its codes


class Codes:
    """PC/SC as it answers when things go wrong; counts what is opened and given back."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.open = 0
        self.connects = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(scard, name)

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]:  # noqa: N802
        result = self.answers.get("establish", OK)
        self.open += result == OK
        return result, 1

    def SCardReleaseContext(self, context: int) -> int:  # noqa: N802
        self.open -= 1
        return OK

    def SCardListReaders(self, context: int, groups: object) -> tuple[int, list[str]]:  # noqa: N802
        return self.answers.get("list", OK), self.answers.get("names", [ACR])

    def SCardGetStatusChange(  # noqa: N802
        self, context: int, timeout: int, asked: list[tuple[str, int]]
    ) -> tuple[int, list[Any]]:
        event = self.answers.get("event", scard.SCARD_STATE_PRESENT)
        return self.answers.get("change", OK), [(name, event, [0x3B]) for name, _ in asked]

    def SCardConnect(self, *_: object) -> tuple[int, int, int]:  # noqa: N802
        codes = self.answers.get("connect", [OK])
        result = codes[min(self.connects, len(codes) - 1)]
        self.connects += 1
        self.open += result == OK
        return result, 7, 2

    def SCardDisconnect(self, handle: int, what: int) -> int:  # noqa: N802
        self.open -= 1
        return OK

    def SCardTransmit(self, *_: object) -> tuple[int, list[int]]:  # noqa: N802
        answer: tuple[int, list[int]] = self.answers["transmit"]
        return answer


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[Codes] = []

    def put(**answers: Any) -> Codes:
        made.append(Codes(**answers))
        monkeypatch.setattr(pcsc, "_imported", lambda: made[-1])
        return made[-1]

    yield put
    assert [one.open for one in made] == [0] * len(made), "something was not given back"


def _ticking() -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += 0.3


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (scard.SCARD_E_NO_SMARTCARD, ReaderState.NO_CARD),
        (scard.SCARD_W_REMOVED_CARD, ReaderState.NO_CARD),
        (scard.SCARD_W_UNPOWERED_CARD, ReaderState.MUTE),
        (scard.SCARD_W_UNRESPONSIVE_CARD, ReaderState.MUTE),
        (scard.SCARD_E_PROTO_MISMATCH, ReaderState.MUTE),
        (scard.SCARD_E_SHARING_VIOLATION, ReaderState.IN_USE),
        (scard.SCARD_E_UNKNOWN_READER, ReaderState.READER_LOST),
        (scard.SCARD_E_READER_UNAVAILABLE, ReaderState.READER_LOST),
        (scard.SCARD_E_NO_SERVICE, ReaderState.NO_SERVICE),
        (scard.SCARD_E_SERVICE_STOPPED, ReaderState.NO_SERVICE),
        (-1, ReaderState.MUTE),
    ],
)
def test_card_that_cannot_be_opened_has_a_state(
    install: Any, code: int, state: ReaderState
) -> None:
    codes = install(connect=[code])
    ticks = _ticking()
    with pytest.raises(ReaderError) as caught:
        pcsc.open_card(ACR, clock=lambda: next(ticks), sleep=lambda _: None)
    assert caught.value.state is state
    passing = state in {ReaderState.NO_CARD, ReaderState.MUTE}
    assert (codes.connects > 1) is passing


def test_card_just_put_down_is_tried_again(install: Any) -> None:
    first = [scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_UNPOWERED_CARD, OK]
    codes = install(connect=first)
    pcsc.open_card(ACR, sleep=lambda _: None).close()
    assert codes.connects == 3


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"establish": scard.SCARD_E_NO_SERVICE}, ReaderState.NO_SERVICE),
        ({"list": scard.SCARD_E_SERVICE_STOPPED}, ReaderState.NO_SERVICE),
        ({"change": scard.SCARD_E_SERVICE_STOPPED}, ReaderState.NO_SERVICE),
    ],
)
def test_service_that_is_gone_has_a_state(
    install: Any, answers: dict[str, Any], state: ReaderState
) -> None:
    install(**answers)
    with pytest.raises(ReaderError) as caught:
        pcsc.list_readers()
    assert caught.value.state is state
    assert pcsc.state_after_loss(ACR) is state
    assert desk.list_readers()[1][Driver.PCSC] is state
    with pytest.raises(ReaderError) as opened:
        desk.open_card()
    assert opened.value.state is state


def test_no_reader_is_an_empty_list(install: Any) -> None:
    install(list=scard.SCARD_E_NO_READERS_AVAILABLE)
    assert pcsc.list_readers() == ()
    assert pcsc.state_after_loss(ACR) is ReaderState.READER_LOST


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (scard.SCARD_STATE_EMPTY, ReaderState.NO_CARD),
        (scard.SCARD_STATE_PRESENT, ReaderState.CARD),
        (scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_MUTE, ReaderState.MUTE),
        (scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_EXCLUSIVE, ReaderState.IN_USE),
        (scard.SCARD_STATE_UNAVAILABLE, ReaderState.READER_LOST),
        (scard.SCARD_STATE_UNKNOWN, ReaderState.READER_LOST),
    ],
)
def test_event_of_a_reader_is_a_state(install: Any, event: int, state: ReaderState) -> None:
    install(event=event)
    assert [one.state for one in pcsc.list_readers()] == [state]


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (scard.SCARD_STATE_EMPTY, ReaderState.CARD_REMOVED),
        (scard.SCARD_STATE_PRESENT, ReaderState.MUTE),
    ],
)
def test_why_a_card_stopped_is_told_apart(install: Any, event: int, state: ReaderState) -> None:
    install(event=event)
    assert pcsc.state_after_loss(ACR) is state


def test_reader_that_vanishes_while_it_is_asked_is_lost(install: Any) -> None:
    install(change=scard.SCARD_E_UNKNOWN_READER)
    assert [one.state for one in pcsc.list_readers()] == [ReaderState.READER_LOST]


@pytest.mark.parametrize(
    "answer",
    [(scard.SCARD_W_REMOVED_CARD, []), (OK, []), (OK, [0x91]), (scard.SCARD_F_COMM_ERROR, [])],
)
def test_command_without_an_answer_closes_the_card(install: Any, answer: Any) -> None:
    install(transmit=answer)
    card = pcsc.open_card(ACR)
    for _ in range(2):
        with pytest.raises(ChipLinkError):
            card.transmit(b"\x90\x60\x00\x00\x00")
    card.close()


def test_lost_reader_is_told_until_it_is_found(install: Any) -> None:
    codes = install()
    watch = pcsc.Watch()
    assert [one.state for one in watch.wait(0)] == [ReaderState.CARD]
    codes.answers["names"] = []
    codes.answers["list"] = scard.SCARD_E_NO_READERS_AVAILABLE
    for _ in range(2):
        assert [(one.name, one.state) for one in watch.wait(0)] == [(ACR, ReaderState.READER_LOST)]
    codes.answers |= {"names": [ACR], "list": OK, "event": scard.SCARD_STATE_EMPTY}
    assert [one.state for one in watch.wait(0)] == [ReaderState.NO_CARD]


@pytest.mark.parametrize("module", [pcsc, nfc])
def test_missing_library_has_a_state(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_imported", lambda *name: None)
    for act in (module.list_readers, lambda: module.open_card("usb:001:001")):
        with pytest.raises(ReaderError) as caught:
            act()
        assert caught.value.state is ReaderState.NO_LIBRARY
    if module is pcsc:
        with pytest.raises(ReaderError):
            desk.open_card()


def test_path_of_nfcpy_goes_to_nfcpy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def opens(path: str) -> None:
        asked.append(path)
        raise ReaderError(ReaderState.READER_LOST, path)

    monkeypatch.setattr(nfc, "open_card", opens)
    with pytest.raises(ReaderError):
        desk.open_card("tty:USB0:pn532")
    assert asked == ["tty:USB0:pn532"]
