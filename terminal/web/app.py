"""The counter's page as a web application: requests in, screens out. No rule is decided here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Form
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from card_codec.errors import CardCodecError
from card_codec.readers.scan import Effort, scan_picture
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.entry import Presented
from ledger.look import LookFile, look_file
from terminal.counter import Presentation
from terminal.counter import Request as Wish
from terminal.day_desk import DayDesk
from terminal.errors import WrongRequestError
from terminal.web.acts import Acts
from terminal.web.after import add_after
from terminal.web.answers import Answers, Served
from terminal.web.asked import Asked
from terminal.web.by_two import add_by_two
from terminal.web.chips import ChipDesk
from terminal.web.complaint import add_complaints
from terminal.web.day import add_day
from terminal.web.edge import add_edge
from terminal.web.guard import PICTURE_BYTES_MAX, Door, Guard
from terminal.web.page import StaticFile, static_file
from terminal.web.taps import add_taps
from terminal.words import Language

DONE_MILLISECONDS = 2_000
ACT_LENGTH_MAX = 64
_COOKIE_SECONDS = 365 * 86_400


class Scan(Asked):
    """A text, as a scanner typed it; ``meant`` if a person shows it once more on purpose."""

    text: Annotated[str, Field(max_length=32_000)]
    programme: Annotated[str, Field(max_length=64)]
    member: Annotated[int, Field(ge=1, le=255)] | None = None
    meant: bool = False


class Typed(Asked):
    """A number of a KTP or KK, as an officer typed it."""

    digits: Annotated[str, Field(max_length=64)]
    programme: Annotated[str, Field(max_length=64)]


class Meant(Asked):
    """An act by its id: a look-up that was compared, or what a page begins with."""

    act: Annotated[str, Field(max_length=ACT_LENGTH_MAX)]


class Choice(Asked):
    """The member an act is for."""

    act: Annotated[str, Field(max_length=64)]
    member: Annotated[int, Field(ge=1, le=255)]


def create_app(
    counter: Served,
    *,
    port: int,
    token: str,
    embed: str | None = None,
    done_milliseconds: int = DONE_MILLISECONDS,
    monotonic: Callable[[], float] = time.monotonic,
    chips: ChipDesk | None = None,
    day: DayDesk | None = None,
) -> FastAPI:
    """The page of one counter.

    Args:
        counter: the opened terminal.
        port: where the page listens on loopback.
        token: random for each start.
        embed: the one origin that may frame the page and type into it.
        done_milliseconds: how long a recorded redemption stays on the screen; 0 = until a key.
        monotonic: seconds that only rise.
        chips: the card reader of this counter; None for none.
        day: opens and closes the day; None where the system keeps no folder in memory.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    door = Door(port, token, embed)
    acts = Acts(counter, monotonic=monotonic)
    answers = Answers(counter, door, acts, done_milliseconds, chips, has_day=day is not None)
    _add_page(app, answers)
    _add_choices(app, answers)
    _add_acts(app, answers)
    _add_look_up(app, answers)
    add_taps(app, answers)
    add_after(app, answers)
    add_by_two(app, answers)
    add_complaints(app, answers)
    if day is not None:
        add_day(app, answers, day)
    _add_ends(app, answers)
    return app


def _add_page(app: FastAPI, answers: Answers) -> None:
    """The page itself, its files and its state."""
    door = answers.door

    @app.get("/")
    def page(request: Request, token: str | None = None, shown: str = "") -> Response:
        if token is None:
            return answers.whole_page(request, shown=shown[:ACT_LENGTH_MAX])
        if not door.is_token(token):
            return answers.told(request, 403, "e.token")
        entered = RedirectResponse("/", 303)
        entered.set_cookie(door.cookie, door.session, httponly=True, samesite="strict")
        return entered

    @app.get("/state")
    def state(request: Request) -> Response:
        now = answers.counter.state()
        return JSONResponse(answers.bar(request, now).as_json(now))

    @app.get("/look/{name}")
    def look(name: str) -> Response:
        return _file(look_file(name))

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        return _file(static_file(name))


