"""Commands that keep keys: who holds which, and new ones in the place of old."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from card_codec.errors import CardCodecError
from card_codec.keys import PEM_BYTES_MAX, PrivateKey, PublicKey
from ledger.folder import write_whole
from provisioning.cli.program import Json, OfficeDir, app, report
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import (
    DECREE,
    ISSUER,
    ROOT,
    VERDICT,
    OfficeRole,
    kecamatan_role,
    office_roles,
)
from provisioning.office import open_office
from provisioning.rotate import cards_of_stolen_keys, rotate


class Role(StrEnum):
    """Roles as the command line names them."""

    ROOT = "root"
    DECREE = "decree"
    KECAMATAN = "kecamatan"
    ISSUER = "issuer"
    VERDICT = "verdict"


@app.command()
def keys(office: OfficeDir, as_json: Json = False) -> None:
    """List who holds which key, and how many of them must sign."""
    with open_office(office.resolve()) as opened:
        ring = opened.keys
        listed = [
            {
                "role": role.name,
                "threshold": role.threshold,
                "holders": [
                    {"holder": holder, "kid": key.kid.hex(), "here": ring.is_here(role, holder)}
                    for holder, key in ring.public(role).items()
                ],
            }
            for role in office_roles(list(opened.roster.kecamatan()))
        ]
    report(listed, "\n".join(_role_line(role) for role in listed), as_json=as_json)


@app.command("key")
def key_command(
    out: Annotated[Path, typer.Option(help="The private key to write; NAME.pub lies beside it.")],
    as_json: Json = False,
) -> None:
    """Make a key, on the machine of the holder whose it is."""
    if out.exists():
        raise ProvisioningError(f"{out} is there already; no key is ever overwritten")
    made = PrivateKey.generate()
    public = out.with_suffix(".pub")
    write_whole(out, made.to_pem(), mode=0o600)
    write_whole(public, made.public.to_pem().encode())
    told = {
        "key": str(out.resolve()),
        "public": str(public.resolve()),
        "kid": made.public.kid.hex(),
    }
    report(told, f"Key {made.public.kid.hex()}; give {public} to the office", as_json=as_json)


@app.command("rotate")
def rotate_command(
    *,
    office: OfficeDir,
    role: Annotated[Role, typer.Option(help="Whose keys.")],
    kecamatan: Annotated[str | None, typer.Option(help="Which, for the role kecamatan.")] = None,
    holder: Annotated[
        list[str] | None, typer.Option(help="Only this holder's; repeat it; without it, all.")
    ] = None,
    public: Annotated[
        Path | None, typer.Option(help="The holder's new public key, made with `key`.")
    ] = None,
    stolen: Annotated[
        bool,
        typer.Option("--stolen", help="Of an issuer or verdicts: what it signed is void."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Put new keys in the place of old ones; they count from the next publication."""
    if public is not None and len(holder or ()) != 1:
        raise WrongUseError("--public is one holder's key; name that one --holder")
    if stolen and role not in {Role.ISSUER, Role.VERDICT}:
        raise WrongUseError(
            "--stolen is for an issuer and for verdicts; every other old key stops counting anyhow"
        )
    with open_office(office.resolve()) as opened:
        duty = _duty(role, kecamatan, list(opened.roster.kecamatan()))
        made = PrivateKey.generate if public is None else lambda: _read_public(public)
        done = rotate(opened, duty, holder or [], now=int(time.time()), new=made, stolen=stolen)
        lost = cards_of_stolen_keys(opened) if stolen and role is Role.ISSUER else 0
    told = {
        "role": duty.name,
        "rotated": [
            {"holder": one.holder, "before": one.before.hex(), "now": one.now.hex()} for one in done
        ],
        "cards": lost,
    }
    words = f"{duty.name}: {len(done)} new keys; publish to let them count"
    cards = f"\n{lost} families hold cards of the stolen key: issue each anew" if lost else ""
    report(told, words + cards, as_json=as_json)


def _duty(role: Role, kecamatan: str | None, known: list[str]) -> OfficeRole:
    if (kecamatan is not None) != (role is Role.KECAMATAN):
        raise WrongUseError("--kecamatan goes with --role kecamatan, and only with it")
    if kecamatan is None:
        by_role = {Role.ROOT: ROOT, Role.DECREE: DECREE, Role.ISSUER: ISSUER, Role.VERDICT: VERDICT}
        return by_role[role]
    if kecamatan not in known:
        raise ProvisioningError(f"this office does not serve kecamatan {kecamatan}; check the code")
    return kecamatan_role(kecamatan)


def _read_public(path: Path) -> PublicKey:
    try:
        with path.open("rb") as file:
            return PublicKey.from_pem(file.read(PEM_BYTES_MAX + 1))
    except OSError as error:
        raise ProvisioningError(
            f"the key {path} cannot be read: {error.strerror}; check --public"
        ) from error
    except CardCodecError as error:
        raise ProvisioningError(f"{path}: {error.detail}; check --public") from error


def _role_line(role: dict[str, Any]) -> str:
    holders = ", ".join(h["holder"] + ("" if h["here"] else " (away)") for h in role["holders"])
    return f"{role['role']}: {role['threshold']} of {len(role['holders'])}: {holders}"
