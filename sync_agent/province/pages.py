"""The desk: what arrived and what was taken twice, for people of the province.

Opened once with the token of this start, then by a cookie that only this page's own site sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from ledger.look import look_file
from sync_agent.errors import IntakeRefusedError, ProvinceError
from sync_agent.province.accounts import SHOWN_MAX, Listed
from sync_agent.province.cases import Case, Claim
from sync_agent.province.complaints import complaint_data
from sync_agent.province.doors import DeskKey, Rate
from sync_agent.province.evidence import ChainCase, ChainKind
from sync_agent.province.mac_verdicts import MacCase
from sync_agent.province.province import Province
from sync_agent.province.words import LANGUAGES, Language, Words, at_wib, words

STATIC = {"desk.css": "text/css; charset=utf-8", "desk.js": "text/javascript; charset=utf-8"}
LANGUAGE_COOKIE = "khb-language"
_KEEP = {"Cache-Control": "max-age=86400"}
_PAGES = Environment(
    loader=PackageLoader("sync_agent.province"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case with its records, in order: those that count, then the others.

    Attributes:
        signatures: what the issuer found of each record.
        voided_late: numbers of those that were voided after the window was settled.
    """

    case: Case
    records: list[Listed]
    signatures: list[str]
    voided_late: set[str]
    why: str
    over: int


@dataclass(frozen=True, slots=True)
class ShownChain:
    """A terminal with two histories or that owes entries: where it serves, and the sentence."""

    case: ChainCase
    point: str
    what: str


def add_desk(app: FastAPI, province: Province, key: DeskKey, rate: Rate) -> None:
    """Add the desk's routes."""
    desk = Desk(province, key, rate)
    for path, route in (
        ("/", desk.home),
        ("/desk", desk.page),
        ("/desk/data", desk.data),
        ("/desk/static/{name}", desk.static),
        ("/look/{name}", desk.look),
    ):
        app.add_api_route(path, route, methods=["GET"], response_model=None)


class Desk:
    """The desk's pages, for whoever has this start's key."""

    def __init__(self, province: Province, key: DeskKey, rate: Rate) -> None:
        self._province = province
        self._key = key
        self._rate = rate

    def home(self) -> Response:
        """The desk is what a browser is looking for here."""
        return RedirectResponse("/desk", status_code=303)

    def page(self, request: Request, token: str | None = None, lang: str | None = None) -> Response:
        """The page; with the token, or a language, first a cookie and the plain address."""
        if token is not None or lang is not None:
            return self._enter(token, lang)
        said = words(_language(request, self._province))
        if not self._admits(request):
            return _plain_page(said, "desk.locked", status=401)
        try:
            shown = _shown(self._province, said)
        except ProvinceError:
            return _plain_page(said, "desk.not_ready", status=503)
        return HTMLResponse(_PAGES.get_template("desk.html").render(shown))

    def data(self, request: Request) -> Response:
        """The same as JSON, for other pages on this machine."""
        said = words(_language(request, self._province))
        if not self._admits(request):
            raise IntakeRefusedError(401, "no_token", said.say("desk.locked"))
        return JSONResponse(_data(self._province, said))

    def static(self, name: str) -> Response:
        """Style and script of the desk."""
        if name not in STATIC:
            raise IntakeRefusedError(404, "not_found", "the desk has no such file")
        content = files("sync_agent.province").joinpath("static", name).read_bytes()
        return Response(content, media_type=STATIC[name], headers=_KEEP)

    def look(self, name: str) -> Response:
        """What every page of the project shares."""
        found = look_file(name)
        if found is None:
            raise IntakeRefusedError(404, "not_found", "the look has no such file")
        return Response(found.data, media_type=found.content_type, headers=_KEEP)

    def _admits(self, request: Request) -> bool:
        admitted = self._key.admits(request)
        self._rate.count("desk" if admitted else "unknown")
        return admitted

    def _enter(self, token: str | None, lang: str | None) -> Response:
        answer = RedirectResponse("/desk", status_code=303)
        if self._key.opened_by(token):
            self._set_cookie(answer, self._key.cookie, self._key.token)
        if lang in LANGUAGES:
            self._set_cookie(answer, LANGUAGE_COOKIE, lang)
        return answer

    def _set_cookie(self, answer: Response, name: str, value: str) -> None:
        answer.set_cookie(
            name, value, httponly=True, samesite="strict", path="/desk", secure=self._key.secure
        )


def _language(request: Request, province: Province) -> Language:
    chosen = request.cookies.get(LANGUAGE_COOKIE, province.folder.config.language)
    return "en" if chosen == "en" else "id"


def _plain_page(said: Words, key: str, *, status: int) -> Response:
    content = _PAGES.get_template("plain.html").render(said=said, sentence=said.say(key))
    return HTMLResponse(content, status_code=status)


