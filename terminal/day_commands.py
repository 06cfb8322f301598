"""Commands of ``betang-terminal`` for what comes after a redemption: void, hand-over."""

from __future__ import annotations

import json
import re
from typing import Annotated

import typer

from terminal.errors import WrongRequestError
from terminal.opening import open_for_use
from terminal.people_commands import Config, Json

_RECEIPT = re.compile(r"T([0-9]{3,5})(?:\.([0-9]{1,3}))?-([0-9]{4,10})\Z", re.ASCII)


def add_day_commands(app: typer.Typer) -> None:
    """Give these commands to the program."""
    app.command("void")(void_command)
    app.command("handover")(handover_command)


def void_command(
    config: Config,
    receipt: Annotated[str, typer.Option(help="number of the receipt, T001-0017")],
    reason: Annotated[str, typer.Option(help="why, in a few words")],
    second: Annotated[str, typer.Option(help="initials of a second person")],
    as_json: Json = False,
) -> None:
    """Take back a redemption of today, before the close; then take back goods and money."""
    counter = open_for_use(config)
    try:
        voided = counter.void(
            _seq(receipt, counter.folder.config.ordinal, counter.folder.config.epoch),
            reason=reason,
            second=second,
        )
    finally:
        counter.close()
    report = {"receipt": voided.number, "void": voided.void}
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


def _seq(receipt: str, ordinal: int, epoch: int) -> int:
    """The entry's number, if the receipt is of this terminal and epoch."""
    match = _RECEIPT.match(receipt.strip().upper())
    if match is None:
        raise WrongRequestError(f"{receipt!r} is no receipt's number; it reads like T001-0017")
    terminal, of_epoch, seq = int(match[1]), int(match[2] or 1), int(match[3])
    if (terminal, of_epoch) != (ordinal, epoch):
        raise WrongRequestError(
            f"{receipt} is of another terminal or epoch; take it back there, or ask the office"
        )
    return seq
