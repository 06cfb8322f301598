"""What comes after a redemption, as a plain page of its own: the last hand-over, and a void.

A scanner's keys are taken wherever the counter's page listens; here people type, so no script runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Form
from starlette.requests import Request
from starlette.responses import Response

from card_codec.reason import Reason
from card_codec.refusal import Refused
from terminal.after import Voided, receipt_seq
from terminal.errors import (
    CardFaultError,
    OtherCardError,
    SecondPersonError,
    TooLateError,
    UnfinishedError,
    WrongRequestError,
)
from terminal.web.answers import Answers
from terminal.web.page import render

Text = Annotated[str, Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form; kept there when it is refused, so that nobody types twice."""

    receipt: str = ""
    reason: str = ""
    second: str = ""


EMPTY = Typed()


class ClosedChipError(WrongRequestError):
    """The chip that took it lies there, and its key is locked until the day is opened."""


class MuteChipError(WrongRequestError):
    """The chip that took it lies there, and does not let itself be opened."""


TOLD: dict[type[WrongRequestError], str] = {
    TooLateError: "vd.late",
    SecondPersonError: "vd.second",
    UnfinishedError: "vd.unfinished",
    OtherCardError: "vd.other_card",
    ClosedChipError: "vd.closed_chip",
    MuteChipError: "vd.mute_chip",
}


def add_after(app: FastAPI, answers: Answers) -> None:
    """The page, and its acts."""

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
        return _void(answers, request, Typed(receipt, reason, second), with_card=True)

    @app.post("/after/void-without-card")
    def void_without_card(
        request: Request, receipt: Text, reason: Text = "", second: Text = ""
    ) -> Response:
        return _void(answers, request, Typed(receipt, reason, second), with_card=False)


def _void(answers: Answers, request: Request, typed: Typed, *, with_card: bool) -> Response:
    """Take back by the same road as the command: the entry, then the card, then goods and money."""
    words, config = answers.words(request), answers.counter.folder.config
    try:
        seq = receipt_seq(typed.receipt, config.ordinal, config.epoch)
        uid = answers.counter.check_void(seq, reason=typed.reason, second=typed.second)
        voided = _voided(answers, seq, typed, uid=uid if with_card else None)
    except WrongRequestError as error:
        return _refused(answers, request, error, typed=typed)
    except CardFaultError as error:
        said = (
            words.say("vd.card_wanted", no=typed.receipt.strip().upper()),
            words.say(f"reader.{error.state}", reader=error.reader),
        )
        return _page(answers, request, said=said, status=409, typed=typed, wants_card=True)
    cash = (words.say("vd.cash", rp=words.money(voided.paid)),) if voided.paid else ()
    noted = words.say("vd.on_card" if voided.on_card else "vd.not_on_card")
    card = (noted,) if uid is not None else ()
    return _page(answers, request, said=(voided.number, words.say("vd.done"), *cash, *card))


def _voided(answers: Answers, seq: int, typed: Typed, *, uid: bytes | None) -> Voided:
    """With the chip that took it, where a chip did and it is not said to be away.

    Raises:
        CardFaultError: that chip cannot be asked; nothing was taken back.
        WrongRequestError: it may not be taken back here.
    """
    counter = answers.counter
    if uid is None or answers.chips is None:
        return counter.void(seq, reason=typed.reason, second=typed.second)
    with answers.chips.tap() as heard:
        if heard.uid == uid and isinstance(heard.heard, Refused):
            locked = heard.heard.reason is Reason.CHIP_CLOSED
            kind = ClosedChipError if locked else MuteChipError
            raise kind(f"the chip cannot write: {heard.heard.reason}")
        return counter.void(seq, reason=typed.reason, second=typed.second, tap=heard)


def _answer(answers: Answers, request: Request, *, handed_over: bool, second: str = "") -> Response:
    try:
        answers.counter.answer_handover(handed_over=handed_over, second=second)
    except WrongRequestError as error:
        return _refused(answers, request, error)
    said = answers.words(request).say("vd.given" if handed_over else "vd.done")
    return _page(answers, request, said=(said,))


def _refused(
    answers: Answers, request: Request, error: WrongRequestError, *, typed: Typed = EMPTY
) -> Response:
    """Why not, and what to do; the family's right stands as it stood."""
    key = next((key for kind, key in TOLD.items() if isinstance(error, kind)), "vd.check")
    said = (answers.words(request).say(key),)
    wants_card = isinstance(error, OtherCardError | ClosedChipError | MuteChipError)
    return _page(answers, request, said=said, status=400, typed=typed, wants_card=wants_card)


def _page(
    answers: Answers,
    request: Request,
    *,
    said: tuple[str, ...] = (),
    status: int = 200,
    typed: Typed = EMPTY,
    wants_card: bool = False,
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
        typed=typed,
        has_reader=answers.chips is not None,
        wants_card=wants_card,
    )
