"""Commands of the card station: masters of chips, and batches of cards."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from card_codec.command_line import REFUSED
from card_codec.readers import desk
from card_codec.readers.errors import ReaderError
from ledger.errors import RecordError
from ledger.folder import write_whole
from ledger.mac_verdict import FILE_SIZE_MAX, AskedCommit, Finding, read_asked, write_verdicts
from ledger.repository import Repository
from provisioning.batch import Batch, Line, choose_households, run_batch
from provisioning.chip_log import LoggedChip, every_chip, households_of_chips
from provisioning.chip_masters import (
    GENERATION_MAX,
    ChipMasters,
    FileMasters,
    read_masters,
    read_passphrase,
    write_masters,
)
from provisioning.cli.program import Json, OfficeDir, app, household_id, report
from provisioning.decree import full_trust
from provisioning.errors import WrongUseError
from provisioning.keys import ISSUER, VERDICT
from provisioning.known_redemptions import read_known
from provisioning.mac_check import Checked, check_commits, enrolled_terminals
from provisioning.office import Office, open_office
from provisioning.policy_table import make_policy, read_policy_table
from provisioning.prepare import check_clock
from provisioning.progress import show_progress
from provisioning.redeem_keys import give_redeem_keys
from provisioning.station import Station, Tap

PassphraseFile = Annotated[
    Path | None, typer.Option(help="File with the passphrase of the sealed masters.")
]
Module = Annotated[Path | None, typer.Option(help="PKCS#11 library of a hardware module (*.so).")]
Token = Annotated[str, typer.Option(help="Label of its token.")]
PinFile = Annotated[Path | None, typer.Option(help="File with the PIN of the token's user.")]


@app.command("chip-masters")
def chip_masters_command(
    *,
    office: OfficeDir,
    passphrase_file: PassphraseFile = None,
    generations: Annotated[
        int, typer.Option(min=3, max=GENERATION_MAX + 2, help="Generations there are to be.")
    ] = 3,
    module: Module = None,
    token: Token = "",
    pin_file: PinFile = None,
    as_json: Json = False,
) -> None:
    """Make the masters of chips that are still missing; with a token, lay them into it."""
    if passphrase_file is None:
        raise WrongUseError(
            "the masters are sealed by a passphrase; give it with --passphrase-file"
        )
    passphrase = read_passphrase(passphrase_file)
    with open_office(office.resolve()) as opened:
        path = opened.chip_masters
        before = read_masters(path, passphrase) if path.exists() else FileMasters()
        held = before.completed(
            opened.roster.kecamatan(), generations=generations, randomness=secrets.token_bytes
        )
        if held.masters != before.masters:
            write_masters(path, held, passphrase)
    taken = 0
    if module is not None:
        from provisioning.chip_token import open_token  # only where a module is

        with open_token(module, token, _pin(pin_file), writes=True) as opened_token:
            taken = opened_token.take_in(held)
    told = {
        "masters": len(held.masters),
        "new": len(held.masters) - len(before.masters),
        "laid_into_token": taken,
        "file": str(path),
    }
    words = f"{told['masters']} masters, {told['new']} of them new: {path}"
    report(told, words, as_json=as_json)


@app.command()
def personalise(
    *,
    office: OfficeDir,
    reader: Annotated[
        str | None, typer.Option(help="Name of the reader, or a part of it.", show_default=False)
    ] = None,
    household: Annotated[list[str] | None, typer.Option(help="Who gets a card; repeat it.")] = None,
    desa: Annotated[str | None, typer.Option(help="Everyone of this desa (10 digits).")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Each is the next card of its family.")
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(help="What families took already: the province's redemptions as JSON."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    token: Token = "",
    pin_file: PinFile = None,
    wait: Annotated[
        int, typer.Option(min=1, max=86_400, help="Seconds to wait for the next card.")
    ] = 120,
    as_json: Json = False,
) -> None:
    """Make chip cards of a batch of blank ones; a card that was pulled is finished later."""
    named = [household_id(text) for text in household or ()]
    if bool(named) == bool(desa):
        raise WrongUseError("say who gets a card: with --household, or with --desa, not both")
    if replace and not named:
        raise WrongUseError(
            "--replace makes the next card of families that are named, with --household"
        )
    with (
        open_office(office.resolve()) as opened,
        _masters(opened, passphrase_file, module, token=token, pin_file=pin_file) as masters,
    ):
        station = _station(opened, masters, known, replaces=replace)
        queue = choose_households(opened.roster, named, desa=desa, replaces=replace)
        line = Line(lambda: desk.open_card(reader), float(wait))
        with _shown(len(queue), as_json=as_json) as told:
            try:
                batch = run_batch(station, line, queue, told)
            except ReaderError as error:
                words = f"{error.detail}; cards made so far are good, begin again for the others"
                raise WrongUseError(words) from error
    report(_batch_report(batch), _batch_words(batch), as_json=as_json)
    if not batch.is_whole:
        raise typer.Exit(REFUSED)


@app.command("redeem-keys")
def redeem_keys_command(
    office: OfficeDir,
    terminal: Annotated[list[Path], typer.Option(help="A terminal's folder; repeat it.")],
    generations: Annotated[
        int,
        typer.Option(help="From the oldest in force; 2 while the next takes over.", min=1, max=3),
    ] = 1,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Seal to enrolled terminals the masters by which they open the chips they serve."""
    if passphrase_file is None:
        raise WrongUseError("the masters are sealed by a passphrase; give --passphrase-file")
    passphrase = read_passphrase(passphrase_file)
    with open_office(office.resolve()) as opened:
        held = read_masters(opened.chip_masters, passphrase)
        given = [
            give_redeem_keys(opened, one.resolve(), held, generations=generations)
            for one in terminal
        ]
    told = [
        {"ordinal": one.ordinal, "kecamatan": list(one.kecamatan), "masters": one.masters}
        for one in given
    ]
    lines = [f"Terminal {one.ordinal} opens chips of {', '.join(one.kecamatan)}" for one in given]
    report(told, "\n".join(lines), as_json=as_json)


