"""What every command of ``betang-sync province`` begins and ends with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ledger.clock import SystemClock
from sync_agent.province.folder import open_province
from sync_agent.province.province import Province

Config = Annotated[Path, typer.Option("--config", help="province.toml, or its folder")]
Json = Annotated[bool, typer.Option("--json", help="one JSON line")]


@contextmanager
def opened(config: Path) -> Iterator[Province]:
    """The open province of a configuration."""
    clock = SystemClock()
    province = Province(open_province(config), now=lambda: clock.read().wall)
    try:
        yield province
    finally:
        province.close()


def say(report: object, words: str, as_json: bool) -> None:
    """One JSON line, or words for people."""
    typer.echo(json.dumps(report) if as_json else words)
