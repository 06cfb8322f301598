"""The masters from which the keys of every chip follow, and the sealed file that holds them.

Four purposes, each with masters of its own: the issuer's (key 0), the Transaction MAC's, redeeming
in a kecamatan (one for each of its generations), redeeming away (one for each generation). The file
``keys/chip-masters.age`` is sealed by a passphrase as age does it, so that any tool that knows age
opens it; a hardware module is the other place they can lie in (provisioning.chip_token).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec
import pyrage  # type: ignore[import-untyped]

from card_codec.chip.aes import KEY_BYTES
from card_codec.chip.diversify import NO_KECAMATAN, KeyName, card_key
from card_codec.chip.khb1_files import AWAY_KEY, HOME_KEYS, MAC_KEY, MASTER_KEY
from ledger.errors import RecordError
from ledger.folder import write_whole
from ledger.record import Kecamatan, Record, pack, unpack
from provisioning.errors import ProvisioningError, WrongUseError

FILE_BYTES_MAX = 1024 * 1024
PASSPHRASE_LENGTH_MIN, PASSPHRASE_LENGTH_MAX = 12, 200
FIRST_GENERATION = 1
GENERATION_MAX = 253
"""Of the first home key of a card: two more follow it."""


class Purpose(StrEnum):
    """What a master is for."""

    ISSUER = "issuer"
    TMAC = "tmac"
    REDEEM = "redeem"
    AWAY = "away"


class Master(Record, frozen=True):
    """One master key, 16 bytes. Its repr does not show it."""

    purpose: Purpose
    kecamatan: Kecamatan
    generation: Annotated[int, msgspec.Meta(ge=1, le=255)]
    key: Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]

    def __repr__(self) -> str:
        return f"Master({label(self.purpose, self.kecamatan, self.generation)})"


class MasterFile(Record, frozen=True):
    """What is sealed."""

    form: Literal["khb-chip-masters-1"]
    masters: tuple[Master, ...]


class ChipMasters(Protocol):
    """Who derives the keys of chips: a sealed file opened here, or a hardware module."""

    def derive(self, name: KeyName) -> bytes:
        """The chip's key of 16 bytes.

        Raises:
            ProvisioningError: its master is not held here.
        """

    def generations(self, purpose: Purpose, kecamatan: str = NO_KECAMATAN) -> tuple[int, ...]:
        """The generations held of a purpose, ascending."""


class FileMasters:
    """Masters in memory, out of a sealed file."""

    def __init__(self, masters: Iterable[Master] = ()) -> None:
        self._keys = {(m.purpose, m.kecamatan, m.generation): m.key for m in masters}

    @property
    def masters(self) -> tuple[Master, ...]:
        """All of them, in one order."""
        return tuple(Master(*name, key) for name, key in sorted(self._keys.items()))

    def derive(self, name: KeyName) -> bytes:
        """See `ChipMasters`."""
        purpose = purpose_of(name)
        key = self._keys.get((purpose, name.kecamatan, name.generation))
        if key is None:
            raise missing(label(purpose, name.kecamatan, name.generation))
        return card_key(key, name)

    def generations(self, purpose: Purpose, kecamatan: str = NO_KECAMATAN) -> tuple[int, ...]:
        """See `ChipMasters`."""
        return tuple(sorted(g for p, k, g in self._keys if (p, k) == (purpose, kecamatan)))

    def completed(
        self, kecamatan: Iterable[str], *, generations: int, randomness: Callable[[int], bytes]
    ) -> FileMasters:
        """These and every one that is missing, drawn anew; none that is here changes.

        Args:
            kecamatan: codes of all that are served.
            generations: how many generations of each are to be there.
            randomness: gives that many random bytes.
        """
        wanted = [(Purpose.ISSUER, NO_KECAMATAN, 1), (Purpose.TMAC, NO_KECAMATAN, 1)]
        for number in range(FIRST_GENERATION, FIRST_GENERATION + generations):
            wanted.append((Purpose.AWAY, NO_KECAMATAN, number))
            wanted += [(Purpose.REDEEM, code, number) for code in kecamatan]
        new = [Master(*name, randomness(KEY_BYTES)) for name in wanted if name not in self._keys]
        return FileMasters((*self.masters, *new))


def write_masters(path: Path, held: FileMasters, passphrase: str) -> None:
    """Seal masters into a file of mode 0600.

    Raises:
        FolderError: the disk refused; the old file stands.
    """
    sealed = pyrage.passphrase.encrypt(
        pack(MasterFile("khb-chip-masters-1", held.masters)), passphrase
    )
    assert isinstance(sealed, bytes)  # pyrage is untyped
    write_whole(path, sealed, mode=0o600)


def read_masters(path: Path, passphrase: str) -> FileMasters:
    """Open the sealed file.

    Raises:
        WrongUseError: there is none, or it is none.
        ProvisioningError: another passphrase sealed it, or it was changed.
    """
    try:
        with path.open("rb") as file:
            sealed = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise WrongUseError(
            f"there are no masters at {path}; make them with `betang-provision chip-masters`"
        ) from error
    except OSError as error:
        raise WrongUseError(f"the masters {path} cannot be read: {error.strerror}") from error
    if len(sealed) > FILE_BYTES_MAX:
        raise WrongUseError(f"{path} is too long to hold masters; name the right file")
    try:
        data = pyrage.passphrase.decrypt(sealed, passphrase)
        assert isinstance(data, bytes)  # pyrage is untyped
        return FileMasters(decode_masters(data))
    except pyrage.DecryptError as error:
        raise ProvisioningError(
            f"the passphrase does not open {path}, or the file was changed; give the right one"
        ) from error
    except RecordError as error:
        raise WrongUseError(f"{path} holds no masters of chips: {error.detail}") from error


def decode_masters(data: bytes) -> tuple[Master, ...]:
    """What was sealed, read strictly.

    Raises:
        RecordError: not a file of masters, or one in which two masters are the same.
    """
    masters = unpack(data, MasterFile, size_max=FILE_BYTES_MAX, name="file of masters").masters
    names = [(m.purpose, m.kecamatan, m.generation) for m in masters]
    if names != sorted(set(names)):
        raise RecordError("not a file of masters: they are not in order, or one stands twice")
    if len({m.key for m in masters}) != len(masters):
        raise RecordError("not a file of masters: two of them are the same key")
    return masters


def read_passphrase(path: Path) -> str:
    """The first line of a file.

    Raises:
        WrongUseError: it cannot be read, or is too short, too long or not printable.
    """
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(PASSPHRASE_LENGTH_MAX + 2).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUseError(f"the passphrase cannot be read from {path}; name a file") from error
    if not PASSPHRASE_LENGTH_MIN <= len(line) <= PASSPHRASE_LENGTH_MAX or not line.isprintable():
        raise WrongUseError(
            f"a passphrase has {PASSPHRASE_LENGTH_MIN} to {PASSPHRASE_LENGTH_MAX} printable"
            f" characters in its first line; correct {path}"
        )
    return line


def purpose_of(name: KeyName) -> Purpose:
    """Which master a chip's key follows from."""
    if name.number in HOME_KEYS:
        return Purpose.REDEEM
    return {MASTER_KEY: Purpose.ISSUER, MAC_KEY: Purpose.TMAC, AWAY_KEY: Purpose.AWAY}[name.number]


def label(purpose: Purpose, kecamatan: str, generation: int) -> str:
    """What a master is called in a hardware module, and in sentences."""
    place = "" if kecamatan == NO_KECAMATAN else f"-{kecamatan}"
    return f"khb-{purpose}{place}-{generation}"


def missing(name: str) -> ProvisioningError:
    """That a master is not held."""
    return ProvisioningError(
        f"the master {name} is not held here; `betang-provision chip-masters` makes what is missing"
    )
