"""A pcscd of our own with one virtual reader of two slots, named as a reader of production is.

The path of its socket cannot be chosen, and vpcd listens on every address and asks nobody who they
are. So it runs only in a mount and network namespace of its own, which `inside` makes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

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
START_S = 10


def is_installed() -> bool:
    """Whether pcscd, its virtual reader and what makes a namespace are here."""
    programs = ("pcscd", "unshare", "ip", "mount")
    return DRIVER.exists() and all(shutil.which(name) is not None for name in programs)


def inside(command: Sequence[str]) -> list[str]:
    """The command that runs another one in namespaces of its own: loopback alone, an empty /run.

    Who is not root becomes root there, if the machine lets them.
    """
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    shell = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"'
    return ["unshare", "--net", "--mount", *as_root, "sh", "-c", shell, "sh", *command]


class Service:
    """The daemon, started and stopped by its own process id.

    Args:
        folder: for its configuration and its log; empty.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "reader.conf.d").mkdir()
        (folder / "reader.conf.d" / "vpcd").write_text(CONFIG, encoding="utf-8")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            RuntimeError: it does not come up.
        """
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
        end = time.monotonic() + START_S
        while not SOCKET.is_socket():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"pcscd does not come up: {self.log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it; stopping twice does nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(START_S)

    def log(self) -> str:
        """What it complained of."""
        return (self._folder / "pcscd.log").read_text(encoding="utf-8", errors="replace")


def _without_polkit() -> list[str]:
    """From 2.0.1 on pcscd asks polkit, which does not run here; before, it has no such option."""
    told = subprocess.run(["pcscd", "-v"], capture_output=True, text=True, check=False)
    return ["--disable-polkit"] if "polkit" in told.stdout + told.stderr else []
