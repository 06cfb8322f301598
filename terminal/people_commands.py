"""Commands of ``betang-terminal`` about people and risk: the day, look-up, contents, exposure."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from card_codec.refusal import Refused
from ledger.clock import SystemClock
from ledger.contents import read_contents
from ledger.custody import FileCustody, KeyCustody, OpenedCustody, open_day, unlock
from ledger.day_room import find_room
from ledger.element import RedemptionId
from ledger.folder import open_folder
from ledger.head_code import head_code
from ledger.journal import open_journal
from ledger.people import open_people
from ledger.totals import units_given
from terminal.contents_table import contents_table
from terminal.exposure_table import exposure_table
from terminal.opening import open_for_use, read_pin, read_typed, room_of

Config = Annotated[Path, typer.Option("--config", help="terminal.toml, or the terminal's folder")]
Json = Annotated[bool, typer.Option("--json", help="one JSON line")]
PinFile = Annotated[Path, typer.Option(help="file with the day's PIN in its first line")]


def add_people_commands(app: typer.Typer) -> None:
    """Give these commands to the program."""
    app.command("open-day")(open_day_command)
    app.command("close-day")(close_day_command)
    app.command("look-up")(look_up_command)
    app.command("contents")(contents_command)
    app.command("exposure")(exposure_command)


def open_day_command(config: Config, pin_file: PinFile, as_json: Json = False) -> None:
    """Open people files for the day; the key lies in memory until the day is closed."""
    folder, clock = open_folder(config), SystemClock()
    room = room_of(folder)
    open_day(folder, room, read_pin(pin_file), clock.read())
    people = open_people(folder, FileCustody(room, clock))
    desa, problems = sorted(people.files), list(people.problems)
    report = {"open": True, "people": desa, "problems": problems}
    told = [f"open: people of {len(desa)} villages", *problems]
    typer.echo(json.dumps(report) if as_json else "\n".join(told))


def close_day_command(config: Config, as_json: Json = False) -> None:
    """Wipe the day's key and record its totals; people files stay sealed until the next day."""
    folder = open_folder(config)
    room = find_room(folder.root)
    was_open = room is not None and room.wipe()  # first: no fault of the journal leaves it open
    totals = _close(config) if folder.journal.exists() else None
    report = {"open": False, "was_open": was_open, "totals": totals}
    if totals is not None and not as_json:
        for name, value in totals.items():
            typer.echo(f"{name}: {value}")
    typer.echo(json.dumps(report) if as_json else "closed" if was_open else "was not open")


def _close(config: Path) -> dict[str, object] | None:
    """The totals that were recorded; None when nothing happened since the last close."""
    counter = open_for_use(config)
    try:
        closed = counter.close_day()
        names = {programme.number: programme.id for programme in counter.programmes()}
    finally:
        counter.close()
    if closed is None:
        return None
    number, code = _closing_code(config)
    units = {names.get(n, str(n)): given for n, given in units_given(closed).items()}
    return {
        "redemptions": closed.redemptions,
        "voids": closed.voids,
        "refusals": closed.refusals,
        "paid": closed.paid,
        "units": units,
        "number": number,
        "code": code,
    }


def _closing_code(config: Path) -> tuple[str, str]:
    """Number and code of the newest entry: read out by telephone, the office knows what is owed."""
    journal = open_journal(open_folder(config).journal, reading=True)
    try:
        head, me = journal.head(), journal.identity
    finally:
        journal.close()
    id = RedemptionId(me.terminal, me.epoch, head.seq)
    return id.number(), head_code(id, head.leaf)


def look_up_command(config: Config, as_json: Json = False) -> None:
    """Find a family by a NIK or KK number typed on stdin; the look-up is recorded."""
    typed = read_typed()
    counter = open_for_use(config)
    try:
        counter.take_in_box()
        outcome = counter.look_up(typed)
    finally:
        counter.close()
    if isinstance(outcome, Refused):
        report: dict[str, object] = {
            "outcome": "refused",
            "reason": str(outcome.reason),
            "count": outcome.facts.count,
        }
        line = f"refused: {outcome.reason}"
    else:
        report = {
            "outcome": "found",
            "reason": None,
            "household": outcome.household.hex(),
            "member": outcome.member,
            "name": outcome.name,
            "person": outcome.person,
            "place": outcome.place,
            "number": outcome.mask,
            "record": outcome.record,
        }
        line = f"{outcome.name}, {outcome.place} ({outcome.mask}); compare with KTP and KK"
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else line)
    raise typer.Exit(1 if isinstance(outcome, Refused) else 0)


def contents_command(
    config: Config,
    pin_file: Annotated[
        Path | None, typer.Option(help="file with the day's PIN, to count what is sealed")
    ] = None,
    as_json: Json = False,
) -> None:
    """What a thief of this terminal could read, taken open and taken closed; changes nothing."""
    folder, clock = open_folder(config), SystemClock()
    room = find_room(folder.root)
    custody: KeyCustody = FileCustody(room, clock)
    day_open = custody.is_open()
    if pin_file is not None:
        custody = OpenedCustody(unlock(folder, read_pin(pin_file), clock.read()))
    contents = read_contents(folder, custody, day_open=day_open)
    if as_json:
        typer.echo(json.dumps(asdict(contents), ensure_ascii=False))
    else:
        typer.echo("\n".join(contents_table(contents)))


def exposure_command(
    config: Config,
    event: Annotated[
        int | None, typer.Option(help="terminals at a planned event that do not hear each other")
    ] = None,
    as_json: Json = False,
) -> None:
    """What could be given twice and what a thief could give, in rupiah; gives nothing."""
    counter = open_for_use(config)
    try:
        counter.take_in_box()
        found = counter.exposure(event=event)
    finally:
        counter.close()
    told = json.dumps(asdict(found)) if as_json else "\n".join(exposure_table(found))
    typer.echo(told)
