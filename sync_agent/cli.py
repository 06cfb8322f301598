"""``betang-sync``: the road, and the province's end of it.

Exit codes: 0 done, 1 refused or the road failed, 2 wrong use. Each error is one sentence.
"""

from __future__ import annotations

import json
import signal
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from card_codec.errors import CardCodecError
from card_codec.program import run
from ledger.clock import SystemClock
from ledger.errors import FolderError, LedgerError
from ledger.folder import open_folder
from sync_agent.agent import Report, sync_once
from sync_agent.errors import SyncError
from sync_agent.province.cli import app as province
from sync_agent.roads import open_road
from sync_agent.watch import watch_until

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The road to the province, and the province's end of it.",
)
app.add_typer(province, name="province")

Config = Annotated[Path, typer.Option("--config", help="terminal.toml, or the terminal's folder")]
Json = Annotated[bool, typer.Option("--json", help="one JSON line")]


def main() -> None:
    """Run; every defect becomes one sentence."""
    run(
        app,
        wrong_use=(FolderError,),
        refused=(SyncError, LedgerError, CardCodecError),
        undone="nothing was sent",
    )


@app.command()
def once(
    config: Config,
    where: Annotated[
        str | None, typer.Option("--with", help="URL, folder or stick; the province's URL")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send what waits, bring what is offered, once."""
    folder = open_folder(config)
    with closing(open_road(folder, where)) as road:
        report = sync_once(folder, road, now=SystemClock().read().wall)
    _say(report, as_json)


@app.command()
def watch(config: Config, as_json: Json = False) -> None:
    """Sync again and again, at longer intervals while the road is closed, until SIGTERM."""
    folder = open_folder(config)
    stopped = Event()
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda _number, _frame: stopped.set())

    def act() -> Report:
        with closing(open_road(folder, None)) as road:
            return sync_once(folder, road, now=SystemClock().read().wall)

    watch_until(
        stopped,
        act,
        on_report=lambda report: _say(report, as_json),
        on_trouble=lambda words: _say_trouble(words, as_json),
    )


def _say_trouble(words: str, as_json: bool) -> None:
    """With --json on stdout: who reads the reports must not take silence for a good road."""
    if as_json:
        typer.echo(json.dumps({"trouble": words}))
    else:
        typer.echo(words, err=True)


def _say(report: Report, as_json: bool) -> None:
    words = (
        f"{report.uploaded} sent, {report.accepted} new at the province, acknowledged up to"
        f" {report.acknowledgement or 'nothing yet'}; ledger {report.ledger_version},"
        f" {report.usage_new} new elements of usage"
    )
    if report.code is not None:
        words += f"\ncode of {report.handed_over}: {report.code}"
    if report.waits is not None:
        words += (
            "\nnothing was laid down: no ledger has come yet, and it names whom to seal entries to;"
            " bring one, then sync again"
        )
    typer.echo(json.dumps(asdict(report)) if as_json else words)
