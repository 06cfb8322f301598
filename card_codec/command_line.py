"""What the commands of `betang-card` share: reading a file, printing, ending with a sentence."""

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

REFUSED = 1
WRONG_USE = 2

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]


def read_limited(path: Path, size_max: int) -> bytes:
    """The file, or one byte more than `size_max` of it, so that its reader refuses it."""
    with path.open("rb") as file:
        return file.read(size_max + 1)


def why(exc: OSError) -> str:
    """What the system says is wrong, for the middle of a sentence."""
    return (exc.strerror or type(exc).__name__).lower()


def print_json(value: object) -> None:
    """One line of JSON on stdout."""
    json.dump(value, sys.stdout)
    sys.stdout.write("\n")
    sys.stdout.flush()


def stop(sentence: str, code: int) -> NoReturn:
    """End the command with a sentence on stderr."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
