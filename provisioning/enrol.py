"""Enrolling a terminal: its key goes into the roster, its papers into its folder.

The terminal made its key itself and shows only the public half (``keys/terminal.pub``). It gets
``terminal.toml``, the root of trust and a road token; the office keeps a hash of the token. The
terminal serves once the next publication lists it in the roll. A machine that takes the place of
another is enrolled under its number, in the next epoch. One that was stolen is shut out.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from card_codec.errors import CardCodecError
from card_codec.keys import KID_BYTES, PEM_BYTES_MAX, PublicKey
from ledger.access import token_hash
from ledger.errors import RecordError
from ledger.folder import TerminalConfig, write_whole
from ledger.repository import Repository
from ledger.roll import terminal_name
from ledger.sealing import read_recipient
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.office import Office

TOKEN_BYTES = 32
ORDINAL_MAX = 0xFFFF
AWAY_MAX = 0xFFFF
FIRST_EPOCH = 1
EPOCH_MAX = 0xFF
_NAME = re.compile(r"T([0-9]{3,5})(?:\.([0-9]{1,3}))?\Z", re.ASCII)
SEALING = Path("keys") / "sealing.pub"
"""Below the terminal's folder; its secret half never leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What the office decides about a new terminal.

    Attributes:
        name: as the counter page and the roll show it.
        point: the service point it stands at.
        home: kecamatan it is home to.
        holds: kecamatan whose rights it holds; its home always.
        away: households it may serve away from their home (escrow).
        province_url: base URL of the province's intake.
        officer: initials of who serves, up to 12 characters.
        language: ``id`` or ``en``.
        again: number of the terminal whose place this machine takes; None for a new terminal.
    """

    name: str
    point: str
    home: str
    holds: tuple[str, ...]
    away: int
    province_url: str
    officer: str
    language: str = "id"
    again: int | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The terminal as it now stands in the roster."""

    ordinal: int
    epoch: int
    config: Path


def enrol(
    office: Office,
    terminal: Path,
    enrolment: Enrolment,
    *,
    now: int,
    randomness: Callable[[int], bytes],
) -> Enrolled:
    """Enrol the terminal whose folder this is.

    Args:
        office: the open office; it has published once.
        terminal: the folder, with ``keys/terminal.pub`` in it.
        enrolment: what was decided.
        now: Unix seconds.
        randomness: gives that many random bytes (``secrets.token_bytes``).

    Raises:
        ProvisioningError: no public key there, one enrolled already, an unknown kecamatan or place.
        WrongUseError: a value out of bounds.
    """
    holds = tuple(sorted({enrolment.home, *enrolment.holds}))
    _check_kecamatan(office, holds)
    _check_away(enrolment.away)
    key = _read_key(terminal)
    recipient = read_sealing(terminal)
    _check_new(office, key)
    root = _newest_root(office)
    token = randomness(TOKEN_BYTES).hex()
    with office.roster.db.atomic():
        ordinal, epoch = _place(office, enrolment.again)
        config = _config_text(enrolment, ordinal, epoch)
        row = {
            "ordinal": ordinal,
            "epoch": epoch,
            "name": enrolment.name,
            "point": enrolment.point,
            "home": enrolment.home,
            "away": enrolment.away,
            "spki": key.spki,
            "token_sha256": token_hash(token),
            "enrolled": now,
            "shut_out": None,
        }
        office.roster.db.table("terminal").insert(row)
        office.roster.insert_all("terminal_holds", [(ordinal, epoch, k) for k in holds])
        sealing = [] if recipient is None else [(ordinal, epoch, recipient)]
        office.roster.insert_all("terminal_sealing", sealing)
        _give_papers(terminal, root=root, token=token, config=config)
    return Enrolled(ordinal, epoch, terminal / "terminal.toml")


def _give_papers(terminal: Path, *, root: bytes, token: str, config: str) -> None:
    """The configuration comes last; only then is the roster committed: with it, it is enrolled."""
    write_whole(terminal / "keys" / "root.json", root)
    write_whole(terminal / "keys" / "road.token", token.encode(), mode=0o600)
    write_whole(terminal / "terminal.toml", config.encode())


