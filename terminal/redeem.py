"""The main path: a card is shown, and something is given or refused.

Read it from the top: hear the presentation, decide inside one transaction, record, and only when
the record is on the disk say so. It never touches a network. A chip goes the same way with the card
between two such transactions: ``redeem_chip.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from card_codec.credential import VerifiedCredential, hear_text
from card_codec.keys import Signer
from card_codec.reason import Reason
from card_codec.refusal import Refused
from card_codec.trust import TrustList
from ledger.clock import Clock, Moment
from ledger.element import Element, Right
from ledger.entry import Content, Entry, Handover, Opened, Presented, Redemption, Refusal, Void
from ledger.journal import Act, Journal
from ledger.people import NOBODY, People
from ledger.policy import Programme
from ledger.receipt import write_receipt
from ledger.rights import Household, Rights
from ledger.union import Known
from terminal.chip_tap import Tap
from terminal.decision import Approved, Found, Here, Request, Shown, Verdict, decide


@dataclass(frozen=True, slots=True)
class Presentation:
    """One showing of a card, not yet believed; or a family found by its KTP or KK.

    Attributes:
        found: what this terminal's own look-up found, once an officer has compared it.
        tap: the chip on the reader.
    """

    text: str
    presented: Presented = Presented.TEXT
    found: Found | None = None
    tap: Tap | None = None

    @staticmethod
    def of_found(found: Found) -> Presentation:
        """A family without a card, compared with its KTP or KK."""
        return Presentation("", Presented.LOOK_UP, found)

    @staticmethod
    def of_tap(tap: Tap) -> Presentation:
        """A chip on the reader; one that could not be asked to prove itself is worth its text."""
        proved = Presented.CHIP if tap.chip is not None else Presented.CHIP_UNPROVEN
        return Presentation("", proved, tap=tap)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Recorded and durable: now the goods may go over the counter.

    Attributes:
        number: receipt number.
        evidence: what the slip says: the entry and the signature over its head.
        at: Unix seconds.
        recovered: its chip had left too early, and shows now that it was taken.
    """

    approved: Approved
    number: str
    evidence: tuple[Entry, bytes]
    at: int
    recovered: bool = False

    @property
    def receipt(self) -> str:
        """Text of the slip (``KHR1…``), written when it is asked for: the family waits for less."""
        return write_receipt(*self.evidence)


@dataclass(slots=True)
class Desk:
    """What a counter works with. ``rights`` is None until a ledger is installed.

    Attributes:
        handover_since: redemptions up to this seq were made before a restart; a person must say
            whether their goods were handed over.
        heard: the last text, by which trust list it was verified, and what it said.
        people: names of the families served here; nobody while the day is closed.
        point: name of the service point.
        refused: number of the entry by which what was shown last was refused, 0 where none did.
    """

    journal: Journal
    rights: Rights | None
    signer: Signer
    clock: Clock
    officer: str
    away_quota: int
    training: bool = False
    handover_since: int = 0
    heard: tuple[str, TrustList, VerifiedCredential | Refused] | None = None
    people: People = NOBODY
    point: str = "-"
    refused: int = 0


Heard = VerifiedCredential | Found | Refused


@dataclass(frozen=True, slots=True)
class Turn:
    """One presentation inside its one transaction: what was heard, asked and when.

    Attributes:
        waived: a reason that two officers have set aside.
    """

    desk: Desk
    presentation: Presentation
    request: Request
    heard: Heard
    act: Act
    moment: Moment
    waived: Reason | None = None


def redeem(desk: Desk, presentation: Presentation, request: Request) -> Redeemed | Verdict:
    """Give what was asked for, or refuse it; either is recorded before this returns.

    Raises:
        NotSavedError: the disk refused; nothing happened and nothing may be handed over.
        JournalDamagedError: the journal is damaged; service stops.
    """
    with turn_of(desk, presentation, request) as turn:
        verdict = judge(turn)
        if not isinstance(verdict, Approved):
            record_refusal(turn, verdict)
            return verdict
        evidence = _record(turn, redemption_of(verdict, presentation))
    return Redeemed(verdict, evidence[0].id.number(), evidence, turn.moment.early)


def look(desk: Desk, presentation: Presentation, request: Request) -> Verdict:
    """Judge without giving. A refusal is recorded; an approval waits for the officer.

    Raises:
        NotSavedError: the disk refused the record of a refusal.
        JournalDamagedError: the journal is damaged; service stops.
    """
    with turn_of(desk, presentation, request) as turn:
        verdict = judge(turn)
        record_refusal(turn, verdict)
    return verdict


def refuse_without_ledger(desk: Desk, presentation: Presentation) -> Refused:
    """Nobody can be told what is owed before a ledger is installed: refused, and recorded.

    Raises:
        NotSavedError: the disk refused the record of the refusal.
        JournalDamagedError: the journal is damaged; service stops.
    """
    refusal = Refusal(Reason.NO_LEDGER, None, 0, 0, 0, presentation.presented)
    with desk.journal.act() as act:
        append(desk, act, act.moment(desk.clock.read()), refusal)
    return Refused(Reason.NO_LEDGER)


@contextmanager
def turn_of(desk: Desk, presentation: Presentation, request: Request) -> Iterator[Turn]:
    """Hear the presentation, then open the one transaction in which it is judged and recorded."""
    heard, desk.refused = hear(desk, presentation), 0
    with desk.journal.act() as act:
        yield Turn(desk, presentation, request, heard, act, act.moment(desk.clock.read()))


