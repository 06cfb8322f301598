"""Commands of ``betang-terminal`` for what comes after an act: void, hand-over, complaint."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Annotated

import typer

from card_codec.refusal import Refused
from ledger.clock import WIB
from terminal.after import receipt_seq
from terminal.chip_reader import void_on_reader
from terminal.opening import open_for_use
from terminal.people_commands import Config, Json


def add_day_commands(app: typer.Typer) -> None:
    """Give these commands to the program."""
    app.command("void")(void_command)
    app.command("handover")(handover_command)
    app.command("clock")(clock_command)
    app.command("complaint")(complaint_command)


def void_command(  # noqa: PLR0917 - a command's options
    config: Config,
    receipt: Annotated[str, typer.Option(help="number of the receipt, T001-0017")],
    reason: Annotated[str, typer.Option(help="why, in a few words")],
    second: Annotated[str, typer.Option(help="initials of a second person")],
    reader: Annotated[
        str | None, typer.Option(help="card reader with the chip that took it on it")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take back a redemption of today, before the close; then take back goods and money."""
    counter = open_for_use(config)
    try:
        seq = receipt_seq(receipt, counter.folder.config.ordinal, counter.folder.config.epoch)
        if reader is None:
            voided = counter.void(seq, reason=reason, second=second)
        else:
            voided = void_on_reader(counter, reader, seq, reason=reason, second=second)
    finally:
        counter.close()
    report = {
        "receipt": voided.number,
        "void": voided.void,
        "paid_back": voided.paid,
        "on_card": voided.on_card,
    }
    line = f"{voided.number} is taken back ({voided.void}): now take back goods and money"
    typer.echo(json.dumps(report) if as_json else line)


def handover_command(
    config: Config,
    yes: Annotated[bool, typer.Option("--yes/--no", help="the goods went over the counter")],
    second: Annotated[str, typer.Option(help="with --no: initials of a second person")] = "",
    as_json: Json = False,
) -> None:
    """Answer the question after a restart: were the goods of the last redemption handed over?"""
    counter = open_for_use(config, serving=True)
    try:
        counter.answer_handover(handed_over=yes, second=second)
        head = counter.state().seq
    finally:
        counter.close()
    report = {"handed_over": yes, "seq": head}
    line = "recorded: handed over" if yes else "recorded: not handed over, and taken back"
    typer.echo(json.dumps(report) if as_json else line)


def clock_command(
    config: Config,
    second: Annotated[str, typer.Option(help="initials of a second person who has looked too")],
    as_json: Json = False,
) -> None:
    """Say that the machine's clock is right; compare it with another clock first."""
    counter = open_for_use(config)
    try:
        wall = counter.confirm_clock(second=second)
    finally:
        counter.close()
    at = datetime.fromtimestamp(wall, timezone(timedelta(seconds=WIB)))
    report = {"confirmed": at.isoformat(), "second": second}
    line = f"confirmed: {at:%Y-%m-%d %H.%M} WIB; it counts for a day"
    typer.echo(json.dumps(report) if as_json else line)


def complaint_command(
    config: Config,
    refusal: Annotated[
        str | None, typer.Option(help="number of the refusal, T001-0017; the newest")
    ] = None,
    programme: Annotated[
        str, typer.Option(help="after a look-up: id of the programme that was wanted")
    ] = "",
    as_json: Json = False,
) -> None:
    """File a family's complaint about a refusal; it gets a number and a slip."""
    counter = open_for_use(config)
    try:
        mine = counter.folder.config
        about = None if refusal is None else receipt_seq(refusal, mine.ordinal, mine.epoch)
        filed = counter.file_complaint(about, programme=programme)
    finally:
        counter.close()
    if isinstance(filed, Refused):
        report: dict[str, object] = {"outcome": "refused", "reason": str(filed.reason)}
        line = f"refused: {filed.reason}; show the card once more, then complain of that refusal"
    else:
        report = {
            "outcome": "filed",
            "reason": filed.complaint.reason,
            "number": filed.number,
            "about": filed.about,
            "slip": filed.slip,
            "again": filed.again,
        }
        line = f"complaint {filed.number} about {filed.about} ({filed.complaint.reason})"
    typer.echo(json.dumps(report) if as_json else line)
    raise typer.Exit(1 if isinstance(filed, Refused) else 0)
