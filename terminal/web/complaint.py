"""A family's complaint on the page: asked on a screen of its own, then recorded, then its slip.

Three keys from the refusal: F3 asks, Enter files, F2 prints. Ink on paper: it is no verdict.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from card_codec.refusal import Refused
from terminal.complaint import Filed
from terminal.web.acts import Act
from terminal.web.answers import Answers
from terminal.web.asked import Asked
from terminal.web.screen import PAPER, Kind, Screen, Shape
from terminal.web.slip import complaint_slip
from terminal.web.wording import in_language
from terminal.words import Words


class About(Asked):
    """The act whose refusal is complained of."""

    act: Annotated[str, Field(max_length=64)]


def add_complaints(app: FastAPI, answers: Answers) -> None:
    """Asking whether to file, and filing."""

    @app.post("/complaint")
    def ask(request: Request, about: About) -> Response:
        act = answers.acts.shown(about.act)
        refusal = _refusal(act)
        if act is None or refusal is None:
            return answers.act(request, act)
        return answers.screen(request, _asked(answers, act, refusal, answers.words(request)))

    @app.post("/complaint/file")
    def file(request: Request, about: About) -> Response:
        act = answers.acts.shown(about.act)
        refusal = _refusal(act)
        if act is None or refusal is None:
            return answers.act(request, act)
        programme = act.request.programme
        filed = answers.counter.file_complaint(refusal.entry, programme=programme)
        if isinstance(filed, Refused):
            return answers.refusal(request, filed)
        return answers.screen(request, _filed(answers, act, filed, answers.words(request)))


def _refusal(act: Act | None) -> Refused | None:
    """What can be complained of: a refusal that stands in the journal."""
    if act is None or not isinstance(act.outcome, Refused) or not act.outcome.entry:
        return None
    return act.outcome


def _asked(answers: Answers, act: Act, refusal: Refused, words: Words) -> Screen:
    """What will be recorded, before it is."""
    known = answers.counter.programmes()
    programme = next((p for p in known if p.id == act.request.programme), None)
    return Screen(
        kind=Kind.COMPLAIN,
        tone=PAPER,
        shape=Shape.NOTE,
        word=words.say("a.ask"),
        act=act.id,
        place=in_language(programme.name, words) if programme else None,
        lines=(words.rich("a.why", why=words.say(f"why.{refusal.reason}")),),
        sentence=words.say("a.what"),
        reason=refusal.reason,
    )


def _filed(answers: Answers, act: Act, filed: Filed, words: Words) -> Screen:
    """Its number, large, and its slip."""
    counter = answers.counter
    said = filed.complaint.reason
    return Screen(
        kind=Kind.FILED,
        tone=PAPER,
        shape=Shape.NOTE,
        word=words.say("status.filed"),
        under=words.say("a.no", no=filed.number),
        act=act.id,
        lines=(
            words.rich("a.why", why=words.say(f"why.{said}")),
            *((words.rich("a.again"),) if filed.again else ()),
        ),
        sentence=words.say("a.give"),
        slip=complaint_slip(filed, counter.folder.config, words, policy=counter.policy),
        reason=said,
        number=filed.number,
    )
