"""A terminal's folder: its configuration and where everything of it lies.

``terminal.toml`` stands in the folder; all else is beside it. The agent writes only to ``in-box``
and reads ``out-box`` and the journal; the terminal alone writes ``journal.db`` and ``rights.db``.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from card_codec.errors import CardCodecError
from card_codec.keys import PrivateKey
from ledger.errors import FolderError
from ledger.record import Kecamatan, ShortText

WRITING = ".writing-"
"""So begins the name of a file that is not whole yet; a power cut may leave one."""


class TerminalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``terminal.toml`` says.

    Attributes:
        ordinal: number of the terminal in the roll.
        epoch: epoch of its journal and key.
        officer: initials of who serves, up to 12 characters; they stand on the slip.
        home: kecamatan it is home to.
        province: base URL of the province's intake, for the agent.
        language: ``id`` or ``en``.
        authority: certificate (PEM) that alone vouches for the province's, beside this file.
        reader: card reader of this counter: its name, a part that only one has, or a path of nfcpy;
            None for no reader.
    """

    ordinal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    name: ShortText
    point: ShortText
    officer: Annotated[str, msgspec.Meta(min_length=1, max_length=12)]
    home: Kecamatan
    province: Annotated[str, msgspec.Meta(pattern=r"^https?://")]
    language: Annotated[str, msgspec.Meta(pattern=r"^(id|en)\Z")] = "id"
    authority: Annotated[str, msgspec.Meta(min_length=1, max_length=400)] | None = None
    reader: ShortText | None = None


@dataclass(frozen=True, slots=True)
class TerminalFolder:
    """Where a terminal's things lie."""

    root: Path
    config: TerminalConfig

    @property
    def journal(self) -> Path:
        """The journal database."""
        return self.root / "journal.db"

    @property
    def rights(self) -> Path:
        """The installed rights, built here from verified bytes."""
        return self.root / "rights.db"

    @property
    def trusted(self) -> Path:
        """Verified TUF metadata and files."""
        return self.root / "trusted"

    @property
    def first_root(self) -> Path:
        """The root of trust given at enrolment."""
        return self.root / "keys" / "root.json"

    @property
    def signing_key(self) -> Path:
        """The terminal's private signing key (PEM, mode 0600)."""
        return self.root / "keys" / "terminal.pem"

    @property
    def people(self) -> Path:
        """People files of the villages served here, as the office sealed them."""
        return self.root / "people"

    @property
    def sealing_key(self) -> Path:
        """What opens people files, locked under the day's PIN (mode 0600)."""
        return self.root / "keys" / "sealing.locked"

    @property
    def sealing_public(self) -> Path:
        """Its public half, to which the office seals."""
        return self.root / "keys" / "sealing.pub"

    @property
    def redeem_keys(self) -> Path:
        """Redeem masters of chips, as the office sealed them to this terminal (age)."""
        return self.root / "keys" / "redeem.sealed"

    @property
    def road_token(self) -> Path:
        """What the agent shows at the province's door; worth nothing at a counter."""
        return self.root / "keys" / "road.token"

    @property
    def in_box(self) -> Path:
        """What the agent brought: unverified."""
        return self.root / "in-box"

    @property
    def out_box(self) -> Path:
        """What waits for a road."""
        return self.root / "out-box"

    def signer(self) -> PrivateKey:
        """Load the terminal's signing key.

        Raises:
            FolderError: no key, or not a key.
        """
        try:
            return PrivateKey.from_pem(self.signing_key.read_bytes())
        except OSError as error:
            raise FolderError(
                f"no signing key at {self.signing_key}; enrol this terminal again"
            ) from error
        except CardCodecError as error:
            raise FolderError(f"{self.signing_key} is not a signing key: {error.detail}") from error


def open_folder(config_path: Path) -> TerminalFolder:
    """Open a terminal's folder by its configuration file (or by the folder itself).

    Raises:
        FolderError: no such file, not TOML, an unknown or a wrong key.
    """
    path = config_path / "terminal.toml" if config_path.is_dir() else config_path
    return TerminalFolder(path.parent.resolve(), read_config(path, TerminalConfig))


C = TypeVar("C", bound=msgspec.Struct)


def read_config(path: Path, kind: type[C]) -> C:
    """Read a TOML configuration strictly: every key known, every value of its kind.

    Raises:
        FolderError: one sentence saying which key is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(values, kind)
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror}; check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FolderError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise FolderError(f"{path}: {error}; compare with docs/configuration.md") from error


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a power cut leaves the old one or the new one, never a half.

    Raises:
        FolderError: the disk refused; the old file stands.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise FolderError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
