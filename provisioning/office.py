"""The office's folder: where everything of it lies, and how it is opened.

``office.toml`` says what the office is; ``office.db`` is the roster; ``policy.toml`` the policy
table; ``keys/`` the keys of those who sign; ``province.json`` the province's public keys;
``release/`` what goes to the province. Only one command works in a folder at a time.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ledger.errors import FolderError
from ledger.folder import read_config, write_whole
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import KeyRing
from provisioning.roster import Roster

WAIT_TRIES, WAIT_SECONDS = 600, 0.1
"""How often, and how long each time, a command waits for another one to leave the office."""


class OfficeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``office.toml`` says.

    Attributes:
        issuer: who issues the cards, ISO 3166-2 (``ID-KT``).
        card_years: how long a card is good for.
        demo_seed: of a demonstration office, whose people and numbers are made up from it.
    """

    form: Literal["khb-office-1"]
    issuer: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
    card_years: Annotated[int, msgspec.Meta(ge=1, le=20)]
    demo_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Office:
    """An open office."""

    root: Path
    config: OfficeConfig
    roster: Roster
    keys: KeyRing

    @property
    def policy_table(self) -> Path:
        """The policy table (TOML), written by hand."""
        return self.root / "policy.toml"

    @property
    def release(self) -> Path:
        """The TUF repository as the office signs it."""
        return self.root / "release"

    @property
    def look_up_master(self) -> Path:
        """From which the look-up keys of all desa and periods follow (mode 0600)."""
        return self.root / "keys" / "look-up.key"

    @property
    def chip_masters(self) -> Path:
        """The masters of chips, sealed by a passphrase (mode 0600)."""
        return self.root / "keys" / "chip-masters.age"

    @property
    def province_keys(self) -> Path:
        """The province's public keys, as given at the first publication."""
        return self.root / "province.json"


@contextmanager
def open_office(root: Path) -> Iterator[Office]:
    """Open an office and keep others out until done.

    Raises:
        WrongUseError: no office lies there, or its configuration is wrong.
        ProvisioningError: another command is at work in it.
    """
    path = root / "office.toml"
    if not path.is_file():
        raise WrongUseError(
            f"{root} is not an office: office.toml is missing; "
            "make one with `betang-provision demo` or check --office"
        )
    try:
        config = read_config(path, OfficeConfig)
    except FolderError as error:
        raise WrongUseError(error.detail) from error
    with _alone(root), Roster.open(root / "office.db") as roster:
        yield Office(root, config, roster, KeyRing(root / "keys"))


@contextmanager
def create_office(
    root: Path, *, issuer: str, card_years: int, policy: str, demo_seed: int | None = None
) -> Iterator[Office]:
    """Make an office in a new or empty folder; ``office.toml`` is written last.

    Args:
        root: the folder.
        issuer: ISO 3166-2 code.
        card_years: how long a card is good for.
        policy: text of the policy table.
        demo_seed: for a demonstration alone.

    Raises:
        ProvisioningError: the folder is not empty or cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise ProvisioningError(f"{root} is not empty; name a new folder with --dir")
    except OSError as error:
        raise ProvisioningError(f"cannot make an office in {root}: {error.strerror}") from error
    config = OfficeConfig("khb-office-1", issuer, card_years, demo_seed)
    try:
        with _alone(root), Roster.create(root / "office.db") as roster:
            office = Office(root, config, roster, KeyRing(root / "keys"))
            write_whole(office.policy_table, policy.encode())
            yield office
            lines = (
                f'form = "{config.form}"',
                f'issuer = "{config.issuer}"',
                f"card_years = {config.card_years}",
                *([] if demo_seed is None else [f"demo_seed = {demo_seed}"]),
            )
            write_whole(root / "office.toml", ("\n".join(lines) + "\n").encode())
    except BaseException:
        # The folder was empty before: half an office must not stay in it.
        for made in root.iterdir():
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        raise


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / ".lock").open("w") as lock:
        for _ in range(WAIT_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(WAIT_SECONDS)
        else:
            raise ProvisioningError(
                f"another command is at work in {root}; wait for it to finish and try again"
            )
        yield