def _shown(province: Province, said: Words) -> dict[str, Any]:
    cases = _shown_cases(province, said)
    return {
        "said": said,
        "received": province.received(),
        "redemptions": province.redemptions(language=said.language, most=SHOWN_MAX),
        "cases": cases,
        "chains": _shown_chains(province, said),
        "macs": _shown_macs(province, said),
        "complaints": [
            (one, said.reason(one.reason))
            for one in province.complaints.listed(language=said.language, most=SHOWN_MAX)
        ],
        "complained": province.complaints.count(),
        "waiting": [
            (one.redemption, said.say(f"desk.fate.{one.fate}"))
            for one in province.waiting(language=said.language)
        ],
        "over": sum(shown.over for shown in cases),
        "short": short,
    }


def _shown_cases(province: Province, said: Words) -> list[ShownCase]:
    policy = province.in_force().rights.policy
    found = []
    for case in province.cases():
        programme = policy.programme_numbered(case.right.programme)
        worth = programme.worth if programme else 0
        counted = ", ".join(claim.id.number() for claim in case.counted)
        claims = [*case.counted, *case.losers]
        found.append(
            ShownCase(
                case,
                province.records.listed(case, language=said.language),
                [_signed(claim, said) for claim in claims],
                {claim.id.number() for claim in claims if claim.voided_late},
                said.say(f"desk.why.{case.why}", winner=counted),
                worth * sum(claim.quantity for claim in case.losers),
            )
        )
    return found


def _signed(claim: Claim, said: Words) -> str:
    return said.say("desk.proved" if claim.proved else f"desk.mac.{_finding(claim)}")


def _finding(claim: Claim) -> str:
    return "none" if claim.finding is None else claim.finding.name.lower()


def _shown_macs(province: Province, said: Words) -> list[tuple[MacCase, Listed, str]]:
    cases = province.macs.cases()
    listed = province.records.numbered([case.id for case in cases], language=said.language)
    return [
        (case, one, said.say(f"desk.{case.kind}")) for case, one in zip(cases, listed, strict=True)
    ]


def _shown_chains(province: Province, said: Words) -> list[ShownChain]:
    roll = province.in_force().rights.roll
    found = []
    for case in province.chain_cases():
        terminal = roll.terminal(case.terminal, case.epoch)
        what = said.say(f"desk.chain.{case.kind}", first=case.first, last=case.last)
        if case.told == case.pieces and case.kind is ChainKind.MISSING:
            what = said.say("desk.chain.told", first=case.first, last=case.last)
        found.append(ShownChain(case, terminal.point if terminal else "", what))
    return found


def _data(province: Province, said: Words) -> dict[str, Any]:
    return {
        "received": province.received(),
        "redemptions": [
            {
                "at": at_wib(one.at).isoformat(),
                "terminal": one.terminal,
                "point": one.point,
                "household": one.right.household.hex(),
                "member": one.right.member or None,
                "programme": one.programme,
                "quantity": one.quantity,
                "unit": one.unit,
                "number": one.number,
                "void": one.voided,
            }
            for one in province.redemptions(language=said.language, most=SHOWN_MAX)
        ],
        "cases": [_case_data(shown) for shown in _shown_cases(province, said)],
        "macs": [
            {"kind": case.kind.value, "number": one.number, "what": what}
            for case, one, what in _shown_macs(province, said)
        ],
        "complaints": [
            complaint_data(one, said)
            for one in province.complaints.listed(language=said.language, most=SHOWN_MAX)
        ],
        "pending": [
            {
                "number": one.redemption.number,
                "right": one.redemption.right.text(),
                "fate": one.fate.value,
                "at": at_wib(one.redemption.at).isoformat(),
            }
            for one in province.waiting(language=said.language)
        ],
        "chains": [
            {
                "kind": shown.case.kind.value,
                "terminal": shown.case.name,
                "from": shown.case.first,
                "to": shown.case.last,
                "evidence": shown.case.pieces,
                "told": shown.case.told,
                "what": shown.what,
            }
            for shown in _shown_chains(province, said)
        ],
    }


def _case_data(shown: ShownCase) -> dict[str, Any]:
    case = shown.case
    return {
        "kind": case.kind.value,
        "right": case.right.text(),
        "winner": case.winner,
        "losers": [claim.id.number() for claim in case.losers],
        "why": shown.why,
        "settled": case.settled,
        "signatures": {c.id.number(): _finding(c) for c in (*case.counted, *case.losers)},
        "voided_late": sorted(shown.voided_late),
        "proved": sorted(c.id.number() for c in (*case.counted, *case.losers) if c.proved),
    }


def short(household: bytes) -> str:
    """A household's id as people compare it: the first 8 of its 16 digits, in two groups."""
    digits = household.hex()
    return f"{digits[:4]} {digits[4:8]}"
