"""Masters in a hardware module: SoftHSM2 through the real PKCS#11 library."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from card_codec.chip.diversify import NO_KECAMATAN, KeyName
from provisioning.chip_masters import FileMasters, Purpose
from provisioning.chip_token import open_token
from provisioning.errors import ProvisioningError, WrongUseError
from tests.integration.prepared import betang, report_of

pytestmark = [pytest.mark.integration]

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
TOKEN, PIN = "khb", "629901"
HELD = FileMasters().completed(["629901"], generations=3, randomness=secrets.token_bytes)
UID = bytes.fromhex("04a1b2c3d4e580")


@dataclass(frozen=True)
class Hsm:
    folder: Path

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hsm]:
    """One token for all: the library reads its configuration once for a process."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder}/tokens\n", encoding="utf-8")
    (folder / "pin").write_text(f"{PIN}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOFTHSM2_CONF", str(config))
        make = ("softhsm2-util", "--init-token", "--free", "--label", TOKEN)
        subprocess.run(
            [*make, "--pin", PIN, "--so-pin", "12345678"],
            check=True,
            capture_output=True,
            timeout=60,
            env=dict(os.environ),
        )
        yield Hsm(folder)


def test_token_derives_what_the_sealed_file_derives_and_gives_no_master_away(hsm: Hsm) -> None:
    with open_token(MODULE, TOKEN, PIN, writes=True) as token:
        assert (token.take_in(HELD), token.take_in(HELD)) == (len(HELD.masters), 0)
    with open_token(MODULE, TOKEN, PIN) as token:
        assert token.generations(Purpose.REDEEM, "629901") == (1, 2, 3)
        assert token.generations(Purpose.TMAC) == (1,)
        for number, kecamatan, generation in (
            *((0, NO_KECAMATAN, 1), (15, NO_KECAMATAN, 1), (4, NO_KECAMATAN, 2)),
            *((1, "629901", 1), (2, "629901", 2), (3, "629901", 3)),
        ):
            name = KeyName(UID, number, kecamatan, generation)
            assert token.derive(name) == HELD.derive(name)
        with pytest.raises(ProvisioningError, match="khb-redeem-629902-1 is not held"):
            token.derive(KeyName(UID, 1, "629902", 1))
    stored = b"".join(one.read_bytes() for one in hsm.folder.rglob("*") if one.is_file())
    assert all(master.key not in stored for master in HELD.masters)


@pytest.mark.parametrize(
    ("asked", "error", "sentence"),
    [
        (("/bin/sh", TOKEN, PIN), WrongUseError, "no PKCS#11 library"),
        (("/no/such.so", TOKEN, PIN), WrongUseError, "no PKCS#11 library"),
        ((MODULE, "nobody", PIN), WrongUseError, "no single token"),
        ((MODULE, TOKEN, "000000"), ProvisioningError, "PIN does not open"),
    ],
)
def test_what_does_not_open_is_one_sentence(
    hsm: Hsm, asked: tuple[str, str, str], error: type[ProvisioningError], sentence: str
) -> None:
    module, token, pin = asked
    with pytest.raises(error, match=sentence), open_token(Path(module), token, pin):
        pass


def test_commands_lay_masters_into_the_token_and_use_them(hsm: Hsm, tmp_path: Path) -> None:
    office, passphrase = tmp_path / "office", tmp_path / "passphrase"
    passphrase.write_text("sampit katingan barito\n", encoding="utf-8")
    made = betang("betang-provision", "demo", "--households", 4, "--dir", office)
    assert made.returncode == 0, made.stderr
    at_token = ("--module", MODULE, "--token", TOKEN, "--pin-file", hsm.pin_file)
    with open_token(MODULE, TOKEN, PIN, writes=True) as token:
        token.take_in(HELD)
    done = betang(
        *("betang-provision", "chip-masters", "--office", office),
        *("--passphrase-file", passphrase, *at_token, "--json"),
    )
    told = report_of(done)
    # The token keeps what it has: only names that it lacks are laid into it.
    assert told["masters"] == told["new"] == 2 + 3 + 6
    assert told["laid_into_token"] == 3
    (family, *_) = report_of(betang("betang-provision", "households", "--office", office, "--json"))
    asked = ("--office", office, "--desa", family["desa"], "--wait", 1, "--json")
    no_reader = betang("betang-provision", "personalise", *asked, *at_token)
    assert no_reader.returncode in {1, 2}
    assert "reader" in no_reader.stderr or "pcscd" in no_reader.stderr
    assert no_reader.stderr.count("\n") == 1
