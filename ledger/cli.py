"""``betang-ledger``: look into what is owed and what was given, and check it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from card_codec.errors import CardCodecError
from card_codec.program import run
from card_codec.refusal import Refused
from card_codec.trust import TrustList, decode_trust_list
from ledger.backup import NAME, back_up, check_backup
from ledger.clock import SystemClock
from ledger.errors import FolderError, JournalError, LedgerError
from ledger.folder import open_folder
from ledger.fsck import check_journal
from ledger.install import installed_version
from ledger.prune import prune
from ledger.receipt import VerifiedReceipt, verify_receipt
from ledger.restore import bring_back, lay_former
from ledger.rights import Household, Rights

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look into what is owed and what was given, and check it.",
)

Config = Annotated[Path, typer.Option("--config", help="terminal.toml, or the terminal's folder")]
Json = Annotated[bool, typer.Option("--json", help="one JSON line")]
HouseholdArgument = Annotated[str, typer.Argument(help="16 hexadecimal digits")]
TRUST_SIZE_MAX = 8_000_000


def main() -> None:
    """Run; every defect becomes one sentence."""
    run(app, wrong_use=(FolderError,), refused=(LedgerError,), undone="nothing was changed")


@app.command()
def fsck(config: Config, as_json: Json = False) -> None:
    """Derive everything again from the journal's entries and compare; changes nothing."""
    folder = open_folder(config)
    checked = check_journal(
        folder.journal,
        terminal=folder.config.ordinal,
        epoch=folder.config.epoch,
        key=folder.signer().public if folder.signing_key.exists() else None,
    )
    if as_json:
        faults = list(checked.faults)
        report = {"ok": checked.ok, "entries": checked.entries, "head": checked.head}
        typer.echo(json.dumps({**report, "faults": faults}))
    else:
        typer.echo(f"{checked.entries} entries, head {checked.head[:16] or 'none yet'}")
        for fault in checked.faults:
            typer.echo(f"fault: {fault}")
        typer.echo("clean" if checked.ok else "stop service and keep the file")
    raise typer.Exit(0 if checked.ok else 1)


@app.command()
def backup(
    config: Config,
    to: Annotated[Path, typer.Option("--to", help="a new folder for the copy")],
    as_json: Json = False,
) -> None:
    """Copy the journal while it is served, read the copy back and prove it equal."""
    made = back_up(open_folder(config).journal, to)
    report = {"entries": made.entries, "head": made.head, "sha256": made.sha256}
    typer.echo(
        json.dumps(report) if as_json else f"{made.entries} entries, head {made.head[:16]}: equal"
    )


@app.command()
def restore(
    config: Config,
    source: Annotated[Path, typer.Option("--from", help="folder of the copy")],
    as_json: Json = False,
) -> None:
    """Begin a new epoch with the journal of an earlier one; its own epoch is never gone on with."""
    folder = open_folder(config)
    made = bring_back(folder, source, signer=folder.signer(), now=SystemClock().read())
    former = folder.root / "former" / str(made.epoch)
    report = {"entries": made.entries, "head": made.head, "former": str(former)}
    words = (
        f"{made.entries} entries of epoch {made.epoch} brought back. Hand them in once by stick:"
        f" betang-sync once --config {former} --with STICK"
    )
    typer.echo(json.dumps(report) if as_json else words)


@app.command("prune")
def prune_command(
    config: Config,
    archive: Annotated[Path, typer.Option("--archive", help="folder of a copy of this journal")],
    as_json: Json = False,
) -> None:
    """Let go of whole days that are acknowledged, in the archive, and of windows long settled."""
    done = prune(open_folder(config), archive, SystemClock().read())
    report = {"entries": done.entries, "up_to": done.up_to}
    words = (
        f"{done.entries} entries let go of, up to {done.up_to}. Keep the archive"
        if done.entries
        else "nothing to let go of: not acknowledged, not in the archive, or not settled"
    )
    typer.echo(json.dumps(report) if as_json else words)


