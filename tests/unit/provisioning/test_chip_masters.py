"""Masters of chips: drawn once, sealed, opened again; and never two the same."""

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_codec.chip.diversify import NO_KECAMATAN, KeyName, card_key
from ledger.errors import RecordError
from ledger.record import pack
from provisioning.chip_masters import (
    FileMasters,
    Master,
    MasterFile,
    Purpose,
    decode_masters,
    label,
    read_masters,
    read_passphrase,
    write_masters,
)
from provisioning.errors import ProvisioningError, WrongUseError

UID = bytes.fromhex("04a1b2c3d4e580")
HELD = FileMasters().completed(["629901"], generations=3, randomness=secrets.token_bytes)
PASSPHRASE = "sampit katingan barito"


def test_every_purpose_has_its_masters_and_none_is_another() -> None:
    assert len({m.key for m in HELD.masters}) == len(HELD.masters) == 2 + 3 + 3
    assert HELD.generations(Purpose.REDEEM, "629901") == (1, 2, 3)
    assert HELD.generations(Purpose.AWAY) == (1, 2, 3)
    assert HELD.generations(Purpose.REDEEM, "629902") == ()


def test_what_is_missing_is_drawn_and_what_is_there_stays() -> None:
    more = HELD.completed(["629901", "629902"], generations=4, randomness=secrets.token_bytes)
    assert set(HELD.masters) < set(more.masters)
    assert len(more.masters) == 2 + 4 + 8
    again = more.completed(["629901"], generations=3, randomness=secrets.token_bytes)
    assert again.masters == more.masters


@pytest.mark.parametrize(
    ("number", "kecamatan", "generation", "purpose"),
    [
        (0, NO_KECAMATAN, 1, Purpose.ISSUER),
        (1, "629901", 1, Purpose.REDEEM),
        (3, "629901", 3, Purpose.REDEEM),
        (4, NO_KECAMATAN, 2, Purpose.AWAY),
        (15, NO_KECAMATAN, 1, Purpose.TMAC),
    ],
)
def test_key_of_a_chip_follows_from_the_master_of_its_purpose(
    number: int, kecamatan: str, generation: int, purpose: Purpose
) -> None:
    name = KeyName(UID, number, kecamatan, generation)
    (master,) = (
        m.key
        for m in HELD.masters
        if (m.purpose, m.kecamatan, m.generation) == (purpose, kecamatan, generation)
    )
    assert HELD.derive(name) == card_key(master, name)


def test_master_that_is_not_held_is_named() -> None:
    with pytest.raises(ProvisioningError, match="khb-redeem-629902-1 is not held"):
        HELD.derive(KeyName(UID, 1, "629902", 1))


@pytest.mark.slow
def test_sealed_file_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = tmp_path / "chip-masters.age"
    write_masters(path, HELD, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(b"age-encryption.org/v1\n-> scrypt ")
    assert all(m.key not in path.read_bytes() for m in HELD.masters)
    assert read_masters(path, PASSPHRASE).masters == HELD.masters
    with pytest.raises(ProvisioningError, match="passphrase does not open"):
        read_masters(path, "another passphrase")
    sealed = bytearray(path.read_bytes())
    sealed[-1] ^= 1
    path.write_bytes(bytes(sealed))
    with pytest.raises(ProvisioningError, match="was changed"):
        read_masters(path, PASSPHRASE)


def test_masters_show_no_key_in_their_repr() -> None:
    told = repr(HELD.masters)
    assert "khb-tmac-1" in told
    assert all(m.key.hex() not in told and repr(m.key) not in told for m in HELD.masters)


def test_two_masters_that_are_one_key_are_refused() -> None:
    first, second, *_ = HELD.masters
    doubled = Master(second.purpose, second.kecamatan, second.generation, first.key)
    for masters, why in (((first, doubled), "the same key"), ((second, first), "not in order")):
        with pytest.raises(RecordError, match=why):
            decode_masters(pack(MasterFile("khb-chip-masters-1", masters)))


@given(st.binary(max_size=200) | st.just(pack(MasterFile("khb-chip-masters-1", HELD.masters))))
def test_any_bytes_are_masters_written_alike_or_refused(data: bytes) -> None:
    try:
        masters = decode_masters(data)
    except RecordError:
        return
    assert pack(MasterFile("khb-chip-masters-1", masters)) == data


@pytest.mark.parametrize("text", ["too short\n", "x" * 201, "tab\tin the passphrase\n", ""])
def test_passphrase_out_of_bounds_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "passphrase").write_text(text, encoding="utf-8")
    with pytest.raises(WrongUseError, match="12 to 200 printable"):
        read_passphrase(tmp_path / "passphrase")


def test_passphrase_is_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text(f"{PASSPHRASE}\nand more\n", encoding="utf-8")
    assert read_passphrase(tmp_path / "passphrase") == PASSPHRASE


def test_labels_are_those_of_the_page() -> None:
    assert label(Purpose.REDEEM, "629901", 2) == "khb-redeem-629901-2"
    assert label(Purpose.AWAY, NO_KECAMATAN, 1) == "khb-away-1"
