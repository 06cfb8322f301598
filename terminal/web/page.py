"""Templates and the files of the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from terminal.words import Words

STATIC_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
STATIC_NAMES = (
    *("counter.css", "verdict.css", "print.css", "after.css"),
    *("counter.js", "stage.js", "wedge.js", "camera.js", "sound.js", "bar.js", "frame.js"),
    *("number.js", "reader.js"),
)


STOP_STYLE = (
    "body{margin:0;display:grid;place-content:center;min-height:100vh;padding:2rem;"
    "background:#faf8f3;color:#1b1a17;font:1.5rem/1.4 sans-serif}h1{font-size:3rem;margin:0}"
)
"""Style of the page that is shown where no file may be given; the policy holds its hash."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the page."""

    data: bytes
    content_type: str


@cache
def static_file(name: str) -> StaticFile | None:
    """The file of that name; None for any name not on the list (never a path)."""
    if name not in STATIC_NAMES:
        return None
    content_type = STATIC_TYPES[name.rpartition(".")[2]]
    return StaticFile(files("terminal.web").joinpath("static", name).read_bytes(), content_type)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("terminal.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, words: Words, *, status: int = 200, **values: object) -> Response:
    """A template in a language, as an answer."""
    text = _templates().get_template(template).render(w=words, language=words.language, **values)
    return HTMLResponse(text, status)
