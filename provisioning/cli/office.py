"""Commands that keep the office: roster, cards, terminals."""

from __future__ import annotations

import secrets
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from card_codec.credential import CardKind
from card_codec.trust import encode_trust_list
from ledger.folder import write_whole
from ledger.roll import terminal_name
from provisioning.cards import IssuedCard, Order, issue_card
from provisioning.cli.program import Json, OfficeDir, app, household_id, report
from provisioning.decree import full_trust
from provisioning.demo import make_demo_office
from provisioning.enrol import Enrolment, enrol, seal_to, shut_out
from provisioning.errors import WrongUseError
from provisioning.listing import list_households
from provisioning.look_up_tags import demo_numbers, read_numbers, tag_numbers
from provisioning.office import open_office


class Kind(StrEnum):
    """Kinds of card as the command line names them."""

    CARD = "card"
    SAMPLE = "sample"
    TRAINING = "training"


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="A new or empty folder.")],
    households: Annotated[int, typer.Option(help="How many families.")] = 300,
    kecamatan: Annotated[int, typer.Option(help="How many kecamatan.")] = 2,
    seed: Annotated[int, typer.Option(help="Fixes people, rights and choices; never keys.")] = 1,
    as_json: Json = False,
) -> None:
    """Make an office of people who do not exist."""
    made = make_demo_office(
        folder.resolve(),
        households=households,
        kecamatan=kecamatan,
        seed=seed,
        now=int(time.time()),
    )
    told = {
        "office": str(made.office),
        "households": made.households,
        "kecamatan": list(made.kecamatan),
        "points": list(made.points),
    }
    report(
        told,
        f"{made.households} households in {len(made.kecamatan)} kecamatan: {made.office}",
        as_json=as_json,
    )


@app.command("enrol")
def enrol_command(
    *,
    office: OfficeDir,
    terminal: Annotated[Path, typer.Option(help="The terminal's folder.")],
    name: Annotated[str, typer.Option(help="Name of the terminal.")],
    point: Annotated[str, typer.Option(help="Service point it stands at.")],
    home: Annotated[str, typer.Option(help="Kecamatan it is home to.")],
    province_url: Annotated[str, typer.Option(help="Base URL of the province's intake.")],
    holds: Annotated[
        list[str] | None, typer.Option(help="Kecamatan whose rights it holds; repeat it.")
    ] = None,
    away: Annotated[int, typer.Option(help="Households it may serve away from home.")] = 0,
    officer: Annotated[str, typer.Option(help="Initials of who serves.")] = "-",
    language: Annotated[str, typer.Option(help="Language of its page: id or en.")] = "id",
    again: Annotated[
        int | None,
        typer.Option(help="Number of the terminal whose place it takes, in a new epoch.", min=1),
    ] = None,
    as_json: Json = False,
) -> None:
    """Enrol a terminal: its key into the roster, its papers into its folder."""
    enrolment = Enrolment(
        name=name,
        point=point,
        home=home,
        holds=tuple(holds or ()),
        away=away,
        province_url=province_url,
        officer=officer,
        language=language,
        again=again,
    )
    with open_office(office.resolve()) as opened:
        done = enrol(
            opened,
            terminal.resolve(),
            enrolment,
            now=int(time.time()),
            randomness=secrets.token_bytes,
        )
    told = {
        "ordinal": done.ordinal,
        "epoch": done.epoch,
        "name": name,
        "home": home,
        "config": str(done.config),
    }
    which = terminal_name(done.ordinal, done.epoch)
    words = f"Terminal {which} enrolled; publish again to list it: {done.config}"
    report(told, words, as_json=as_json)


@app.command("shut-out")
def shut_out_command(
    office: OfficeDir,
    terminal: Annotated[str, typer.Option(help="T001, or T001.2 for its second epoch.")],
    as_json: Json = False,
) -> None:
    """Shut a stolen or lost terminal out; it is never let in again, but may be enrolled anew."""
    with open_office(office.resolve()) as opened:
        new = shut_out(opened, terminal, now=int(time.time()))
    words = (
        f"{terminal} is shut out; publish now, and let the province take the release"
        if new
        else f"{terminal} was shut out already; nothing was changed"
    )
    report({"terminal": terminal, "new": new}, words, as_json=as_json)


