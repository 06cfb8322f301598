"""One card shown at one counter, as a value: what the tests of the rules change one by one."""

from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_struct

from card_codec.credential import CardKind, Credential
from card_codec.reason import Reason
from card_codec.status import StatusList
from ledger.clock import Moment
from ledger.element import Element, RedemptionId, Right
from ledger.entry import Presented
from ledger.policy import DAY, AwayCap, FreshnessStep, Limit, Programme, Scope, Window, Words
from ledger.rights import Household
from ledger.rights_file import HouseholdRow
from ledger.union import Taken
from terminal.decision import ChipHere, Here, Request, Verdict, decide

NOW = 1_790_000_000
OPENS, CLOSES = NOW - 30 * DAY, NOW + 60 * DAY
HOUSEHOLD = b"keluarga"
ME, OTHER = 1, 2
ANOTHER = 9
WINDOW = Window(1, "Tahap 1", OPENS, CLOSES)
NO_CAP = AwayCap()
SERVED = [bytes([n]) * 8 for n in range(1, 9)]
POINTS = {1: "Balai Satu", 2: "Balai Dua"}


@dataclass(frozen=True)
class Case:
    """One card shown at one counter; everything is in order until a test changes it."""

    kind: CardKind = CardKind.CARD
    audience: str = "KHB26"
    issued: int = NOW - 10 * DAY
    expires: int = NOW + 900 * DAY
    issue: int = 1
    blocked: bool = False
    row_issue: int = 1
    flags: int = 0
    listed: bool = True
    windows: tuple[Window, ...] = (WINDOW,)
    scope: Scope = Scope.HOUSEHOLD
    limit: Limit = Limit.QUANTITY
    price: int = 0
    members: tuple[int, ...] = ()
    member: int | None = None
    owed: int | None = 3
    taken: int | dict[int, int] = 0
    asked: int | None = None
    presented: Presented = Presented.TEXT
    home: int | None = ME
    quota: int = 5
    served: int = 0
    served_itself: bool = False
    away_percent: int | None = 100
    early: int = NOW
    late: int = NOW
    training: bool = False
    days_between: int = 0
    other_taken: int = 0
    other_window: Window = WINDOW
    cap: AwayCap = NO_CAP
    given_away: int = 0
    given_by_exception: int = 0
    programme_served: int = 0
    class_price: int | None = None
    last_minute: int = NOW // 60 - 5
    gap: bool = False
    alone_from: int = 0
    unfinished: bool = False
    can_be_asked: bool = False
    waived: Reason | None = None


def judged(case: Case) -> Verdict:
    """The verdict over a case."""
    credential = Credential(
        household=HOUSEHOLD, issue=case.issue, kind=case.kind, issuer="ID-KT",
        audience=case.audience, issued_at=case.issued, expires_at=case.expires, name="Ibu Uji",
    )  # fmt: skip
    return decide(credential, Request(programme(case), case.member, case.asked), here(case))


def programme(case: Case) -> Programme:
    """The programme asked for."""
    return Programme(
        number=1, id="pangan", name=Words("Pangan", "Food"), scope=case.scope, limit=case.limit,
        unit=Words("paket", "parcel"), contents="", price=case.price, worth=1,
        on_card=case.gap or bool(case.alone_from), windows=case.windows,
        days_between=case.days_between, away=case.cap,
    )  # fmt: skip


def here(case: Case) -> Here:
    """What the counter knows in a case."""
    row = HouseholdRow(HOUSEHOLD, "6299012001", case.row_issue, 1, case.flags)
    household = Household(row, "Desa Satu", "629901", 0, 1, NOW, StatusList(b"\x00"))
    step = None if case.away_percent is None else FreshnessStep(7, case.away_percent)

    def taken_of(right: Right) -> Taken:
        total = case.taken.get(right.window, 0) if isinstance(case.taken, dict) else case.taken
        total = case.other_taken if right.programme == ANOTHER else total
        element = Element(RedemptionId(OTHER, 1, 17), b"\x00" * 8, right, total, case.last_minute)
        return Taken(total, element if total else None)

    def given_away() -> list[Element]:
        right = Right(HOUSEHOLD, case.member or 0, 1, 1)
        mine = [Element(RedemptionId(ME, 1, 1), b"", right, case.given_away, 0)]
        others = [replace(right, household=SERVED[n]) for n in range(case.programme_served)]
        return mine * bool(case.given_away) + [
            Element(RedemptionId(ME, 1, 2 + n), b"", r, 1, 0) for n, r in enumerate(others)
        ]

    another = replace_struct(
        programme(case), number=ANOTHER, id="beras", windows=(case.other_window,)
    )

    return Here(
        household=household if case.listed else None,
        blocked=case.blocked,
        members=case.members,
        quantity_of=lambda right: None if case.members and not right.member else case.owed,
        taken_of=taken_of,
        home=case.home,
        me=ME,
        away_quota=case.quota,
        away_served=lambda: frozenset(SERVED[: case.served] + [HOUSEHOLD] * case.served_itself),
        freshness=step,
        moment=Moment(case.early, case.early, case.late, 0, 0, 0, b"bootboot"),
        point_of=POINTS.get,
        audience="KHB26",
        training=case.training,
        presented=case.presented,
        away_given=given_away,
        excepted_given=lambda: given_by_exception(case),
        shut_by=(another,),
        price=case.class_price,
        chip=chip(case),
        waived=case.waived,
    )


def given_by_exception(case: Case) -> list[Element]:
    """What this terminal gave of the right by exception."""
    right = Right(HOUSEHOLD, case.member or 0, 1, 1)
    return [Element(RedemptionId(ME, 1, 99), b"", right, case.given_by_exception, 0)]


def chip(case: Case) -> ChipHere | None:
    """What is known of the chip that was tapped, if one was."""
    if not (case.alone_from or case.gap or case.unfinished or case.can_be_asked):
        return None
    return ChipHere(
        is_proved=case.gap or bool(case.alone_from),
        alone_from=case.alone_from,
        can_be_asked=case.can_be_asked,
        has_gap=lambda window: case.gap and window.opens == OPENS,
        open_here=frozenset({(OTHER, 1, 17)} if case.unfinished else ()),
    )
