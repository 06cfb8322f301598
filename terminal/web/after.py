"""What comes after a redemption, as a plain page of its own: the last hand-over, and a void.

A scanner's keys are taken wherever the counter's page listens; here people type, so no script runs.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Form
from starlette.requests import Request
from starlette.responses import Response

from terminal.after import receipt_seq
from terminal.errors import SecondPersonError, TooLateError, WrongRequestError
from terminal.web.answers import Answers
from terminal.web.page import render

Text = Annotated[str, Form(max_length=200)]


def add_after(app: FastAPI, answers: Answers) -> None:
    """The page, and its two acts."""

    @app.get("/after")
    def after(request: Request) -> Response:
        return _page(answers, request)

    @app.post("/after/handed-over")
    def handed_over(request: Request) -> Response:
        return _answer(answers, request, handed_over=True)

    @app.post("/after/not-handed-over")
    def not_handed_over(request: Request, second: Text = "") -> Response:
        return _answer(answers, request, handed_over=False, second=second)

    @app.post("/after/void")
    def void(request: Request, receipt: Text, reason: Text = "", second: Text = "") -> Response:
        config = answers.counter.folder.config
        try:
            seq = receipt_seq(receipt, config.ordinal, config.epoch)
            voided = answers.counter.void(seq, reason=reason, second=second)
        except WrongRequestError as error:
            return _refused(answers, request, error)
        words = answers.words(request)
        cash = (words.say("vd.cash", rp=words.money(voided.paid)),) if voided.paid else ()
        return _page(answers, request, said=(voided.number, words.say("vd.done"), *cash))


def _answer(answers: Answers, request: Request, *, handed_over: bool, second: str = "") -> Response:
    try:
        answers.counter.answer_handover(handed_over=handed_over, second=second)
    except WrongRequestError as error:
        return _refused(answers, request, error)
    said = answers.words(request).say("vd.given" if handed_over else "vd.done")
    return _page(answers, request, said=(said,))


def _refused(answers: Answers, request: Request, error: WrongRequestError) -> Response:
    """Why not; the family's right stands as it stood."""
    key = "vd.check"
    if isinstance(error, TooLateError):
        key = "vd.late"
    elif isinstance(error, SecondPersonError):
        key = "vd.second"
    return _page(answers, request, said=(answers.words(request).say(key),), status=400)


def _page(
    answers: Answers, request: Request, *, said: tuple[str, ...] = (), status: int = 200
) -> Response:
    state = answers.counter.state()
    asked = state.last if state.asks_handover else None
    return render(
        "after.html",
        answers.words(request),
        status=status,
        said=said,
        config=answers.counter.folder.config,
        asked=asked.number if asked else "",
        last=state.last.number if state.last else "",
    )
