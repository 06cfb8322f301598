"""A pcscd of our own with one virtual reader of two slots, named as a reader of production is.

The path of its socket cannot be chosen, and vpcd listens on every address and asks nobody who they
are. So it runs only in a mount and network namespace of its own, which `inside` makes.
"""

from __future__ import annotations

import os
import shlex
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
HIDE_USB = "{ [ ! -d /dev/bus/usb ] || mount -t tmpfs tmpfs /dev/bus/usb; }"
START_S = 10
ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


def is_installed() -> bool:
    """Whether pcscd, its virtual reader and what makes a namespace are here."""
    programs = ("pcscd", "unshare", "ip", "mount")
    return DRIVER.exists() and all(shutil.which(name) is not None for name in programs)


def inside(command: Sequence[str], *, socket_folder: Path | None = None) -> list[str]:
    """The command that runs another one in namespaces of its own: loopback alone, an empty /run.

    Who is not root becomes root there, if the machine lets them. No reader of this machine can be
    opened there: its own pcscd keeps them.

    Args:
        command: what to run there.
        socket_folder: where pcscd's socket is to lie outside too, for clients that are told so by
            ``PCSCLITE_CSOCK_NAME``; it must not lie under /run.
    """
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    steps = ["mount -t tmpfs tmpfs /run", "ip link set lo up", HIDE_USB]
    if socket_folder is not None:
        bind = f"mount --bind {shlex.quote(str(socket_folder))} {SOCKET.parent}"
        steps += [f"mkdir {SOCKET.parent}", bind]
    shell = " && ".join([*steps, 'exec "$@"'])
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
                    *ENDS_WITH_US,
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
