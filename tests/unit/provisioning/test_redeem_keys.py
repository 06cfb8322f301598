"""What a terminal is given to open chips with: of its own kecamatan, for its own key alone."""

from pathlib import Path

import pytest

from card_codec.chip.masters import read_masters
from ledger.errors import RecordError
from ledger.sealing import SealingKey, new_sealing_key, unseal
from provisioning.chip_masters import FileMasters, Purpose
from provisioning.errors import ProvisioningError
from provisioning.office import Office, open_office
from provisioning.redeem_keys import REDEEM_KEYS, give_redeem_keys
from terminal.init import make_keys
from tests.card_station import MASTERS
from tests.unit.provisioning.played import KEC_1, Province, enrol_terminal, publish_office


@pytest.fixture
def key() -> SealingKey:
    return new_sealing_key()


@pytest.fixture
def terminal(office: Path, province: Province, key: SealingKey, tmp_path: Path) -> Path:
    folder = tmp_path / "counter1"
    make_keys(folder)
    (folder / "keys" / "sealing.pub").write_text(f"{key.recipient}\n", encoding="ascii")
    publish_office(office, province)
    enrol_terminal(office, folder, home=KEC_1, holds=(KEC_1,))
    return folder


def given(
    office: Path, terminal: Path, held: FileMasters = MASTERS, *, generations: int = 1
) -> object:
    with open_office(office) as opened:
        assert isinstance(opened, Office)
        return give_redeem_keys(opened, terminal, held, generations=generations)


def generations_of(terminal: Path, key: SealingKey) -> set[tuple[str, int]]:
    return set(read_masters(unseal((terminal / REDEEM_KEYS).read_bytes(), key)))


def test_terminal_gets_the_masters_it_serves_and_no_other(
    office: Path, terminal: Path, key: SealingKey
) -> None:
    given(office, terminal)
    path = terminal / REDEEM_KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    masters = read_masters(unseal(path.read_bytes(), key))
    (first,) = [
        m.key
        for m in MASTERS.masters
        if (m.purpose, m.kecamatan, m.generation) == (Purpose.REDEEM, KEC_1, 1)
    ]
    assert masters == {(KEC_1, 1): first}
    with pytest.raises(RecordError):
        unseal(path.read_bytes(), new_sealing_key())


def test_thief_of_a_terminal_does_not_have_what_its_cards_go_on_with(
    office: Path, terminal: Path, key: SealingKey
) -> None:
    given(office, terminal)
    assert generations_of(terminal, key) == {(KEC_1, 1)}
    given(office, terminal, generations=2)  # the next one takes over
    assert generations_of(terminal, key) == {(KEC_1, 1), (KEC_1, 2)}
    table = office / "policy.toml"
    retired = f'\n[[chip_keys]]\nkecamatan = "{KEC_1}"\noldest = 2\n'
    table.write_text(table.read_text(encoding="utf-8") + retired, encoding="utf-8")
    given(office, terminal)
    assert generations_of(terminal, key) == {(KEC_1, 2)}


def test_generation_in_force_that_is_not_held_is_named(office: Path, terminal: Path) -> None:
    table = office / "policy.toml"
    retired = f'\n[[chip_keys]]\nkecamatan = "{KEC_1}"\noldest = 9\n'
    table.write_text(table.read_text(encoding="utf-8") + retired, encoding="utf-8")
    with pytest.raises(ProvisioningError, match=f"{KEC_1} generation 9"):
        given(office, terminal)
    assert not (terminal / REDEEM_KEYS).exists()


def test_terminal_that_is_not_enrolled_gets_none(office: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "stranger")
    with pytest.raises(ProvisioningError, match="not enrolled"):
        given(office, tmp_path / "stranger")
    assert not (tmp_path / "stranger" / REDEEM_KEYS).exists()


def test_without_masters_nothing_is_written(office: Path, terminal: Path) -> None:
    without = FileMasters(m for m in MASTERS.masters if m.purpose is not Purpose.REDEEM)
    with pytest.raises(ProvisioningError, match="chip-masters"):
        given(office, terminal, without)
    assert not (terminal / REDEEM_KEYS).exists()
