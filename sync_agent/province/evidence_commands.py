"""``betang-sync province code`` and ``receipt``: what somebody tells or shows, and the log."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.element import RedemptionId
from ledger.entry import Complaint
from ledger.head_code import read_code, read_id
from sync_agent.province.evidence import Shown
from sync_agent.province.program import Config, Json, opened, say
from sync_agent.province.province import Province


def code(
    config: Config,
    number: Annotated[str, typer.Argument(help="as it was told: T001-0017")],
    text: Annotated[str, typer.Argument(metavar="CODE", help="its eight characters: 7Q2M-0XKD")],
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="it was misheard: it shows nothing any more")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold a code told by telephone against the log; an entry not there opens a case."""
    id, told = read_id(number), read_code(text)
    with opened(config) as province:
        if withdraw:
            _withdraw(province, id, told, as_json)
            return
        shown = province.tell_code(id, told)
    sentence = {
        Shown.HELD: f"{id.number()} is in the log, and all before it",
        Shown.CODE: f"{id.number()} is in the log by another code: ask for it once more; if it"
        " stays, keep the machine and tell the office",
        Shown.MISSING: f"{id.number()} has not arrived: its terminal owes entries",
    }[shown]
    say({"number": id.number(), "shown": shown.value}, sentence, as_json)
    raise typer.Exit(0 if shown is Shown.HELD else 1)


def _withdraw(province: Province, id: RedemptionId, code: str, as_json: bool) -> None:
    was_told = province.withdraw_code(id, code)
    which = f"{id.number()} with the code {code}"
    words = f"{which} is withdrawn" if was_told else f"nobody has told {which}; check both"
    say({"number": id.number(), "withdrawn": was_told}, words, as_json)
    raise typer.Exit(0 if was_told else 1)


def receipt(
    config: Config,
    text: Annotated[str, typer.Argument(help="what stands on the slip: KHR1…")],
    as_json: Json = False,
) -> None:
    """Hold a family's slip against the log; one that is not there opens a case."""
    with opened(config) as province:
        shown, entry = province.show_slip(text)
    number = entry.id.number()
    sentence = {
        Shown.HELD: f"{number} is in the log",
        Shown.FORK: f"{number} is signed but the log holds another entry there: a fork is open",
        Shown.MISSING: f"{number} is signed but never arrived: its terminal owes entries",
    }[shown]
    report: dict[str, object] = {"number": number, "shown": shown.value}
    if isinstance(entry.content, Complaint):
        report["complaint"] = True
        sentence = f"a complaint, nothing was given on it: {sentence}"
    say(report, sentence, as_json)
    raise typer.Exit(0 if shown is Shown.HELD else 1)
