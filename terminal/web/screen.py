"""One screen of the page, in words: what came of an act, ready for its template.

Before the commit a screen is ink on paper. A colour is a verdict: green only once the redemption
is on the disk, the others for a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from markupsafe import Markup

from card_codec.reason import Reason, Severity, row
from card_codec.refusal import Facts, Refused
from ledger.entry import Basis
from ledger.folder import TerminalConfig
from ledger.policy import Policy
from terminal.counter import Approved, ChooseMember, CounterState, Found, Redeemed
from terminal.web.acts import Outcome
from terminal.web.slip import Slip, make_slip
from terminal.web.wording import given, in_language
from terminal.words import Words


class Kind(StrEnum):
    """What kind of screen it is; the script's keys depend on it."""

    MATCH = "match"
    CHOOSE = "choose"
    APPROVED = "approved"
    DONE = "done"
    REFUSED = "refused"
    FAULT = "fault"
    COMPLAIN = "complain"
    FILED = "filed"


class Shape(StrEnum):
    """The drawn shape beside the word, so that no verdict is colour alone."""

    TICK = "tick"
    ASK = "ask"
    LOOP = "loop"
    HEED = "heed"
    CROSS = "cross"
    HAND = "hand"
    TAG = "tag"
    CLOCK = "clock"
    WAVE = "wave"
    NOTE = "note"


PAPER = "paper"
_SHAPES = {
    Severity.OK: Shape.TICK,
    Severity.AMBER: Shape.HEED,
    Severity.RED: Shape.CROSS,
    Severity.BLACK: Shape.HAND,
    Severity.PURPLE: Shape.TAG,
    Severity.GREY: Shape.WAVE,
}
_OF_TIME = {Reason.LEDGER_STALE, Reason.LEDGER_TOO_OLD, Reason.NO_LEDGER}
_BY_NUMBER = {
    Reason.SAMPLE_CARD,
    Reason.UNREADABLE,
    Reason.MALFORMED,
    Reason.NOT_OUR_CARD,
    Reason.RIGHT_NOT_HERE,
    Reason.NUMBER_LENGTH,
    Reason.NUMBER_DATE,
    Reason.LOOK_UP_UNKNOWN,
}
"""Refusals of a card, never of the person: a KTP or KK may still lead to the family."""
_TAGS = {Reason.SAMPLE_CARD: "v.tag_sample", Reason.TRAINING_CARD: "v.tag_training"}


@dataclass(frozen=True, slots=True)
class Screen:
    """What one screen says and wears.

    Attributes:
        tone: its colour family, or ``paper``.
        word: the verdict; ``under`` is what follows its dash.
        act: id of the act it shows, empty for none.
        lines: facts, largest after the word.
        sentence: what happened and what to do, for the officer; ``code`` is its HB number.
        explain: text to turn to the citizen.
        tag: what stands on the tag of a card that is not a family's.
        people: number and name of each member that can be chosen; a name where people are open.
        by_number: whether a KTP or KK can help where this card could not.
        reason: code of the refusal, for the page that frames this one.
        retry: the same request may be sent again.
        by_two: two officers may give all the same.
        complaint: the family may complain of it, and gets a number.
    """

    kind: Kind
    tone: str
    shape: Shape
    word: str
    under: str = ""
    act: str = ""
    name: str | None = None
    place: str | None = None
    lines: tuple[Markup, ...] = ()
    sentence: str = ""
    code: str = ""
    explain: str = ""
    people: tuple[tuple[int, str], ...] = ()
    by_number: bool = False
    slip: Slip | None = None
    tag: str = ""
    reason: str = ""
    number: str = ""
    retry: bool = False
    by_two: bool = False
    complaint: bool = False


def make_screen(
    outcome: Outcome,
    *,
    act: str,
    words: Words,
    config: TerminalConfig,
    state: CounterState,
    policy: Policy | None,
    without_card: bool = False,
    by_two: bool = False,
) -> Screen:
    """The screen of an outcome.

    Args:
        without_card: the family was found by its KTP or KK.
        by_two: two officers may give in spite of its refusal.
    """
    if isinstance(outcome, Found):
        return _match(outcome, act=act, words=words)
    if isinstance(outcome, Refused):
        screen = refused(outcome, act=act, words=words, state=state, policy=policy)
        return replace(screen, by_two=by_two)
    if isinstance(outcome, ChooseMember):
        return _choose(outcome, act=act, words=words)
    if isinstance(outcome, Approved):
        return _approved(outcome, act=act, words=words, without_card=without_card)
    slip = make_slip(outcome, config, words, telephone=policy.complaints if policy else None)
    return _done(outcome, slip, act=act, words=words, state=state)