@app.command("seal-to")
def seal_to_command(
    office: OfficeDir,
    terminal: Annotated[Path, typer.Option(help="The terminal's folder.")],
    as_json: Json = False,
) -> None:
    """Take a new sealing key of an enrolled terminal whose PIN was forgotten."""
    with open_office(office.resolve()) as opened:
        ordinal = seal_to(opened, terminal.resolve())
    words = f"Terminal {ordinal} has a new sealing key; publish again to seal people to it"
    report({"ordinal": ordinal}, words, as_json=as_json)


@app.command("look-up")
def look_up_command(
    office: OfficeDir,
    numbers: Annotated[
        Path | None, typer.Option(help="List of household,member,number; member 0 is the KK.")
    ] = None,
    household: Annotated[
        list[str] | None, typer.Option(help="Of a demonstration: only this one; repeat it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the tags by which counters find families; no number is kept."""
    if numbers is not None and household:
        raise WrongUseError("--household chooses among made-up people; leave it or --numbers out")
    with open_office(office.resolve()) as opened:
        chosen = [household_id(text) for text in household] if household else None
        listed = demo_numbers(opened, chosen) if numbers is None else read_numbers(numbers)
        done = tag_numbers(opened, listed)
    told = {"tags": done.tags, "doubled": list(done.doubled)}
    words = f"{done.tags} numbers lead to their families; publish again to hand them out"
    twice = f"\n{len(done.doubled)} families share a number with another: {', '.join(done.doubled)}"
    report(told, words + (twice if done.doubled else ""), as_json=as_json)


@app.command("numbers")
def numbers_command(
    office: OfficeDir,
    household: Annotated[str, typer.Option(help="Id of the household, 16 hexadecimal digits.")],
    as_json: Json = False,
) -> None:
    """Say the made-up numbers of a demonstration's family: its KK and its members' NIK."""
    with open_office(office.resolve()) as opened:
        found = list(demo_numbers(opened, [household_id(household)]))
    told = [{"member": one.member, "number": one.number} for one in found]
    lines = [f"{'KK' if not one.member else one.member}  {one.number}" for one in found]
    report(told, "\n".join(lines), as_json=as_json)


@app.command()
def card(
    *,
    office: OfficeDir,
    out: Annotated[Path, typer.Option(help="Folder for the card's files.")],
    household: Annotated[
        str | None, typer.Option(help="Id of the household, 16 hexadecimal digits.")
    ] = None,
    issue: Annotated[
        int | None, typer.Option(help="Its number; without it, the current one.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What the card is for.")] = Kind.CARD,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the card the family holds.")
    ] = False,
    unlisted: Annotated[
        bool, typer.Option("--unlisted", help="For a household that stands in no roster.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Issue a paper card: PNG, SVG and text."""
    order = Order(
        household=None if household is None else household_id(household),
        kind=CardKind[kind.name],
        issue=issue,
        replace=replace,
        unlisted=unlisted,
    )
    with open_office(office.resolve()) as opened:
        done = issue_card(
            opened, order, out.resolve(), now=int(time.time()), randomness=secrets.token_bytes
        )
    report(_card_report(done), f"Card of {done.name}: {done.image}", as_json=as_json)


@app.command()
def trust(
    office: OfficeDir,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    as_json: Json = False,
) -> None:
    """Write the trust list: issuers, the province's log and every terminal."""
    with open_office(office.resolve()) as opened:
        trusted = full_trust(opened.roster)
        write_whole(out, encode_trust_list(trusted))
    told = {
        "trust": str(out.resolve()),
        "version": trusted.version,
        "keys": len(trusted.keys),
    }
    report(told, f"{len(trusted.keys)} keys: {out}", as_json=as_json)


@app.command()
def households(
    office: OfficeDir,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many.")] = None,
    desa: Annotated[str | None, typer.Option(help="Only of this desa (10 digits).")] = None,
    as_json: Json = False,
) -> None:
    """List households with their people and what each is owed."""
    with open_office(office.resolve()) as opened:
        found = list(list_households(opened, desa=desa, limit=limit))
    lines = [f"{h['household']}  {h['desa_name']}  {h['name']}" for h in found]
    report(found, "\n".join(lines) or "no household", as_json=as_json)


def _card_report(done: IssuedCard) -> dict[str, Any]:
    return {
        "household": done.household.hex(),
        "card": f"{done.household.hex()}{done.issue:02x}",
        "issue": done.issue,
        "kind": done.kind.name.lower(),
        "name": done.name,
        "image": str(done.image),
        "svg": str(done.drawing),
        "text": done.text,
    }
