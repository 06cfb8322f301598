"""The look that every page of the project shares: one typeface, one mark, one sheet of tokens.

It lies in the ledger because the counter, the province and the demo all stand on it and may not
import one another. The font is Atkinson Hyperlegible Next under the SIL Open Font Licence 1.1,
whose text lies beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

CONTENT_TYPES = {
    "base.css": "text/css; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "atkinson-hyperlegible-next.woff2": "font/woff2",
    "atkinson-hyperlegible-next.LICENSE.txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class LookFile:
    """A file of the look, and what to call it in an answer."""

    data: bytes
    content_type: str


@cache
def look_file(name: str) -> LookFile | None:
    """The file of that name; None for any name not on the list (never a path)."""
    content_type = CONTENT_TYPES.get(name)
    if content_type is None:
        return None
    return LookFile(files("ledger.look").joinpath(name).read_bytes(), content_type)
