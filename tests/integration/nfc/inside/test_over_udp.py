"""A card of type 4A and a reader in one process, over nfcpy's own udp driver."""

import time

import pytest

from card_codec.chip.errors import ChipLinkError
from card_codec.readers import nfc
from card_codec.readers.errors import ReaderError
from tests.chip_world import READER_ID, TAKEN, Station, opened
from virtual_card.nfc_udp import PATH, OnUdp


def test_redemption_over_udp() -> None:
    card = Station().card()
    with OnUdp(card), _awaited() as link:
        assert opened(link).commit_record(TAKEN, READER_ID).counter == 2
    assert card.mac_file.counter == 2


def test_card_that_falls_silent_is_a_link_error_over_udp() -> None:
    with OnUdp(Station().card()) as card, _awaited() as link:
        chip = opened(link)
        card.take()
        with pytest.raises(ChipLinkError):
            chip.read_back()


def _awaited() -> nfc.NfcCard:
    """The card, as soon as the other thread listens."""
    end = time.monotonic() + 10
    while True:
        try:
            return nfc.open_card(PATH)
        except ReaderError:
            if time.monotonic() > end:
                raise
