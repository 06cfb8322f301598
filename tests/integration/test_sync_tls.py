"""The road end to end over TLS, with an authority of the province's own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import FolderError
from ledger.folder import TerminalFolder, open_folder
from sync_agent.errors import ProvinceError, RoadClosedError
from sync_agent.province.folder import open_province
from sync_agent.roads import open_road
from tests.sync_world import SyncWorld, acknowledged, install, small_world, sync

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "deploy" / "make-province-certificate"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    made = small_world(tmp_path)
    yield made
    made.province.close()


def certify(world: SyncWorld, *names: str, folder: str = "tls") -> Path:
    """Run the script of deploy/, and let the province use what it makes."""
    made = world.province_folder.root / folder
    subprocess.run([SCRIPT, made, *names], check=True, capture_output=True, timeout=60)
    return made


def speak_tls(world: SyncWorld) -> None:
    config = world.province_folder.root / "province.toml"
    with config.open("a") as file:
        file.write('certificate = "tls/server.pem"\ncertificate_key = "tls/server.key"\n')
    world.province.close()
    world.province_folder = open_province(config)
    world.province = world.reopened()


def trusting(folder: TerminalFolder, authority: Path) -> TerminalFolder:
    (folder.root / "keys" / "authority.pem").write_bytes(authority.read_bytes())
    config = folder.root / "terminal.toml"
    config.write_text(config.read_text() + 'authority = "keys/authority.pem"\n')
    return open_folder(folder.root)


def test_redemption_goes_to_the_province_and_its_word_comes_back_over_tls(world: SyncWorld) -> None:
    made = certify(world, "127.0.0.1")
    speak_tls(world)
    world.take(world.one, world.homes_1[0])
    one = trusting(world.one, made / "authority.pem")
    with world.serving() as at:
        assert at.url.startswith("https://127.0.0.1:")
        report = sync(one, at.url)
        with pytest.raises(RoadClosedError):
            sync(one, at.url.replace("https://", "http://"))
    assert (report.accepted, report.acknowledgement) == (1, "T001-0001")
    assert install(world, one).problem is None
    assert acknowledged(one) == 1


def test_certificate_of_another_name_or_authority_carries_nothing(world: SyncWorld) -> None:
    made = certify(world, "sync.example.go.id")
    speak_tls(world)
    stranger = certify(world, "127.0.0.1", folder="stranger")
    world.take(world.one, world.homes_1[0])
    one = trusting(world.one, made / "authority.pem")
    two = trusting(world.two, stranger / "authority.pem")
    with world.serving() as at:
        for folder in (one, two, open_folder(world.one.root)):
            with pytest.raises(RoadClosedError, match="certificate"):
                sync(folder, at.url)
    assert world.province.head(1, 1).seq == 0


def test_terminal_without_the_authority_believes_only_the_systems(world: SyncWorld) -> None:
    certify(world, "127.0.0.1")
    speak_tls(world)
    with world.serving() as at, pytest.raises(RoadClosedError, match="certificate"):
        sync(world.one, at.url)


def test_token_never_goes_in_the_clear_to_another_machine(world: SyncWorld) -> None:
    for url in ("http://sync.example.go.id", "http://10.0.0.7:8460", "http://127.0.0.1.example"):
        with pytest.raises(FolderError, match="not encrypted"):
            open_road(world.one, url)


def test_authority_that_is_none_is_one_sentence(world: SyncWorld) -> None:
    nothing = world.folder / "nothing.pem"
    nothing.write_text("nothing")
    one = trusting(world.one, nothing)
    with pytest.raises(FolderError, match=r"check authority in terminal\.toml"):
        open_road(one, "https://127.0.0.1:1")


def test_certificate_that_cannot_be_used_is_one_sentence(world: SyncWorld) -> None:
    speak_tls(world)
    with pytest.raises(ProvinceError, match="cannot speak TLS"), world.serving():
        pass


def test_certificate_is_renewed_by_the_same_authority(world: SyncWorld) -> None:
    made = certify(world, "127.0.0.1")
    authority, certificate = (
        (made / "authority.pem").read_bytes(),
        (made / "server.pem").read_bytes(),
    )
    certify(world, "127.0.0.1")
    assert (made / "authority.pem").read_bytes() == authority
    assert (made / "server.pem").read_bytes() != certificate
    assert (made / "server.key").stat().st_mode & 0o077 == 0
