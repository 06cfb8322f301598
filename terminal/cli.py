"""``betang-terminal``: the counter from the command line.

Exit codes: 0 done, 1 refused or a check failed, 2 wrong use. Each error is one sentence.
"""

from __future__ import annotations

import json
import secrets
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from card_codec.errors import CardCodecError
from card_codec.program import run
from card_codec.readers.scan import scan_picture
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.clock import SystemClock
from ledger.day_room import find_room
from ledger.entry import Presented
from ledger.errors import FolderError, JournalError, LedgerError, NotSavedError
from ledger.locked_key import check_pin
from terminal.chip_reader import Chip, redeem_on_reader
from terminal.counter import Counter, Found, Presentation, Redeemed, Request
from terminal.day_commands import add_day_commands
from terminal.day_desk import DayDesk
from terminal.decision import ChooseMember, Verdict
from terminal.demo.prepare import is_used, prepare
from terminal.errors import CardFaultError, TerminalError, WrongRequestError
from terminal.init import add_sealing_key, make_keys
from terminal.opening import open_for_use, read_pin, read_typed
from terminal.people_commands import add_people_commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The counter from the command line.",
)

add_people_commands(app)
add_day_commands(app)

Config = Annotated[Path, typer.Option("--config", help="terminal.toml, or the terminal's folder")]
Json = Annotated[bool, typer.Option("--json", help="one JSON line")]
WIB = timezone(timedelta(hours=7))
PICTURE_SIZE_MAX = 20 * 1024 * 1024


def main() -> None:
    """Run; every defect becomes one sentence."""
    run(
        app,
        wrong_use=(FolderError, WrongRequestError),
        refused=(LedgerError, TerminalError),
        undone="nothing was given",
    )