@app.command("hand-in")
def hand_in_command(
    config: Config,
    source: Annotated[Path, typer.Option("--from", help="folder of a copy of this journal")],
    as_json: Json = False,
) -> None:
    """Lay an archive beside the journal, to be handed in by stick when the province lost it."""
    folder = open_folder(config)
    made, _ = check_backup(source)
    if made.terminal != folder.config.ordinal:
        raise JournalError(f"the copy is of terminal {made.terminal}; check --from")
    lay_former(folder, source / NAME, made.epoch)
    former = folder.root / "former" / str(made.epoch)
    words = (
        "take a stick that was at the province, which says there what is lacking, and hand it in:"
        f" betang-sync once --config {former} --with STICK"
    )
    typer.echo(json.dumps({"former": str(former)}) if as_json else words)


@app.command("verify-receipt")
def verify_receipt_command(
    text: Annotated[str, typer.Argument(help="what stands on the slip, KHR1…")],
    trust: Annotated[Path, typer.Option(help="trust list with the terminals' keys")],
    as_json: Json = False,
) -> None:
    """Check a slip without a network."""
    verified = verify_receipt(text, read_trust(trust))
    if isinstance(verified, Refused):
        report: dict[str, object] = {"ok": False, "reason": str(verified.reason), "number": None}
    else:
        report = {"ok": True, "reason": None, "number": verified.number}
    ok = bool(report["ok"])
    said = f"genuine, {report['number']}" if ok else f"refused: {report['reason']}"
    if isinstance(verified, VerifiedReceipt) and verified.is_complaint:
        report["complaint"] = True
        said += ": a complaint; nothing was given on it"
    typer.echo(json.dumps(report) if as_json else said)
    raise typer.Exit(0 if ok else 1)


@app.command()
def rights(config: Config, household: HouseholdArgument, as_json: Json = False) -> None:
    """What the installed ledger lists for one household."""
    folder = open_folder(config)
    id = household_id(household)
    installed = Rights(folder.rights)
    found = installed.household(id)
    report = _report(installed, found) if found else {"here": False}
    if as_json:
        typer.echo(json.dumps(report))
    else:
        for name, value in report.items():
            typer.echo(f"{name}: {value}")
    raise typer.Exit(0 if found else 1)


@app.command()
def version(config: Config, as_json: Json = False) -> None:
    """Which ledger is installed on this terminal."""
    number = installed_version(open_folder(config))
    report = json.dumps({"ledger_version": number})
    typer.echo(report if as_json else f"ledger {number}" if number else "no ledger yet")
    raise typer.Exit(0 if number else 1)


def household_id(text: str) -> bytes:
    """A household's id as people type it.

    Raises:
        typer.BadParameter: not 16 hexadecimal digits.
    """
    try:
        id = bytes.fromhex(text)
    except ValueError:
        id = b""
    if len(id) != 8 or len(text) != 16:
        raise typer.BadParameter(f"{text!r} is not a household; give its 16 hexadecimal digits")
    return id


def read_trust(path: Path) -> TrustList:
    """Read a trust list file.

    Raises:
        FolderError: not there, or not a trust list.
    """
    try:
        with path.open("rb") as file:
            data = file.read(TRUST_SIZE_MAX + 1)
        return decode_trust_list(data)
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror}; check --trust") from error
    except CardCodecError as error:
        raise FolderError(f"{path} is not a trust list: {error.detail}; check --trust") from error


def _report(rights: Rights, found: Household) -> dict[str, object]:
    row = found.row
    listed = rights.policy.class_numbered(row.class_number)
    programmes = {p.number: p.id for p in rights.policy.programmes}
    quantities = listed.quantities if listed else ()
    return {
        "here": True,
        "household": row.household.hex(),
        "kecamatan": found.kecamatan,
        "place": found.place,
        "issue": row.issue,
        "class": row.class_number,
        "household_rights": {programmes.get(q.programme): q.quantity for q in quantities},
        "member_rights": [
            {"member": m.member, "programme": programmes.get(m.programme), "quantity": m.quantity}
            for m in row.members
        ],
    }


if __name__ == "__main__":
    main()