@app.command("check-tmac")
def check_tmac(
    *,
    asked: Annotated[Path, typer.Argument(help="Commits as the province asks.", metavar="COMMITS")],
    office: OfficeDir,
    out: Annotated[Path, typer.Option(help="The signed verdicts to write.")],
    passphrase_file: PassphraseFile = None,
    module: Module = None,
    token: Token = "",
    pin_file: PinFile = None,
    as_json: Json = False,
) -> None:
    """Check Transaction MACs of chips, and sign what was found; exit 1 if any is invalid."""
    commits = _read_asked(asked)
    with (
        open_office(office.resolve()) as opened,
        _masters(opened, passphrase_file, module, token=token, pin_file=pin_file) as masters,
        show_progress("Checking Transaction MACs", len(commits)) as advance,
    ):
        terminals = enrolled_terminals(opened.roster)
        whose = households_of_chips(opened.roster).get
        checked = list(check_commits(commits, masters, terminals, whose, advance))
        (signer,) = opened.keys.signers(VERDICT)
        verdicts = (one.verdict for one in checked)
        write_whole(out, write_verdicts(verdicts, signer, at=int(time.time())))
    told = _mac_report(checked)
    words = f"{told['valid']} valid, {len(told['invalid'])} invalid, {told['tmv_lost']} lost: {out}"
    if told["unknown_chip"]:
        words += f"; {told['unknown_chip']} of chips that this office never made"
    report({**told, "verdicts": str(out.resolve())}, words, as_json=as_json)
    if told["invalid"]:
        raise typer.Exit(REFUSED)


@app.command()
def chips(office: OfficeDir, as_json: Json = False) -> None:
    """List every chip this card station began: its UID, whose card it is, how far it has come."""
    with open_office(office.resolve()) as opened:
        listed = [_chip(chip) for chip in every_chip(opened.roster)]
    lines = [f"{c['uid']}  {c['household']}  {c['issue']}  {c['progress']}" for c in listed]
    report(listed, "\n".join(lines) or "no chip", as_json=as_json)


def _read_asked(path: Path) -> tuple[AskedCommit, ...]:
    try:
        with path.open("rb") as file:
            return read_asked(file.read(FILE_SIZE_MAX + 1))
    except OSError as error:
        raise WrongUseError(f"{path} cannot be read: {error.strerror}; name a file") from error
    except RecordError as error:
        raise WrongUseError(
            f"{path}: {error.detail}; take the file that `betang-sync province ask-macs` wrote"
        ) from error