@app.command()
def init(
    folder: Annotated[Path, typer.Option("--dir", help="the terminal's folder")],
    pin_file: Annotated[
        Path | None, typer.Option(help="file with the day's PIN: makes a sealing key too")
    ] = None,
    new_sealing_key: Annotated[
        bool, typer.Option("--new-sealing-key", help="the PIN is forgotten: begin anew")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a terminal's own keys; the office enrols their public halves."""
    if new_sealing_key and pin_file is None:
        raise WrongRequestError("a sealing key is locked under a PIN: say --pin-file")
    pin = read_pin(pin_file) if pin_file else None
    if pin is not None:
        check_pin(pin)
    has_key = (folder / "keys" / "terminal.pem").exists()
    public = folder / "keys" / "terminal.pub" if has_key and pin else make_keys(folder)
    sealing = pin and add_sealing_key(
        folder, pin, randomness=secrets.token_bytes, anew=new_sealing_key
    )
    report = {"folder": str(folder), "public": str(public)}
    if sealing:
        report["sealing"] = str(sealing)
    told = f"{public} and {sealing}" if sealing else str(public)
    typer.echo(json.dumps(report) if as_json else f"give {told} to the office to enrol")


@app.command()
def redeem(  # noqa: PLR0917 - a command's options
    config: Config,
    programme: Annotated[str, typer.Option(help="id of the programme")],
    image: Annotated[Path | None, typer.Option(help="picture of the card")] = None,
    text: Annotated[str | None, typer.Option(help="text of the card, KHB1…")] = None,
    reader: Annotated[
        str | None, typer.Option(help="card reader with the chip on it: its name or a part of it")
    ] = None,
    by_look_up: Annotated[
        bool, typer.Option("--look-up", help="by a NIK or KK number, read from stdin")
    ] = False,
    member: Annotated[int | None, typer.Option(help="number of the person")] = None,
    quantity: Annotated[
        int | None, typer.Option(help="units; all that is left if not said")
    ] = None,
    second: Annotated[
        str | None,
        typer.Option("--exception", help="initials of a second officer who agrees to an exception"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one card at this counter: give, or refuse and say why."""
    _check_one_card(image, text, reader, by_look_up or None)
    shown = Chip(reader) if reader is not None else _presentation(image, text)
    try:
        outcome, unit = _show(
            open_for_use(config), shown, Request(programme, member, quantity, second)
        )
    except JournalError as error:
        if not as_json:
            raise
        # A caller reads the reason from the report, a person the sentence.
        typer.echo(error.detail, err=True)
        unsaved = isinstance(error, NotSavedError)
        outcome, unit = Refused(Reason.NOT_SAVED if unsaved else Reason.JOURNAL_DAMAGED), None
    except CardFaultError as error:
        if not as_json:
            raise
        typer.echo(str(error), err=True)
        outcome, unit = Refused(Reason.UNREADABLE), None
    if isinstance(outcome, ChooseMember):
        known = ", ".join(str(m) for m in outcome.members)
        raise WrongRequestError(f"{programme} is for one person: say --member (of {known})")
    report = _report(outcome, unit=unit)
    typer.echo(json.dumps(report) if as_json else _line(report))
    raise typer.Exit(0 if isinstance(outcome, Redeemed) else 1)


def _show(
    counter: Counter, shown: str | Presentation | Chip, request: Request
) -> tuple[Redeemed | Verdict, str | None]:
    """Show what was brought at an open counter; gives the outcome and the programme's unit."""
    try:
        counter.take_in_box()
        # Before somebody is looked for in vain, or a card is touched.
        unit = counter.programme(request.programme).unit.id if counter.programmes() else None
        if isinstance(shown, Chip):
            return redeem_on_reader(counter, shown.reader, request), unit
        found = counter.look_up(shown) if isinstance(shown, str) else shown
        if isinstance(found, Found):
            found = Presentation.of_found(found)
        return found if isinstance(found, Refused) else counter.redeem(found, request), unit
    finally:
        counter.close()


@app.command()
def serve(
    config: Config,
    port: Annotated[int, typer.Option(help="on loopback; 0 for any free one")] = 0,
    embed: Annotated[
        str | None, typer.Option(help="the one origin that may frame the page")
    ] = None,
    reader: Annotated[
        str | None, typer.Option(help="card reader for chips; that of terminal.toml if not said")
    ] = None,
) -> None:
    """Serve the counter's page on this machine until SIGTERM; prints one JSON line when ready."""
    from terminal.web.chips import ChipDesk  # a web server is not needed to redeem
    from terminal.web.serve import serve as serve_page

    token = secrets.token_urlsafe(24)

    def ready(bound: int) -> None:
        url = f"http://127.0.0.1:{bound}/?token={token}"
        typer.echo(json.dumps({"ready": True, "url": url}))
        sys.stdout.flush()

    counter = open_for_use(config, serving=True)
    try:
        counter.take_in_box()
        name = reader or counter.folder.config.reader
        chips = ChipDesk(counter, name) if name else None
        room = find_room(counter.folder.root)
        day = DayDesk(counter, room, SystemClock()) if room else None
        serve_page(counter, port=port, token=token, ready=ready, embed=embed, chips=chips, day=day)
    finally:
        counter.close()


@app.command()
def state(config: Config, as_json: Json = False) -> None:
    """Where this counter stands: entries, ledger, what waits for a road."""
    counter = open_for_use(config)
    try:
        counter.take_in_box()
        now = counter.state()
    finally:
        counter.close()
    report = {
        "seq": now.seq,
        "head": now.head,
        "last": now.last.number if now.last else None,
        "waiting": now.waiting,
        "ledger_version": now.ledger_version,
        "away_left": now.away_left,
        "twice_rupiah": now.twice_rupiah,
        "problem": now.problem,
        "unfinished": list(now.unfinished),
        "newer_ledger": now.newer.ledger,
        "newer_software": now.newer.software,
    }
    if as_json:
        typer.echo(json.dumps(report))
        return
    for name, value in report.items():
        typer.echo(f"{name}: {value}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="where the demo keeps everything")],
    seed: Annotated[
        int | None, typer.Option(help="fixes people, rights and choices, not keys; 1")
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="make, do not serve")
    ] = False,
    as_json: Json = False,
) -> None:
    """Two counters, a province and twelve cards on one page of this machine."""
    with Console(stderr=True).status("") as status:  # shows on a terminal only, and leaves no line
        report = prepare(folder, seed=seed, say=status.update)
    if prepare_only and is_used(folder):
        raise WrongRequestError(f"{folder} has served already; delete it or choose another folder")
    if prepare_only:
        typer.echo(json.dumps(report) if as_json else f"made {folder}")
        return
    from terminal.demo.run import run_demo  # a web server is not needed to redeem

    run_demo(folder, report, say=typer.echo)


def _check_one_card(*ways: object) -> None:
    if sum(way is not None for way in ways) != 1:
        raise WrongRequestError("show one card: --image, --text, --reader or --look-up")


def _presentation(image: Path | None, text: str | None) -> Presentation | str:
    """What was shown; digits that were typed. A picture without a code is shown as no text."""
    if image is None and text is None:
        return read_typed()
    if image is None:
        return Presentation(text or "", Presented.TEXT)
    try:
        with image.open("rb") as file:
            data = file.read(PICTURE_SIZE_MAX + 1)
    except OSError as error:
        raise WrongRequestError(f"cannot read {image}: {error.strerror}; check --image") from error
    try:
        texts = scan_picture(data)
    except CardCodecError as error:
        typer.echo(f"{image}: {error.detail}. Give a PNG or JPEG picture of the card.", err=True)
        texts = ()
    cards = [found for found in texts if found.upper().startswith("KHB")]
    if len(cards) > 1:
        raise WrongRequestError(f"{image} shows {len(cards)} cards; show one card at a time")
    return Presentation((cards or texts or ("",))[0], Presented.PICTURE)


def _report(outcome: Redeemed | Verdict, *, unit: str | None) -> dict[str, object]:
    """The outcome in the words of the interface."""
    if isinstance(outcome, Redeemed):
        return {
            "outcome": "approved",
            "reason": None,
            "detail": None,
            "receipt": {"text": outcome.receipt, "number": outcome.number},
            "left": outcome.approved.left_after,
            "unit": unit,
        }
    if not isinstance(outcome, Refused):
        raise TypeError(f"a command ends in a redemption or a refusal, not {outcome!r}")
    left = outcome.facts.count if outcome.reason is Reason.MORE_THAN_LEFT else None
    return {
        "outcome": "refused",
        "reason": str(outcome.reason),
        "detail": _detail(outcome.facts),
        "receipt": None,
        "left": 0 if outcome.reason is Reason.ALREADY_REDEEMED else left,
        "unit": unit,
    }


def _detail(facts: Facts) -> dict[str, object] | None:
    if facts.at is None and facts.point is None and facts.redemption is None:
        return None
    at = datetime.fromtimestamp(facts.at, UTC).astimezone(WIB) if facts.at else None
    return {
        "at": at.isoformat() if at else None,
        "point": facts.point,
        "terminal": facts.terminal,
        "redemption": facts.redemption,
    }


def _line(report: dict[str, object]) -> str:
    receipt = report["receipt"]
    if isinstance(receipt, dict):
        return f"approved: receipt {receipt['number']}, {report['left']} {report['unit']} left"
    return f"refused: {report['reason']} {report['detail'] or ''}".rstrip()


if __name__ == "__main__":
    main()
