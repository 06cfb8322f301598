"""Keys of chips: AN10922, and which key has which name."""

import pytest

from card_codec.chip import aes
from card_codec.chip.diversify import (
    KeyName,
    MasterKeys,
    diversification_input,
    diversified,
    subkeys,
)
from card_codec.chip.khb1_files import AWAY_KEY, HOME_KEYS
from tests.chip_world import HOME, KECAMATAN, UID, Station

MASTER = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_subkeys_are_those_of_the_application_note() -> None:
    k1, k2 = subkeys(MASTER)
    assert k1.hex() == "fbc9f75c9413c041dfee452d3f0706d1"
    assert k2.hex() == "f793eeb928278083bfdc8a5a7e0e0d25"


@pytest.mark.parametrize("size", range(1, 16))
def test_short_input_is_not_its_plain_cmac(size: int) -> None:
    message = bytes(range(size))
    assert diversified(MASTER, message) != aes.cmac(MASTER, b"\x01" + message)


@pytest.mark.parametrize("size", range(16, 32))
def test_input_of_a_block_or_more_is_its_plain_cmac(size: int) -> None:
    """So a hardware module that only offers AES-CMAC derives our keys, which have 19 bytes."""
    message = bytes(range(size))
    assert diversified(MASTER, message) == aes.cmac(MASTER, b"\x01" + message)


@pytest.mark.parametrize("size", [0, 32])
def test_input_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 31"):
        diversified(MASTER, bytes(size))


def test_input_holds_uid_application_number_kecamatan_and_generation() -> None:
    name = KeyName(UID, 2, "629901", 7)
    assert diversification_input(name).hex() == (
        UID.hex() + "484bf0" + "02" + "629901" + "07" + b"KHB1".hex()
    )
    assert len(diversification_input(name)) == 19


@pytest.mark.parametrize(
    "other",
    [
        KeyName(UID[:-1] + b"\x81", 1, KECAMATAN, 1),
        KeyName(UID, 2, KECAMATAN, 1),
        KeyName(UID, 1, "629902", 1),
        KeyName(UID, 1, KECAMATAN, 2),
    ],
)
def test_every_part_of_the_name_makes_another_key(other: KeyName) -> None:
    same = {key: bytes(16) for key in [(KECAMATAN, 1), ("629902", 1), (KECAMATAN, 2)]}
    masters = MasterKeys(same)
    assert masters.card_key(other) != masters.card_key(KeyName(UID, 1, KECAMATAN, 1))


@pytest.mark.parametrize("kecamatan", ["", "62990", "62990a", "6299011", "٦٢٩٩٠١"])
def test_kecamatan_that_is_no_code_is_refused(kecamatan: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        diversification_input(KeyName(UID, 1, kecamatan, 1))


def test_uid_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        diversification_input(KeyName(bytes(4), 1, KECAMATAN, 1))


def test_master_that_is_not_held_gives_no_key() -> None:
    assert MasterKeys(HOME).card_key(KeyName(UID, 1, "629909", 1)) is None
    assert MasterKeys(HOME).card_key(KeyName(UID, 1, KECAMATAN, 99)) is None


def test_masters_are_not_shown() -> None:
    assert HOME[KECAMATAN, 1].hex() not in repr(MasterKeys(HOME))


def test_newest_home_key_is_tried_first_and_away_last() -> None:
    names = Station(generation=4).content().key_names(UID)
    assert [(name.number, name.generation) for name in names] == [
        (HOME_KEYS[2], 6),
        (HOME_KEYS[1], 5),
        (HOME_KEYS[0], 4),
        (AWAY_KEY, 1),
    ]