def refused(
    refusal: Refused, *, act: str, words: Words, state: CounterState, policy: Policy | None
) -> Screen:
    """A refusal in its colour, with every fact that is known."""
    entry, facts = row(refusal.reason), refusal.facts
    values = _facts(refusal, words=words, state=state, policy=policy)
    word, under = _split(words.say(entry.status_key))
    # Where the facts stand in large letters, the sentence need not repeat them.
    lines = _taken(facts, words=words, now=state.at) if facts.at is not None else ()
    shown = {"programme": values["programme"]} if lines else values
    told = words.known(entry.sentence_key, **shown)
    sentence, code = _cut_code(told)
    tag = _TAGS.get(refusal.reason)
    return Screen(
        kind=Kind.REFUSED,
        tone=entry.severity,
        shape=_shape(refusal.reason, entry.severity),
        word=word,
        under=under,
        act=act,
        lines=lines,
        sentence=sentence,
        code=code,
        explain=words.known(entry.explain_key, **values),
        tag=words.say(tag) if tag else "",
        reason=refusal.reason,
        by_number=refusal.reason in _BY_NUMBER,
        complaint=bool(act and refusal.entry),
    )


def fault(
    key: str,
    words: Words,
    *,
    status: str = "status.fault",
    tone: str = "grey",
    act: str = "",
    **values: object,
) -> Screen:
    """A screen that is no verdict on a card: something here does not work."""
    word, under = _split(words.say(status))
    sentence, code = _cut_code(words.known(key, **values))
    return Screen(
        kind=Kind.FAULT,
        tone=tone,
        shape=Shape.CROSS if tone == Severity.RED else Shape.WAVE,
        word=word,
        under=under,
        act=act,
        sentence=sentence,
        code=code,
        retry=key == "e.save",
    )


def _match(found: Found, *, act: str, words: Words) -> Screen:
    """Whom a number led to; the officer compares with KTP and KK before anything is judged."""
    if not found.member:
        line = words.say("v.by_kk", mask=found.mask)
    elif found.person is None:
        line = words.say("v.by_nik_unnamed", mask=found.mask)
    else:
        line = words.say("v.by_nik", mask=found.mask, name=found.person)
    return Screen(
        kind=Kind.MATCH,
        tone=PAPER,
        shape=Shape.ASK,
        word=words.say("v.match"),
        act=act,
        name=found.name,
        place=found.place,
        lines=(Markup.escape(line),),
        sentence=words.say("v.match_id"),
    )


def _choose(choice: ChooseMember, *, act: str, words: Words) -> Screen:
    names = choice.names or (None,) * len(choice.members)
    people = tuple(
        (n, words.say("v.person", n=n, name=name) if name else words.say("v.member", n=n))
        for n, name in zip(choice.members, names, strict=True)
    )
    return Screen(
        kind=Kind.CHOOSE,
        tone=PAPER,
        shape=Shape.ASK,
        word=words.say("v.choose"),
        act=act,
        name=choice.name,
        place=choice.place,
        people=people,
    )


def _approved(approved: Approved, *, act: str, words: Words, without_card: bool) -> Screen:
    return Screen(
        kind=Kind.APPROVED,
        tone=PAPER,
        shape=Shape.TICK,
        word=words.say("status.eligible"),
        act=act,
        name=approved.name,
        place=_place(approved, words),
        lines=(
            gets(approved, words),
            pays(approved, words),
            *_left(approved, words),
            *_basis(approved, words),
            *((words.rich("v.no_card"),) if without_card else ()),
        ),
    )


