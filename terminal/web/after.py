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
            answers.counter.void(seq, reason=reason, second=second)
        except WrongRequestError as error:
            return _page(answers, request, said=_why(error), status=400)
        return _page(answers, request, said="vd.done")


def _answer(answers: Answers, request: Request, *, handed_over: bool, second: str = "") -> Response:
    try:
        answers.counter.answer_handover(handed_over=handed_over, second=second)
    except WrongRequestError as error:
        return _page(answers, request, said=_why(error), status=400)
    return _page(answers, request, said="vd.given" if handed_over else "vd.done")


def _page(
    answers: Answers, request: Request, *, said: str | None = None, status: int = 200
) -> Response:
    state, words = answers.counter.state(), answers.words(request)
    asked = state.last if state.asks_handover else None
    return render(
        "after.html",
        words,
        status=status,
        said=words.say(said) if said else "",
        done=status == 200,
        asked=asked.number if asked else "",
        last=state.last.number if state.last else "",
    )


def _why(error: WrongRequestError) -> str:
    if isinstance(error, TooLateError):
        return "vd.late"
    return "vd.second" if isinstance(error, SecondPersonError) else "vd.check"
