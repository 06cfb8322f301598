"""The province's folder: its configuration, its two keys, and where everything of it lies."""

from __future__ import annotations

import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from card_codec.errors import CardCodecError
from card_codec.keys import PrivateKey
from ledger.errors import FolderError
from ledger.folder import read_config, write_whole
from ledger.repository import Repository

SQLITE_BESIDE = "sqlite:///"
KEY_NAMES = ("online", "log")
LISTEN = r"^[0-9A-Za-z.\-\[\]:]+:[0-9]{1,5}\Z"
PORT_MAX = 0xFFFF


class ProvinceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``province.toml`` says.

    Attributes:
        listen: address and port of the intake and the desk; behind a reverse proxy a loopback one.
        repository: folder of the published ledger, relative to the configuration file.
        store: SQLAlchemy URL of the store; a relative SQLite path lies beside the file.
        language: of the desk, ``id`` or ``en``.
        certificate, certificate_key: of the intake, to speak TLS itself; relative to the file.
        hosts: further names the intake answers to (``sync.example.go.id``), for a proxy before it.
    """

    listen: Annotated[str, msgspec.Meta(pattern=LISTEN)]
    repository: Annotated[str, msgspec.Meta(min_length=1, max_length=400)] = "repository"
    store: Annotated[str, msgspec.Meta(pattern=r"^(sqlite|postgresql)[+:]")] = (
        "sqlite:///province.db"
    )
    language: Annotated[str, msgspec.Meta(pattern=r"^(id|en)$")] = "id"
    certificate: Annotated[str, msgspec.Meta(min_length=1, max_length=400)] | None = None
    certificate_key: Annotated[str, msgspec.Meta(min_length=1, max_length=400)] | None = None
    hosts: tuple[Annotated[str, msgspec.Meta(pattern=r"^[0-9a-z.:\-]{1,200}$")], ...] = ()


@dataclass(frozen=True, slots=True)
class ProvinceFolder:
    """Where the province's things lie."""

    root: Path
    config: ProvinceConfig

    @property
    def repository(self) -> Repository:
        """The published ledger."""
        return Repository(self.root / self.config.repository)

    @property
    def store_url(self) -> str:
        """The store's URL, a relative SQLite path made whole."""
        url = self.config.store
        if url.startswith(SQLITE_BESIDE) and not url.startswith(SQLITE_BESIDE + "/"):
            return f"{SQLITE_BESIDE}{self.root / url.removeprefix(SQLITE_BESIDE)}"
        return url

    @property
    def certificate(self) -> tuple[Path, Path] | None:
        """Certificate and key to speak TLS with; None when a proxy does, or nobody.

        Raises:
            FolderError: one is named without the other.
        """
        named = (self.config.certificate, self.config.certificate_key)
        if named == (None, None):
            return None
        if named[0] is None or named[1] is None:
            raise FolderError("province.toml names only one of certificate and certificate_key")
        return self.root / named[0], self.root / named[1]

    @property
    def rights(self) -> Path:
        """Roll, policy and rights of the release in force, built here from verified bytes."""
        return self.root / "rights.db"

    @property
    def access(self) -> Path:
        """Hashes of the terminals' road tokens, as the office gave them."""
        return self.root / "access.json"

    @property
    def lock(self) -> Path:
        """Held while the repository or the rights are changed."""
        return self.root / ".publishing"

    def key(self, name: str) -> PrivateKey:
        """``online`` (usage, blocks, time) or ``log`` (acknowledgements).

        Raises:
            FolderError: no key, or not a key.
        """
        path = self.root / "keys" / f"{name}.pem"
        try:
            return PrivateKey.from_pem(path.read_bytes())
        except OSError as error:
            raise FolderError(
                f"no key at {path}; betang-sync province init makes it once"
            ) from error
        except CardCodecError as error:
            raise FolderError(f"{path} is not a signing key: {error.detail}") from error

    def next_key(self, name: str) -> PrivateKey | None:
        """The key that takes a key's place with the office's next release; None without one.

        Raises:
            FolderError: it is no key.
        """
        path = self._next(name)
        if not path.is_file():
            return None
        try:
            return PrivateKey.from_pem(path.read_bytes())
        except CardCodecError as error:
            raise FolderError(f"{path} is not a signing key: {error.detail}") from error

    def adopt(self, name: str) -> None:
        """Let the next key be the key; the old one is gone."""
        os.replace(self._next(name), self.root / "keys" / f"{name}.pem")
        directory = os.open(self.root / "keys", os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _next(self, name: str) -> Path:
        return self.root / "keys" / f"{name}.next.pem"


def rotate_key(province: ProvinceFolder, name: str) -> Path:
    """Make the key that will take another's place, and ``public.json`` that names it.

    The old key signs on until the office's next release names the new one.

    Returns:
        ``public.json``, for the office.
    """
    if province.next_key(name) is None:
        path = province.root / "keys" / f"{name}.next.pem"
        write_whole(path, PrivateKey.generate().to_pem(), mode=0o600)
    public = {
        one: (province.next_key(one) or province.key(one)).public.to_pem() for one in KEY_NAMES
    }
    path = province.root / "public.json"
    write_whole(path, json.dumps(public, indent=1).encode() + b"\n")
    return path


def open_province(config_path: Path) -> ProvinceFolder:
    """Open the province's folder by its configuration file, or by the folder itself.

    Raises:
        FolderError: no such file, not TOML, an unknown or a wrong key.
    """
    path = config_path / "province.toml" if config_path.is_dir() else config_path
    return ProvinceFolder(path.parent.resolve(), read_config(path, ProvinceConfig))


def init_province(root: Path, *, listen: str | None = None) -> ProvinceFolder:
    """Make keys, ``public.json`` for the office, and a configuration on a free loopback port.

    Raises:
        FolderError: something is there already, which is left as it is; or no such port.
    """
    config = root / "province.toml"
    if config.exists() or (root / "keys").exists():
        raise FolderError(f"{root} holds a province already; its keys are never replaced")
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise FolderError(f"{root} is not an empty folder; name a new one with --dir")
    listen = listen or f"127.0.0.1:{_free_port()}"
    if not re.fullmatch(LISTEN, listen) or int(listen.rpartition(":")[2]) > PORT_MAX:
        raise FolderError(f"--listen {listen!r} is not HOST:PORT, such as 127.0.0.1:8443")
    public = {}
    for name in KEY_NAMES:
        key = PrivateKey.generate()
        write_whole(root / "keys" / f"{name}.pem", key.to_pem(), mode=0o600)
        public[name] = key.public.to_pem()
    write_whole(root / "public.json", json.dumps(public, indent=1).encode() + b"\n")
    lines = [
        f'listen = "{listen}"',
        'repository = "repository"',
        'store = "sqlite:///province.db"',
        'language = "id"',
    ]
    write_whole(config, "\n".join(lines).encode() + b"\n")
    return open_province(config)


def listen_address(config: ProvinceConfig) -> tuple[str, int]:
    """Host and port of ``listen``.

    Raises:
        FolderError: the port is out of range.
    """
    host, _, port = config.listen.rpartition(":")
    if int(port) > PORT_MAX:
        raise FolderError(f"listen = {config.listen!r} names no port; use 1 to 65535, or 0")
    return host.strip("[]"), int(port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
