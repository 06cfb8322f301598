"""How every program of the house runs and ends.

Exit codes: 0 done, 1 refused or a check failed, 2 wrong use. What went wrong is one sentence on
stderr; a defect of ours alone ends in a traceback.
"""

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from card_codec.command_line import REFUSED, WRONG_USE

Errors = tuple[type[Exception], ...]


def run(app: typer.Typer, *, wrong_use: Errors = (), refused: Errors, undone: str) -> NoReturn:
    """Run a program's command, and end with its exit code.

    Args:
        app: its commands.
        wrong_use: errors that say a command was not used as it is meant; the first to be asked.
        refused: errors that say something was refused, or does not hold.
        undone: what has not happened when the system refused a file, for the end of a sentence.
    """
    try:
        code = app(standalone_mode=False)
    except wrong_use as error:
        _end(_sentence(error), WRONG_USE)
    except refused as error:
        _end(_sentence(error), REFUSED)
    except TyperException as error:
        told = _line(error.format_message()).rstrip(".")
        _end(f"{told}; see --help" if told else "", WRONG_USE)  # without a word, help was shown
    except OSError as error:
        _end(f"{error.filename or 'this machine'}: {error.strerror}; {undone}", REFUSED)
    sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: Exception) -> str:
    return _line(str(getattr(error, "detail", error)))


def _line(text: str) -> str:
    return " ".join(text.split())


def _end(told: str, code: int) -> NoReturn:
    if told:
        typer.echo(told, err=True)
    sys.exit(code)
