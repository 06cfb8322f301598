"""`betang-provision`: the program, its end, and how it reports.

Exit codes: 0 done, 1 refused or a check failed, 2 wrong use. Reports go to stdout, with ``--json``
as one JSON value; what went wrong is one sentence on stderr.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from card_codec.errors import CardCodecError
from card_codec.program import run
from ledger.errors import LedgerError
from provisioning.errors import ProvisioningError, WrongUseError

app = typer.Typer(
    help="Keep the roster and the keys; publish rights; issue cards; enrol terminals.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
OfficeDir = Annotated[Path, typer.Option("--office", help="The office's folder.")]


def main() -> None:
    """Run; every defect becomes one sentence."""
    run(
        app,
        wrong_use=(WrongUseError,),
        refused=(ProvisioningError, LedgerError, CardCodecError),
        undone="check it and repeat",
    )


def household_id(text: str) -> bytes:
    """A household's id from 16 hexadecimal digits.

    Raises:
        WrongUseError: it is none.
    """
    if re.fullmatch(r"[0-9a-fA-F]{16}", text) is None:
        raise WrongUseError(f"{text!r} is not a household's id; give 16 hexadecimal digits")
    return bytes.fromhex(text)


def report(value: object, words: str, *, as_json: bool) -> None:
    """Say what was done, in words or as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else words)
