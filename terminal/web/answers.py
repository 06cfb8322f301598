"""What a request is answered with: a screen laid into the page, or a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.folder import TerminalFolder
from ledger.policy import Policy, Programme
from terminal.after import Voided
from terminal.chip_tap import Tap
from terminal.complaint import Filed
from terminal.counter import CounterState, Presentation
from terminal.counter import Request as Wish
from terminal.web.acts import Act, Acts, Judge
from terminal.web.bar import Bar, make_bar
from terminal.web.chips import ChipDesk
from terminal.web.guard import Door
from terminal.web.page import STOP_STYLE, render
from terminal.web.screen import Screen, fault, make_screen, refused
from terminal.web.wording import in_language
from terminal.words import LANGUAGES, Language, Words, words

FRAGMENTS = frozenset(
    {"/scan", "/picture", "/tap", "/look-up", "/match", "/choose", "/redeem", "/shown"}
    | {"/complaint", "/complaint/file"}
)
"""Paths whose answer the page lays into itself."""
OF_THE_TERMINAL = {
    "e.save": ("status.not_saved", "red"),
    "e.tamper": ("status.stop", "red"),
    "e.gone": ("status.pass", "grey"),
}
"""Status word and colour of a fault; others are ADA GANGGUAN in grey."""


class Served(Judge, Protocol):
    """What the page needs of a counter."""

    folder: TerminalFolder

    @property
    def policy(self) -> Policy | None:
        """The installed policy."""
        ...

    def state(self) -> CounterState:
        """What the screen says beside the verdict."""
        ...

    def check_void(self, seq: int, *, reason: str, second: str) -> bytes | None:
        """Look whether it may be taken back; UID of the chip that took it, if one did."""
        ...

    def void(self, seq: int, *, reason: str, second: str, tap: Tap | None = None) -> Voided:
        """Take back a redemption of today."""
        ...

    def file_complaint(self, about: int | None = None, *, programme: str = "") -> Filed | Refused:
        """File a complaint about a refusal."""
        ...

    def answer_handover(self, *, handed_over: bool, second: str = "") -> None:
        """Answer whether the goods of the last redemption went over."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one counter's page.

    Attributes:
        done_milliseconds: how long a recorded redemption stays; 0 = until a key.
        chips: the card reader of this counter; None for none.
        has_day: the day can be opened on the page.
    """

    counter: Served
    door: Door
    acts: Acts
    done_milliseconds: int
    chips: ChipDesk | None = None
    has_day: bool = False

    @property
    def language_cookie(self) -> str:
        """Remembers the language, for this port."""
        return f"{self.door.cookie}-language"

    @property
    def service_cookie(self) -> str:
        """Remembers the service, for this port."""
        return f"{self.door.cookie}-service"

    def words(self, request: Request) -> Words:
        """The words of the language this browser chose, else of the terminal's."""
        chosen = request.cookies.get(self.language_cookie)
        configured = self.counter.folder.config.language
        return words(_language(chosen) or _language(configured) or "id")

    def programme(self, request: Request) -> Programme | None:
        """The service this browser chose, else the first; None before a ledger is here."""
        programmes = self.counter.programmes()
        chosen = request.cookies.get(self.service_cookie)
        first = programmes[0] if programmes else None
        return next((p for p in programmes if p.id == chosen), first)

    def whole_page(self, request: Request, *, shown: str = "") -> Response:
        """The page, ready for a card.

        Args:
            shown: id of an act whose screen it begins with; the card that lies there was served.
        """
        w, programme = self.words(request), self.programme(request)
        return render(
            "page.html",
            w,
            config=self.counter.folder.config,
            programme=programme,
            programmes=self.counter.programmes(),
            in_language=in_language,
            bar=self.bar(request),
            embed=self.door.embed or "",
            done_milliseconds=self.done_milliseconds,
            reader=self.chips.name if self.chips else "",
            has_day=self.has_day,
            shown=shown,
            taps=self.chips.view().taps if self.chips and shown else -1,
        )

    def bar(self, request: Request, state: CounterState | None = None) -> Bar:
        """The counter's state in words."""
        state = state or self.counter.state()
        return make_bar(state, self.words(request), mean_seconds=self.acts.mean_seconds)

    def look(
        self, request: Request, presentation: Presentation, wish: Wish, *, meant: bool = False
    ) -> Response:
        """Show a card and answer with what came of it."""
        not_now = self._not_now(request, wish)
        return not_now or self.act(request, self.acts.show(presentation, wish, meant=meant))

    def look_up(self, request: Request, typed: str, wish: Wish) -> Response:
        """Look for a family and answer with whom it led to."""
        return self._not_now(request, wish) or self.act(request, self.acts.look_up(typed, wish))

    def _not_now(self, request: Request, wish: Wish) -> Response | None:
        """Why nothing can be judged: no ledger yet, or a programme it does not name."""
        names = {programme.id for programme in self.counter.programmes()}
        if not names:
            return self.refusal(request, Refused(Reason.NO_LEDGER))
        return None if wish.programme in names else self.told(request, 400, "e.request")

    def act(self, request: Request, act: Act | None) -> Response:
        """The screen of an act; of one no longer held, that it has passed."""
        if act is None:
            return self.told(request, 409, "e.gone")
        screen = make_screen(
            act.outcome,
            act=act.id,
            words=self.words(request),
            config=self.counter.folder.config,
            state=self.counter.state(),
            policy=self.counter.policy,
            without_card=act.presentation is not None and act.presentation.found is not None,
            by_two=act.by_two is not None,
        )
        return self.screen(request, screen, again=act.again)

    def refusal(self, request: Request, refusal: Refused) -> Response:
        """A refusal that is no act: nothing was judged."""
        words = self.words(request)
        return self.screen(
            request,
            refused(refusal, act="", words=words, state=self.counter.state(), policy=None),
        )

    def screen(
        self, request: Request, screen: Screen, *, status: int = 200, again: bool = False
    ) -> Response:
        """A screen as the page lays it in."""
        return render("screen.html", self.words(request), status=status, screen=screen, again=again)

    def told(self, request: Request, status: int, key: str) -> Response:
        """One sentence: laid into the page, or as a page of its own."""
        words = self.words(request)
        wording, tone = OF_THE_TERMINAL.get(key, ("status.fault", "grey"))
        policy = self.counter.policy
        telephone = policy.complaints if policy else None
        screen = fault(key, words, status=wording, tone=tone, tel=telephone)
        template = "screen.html" if request.url.path in FRAGMENTS else "stop.html"
        return render(template, words, status=status, screen=screen, again=False, style=STOP_STYLE)


def _language(name: str | None) -> Language | None:
    return next((known for known in LANGUAGES if known == name), None)