def _done(redeemed: Redeemed, slip: Slip, *, act: str, words: Words, state: CounterState) -> Screen:
    approved = redeemed.approved
    word, under = _split(words.say("status.done"))
    lines = [words.rich("v.no", no=redeemed.number), gets(approved, words), pays(approved, words)]
    if redeemed.recovered:
        lines.append(words.rich("v.recovered"))
    if approved.basis is Basis.EXCEPTION:
        lines.append(words.rich("v.exception"))
    if approved.basis is Basis.AWAY and state.twice_rupiah:
        lines.append(words.rich("v.twice", rp=words.money(state.twice_rupiah)))
    return Screen(
        kind=Kind.DONE,
        tone="green",
        shape=Shape.TICK,
        word=word,
        under=under,
        act=act,
        name=approved.name,
        place=_place(approved, words),
        lines=tuple(lines),
        slip=slip,
        number=redeemed.number,
    )


def _place(approved: Approved, words: Words) -> str:
    """Desa, and the member if the right is one person's."""
    number, name = approved.member, approved.member_name
    if not number:
        return approved.place
    member = [
        words.say("v.person", n=number, name=name) if name else words.say("v.member", n=number)
    ]
    return " · ".join([*member, approved.place])


def gets(approved: Approved, words: Words) -> Markup:
    """``**1 paket**: beras 5 kg, minyak 1 L``."""
    programme = approved.programme
    what = programme.contents or in_language(programme.name, words)
    return Markup("<b>{}</b>: {}").format(given(approved, words), what)


def pays(approved: Approved, words: Words) -> Markup:
    """``Warga membayar Rp15.000``, or that it is free."""
    if approved.pays:
        return words.rich("v.pays", rp=words.money(approved.pays))
    return Markup("<b>{}</b>").format(words.say("v.free"))


def _left(approved: Approved, words: Words) -> tuple[Markup, ...]:
    """Said only where something stays: a family that takes all it has needs no zero."""
    if not approved.left_after:
        return ()
    unit = in_language(approved.programme.unit, words)
    left = words.say("v.units", n=words.number(approved.left_after), unit=unit)
    return (words.rich("v.after", n=left),)


def _basis(approved: Approved, words: Words) -> tuple[Markup, ...]:
    if approved.basis is Basis.AWAY:
        return (words.rich("v.away", n=approved.away_left or 0),)
    if approved.basis is Basis.EXCEPTION:
        return (words.rich("v.exception"),)
    return ()


def _taken(facts: Facts, *, words: Words, now: int) -> tuple[Markup, ...]:
    """When, where and under what number it was taken."""
    lines = []
    if facts.at is not None:
        lines.append(words.rich("v.taken_when", when=words.when(facts.at, now=now)))
    where = [words.rich("v.where", place=facts.point)] if facts.point else []
    if facts.redemption:
        number = words.rich("v.no", no=facts.redemption)
        where.append(Markup('<span class="whole">{}</span>').format(number))
    if where:
        lines.append(Markup(" · ").join(where))
    return tuple(lines)


def _facts(
    refusal: Refused, *, words: Words, state: CounterState, policy: Policy | None
) -> dict[str, object]:
    """Values for a sentence; None where the fact is not known."""
    facts = refusal.facts
    day = facts.day if facts.day is not None else facts.at
    count = facts.count
    if count is None and refusal.reason in _OF_TIME:
        count = state.age_days
    other = policy.programme(facts.programme) if policy and facts.programme else None
    return {
        "d": None if day is None else words.weekday(day) if facts.day is None else words.date(day),
        "t": None if facts.at is None else words.clock(facts.at),
        "n": count,
        "place": facts.point,
        "card": facts.card,
        "programme": in_language(other.name, words) if other else None,
        "no": policy.decree.removeprefix("SK ") if policy else None,
        "tel": policy.complaints if policy else None,
    }


def _shape(reason: Reason, severity: Severity) -> Shape:
    if reason is Reason.ALREADY_REDEEMED:
        return Shape.LOOP
    return Shape.CLOCK if reason in _OF_TIME else _SHAPES[severity]


def _split(status: str) -> tuple[str, str]:
    """``SELESAI – SUDAH DICATAT`` is a word and what stands under it; so is ``TOO EARLY (…)``."""
    word, _, under = status.replace(" (", " – ").rstrip(")").partition(" – ")
    return word, under


def _cut_code(sentence: str) -> tuple[str, str]:
    """``Sudah diambil. [HB-21]`` is a sentence and its number."""
    text, _, code = sentence.rpartition(" [")
    return (text, code.removesuffix("]")) if text else (sentence, "")
