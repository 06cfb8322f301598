"""The province's two public keys, as the office was given them.

The online key signs usage, blocks and time; the log key signs acknowledgements. Which ones count is
the office's word: a file with other keys is taken only when a rotation is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from card_codec.trust import KeyUse
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.office import Office
from provisioning.roster import Roster

FILE_BYTES_MAX = 16 * 1024
LOG_HOLDER = "log of the province"


class ProvinceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``public.json`` of `betang-sync province init`: two public keys in PEM."""

    online: str
    log: str


@dataclass(frozen=True, slots=True)
class ProvinceKeys:
    """The keys that count."""

    online: PublicKey
    log: PublicKey


@dataclass(frozen=True, slots=True)
class ProvinceChange:
    """What the office is told of the province's keys.

    Attributes:
        given: ``public.json`` of the province; needed the first time.
        rotate: whether other keys than before are meant.
        stolen: whether the online key of before is a thief's: what it blocked and dated counts no
            more.
    """

    given: Path | None = None
    rotate: bool = False
    stolen: bool = False


NO_CHANGE = ProvinceChange()


def read_province_keys(office: Office, change: ProvinceChange) -> ProvinceKeys:
    """The keys given, or those given before.

    Raises:
        WrongUseError: no file, or not a file of the province.
        ProvisioningError: the keys are other ones, and no rotation was asked for; or the online
            key is said to be stolen and is the same.
    """
    kept, given = office.province_keys, change.given
    if given is None and not kept.is_file():
        raise WrongUseError(
            "this office does not know the province's keys yet; give its public.json with "
            "--province"
        )
    keys = _read(kept if given is None else given)
    if change.stolen and kept.is_file() and _read(kept).online == keys.online:
        raise ProvisioningError(
            "the province's online key is still the stolen one; make a new one with"
            " `betang-sync province rotate` and give its public.json with --province"
        )
    if kept.is_file() and _read(kept) != keys and not (change.rotate or change.stolen):
        raise ProvisioningError(
            f"{given} holds other keys than the province had so far; if they were changed on "
            "purpose, repeat with --rotate-province"
        )
    return keys


def write_province_keys(keys: ProvinceKeys) -> bytes:
    """The keys as a file, so that the next publication need not be given them."""
    return msgspec.json.encode(ProvinceFile(keys.online.to_pem(), keys.log.to_pem()))


def list_log_key(roster: Roster, log: PublicKey, now: int) -> None:
    """List the log's key; one that goes stays listed, with its end, for what it signed."""
    roster.db.execute(
        "UPDATE public_key SET valid_until = ? WHERE use = ? AND spki != ? AND valid_until IS NULL",
        (now, KeyUse.LOG.value, log.spki),
    )
    roster.db.execute(
        "INSERT INTO public_key (spki, use, holder, valid_from) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (spki) DO UPDATE SET valid_until = NULL",
        (log.spki, KeyUse.LOG.value, LOG_HOLDER, now),
    )


def _read(path: Path) -> ProvinceKeys:
    try:
        with path.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise WrongUseError(
            f"the province's file {path} cannot be read: {error.strerror}; check --province"
        ) from error
    if len(data) > FILE_BYTES_MAX:
        raise WrongUseError(
            f"{path} is too long to be the province's public.json; check --province"
        )
    try:
        file = msgspec.json.decode(data, type=ProvinceFile)
        keys = ProvinceKeys(PublicKey.from_pem(file.online), PublicKey.from_pem(file.log))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WrongUseError(
            f"{path} is not the province's public.json ({error}); "
            "take the one `betang-sync province init` wrote"
        ) from error
    except CardCodecError as error:
        raise WrongUseError(
            f"{path}: {error.detail}; take the public.json `betang-sync province init` wrote"
        ) from error
    if keys.online == keys.log:
        raise WrongUseError(
            f"{path} names one key for both duties; the province needs one for each"
        )
    return keys
