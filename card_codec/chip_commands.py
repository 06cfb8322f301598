"""The commands of `betang-card` about chips and readers."""

import secrets
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from card_codec.chip.diversify import MasterKeys
from card_codec.chip.errors import ChipLinkError
from card_codec.chip.foreign import ForeignCard
from card_codec.chip.khb1 import Khb1
from card_codec.chip.masters import MASTERS_BYTES_MAX, read_masters
from card_codec.chip.profile import ChipState, KeyNotHeld, identify
from card_codec.chip.vectors import FILE_BYTES_MAX, check_file
from card_codec.command_line import (
    REFUSED,
    WRONG_USE,
    Json,
    print_json,
    read_limited,
    stop,
    why,
)
from card_codec.credential import Credential, read_unverified
from card_codec.errors import CardCodecError
from card_codec.readers import desk
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import SENTENCES


def selftest(
    vectors: Annotated[Path, typer.Option(help="A file of known answers.")],
    as_json: Json = False,
) -> None:
    """Check the chip cryptography of this program against known answers."""
    try:
        checked = list(check_file(read_limited(vectors, FILE_BYTES_MAX)))
    except OSError as exc:
        stop(f"The vectors {vectors} cannot be read: {why(exc)}. Name a file.", WRONG_USE)
    except CardCodecError as exc:
        stop(f"{vectors} is no file of vectors: {exc.detail}. Name the right file.", WRONG_USE)
    for one in checked:
        if as_json:
            print_json({"name": one.name, "ok": one.ok})
        else:
            typer.echo(f"{'ok   ' if one.ok else 'WRONG'}  {one.name}")
    if not all(one.ok for one in checked):
        raise typer.Exit(REFUSED)


def readers(as_json: Json = False) -> None:
    """List the card readers and what each is in."""
    statuses, missing = desk.list_readers()
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "driver": one.driver,
                    "state": one.state,
                    "atr": one.atr.hex() or None,
                    "detail": SENTENCES[one.state].format(reader=one.name),
                }
                for one in statuses
            ]
        )
    else:
        for one in statuses:
            typer.echo(SENTENCES[one.state].format(reader=one.name))
        if not statuses and not missing:
            typer.echo("no card reader is connected")
    for driver, state in missing.items():
        typer.echo(f"{driver}: {SENTENCES[state].format(reader=driver)}.", err=True)


def read(
    reader: Annotated[
        str | None, typer.Option(help="Name of the reader, or a part of it.", show_default=False)
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="A file of redeem masters, for counter and records.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the chip card on a reader. Nothing is written, and the credential is NOT verified."""
    held = _read_keys(keys) if keys is not None else MasterKeys({})
    try:
        with closing(desk.open_card(reader)) as link:
            told = {"reader": link.reader} | _told_or_lost(link, held)
    except ReaderError as exc:
        stop(f"{exc.detail[:1].upper()}{exc.detail[1:]}.", REFUSED)
    except CardCodecError as exc:
        stop(f"The card could not be read: {exc.detail}.", REFUSED)
    if as_json:
        print_json(told)
    else:
        for name, value in told.items():
            typer.echo(f"{name}: {value}")
    if "foreign" in told:
        raise typer.Exit(REFUSED)


def _told_or_lost(link: desk.OpenedCard, held: MasterKeys) -> dict[str, Any]:
    try:
        return _told(link, held)
    except ChipLinkError as exc:
        raise ReaderError(desk.state_after_loss(link), link.reader) from exc


def _told(link: desk.OpenedCard, held: MasterKeys) -> dict[str, Any]:
    profile = Khb1()
    card = identify(link, [profile], atr=link.atr)
    if isinstance(card, ForeignCard):
        return {"foreign": card.kind, "name": card.name}
    content = profile.read_credential(link)
    claims, kid = read_unverified(content.credential)
    opened = profile.open_for_redemption(
        card, link, content, credential=claims, keys=held, draw=secrets.token_bytes
    )
    state = None if isinstance(opened, KeyNotHeld) else opened.state
    return {
        "uid": card.uid.hex(),
        "profile": profile.name,
        "silicon": card.silicon.name.lower(),
        "kecamatan": content.kecamatan,
        "generation": content.generation,
        "credential": _claims(claims, kid),
        **_remembered(state),
    }


def _claims(claims: Credential, kid: bytes) -> dict[str, Any]:
    return {
        "verified": False,
        "kid": kid.hex(),
        "household": claims.household.hex(),
        "issue": claims.issue,
        "kind": claims.kind.name.lower(),
        "expires_at": claims.expires_at,
    }


def _remembered(state: ChipState | None) -> dict[str, Any]:
    """Counter and records; both None where no key that opens the card is held here."""
    if state is None:
        return {"counter": None, "records": None}
    records = [asdict(record) | {"kind": record.kind.name.lower()} for record in state.records]
    return {"counter": state.counter, "records": records}


def _read_keys(path: Path) -> MasterKeys:
    try:
        return MasterKeys(read_masters(read_limited(path, MASTERS_BYTES_MAX)))
    except OSError as exc:
        stop(f"The keys {path} cannot be read: {why(exc)}. Name a file.", WRONG_USE)
    except CardCodecError as exc:
        stop(f"{path} is no file of redeem masters: {exc.detail}.", WRONG_USE)