def shut_out(office: Office, name: str, *, now: int) -> bool:
    """Shut a terminal out: from the next publication on, nothing of it is taken or given to it.

    Args:
        office: the open office.
        name: as people read it: ``T001``, or ``T001.2`` in its second epoch.
        now: Unix seconds; stands in the roll.

    Returns:
        False when it was shut out already; since when does not change.

    Raises:
        ProvisioningError: no such terminal is enrolled.
        WrongUseError: no name of a terminal.
    """
    match = _NAME.match(name)
    if match is None:
        raise WrongUseError(
            f"{name[:40]!r} is no terminal; write T001, or T001.2 for its second epoch"
        )
    ordinal, epoch = (int(part or FIRST_EPOCH) for part in match.groups())
    db = office.roster.db
    with db.atomic():
        found = db.execute(
            "SELECT shut_out FROM terminal WHERE ordinal = ? AND epoch = ?", (ordinal, epoch)
        ).fetchone()
        if found is None:
            raise ProvisioningError(
                f"no terminal {terminal_name(ordinal, epoch)} is enrolled; check the number"
            )
        if found[0] is not None:
            return False
        db.table("terminal").update((ordinal, epoch), {"shut_out": now})
    return True


def seal_to(office: Office, terminal: Path) -> int:
    """Take the new sealing key of a terminal that is enrolled; its PIN was forgotten.

    Returns:
        The terminal's ordinal; people files are sealed to the new key from the next publication on.

    Raises:
        ProvisioningError: no sealing key there, or the terminal is not enrolled.
    """
    recipient = read_sealing(terminal)
    if recipient is None:
        raise ProvisioningError(
            f"no sealing key at {terminal / SEALING}; make one with `betang-terminal init`"
        )
    ordinal, epoch = find_terminal(office, terminal)
    with office.roster.db.atomic():
        row = {"ordinal": ordinal, "epoch": epoch, "recipient": recipient}
        office.roster.db.table("terminal_sealing").upsert(row, pk=("ordinal", "epoch"))
    return ordinal


def find_terminal(office: Office, terminal: Path) -> tuple[int, int]:
    """Ordinal and epoch of the enrolled terminal whose folder this is.

    Raises:
        ProvisioningError: no public key there, or the terminal is not enrolled.
    """
    found = office.roster.db.execute(
        "SELECT ordinal, epoch FROM terminal WHERE spki = ?", (_read_key(terminal).spki,)
    ).fetchone()
    if found is None:
        raise ProvisioningError(
            f"the terminal in {terminal} is not enrolled; do that with `betang-provision enrol`"
        )
    return int(found[0]), int(found[1])


def read_sealing(terminal: Path) -> str | None:
    """The terminal's sealing recipient, if it has one; without, it gets no people files.

    Raises:
        ProvisioningError: there is a file, and it is none.
    """
    path = terminal / SEALING
    try:
        with path.open("rb") as file:
            return read_recipient(file.read(PEM_BYTES_MAX).decode("ascii").strip())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProvisioningError(f"{path} cannot be read: {error.strerror}; check it") from error
    except (RecordError, UnicodeDecodeError) as error:
        raise ProvisioningError(
            f"{path} is not the public half of a sealing key; make a new one with"
            " `betang-terminal init`"
        ) from error


def _check_away(households: int) -> None:
    if not 0 <= households <= AWAY_MAX:
        raise WrongUseError(f"--away is not from 0 to {AWAY_MAX}; give a number of households")


def _check_kecamatan(office: Office, codes: tuple[str, ...]) -> None:
    known = office.roster.kecamatan()
    unknown = next((code for code in codes if code not in known), None)
    if unknown is not None:
        raise ProvisioningError(
            f"this office does not serve kecamatan {unknown}; it serves {_some(list(known))}"
        )


