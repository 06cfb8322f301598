"""One table on the screen and one file of figures for every bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and its aim: at most, or at least."""

    name: str
    value: float
    unit: str
    aim: float | None
    holds: bool
    sign: str = "≤"


def told(name: str, value: float, unit: str) -> Figure:
    """A figure without an aim: the floor another one is held against."""
    return Figure(name, round(value, 4), unit, None, holds=True)


def at_most(name: str, value: float, unit: str, aim: float) -> Figure:
    """A figure that should not be above its aim."""
    return Figure(name, round(value, 4), unit, aim, value <= aim)


def at_least(name: str, value: float, unit: str, aim: float) -> Figure:
    """A figure that should not be below its aim."""
    return Figure(name, round(value, 4), unit, aim, value >= aim, sign="≥")


def report(bench: str, figures: list[Figure], *, notes: Callable[[], str] | None = None) -> bool:
    """Print the table, write ``out/BENCH.json``; True when every aim holds."""
    table = Table(title=bench)
    for heading in ("what", "measured", "aim", "holds"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for figure in figures:
        holds = "yes" if figure.holds else "NO"
        aim = "" if figure.aim is None else f"{figure.sign} {figure.aim:g}"
        measured = f"{figure.value:g} {figure.unit}"
        table.add_row(figure.name, measured, aim, holds if aim else "")
    console = Console()
    console.print(table)
    if notes:
        console.print(notes())
    OUT.mkdir(exist_ok=True)
    (OUT / f"{bench}.json").write_text(json.dumps([asdict(f) for f in figures], indent=1) + "\n")
    return all(f.holds for f in figures)