def hear(desk: Desk, presentation: Presentation) -> Heard:
    """From a text to a credential that was verified, or a refusal.

    The officer's Enter comes after a look at the same text: what was verified by the same trust
    list a moment ago is not verified again.
    """
    if desk.rights is None:
        return Refused(Reason.NO_LEDGER)
    if presentation.found is not None:
        return presentation.found
    if presentation.tap is not None:
        return presentation.tap.heard
    trust = desk.rights.trust
    if desk.heard is None or desk.heard[:2] != (presentation.text, trust):
        desk.heard = (presentation.text, trust, hear_text(presentation.text, trust))
    return desk.heard[2]


def judge(turn: Turn) -> Verdict:
    """Decide on what was heard with what is known in this transaction."""
    heard, rights = turn.heard, turn.desk.rights
    if isinstance(heard, Refused):
        return heard
    if rights is None:
        return Refused(Reason.NO_LEDGER)
    shown = heard if isinstance(heard, Found) else heard.credential
    return decide(shown, turn.request, here_now(turn, shown, rights))


def here_now(turn: Turn, shown: Shown, rights: Rights) -> Here:
    """Gather what is known here about this household and programme."""
    desk, act, moment = turn.desk, turn.act, turn.moment
    programme = turn.request.programme
    household = rights.household(shown.household)

    def quantity_of(right: Right) -> int | None:
        return rights.quantity(household, right) if household else None

    return Here(
        household=household,
        blocked=_is_blocked(rights, household, shown),
        members=rights.members(household, programme) if household else (),
        quantity_of=quantity_of,
        taken_of=act.known.taken,
        home=rights.home_terminal(household, programme) if household else None,
        me=desk.journal.identity.terminal,
        away_quota=desk.away_quota,
        away_served=lambda: away_served(rights, act.known, moment),
        freshness=rights.policy.freshness_at(rights.age(household, moment.late)),
        moment=moment,
        point_of=rights.point,
        audience=rights.policy.audience,
        training=desk.training,
        presented=turn.presentation.presented,
        names=desk.people.names(shown.household),
        away_given=lambda: running(rights, act.known.away_elements(), moment, programme),
        excepted_given=lambda: running(rights, act.known.excepted_elements(), moment, programme),
        shut_by=rights.policy.shut_by(programme),
        price=rights.price(household, programme) if household else None,
        waived=turn.waived,
    )


def _is_blocked(rights: Rights, household: Household | None, shown: Shown) -> bool:
    """A block is of one card; a family without it in hand is not blocked."""
    if household is None or isinstance(shown, Found):
        return False
    return rights.blocked(household, shown.issue)


def away_served(rights: Rights, known: Known, moment: Moment) -> frozenset[bytes]:
    """Households served away from home in windows that are not over yet."""
    given = running(rights, known.away_elements(), moment)
    return frozenset(element.right.household for element in given)


def running(
    rights: Rights, given: Iterable[Element], moment: Moment, programme: Programme | None = None
) -> list[Element]:
    """Of what was given, that of windows that are not over: of one programme or of all."""
    found = []
    for element in given:
        of = rights.policy.programme_numbered(element.right.programme)
        window = of.window(element.right.window) if of else None
        if of is None or window is None or (programme and programme.number != of.number):
            continue
        if moment.early <= of.ends(window):
            found.append(element)
    return found


def redemption_of(approved: Approved, presentation: Presentation) -> Redemption:
    """What was approved, as it is recorded."""
    right = approved.right
    return Redemption(
        household=right.household,
        issue=approved.issue,
        member=right.member,
        programme=right.programme,
        window=right.window,
        quantity=approved.quantity,
        paid=approved.pays,
        presented=presentation.presented,
        basis=approved.basis,
    )


def record_refusal(turn: Turn, verdict: Verdict) -> None:
    """Keep that and why nothing was given; never the text that was shown."""
    if not isinstance(verdict, Refused):
        return
    heard, request = turn.heard, turn.request
    household, issue = _whose(heard)
    refusal = Refusal(
        reason=verdict.reason,
        household=household,
        issue=issue,
        member=request.member or 0,
        programme=request.programme.number,
        presented=turn.presentation.presented,
    )
    _record(turn, refusal)


def _whose(heard: Heard) -> tuple[bytes | None, int]:
    """Household and issue number, as far as they are known; no card has the number 0."""
    if isinstance(heard, Found):
        return heard.household, 0
    if isinstance(heard, VerifiedCredential):
        return heard.credential.household, heard.credential.issue
    return None, 0


def _record(turn: Turn, content: Content) -> tuple[Entry, bytes]:
    return append(turn.desk, turn.act, turn.moment, content)


def append(desk: Desk, act: Act, moment: Moment, content: Content) -> tuple[Entry, bytes]:
    """Append an entry. The redemption before it is over now: its goods were handed over.

    The first act after the close opens the day.
    """
    given = act.awaiting_handover(desk.handover_since)
    spoken_of = isinstance(content, Void | Handover) and content.seq == given
    before: tuple[Content, ...] = () if given is None or spoken_of else (Handover(given),)
    if act.is_closed():
        before += (Opened(desk.point),)
    entry, signature = act.append(
        *before,
        content,
        moment=moment,
        ledger=desk.rights.versions.ledger if desk.rights else 0,
        officer=desk.officer,
        signer=desk.signer,
    )
    if isinstance(content, Refusal):
        desk.refused = entry.body.seq
    return entry, signature
