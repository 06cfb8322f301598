"""Opening and closing the day, as a plain page of its own: here people type, and no script runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Form
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import CustodyError, WrongPinError
from ledger.locked_key import PIN_LENGTH_MAX
from terminal.day_desk import DayDesk
from terminal.errors import SecondPersonError, WrongRequestError
from terminal.web.answers import Answers
from terminal.web.page import render


def add_day(app: FastAPI, answers: Answers, day: DayDesk) -> None:
    """The page, and its three acts."""

    @app.get("/day")
    def show(request: Request) -> Response:
        return _page(answers, day, request)

    @app.post("/day/open")
    def open_it(
        request: Request, pin: Annotated[str, Form(max_length=PIN_LENGTH_MAX)] = ""
    ) -> Response:
        return _open(answers, day, request, pin)

    @app.post("/day/close")
    def close_it(request: Request) -> Response:
        day.close()
        return _page(answers, day, request, said="day.closed")

    @app.post("/day/clock")
    def clock(request: Request, second: Annotated[str, Form(max_length=200)] = "") -> Response:
        return _confirm(answers, day, request, second)


def _open(answers: Answers, day: DayDesk, request: Request, pin: str) -> Response:
    try:
        day.open(pin)
    except CustodyError as error:
        has_key = answers.counter.folder.sealing_key.exists()
        wrong = isinstance(error, WrongPinError) or has_key  # or what was typed is no PIN at all
        return _page(answers, day, request, said="day.wrong" if wrong else "day.no_key", status=400)
    return _page(answers, day, request, said="day.opened")


def _confirm(answers: Answers, day: DayDesk, request: Request, second: str) -> Response:
    try:
        day.confirm_clock(second)
    except SecondPersonError:
        return _page(answers, day, request, said="vd.second", status=400)
    except WrongRequestError:
        return _page(answers, day, request, said="day.clock_behind", status=400)
    return _page(answers, day, request, said="day.clock_right")


def _page(
    answers: Answers, day: DayDesk, request: Request, *, said: str = "", status: int = 200
) -> Response:
    words = answers.words(request)
    return render(
        "day.html",
        words,
        status=status,
        said=(words.say(said),) if said else (),
        config=answers.counter.folder.config,
        is_open=day.is_open(),
        date=words.date(day.now()),
        clock=words.clock(day.now()),
        pin_length=PIN_LENGTH_MAX,
    )
