"""`betang-card`: scan, verify and draw cards from the command line.

Exit codes: 0 done, 1 refused or a check failed, 2 wrong use. Nothing here hands anything over.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from card_codec import chip_commands
from card_codec.command_line import (
    REFUSED,
    WRONG_USE,
    Json,
    print_json,
    read_limited,
    stop,
    why,
)
from card_codec.credential import CardKind, VerifiedCredential, hear_text, read_unverified
from card_codec.errors import CardCodecError
from card_codec.program import run
from card_codec.qr.picture import png, svg
from card_codec.qr.text import read_text
from card_codec.readers import scan as scanning
from card_codec.reason import rows
from card_codec.trust import SIZE_BYTES_MAX as TRUST_BYTES_MAX
from card_codec.trust import TrustList, decode_trust_list

app = typer.Typer(
    help="Scan, verify, draw and tap cards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Text = Annotated[str, typer.Argument(help="The text of a card, KHB1…", show_default=False)]

for command in (chip_commands.selftest, chip_commands.readers, chip_commands.read):
    app.command()(command)


def main() -> None:
    """Run; every defect becomes one sentence."""
    run(app, refused=(CardCodecError,), undone="nothing was changed")


@app.command()
def scan(
    files: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    as_json: Json = False,
) -> None:
    """List every QR text in picture files, ours or not."""
    failed = False
    for path in files:
        line: dict[str, Any] = {"path": str(path), "texts": []}
        try:
            data = read_limited(path, scanning.FILE_BYTES_MAX)
            line["texts"] = list(scanning.scan_picture(data))
        except OSError as exc:
            line["error"] = f"{path} cannot be read: {why(exc)}. Name a picture file."
        except CardCodecError as exc:
            line["error"] = f"{path}: {exc.detail}. Give a PNG or JPEG picture of the card."
        failed = failed or "error" in line
        if as_json:
            print_json(line)
        elif "error" in line:
            typer.echo(line["error"], err=True)
        else:
            typer.echo(f"{path}: {', '.join(line['texts']) or 'no code found'}")
    if failed:
        raise typer.Exit(REFUSED)


@app.command()
def verify(
    text: Text,
    trust: Annotated[Path, typer.Option(help="The trust list to check against.")],
    as_json: Json = False,
) -> None:
    """Say whether a trusted issuer signed this card. Not whether it is blocked or owed anything."""
    heard = hear_text(text, _read_trust(trust))
    if isinstance(heard, VerifiedCredential):
        if as_json:
            print_json({"ok": True, "reason": None})
        else:
            typer.echo(f"Signed by a trusted issuer: {_describe(heard.credential.kind)}.")
        return
    if as_json:
        print_json({"ok": False, "reason": heard.reason})
    else:
        typer.echo(f"Refused: {heard.reason} ({rows()[heard.reason].hb}).", err=True)
    raise typer.Exit(REFUSED)


@app.command()
def picture(
    text: Text,
    out: Annotated[Path, typer.Option(help="Where to write it: FILE.png or FILE.svg.")],
    module_px: Annotated[int, typer.Option(min=1, max=40, help="Pixels per module.")] = 8,
) -> None:
    """Draw the QR code of a card's text."""
    draw: dict[str, Callable[..., bytes]] = {".png": png, ".svg": svg}
    kind = draw.get(out.suffix.lower())
    if kind is None:
        stop(f"{out} is neither a .png nor a .svg file; choose one of these endings.", WRONG_USE)
    try:
        _write(out, kind(text, module_px=module_px))
    except CardCodecError as exc:
        stop(f"The text cannot be drawn: {exc.detail}.", REFUSED)
    except OSError as exc:
        stop(f"{out} cannot be written: {why(exc)}. Choose another place.", WRONG_USE)


@app.command()
def inspect(text: Text, as_json: Json = False) -> None:
    """Show what a text claims. NOTHING here is verified."""
    try:
        credential, kid = read_unverified(read_text(text))
    except CardCodecError as exc:
        if as_json:
            print_json({"verified": False, "error": exc.code, "detail": exc.detail})
        else:
            typer.echo(f"This is no card's text: {exc.detail}.", err=True)
        raise typer.Exit(REFUSED) from exc
    claims = {
        "verified": False,
        "kid": kid.hex(),
        "household": credential.household.hex(),
        "issue": credential.issue,
        "kind": credential.kind.name.lower(),
        "issuer": credential.issuer,
        "audience": credential.audience,
        "issued_at": credential.issued_at,
        "expires_at": credential.expires_at,
        "name": credential.name,
        "chip_uid": credential.chip_uid.hex() if credential.chip_uid else None,
        "photo": credential.photo.hex() if credential.photo else None,
    }
    if as_json:
        print_json(claims)
        return
    typer.echo("NOT VERIFIED. The text claims:")
    for name, value in claims.items():
        if name != "verified" and value is not None:
            typer.echo(f"  {name}: {value}")


@app.command()
def reasons(as_json: Json = False) -> None:
    """List every refusal code with its HB number."""
    table = rows().values()
    if as_json:
        fields = ("code", "hb", "status_key", "sentence_key", "explain_key", "severity")
        print_json([{field: getattr(row, field) for field in fields} for row in table])
        return
    for row in table:
        typer.echo(f"{row.hb}  {row.code:<24} {row.severity}")


@app.command()
def decoders(as_json: Json = False) -> None:
    """Say which parts of the scanning pipeline work here."""
    parts = scanning.available_decoders()
    if as_json:
        print_json([{"name": p.name, "available": p.available, "detail": p.detail} for p in parts])
    else:
        for part in parts:
            typer.echo(f"{part.name}: {'works' if part.available else part.detail}")
    if not any(part.available for part in parts if part.name != "opencv"):
        raise typer.Exit(REFUSED)


def _read_trust(path: Path) -> TrustList:
    try:
        return decode_trust_list(read_limited(path, TRUST_BYTES_MAX))
    except OSError as exc:
        stop(f"The trust list {path} cannot be read: {why(exc)}.", WRONG_USE)
    except CardCodecError as exc:
        stop(f"{path} is not a trust list: {exc.detail}. Name the right file.", WRONG_USE)


def _describe(kind: CardKind) -> str:
    return {
        CardKind.CARD: "a card",
        CardKind.SAMPLE: "a SAMPLE card, not served anywhere",
        CardKind.TRAINING: "a TRAINING card, served in training mode only",
    }[kind]


def _write(path: Path, data: bytes) -> None:
    """The whole file or nothing: temporary, fsync, rename."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