def _add_choices(app: FastAPI, answers: Answers) -> None:
    """What this browser remembers: language and service. Plain forms; they need no script."""

    @app.post("/language")
    def choose_language(language: Annotated[Language, Form()]) -> Response:
        return _remember(answers.language_cookie, language)

    @app.post("/service")
    def choose_service(programme: Annotated[str, Form(max_length=64)]) -> Response:
        known = {one.id for one in answers.counter.programmes()}
        if programme not in known:
            return RedirectResponse("/", 303)
        return _remember(answers.service_cookie, programme)


def _add_acts(app: FastAPI, answers: Answers) -> None:
    """A card is shown, a member chosen, the act recorded. Each answers with a screen."""

    @app.post("/scan")
    def scan(request: Request, asked: Scan) -> Response:
        presentation = Presentation(asked.text, Presented.TEXT)
        wish = Wish(asked.programme, asked.member)
        return answers.look(request, presentation, wish, meant=asked.meant)

    @app.post("/picture")
    async def picture(request: Request) -> Response:
        async with request.form(max_files=1, max_fields=4) as form:
            upload, programme = form.get("picture"), form.get("programme")
            if not isinstance(upload, UploadFile) or not isinstance(programme, str):
                return answers.told(request, 400, "e.request")
            data = await upload.read()
            frame = form.get("frame") is not None
        if len(data) > PICTURE_BYTES_MAX:
            return answers.told(request, 413, "e.too_big")
        return await run_in_threadpool(
            _look_at_picture, answers, request, data, programme=programme, frame=frame
        )

    @app.post("/shown")
    def shown(request: Request, meant: Meant) -> Response:
        return answers.act(request, answers.acts.shown(meant.act))

    @app.post("/choose")
    def choose(request: Request, choice: Choice) -> Response:
        return answers.act(request, answers.acts.choose(choice.act, choice.member))


def _add_look_up(app: FastAPI, answers: Answers) -> None:
    """A number is typed, the family compared; the digits are in no address and no log."""

    @app.post("/look-up")
    def look_up(request: Request, typed: Typed) -> Response:
        return answers.look_up(request, typed.digits, Wish(typed.programme))

    @app.post("/match")
    def match(request: Request, matched: Meant) -> Response:
        return answers.act(request, answers.acts.match(matched.act))


def _add_ends(app: FastAPI, answers: Answers) -> None:
    """Everything that is not an answer: refused at the door, not understood, gone wrong."""

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(WrongRequestError)
    def not_understood(request: Request, _: Exception) -> Response:
        return answers.told(request, 400, "e.request")

    @app.exception_handler(HTTPException)
    def no_such_thing(request: Request, error: HTTPException) -> Response:
        return answers.told(request, error.status_code, "e.request")

    def refuse(scope: Scope, status: int, key: str) -> Response:
        return answers.told(Request(scope), status, key)

    add_edge(app, answers.told)
    app.add_middleware(Guard, door=answers.door, refuse=refuse)


def _look_at_picture(
    answers: Answers, request: Request, data: bytes, *, programme: str, frame: bool
) -> Response:
    """A camera's frame without a code is no presentation; a chosen picture without one is."""
    effort = Effort.FRAME if frame else Effort.STILL
    try:
        texts = scan_picture(data, effort=effort)
    except CardCodecError:
        return answers.refusal(request, Refused(Reason.UNREADABLE))
    if frame and not texts:
        return Response(status_code=204)
    cards = [text for text in texts if text.upper().startswith("KHB")]
    if len(cards) > 1:
        return answers.told(request, 400, "e.two_cards")
    presentation = Presentation((cards or texts or ("",))[0], Presented.PICTURE)
    return answers.look(request, presentation, Wish(programme))


def _file(found: LookFile | StaticFile | None) -> Response:
    if found is None:
        raise HTTPException(404)
    return Response(found.data, media_type=found.content_type)


def _remember(cookie: str, value: str) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(cookie, value, max_age=_COOKIE_SECONDS, httponly=True, samesite="strict")
    return answer
