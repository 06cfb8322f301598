"""A pcscd of our own with one virtual reader of two slots, named as a reader of production is."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

READER = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC]"
SLOTS = (f"{READER} 00 00", f"{READER} 00 01")
SOCKET = Path("/run/pcscd/pcscd.comm")
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
CONFIG = f"""\
FRIENDLYNAME "{READER}"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      {DRIVER}
CHANNELID    0x8C7B
"""


class Service:
    """The daemon, started and stopped by its own process id."""

    def __init__(self, folder: Path) -> None:
        (folder / "reader.conf.d").mkdir()
        (folder / "reader.conf.d" / "vpcd").write_text(CONFIG, encoding="utf-8")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "pcscd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("pcscd", "--foreground", "--error"),
                    *("--config", str(self._folder / "reader.conf.d")),
                    *_without_polkit(),
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 10
        while not SOCKET.is_socket():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < end, f"pcscd does not come up: {self.log()}"
            time.sleep(0.02)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    def log(self) -> str:
        return (self._folder / "pcscd.log").read_text(encoding="utf-8", errors="replace")


def _without_polkit() -> list[str]:
    """From 2.0.1 on pcscd asks polkit, which does not run here; before, it has no such option."""
    told = subprocess.run(["pcscd", "-v"], capture_output=True, text=True, check=False)
    return ["--disable-polkit"] if "polkit" in told.stdout + told.stderr else []


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    assert DRIVER.exists(), "install pcscd and vsmartcard-vpcd: make setup-test"
    service = Service(tmp_path_factory.mktemp("pcscd"))
    service.start()
    yield service
    service.stop()


@pytest.fixture(autouse=True)
def _empty_readers(service: Service) -> None:
    """Each test begins with no card on either slot."""
    from card_codec.readers import pcsc
    from card_codec.readers.status import ReaderState

    end = time.monotonic() + 5
    while any(one.state is not ReaderState.NO_CARD for one in pcsc.list_readers()):
        assert time.monotonic() < end, service.log()
        time.sleep(0.02)