def _mac_report(checked: list[Checked]) -> dict[str, Any]:
    found = [one.verdict.finding for one in checked]
    return {
        "checked": len(checked),
        "valid": found.count(Finding.VALID),
        "invalid": [
            {
                "uid": one.verdict.uid.hex(),
                "counter": one.verdict.counter,
                "record": one.verdict.record.hex(),
            }
            for one in checked
            if one.verdict.finding is Finding.INVALID
        ],
        "tmv_lost": found.count(Finding.LOST),
        "before_differs": sum(one.before_differs for one in checked),
        "unknown_chip": sum(one.verdict.household is None for one in checked),
    }


def _station(
    office: Office, masters: ChipMasters, known: Path | None, *, replaces: bool
) -> Station:
    check_clock(Repository(office.release), int(time.time()))  # cards say when they were made
    table = read_policy_table(office.policy_table)
    policy = make_policy(table, number=0, places=())
    (signer,) = office.keys.signers(ISSUER)
    return Station(
        office=office,
        masters=masters,
        signer=signer,
        trust=full_trust(office.roster),
        audience=table.audience,
        known={} if known is None else read_known(known, policy, now=int(time.time())),
        replaces=replaces,
        now=lambda: int(time.time()),
        draw=secrets.token_bytes,
    )


@contextmanager
def _masters(
    office: Office,
    passphrase_file: Path | None,
    module: Path | None,
    *,
    token: str,
    pin_file: Path | None,
) -> Iterator[ChipMasters]:
    """From the sealed file, or out of a hardware module."""
    if (passphrase_file is None) == (module is None):
        raise WrongUseError(
            "say where the masters are: in the sealed file (--passphrase-file), or in a hardware"
            " module (--module, --token, --pin-file)"
        )
    if passphrase_file is not None:
        yield read_masters(office.chip_masters, read_passphrase(passphrase_file))
        return
    assert module is not None
    from provisioning.chip_token import open_token  # only where a module is

    with open_token(module, token, _pin(pin_file)) as opened:
        yield opened


def _pin(path: Path | None) -> str:
    if path is None:
        raise WrongUseError("a token is opened by the PIN of its user; give it with --pin-file")
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(100).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUseError(f"the PIN cannot be read from {path}; name a file") from error


@contextmanager
def _shown(cards: int, *, as_json: bool) -> Iterator[Callable[[Tap], None]]:
    """A bar on stderr where somebody looks; a line for each card unless JSON was asked for."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("lay down a blank card", total=cards)

        def told(tap: Tap) -> None:
            bar.update(task, advance=int(tap.is_done), description=tap.words[:60])
            if not as_json:
                typer.echo(f"{tap.uid.hex() if tap.uid else '-'}  {tap.outcome}  {tap.words}")

        yield told


def _batch_report(batch: Batch) -> dict[str, Any]:
    return {
        "cards": [
            {
                "uid": tap.uid.hex() if tap.uid else None,
                "household": tap.chip.household.hex() if tap.chip else None,
                "issue": tap.chip.issue if tap.chip else None,
                "outcome": tap.outcome,
                "detail": tap.words,
            }
            for tap in batch.taps
        ],
        "made": sum(tap.is_done for tap in batch.taps),
        "waiting": [household.hex() for household in batch.waiting],
        "unfinished": [_chip(chip) for chip in batch.unfinished],
    }


def _chip(chip: LoggedChip) -> dict[str, Any]:
    return {
        "number": chip.number,
        "uid": chip.uid.hex(),
        "household": chip.household.hex(),
        "issue": chip.issue,
        "progress": chip.progress,
    }


def _batch_words(batch: Batch) -> str:
    made = sum(tap.is_done for tap in batch.taps)
    lines = [f"{made} cards are good"]
    if batch.waiting:
        lines.append(f"{len(batch.waiting)} households still wait; run it again with blank cards")
    lines += [
        f"chip {chip.uid.hex()} is unfinished: lay it down again, or give household"
        f" {chip.household.hex()} the next card with --replace"
        for chip in batch.unfinished
    ]
    return "\n".join(lines)
