"""A real PostgreSQL server of the tests' own: a fresh cluster on a socket nobody else knows."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql")
OWNER = "postgres"
START_SECONDS = 30


@dataclass
class Server:
    """One running cluster, and the socket's folder."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """Make an empty database; its URL."""
        name = f"khb{next(self._numbers)}"
        words = ["psql", "-qX", "-h", str(self.folder), "-U", OWNER, "-d", "postgres"]
        _run([*words, "-c", f"CREATE DATABASE {name}"])
        return f"postgresql://{OWNER}@/{name}?host={self.folder}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


def binaries() -> Path | None:
    """Where Debian's newest server lies; None without one."""
    found = sorted(BINARIES.glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """Make a cluster and run it until the end of the block.

    Args:
        durable: sync to the disk as in service; else only what tests need.
    """
    binary = binaries()
    if binary is None:
        raise FileNotFoundError("no PostgreSQL server; make test installs Debian's postgresql")
    # A socket's path has at most 107 characters, and the server runs as nobody's root.
    folder = Path(tempfile.mkdtemp(prefix="khb-pg-", dir="/var/tmp"))
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses='' -c max_connections=60"
    if not durable:
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _as_owner([binary / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-N", "-E", "UTF8",
                   "--no-locale"])  # fmt: skip
        _as_owner([binary / "pg_ctl", "-D", data, "-w", "-t", START_SECONDS, "-l", folder / "log",
                   "-o", options, "start"])  # fmt: skip
        try:
            yield Server(folder)
        finally:
            _as_owner([binary / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner(words: list[object]) -> None:
    before = ["runuser", "-u", OWNER, "--"] if os.geteuid() == 0 else []
    _run([*before, *(str(word) for word in words)])


def _run(words: list[str]) -> None:
    with tempfile.TemporaryFile() as said:  # a pipe would be held open by the server
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", check=False
        )
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{words}: {said.read().decode(errors='replace')[-2000:]}")