def _some(codes: list[str]) -> str:
    return ", ".join(codes) if len(codes) <= 5 else f"{codes[0]} to {codes[-1]} ({len(codes)})"


def _read_key(terminal: Path) -> PublicKey:
    path = terminal / "keys" / "terminal.pub"
    try:
        with path.open("rb") as file:
            return PublicKey.from_pem(file.read(PEM_BYTES_MAX + 1))
    except OSError as error:
        raise ProvisioningError(
            f"no public key at {path}; make one with `betang-terminal init --dir {terminal}`"
        ) from error
    except CardCodecError as error:
        raise ProvisioningError(
            f"{path}: {error.detail}; make a new one with `betang-terminal init`"
        ) from error


def _check_new(office: Office, key: PublicKey) -> None:
    found = office.roster.db.execute(
        "SELECT ordinal, name FROM terminal WHERE spki = ?", (key.spki,)
    ).fetchone()
    if found is not None:
        raise ProvisioningError(
            f"this terminal's key is already enrolled as terminal {found[0]} ({found[1]}); "
            "nothing is to be done"
        )
    spkis = office.roster.db.execute(
        "SELECT spki FROM terminal UNION ALL SELECT spki FROM public_key"
    )
    if any(hashlib.sha256(spki).digest()[:KID_BYTES] == key.kid for (spki,) in spkis):
        # A trust list never holds two keys with one kid (docs/spec/trust-list.md).
        raise ProvisioningError(
            f"the short name {key.kid.hex()} of this terminal's key is another key's already; make "
            "a new one with `betang-terminal init` in a new folder"
        )


def _newest_root(office: Office) -> bytes:
    repository = Repository(office.release)
    versions = repository.versions("root")
    if not versions:
        raise ProvisioningError(
            "this office has no root of trust yet; run `betang-provision publish` first"
        )
    return (repository.metadata / f"{versions[-1]}.root.json").read_bytes()


def _place(office: Office, again: int | None) -> tuple[int, int]:
    """Ordinal and epoch: the next number, or the next epoch of the terminal it takes over."""
    if again is None:
        return _next_ordinal(office), FIRST_EPOCH
    (last,) = office.roster.db.execute(
        "SELECT max(epoch) FROM terminal WHERE ordinal = ?", (again,)
    ).fetchone()
    if last is None:
        raise ProvisioningError(
            f"no terminal {again} is enrolled whose place could be taken; leave --again out"
        )
    if last >= EPOCH_MAX:
        raise ProvisioningError(
            f"terminal {again} has had all {EPOCH_MAX} epochs; enrol a new one without --again"
        )
    return again, int(last) + 1


def _next_ordinal(office: Office) -> int:
    (last,) = office.roster.db.execute("SELECT max(ordinal) FROM terminal").fetchone()
    ordinal = (last or 0) + 1
    if ordinal > ORDINAL_MAX:
        raise ProvisioningError(f"all {ORDINAL_MAX} numbers of terminals are given away")
    return int(ordinal)


def _config_text(enrolment: Enrolment, ordinal: int, epoch: int) -> str:
    """``terminal.toml``, checked by reading it as the terminal will."""
    values: dict[str, int | str] = {
        "ordinal": ordinal,
        "epoch": epoch,
        "name": enrolment.name,
        "point": enrolment.point,
        "officer": enrolment.officer,
        "home": enrolment.home,
        "province": enrolment.province_url,
        "language": enrolment.language,
    }
    for key, value in values.items():
        if isinstance(value, str) and (not value.isprintable() or value != value.strip()):
            raise WrongUseError(f"the {key} {value!r} is padded or not printable; write it plainly")
    # A JSON string of printable text is a TOML basic string.
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    text = "\n".join(lines) + "\n"
    try:
        msgspec.convert(tomllib.loads(text), TerminalConfig)
    except msgspec.ValidationError as error:
        raise WrongUseError(f"the terminal cannot be enrolled so: {error}; correct it") from error
    return text
