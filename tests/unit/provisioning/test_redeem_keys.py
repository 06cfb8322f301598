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


def given(office: Path, terminal: Path, held: FileMasters = MASTERS) -> object:
    with open_office(office) as opened:
        assert isinstance(opened, Office)
        return give_redeem_keys(opened, terminal, held)


def test_terminal_gets_the_masters_it_serves_and_no_other(
    office: Path, terminal: Path, key: SealingKey
) -> None:
    given(office, terminal)
    path = terminal / REDEEM_KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    masters = read_masters(unseal(path.read_bytes(), key))
    assert masters == {
        (m.kecamatan, m.generation): m.key
        for m in MASTERS.masters
        if m.purpose is Purpose.REDEEM and m.kecamatan == KEC_1
    }
    assert len(masters) == 3
    with pytest.raises(RecordError):
        unseal(path.read_bytes(), new_sealing_key())


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
