"""Chips on the page: what the reader is in, a card that was laid down, and giving by it."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from card_codec.readers.status import ReaderState
from terminal.counter import Presentation, Redeemed
from terminal.counter import Request as Wish
from terminal.errors import CardFaultError
from terminal.web.answers import Answers
from terminal.web.asked import Asked
from terminal.web.chips import WAIT_SECONDS_MAX
from terminal.web.screen import fault

QUIET = frozenset({ReaderState.NO_CARD, ReaderState.CARD})
"""What a reader is in all day: nothing is wrong."""
STATUS = {
    ReaderState.NO_CARD: "status.lay_card",
    ReaderState.MUTE: "status.tap_again",
    ReaderState.CARD_REMOVED: "status.tap_again",
    ReaderState.CARD_CHANGED: "status.other_card",
    ReaderState.TWO_CARDS: "status.one_card",
}
"""What hands can put right is told as what to do; anything else is a fault."""


class Laid(Asked):
    """A card was laid on the reader; ``meant`` if a person shows it once more on purpose."""

    programme: Annotated[str, Field(max_length=64)]
    meant: bool = False


class Give(Asked):
    """The act to record."""

    act: Annotated[str, Field(max_length=64)]


def add_taps(app: FastAPI, answers: Answers) -> None:
    """The reader's state, a tap, and giving what an act showed."""

    @app.get("/reader")
    def reader(request: Request, seen: int = 0) -> Response:
        """Answers when the state is no longer the one that was seen, or when time is up."""
        return _state(answers, request, seen)

    @app.post("/tap")
    def tap(request: Request, laid: Laid) -> Response:
        return _tap(answers, request, laid)

    @app.post("/redeem")
    def redeem(request: Request, give: Give) -> Response:
        return _give(answers, request, give.act)


def _state(answers: Answers, request: Request, seen: int) -> Response:
    if answers.chips is None:
        return JSONResponse({"number": 0, "state": None, "taps": 0, "text": "", "quiet": True})
    view = answers.chips.view(seen, wait_seconds=WAIT_SECONDS_MAX)
    said = answers.words(request).say(f"reader.{view.state}", reader=answers.chips.name)
    return JSONResponse(
        {
            "number": view.number,
            "state": view.state,
            "taps": view.taps,
            "text": said,
            "quiet": view.state in QUIET,
        }
    )


def _tap(answers: Answers, request: Request, laid: Laid) -> Response:
    """The chip that lies there, judged; the reader is free again when this returns."""
    if answers.chips is None:
        return answers.told(request, 400, "e.request")
    try:
        with answers.chips.tap() as heard:
            presentation = Presentation.of_tap(heard)
            return answers.look(request, presentation, Wish(laid.programme), meant=laid.meant)
    except CardFaultError as error:
        return reader_fault(answers, request, error)


def _give(answers: Answers, request: Request, id: str) -> Response:
    """Record what an act showed; a chip must lie there still, and is opened anew."""
    uid = answers.acts.chip_of(id)
    if uid is None or answers.chips is None:
        return answers.act(request, answers.acts.give(id))
    try:
        with answers.chips.tap(uid=uid) as heard:
            return answers.act(request, answers.acts.give(id, Presentation.of_tap(heard)))
    except CardFaultError as error:
        act = answers.acts.shown(id)  # another request of the same act may have given meanwhile
        if act is not None and isinstance(act.outcome, Redeemed):
            return answers.act(request, act)
        return reader_fault(answers, request, error)


def reader_fault(answers: Answers, request: Request, error: CardFaultError) -> Response:
    """What the reader is in, as a screen: nothing was given, and the card may be laid again."""
    words = answers.words(request)
    status = STATUS.get(error.state, "status.fault")
    screen = fault(f"reader.{error.state}", words, status=status, reader=error.reader)
    return answers.screen(request, screen, status=409)
