"""Two officers give in spite of a fault that is not the family's, as a plain page of its own.

A second person types here, so no script runs. A scan that lands in the field is too long for
initials, and its Enter gives nothing: the box that says who was compared stays empty.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from card_codec.refusal import Refused
from terminal.counter import Presentation
from terminal.errors import CardFaultError, SecondPersonError
from terminal.web.acts import Act
from terminal.web.answers import Answers
from terminal.web.page import render
from terminal.web.screen import gets, pays

Id = Annotated[str, Form(max_length=64)]
Text = Annotated[str, Form(max_length=4096)]


def add_by_two(app: FastAPI, answers: Answers) -> None:
    """The page of an act that two officers may give, and giving it."""

    @app.get("/by-two")
    def show(request: Request, act: str = "") -> Response:
        return _page(answers, request, answers.acts.shown(act))

    @app.post("/by-two")
    def give(request: Request, act: Id, second: Text = "", compared: Text = "") -> Response:
        return _give(answers, request, act, second=second, compared=bool(compared))


def _give(answers: Answers, request: Request, id: str, *, second: str, compared: bool) -> Response:
    """Give by the same road as the command; the page then shows what came of it."""
    act = answers.acts.shown(id)
    if act is None or act.by_two is None:
        return _page(answers, request, act)
    words = answers.words(request)
    if not compared:
        return _page(answers, request, act, said=words.say("o.not_compared"), second=second)
    try:
        _record(answers, id, second)
    except SecondPersonError:
        return _page(answers, request, act, said=words.say("vd.second"))
    except CardFaultError as error:
        said = words.say(f"reader.{error.state}", reader=error.reader)
        return _page(answers, request, act, said=said, second=second)
    return RedirectResponse(f"/?shown={id}", 303)


def _record(answers: Answers, id: str, second: str) -> None:
    """Record what the act showed; the chip whose history is wanting must lie there still."""
    uid = answers.acts.chip_of(id)
    if uid is None or answers.chips is None:
        answers.acts.give(id, second=second)
        return
    with answers.chips.tap(uid=uid) as heard:
        answers.acts.give(id, Presentation.of_tap(heard), second=second)


def _page(
    answers: Answers, request: Request, act: Act | None, *, said: str = "", second: str = ""
) -> Response:
    """What they would give; of an act that is over, what came of it."""
    if act is None:
        return answers.told(request, 409, "e.gone")
    if act.by_two is None or not isinstance(act.outcome, Refused):
        return RedirectResponse(f"/?shown={act.id}", 303)
    words, found = answers.words(request), act.by_two
    return render(
        "by_two.html",
        words,
        status=400 if said else 200,
        said=(said,) if said else (),
        config=answers.counter.folder.config,
        act=act.id,
        why=words.say(f"o.{act.outcome.reason}"),
        approved=found.approved,
        lines=(gets(found.approved, words), pays(found.approved, words)),
        used=words.say("o.used", n=found.used, most=found.per_day),
        second=second,
    )
