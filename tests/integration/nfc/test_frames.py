"""nfcpy's own protocol stack over a virtual reader, with a fault at every frame."""

from typing import Any

import pytest

from card_codec.chip.errors import ChipError, ChipLinkError
from card_codec.chip.foreign import ForeignCard, ForeignKind
from card_codec.chip.khb1 import Khb1
from card_codec.chip.profile import identify
from card_codec.readers import nfc
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from tests.chip_world import MARK, READER_ID, TAKEN, UID, Station, opened
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.nfc_device import FrameFault, VirtualDevice, frontend

pytestmark = [pytest.mark.integration, pytest.mark.network_less]

FRAMES = 17  # RATS and one for each command up to the commit; the test below holds it
COMMIT_FRAME = FRAMES - 1
TORN = {FrameFault.TORN_BEFORE, FrameFault.TORN_AFTER}


def _open(device: VirtualDevice) -> nfc.NfcCard:
    return nfc.open_card("virtual", lambda _: frontend(device))


def _redeem(device: VirtualDevice) -> None:
    with _open(device) as link:
        opened(link).commit_record(TAKEN, READER_ID)


def test_redemption_goes_through_nfcpy() -> None:
    card = Station().card()
    device = VirtualDevice(card)
    _redeem(device)
    assert card.mac_file.counter == 2
    assert device.frames == FRAMES


def test_long_commands_and_answers_are_chained() -> None:
    """The credential file fills an answer of 258 bytes, more than a frame holds."""
    card = Station().card()
    device = VirtualDevice(card)
    with _open(device) as link:
        identify(link, [Khb1()])
        before = device.frames
        assert Khb1().read_credential(link) == Station().content()
        assert device.frames - before == 2


@pytest.mark.parametrize("fault", FrameFault)
@pytest.mark.parametrize("frame", range(FRAMES + 1))
def test_fault_at_any_frame_commits_once_or_not_at_all(frame: int, fault: FrameFault) -> None:
    """A lost or garbled frame is asked for again below us and never carried out twice.

    A torn card either has the record or has not, and tells which at the next tap.
    """
    card = Station().card()
    device = VirtualDevice(card, {frame: fault})
    try:
        _redeem(device)
        failed = False
    except (ChipError, ReaderError):
        failed = True
    records, counter = _remembered(card)
    assert records in ([MARK], [MARK, TAKEN])
    assert counter == len(records)
    if not failed:
        assert records == [MARK, TAKEN]
    if fault in TORN and frame < COMMIT_FRAME:
        assert (failed, records) == (True, [MARK])


def test_answer_lost_for_good_is_a_link_error_and_the_card_tells_the_truth() -> None:
    """Every repetition lost too, at the commit: the terminal cannot know, the card does."""
    card = Station().card()
    lost = dict.fromkeys(range(COMMIT_FRAME, COMMIT_FRAME + 30), FrameFault.ANSWER_LOST)
    device = VirtualDevice(card, lost)
    with pytest.raises(ChipLinkError):
        _redeem(device)
    assert _remembered(card) == ([MARK, TAKEN], 2)


def test_card_pulled_early_has_a_state() -> None:
    card = Station().card()
    device = VirtualDevice(card, {8: FrameFault.TORN_BEFORE})
    with pytest.raises(ChipLinkError):
        _redeem(device)
    after = nfc.state_after_loss("virtual", lambda _: frontend(device))
    assert after is ReaderState.CARD_REMOVED


def test_uid_is_answered_as_a_pcsc_reader_would() -> None:
    with _open(VirtualDevice(Station().card())) as link:
        assert link.transmit(bytes.fromhex("ffca000000")) == (UID, 0x9000)


def test_reader_without_a_card_has_a_state() -> None:
    with pytest.raises(ReaderError) as caught:
        _open(VirtualDevice(None))
    assert caught.value.state is ReaderState.NO_CARD


def test_card_that_does_not_speak_iso_14443_4_is_mute() -> None:
    class Classic(VirtualDevice):
        def sense_tta(self, target: Any) -> Any:
            found = super().sense_tta(target)
            found.sel_res[0] = 0x08
            return found

    with pytest.raises(ReaderError) as caught:
        _open(Classic(Station().card()))
    assert caught.value.state is ReaderState.MUTE


@pytest.mark.parametrize(
    ("code", "state"), [(19, ReaderState.READER_LOST), (16, ReaderState.IN_USE)]
)
def test_reader_that_cannot_be_opened_has_a_state(code: int, state: ReaderState) -> None:
    def refuse(path: str) -> Any:
        raise OSError(code, "as nfcpy does")

    with pytest.raises(ReaderError) as caught:
        nfc.open_card("usb:001:004", refuse)
    assert caught.value.state is state


def test_reader_unplugged_in_the_middle_is_a_link_error() -> None:
    device = VirtualDevice(Station().card())
    link = _open(device)

    def gone(*_: Any) -> Any:
        raise OSError(19, "No such device")

    device.send_cmd_recv_rsp = gone  # type: ignore[assignment,method-assign]
    with pytest.raises(ChipLinkError):
        identify(link, [Khb1()])
    link.close()
    link.close()
    with pytest.raises(ChipLinkError):
        link.transmit(b"\x90\x60\x00\x00\x00")


def test_two_cards_one_after_the_other_are_two_cards() -> None:
    other = bytes.fromhex("04ffffffffffff")
    device = VirtualDevice(Station().card())
    with _open(device) as link:
        assert link.uid == UID
    device.put(Station().card(other))
    with _open(device) as link:
        assert link.uid == other


def test_blank_card_is_named_through_nfcpy() -> None:
    with _open(VirtualDevice(blank(UID))) as link:
        found = identify(link, [Khb1()], atr=link.atr)
    assert isinstance(found, ForeignCard)
    assert found.kind is ForeignKind.OTHER_DESFIRE


def _remembered(card: DesfireCard) -> tuple[list[Any], int]:
    with _open(VirtualDevice(card)) as link:
        state = opened(link).state
        return list(state.records), state.counter
