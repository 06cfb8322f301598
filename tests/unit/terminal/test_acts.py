"""One act is one redemption, however often it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from card_codec.chip.profile import OpenChip
from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.element import Right
from ledger.entry import Basis, Presented
from ledger.errors import NotSavedError
from ledger.policy import Limit, Programme
from terminal.chip_tap import Tap
from terminal.counter import Approved, ChooseMember, Found, Presentation, Redeemed, Request
from terminal.decision import Verdict
from terminal.exception import ByTwo
from terminal.web.acts import Act, Acts
from tests.unit.ledger.samples import CONTENTS, entry
from tests.world import programmes

FOOD, CLINIC = programmes()[0], programmes()[2]
CARD = Presentation("KHB1CARD")
OPENED = Tap(bytes(7), Refused(Reason.NO_LEDGER), cast(OpenChip, object()))
CHIP = Presentation.of_tap(OPENED)
FOUND = Found(b"foundone", 0, "Siti", None, "Desa", "6299••••••••0003", "T001-0001")


def approved(programme: Programme, request: Request) -> Approved:
    quantity = request.quantity or 6
    return Approved(
        right=Right(b"household", request.member or 0, programme.number, 1),
        programme=programme,
        window=programme.windows[0],
        issue=1,
        name=None,
        place="Desa",
        quantity=quantity,
        left_before=6,
        left_after=6 - quantity,
        pays=0,
        basis=Basis.HOME,
    )


@dataclass
class Judge:
    """Approves everything, once; counts what it was asked."""

    looked: list[Request] = field(default_factory=list)
    redeemed: list[Request] = field(default_factory=list)
    refuses: bool = False
    fails: int = 0
    by_two: bool = False
    committing: threading.Event = field(default_factory=threading.Event)
    card_is_slow: threading.Event | None = None

    def programmes(self) -> tuple[Programme, ...]:
        return programmes()

    def look(self, presentation: Presentation, request: Request) -> Verdict:
        self.looked.append(request)
        programme = next(p for p in programmes() if p.id == request.programme)
        if self.refuses:
            return Refused(Reason.ALREADY_REDEEMED)
        if programme.limit is Limit.ONCE and request.member is None:
            return ChooseMember(programme, None, "Desa", (1, 2))
        return approved(programme, request)

    def look_up(self, typed: str) -> Found | Refused:
        return FOUND if typed == "1" else Refused(Reason.LOOK_UP_UNKNOWN)

    def look_past(self, presentation: Presentation, request: Request, why: Reason) -> ByTwo | None:
        return ByTwo(approved(FOOD, request), 0, 2) if self.by_two else None

    def redeem(self, presentation: Presentation, request: Request) -> Redeemed | Verdict:
        if self.card_is_slow is not None:
            self.committing.set()
            assert self.card_is_slow.wait(10)
        if self.fails:
            self.fails -= 1
            raise NotSavedError("the disk is full")
        self.redeemed.append(request)
        return Redeemed(approved(FOOD, request), f"T001-{len(self.redeemed):04d}", EVIDENCE, 0)


EVIDENCE = (entry(CONTENTS[0]), bytes(64))


class Watch:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_giving_twice_is_one_redemption_with_one_answer() -> None:
    judge, acts = desk()
    act = acts.show(CARD, Request("pangan"))
    assert acts.give(act.id) == acts.give(act.id)
    assert len(judge.redeemed) == 1


def test_giving_from_many_threads_at_once_is_one_redemption() -> None:
    judge, acts = desk()
    act = acts.show(CARD, Request("pangan"))
    threads = [threading.Thread(target=acts.give, args=(act.id,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(judge.redeemed) == 1


def test_exactly_what_was_shown_is_recorded() -> None:
    judge, acts = desk()
    acts.give(acts.show(CARD, Request("pangan")).id)
    assert judge.redeemed == [Request("pangan", None, 6)]


def test_visits_go_one_at_a_time() -> None:
    judge, acts = desk()
    acts.show(CARD, Request("klinik", 2))
    acts.show(CARD, Request("pangan"))
    assert [request.quantity for request in judge.looked] == [1, None]


def test_same_card_within_three_seconds_is_the_same_act() -> None:
    watch = Watch()
    judge, acts = desk(watch)
    first = acts.show(CARD, Request("pangan"))
    watch.now += 2.9
    second = acts.show(Presentation(" khb1card\n"), Request("pangan"))
    assert (second.id, second.again, len(judge.looked)) == (first.id, True, 1)


def test_card_that_stays_in_sight_stays_the_same_act() -> None:
    watch = Watch()
    judge, acts = desk(watch)
    acts.show(CARD, Request("pangan"))
    for _ in range(20):
        watch.now += 1.0
        acts.show(CARD, Request("pangan"))
    assert len(judge.looked) == 1


def test_same_card_later_is_looked_at_anew() -> None:
    watch = Watch()
    judge, acts = desk(watch)
    first = acts.show(CARD, Request("pangan"))
    watch.now += 3.1
    second = acts.show(CARD, Request("pangan"))
    assert (second.id != first.id, second.again, len(judge.looked)) == (True, False, 2)


@pytest.mark.parametrize("other", [Request("pasar-murah"), Request("klinik", 1)])
def test_same_card_for_another_right_is_another_act(other: Request) -> None:
    _, acts = desk()
    assert acts.show(CARD, Request("pangan")).id != acts.show(CARD, other).id


def test_double_scan_after_the_commit_answers_with_the_redemption() -> None:
    watch = Watch()
    _, acts = desk(watch)
    act = acts.show(CARD, Request("pangan"))
    watch.now += 30
    done = acts.give(act.id)
    watch.now += 1.5
    again = acts.show(CARD, Request("pangan"))
    assert done is not None
    assert (again.id, again.outcome) == (act.id, done.outcome)
    watch.now += 60
    assert acts.show(CARD, Request("pangan")).id != act.id


def test_camera_is_given_longer_to_lose_the_card_from_sight() -> None:
    watch = Watch()
    _, acts = desk(watch)
    act = acts.show(Presentation("KHB1CARD", Presented.PICTURE), Request("pangan"))
    watch.now += 30
    acts.give(act.id)
    watch.now += 2.9
    assert acts.show(Presentation("KHB1CARD", Presented.PICTURE), Request("pangan")).id == act.id


def test_act_that_was_not_saved_can_be_tried_again() -> None:
    judge, acts = desk()
    judge.fails = 1
    act = acts.show(CARD, Request("pangan"))
    with pytest.raises(NotSavedError):
        acts.give(act.id)
    done = acts.give(act.id)
    assert done is not None
    assert isinstance(done.outcome, Redeemed)


def test_refused_act_is_never_given() -> None:
    judge, acts = desk()
    judge.refuses = True
    act = acts.show(CARD, Request("pangan"))
    given = acts.give(act.id)
    assert given is not None
    assert isinstance(given.outcome, Refused)
    assert judge.redeemed == []


def test_member_is_chosen_for_the_card_that_was_shown() -> None:
    judge, acts = desk()
    asks = acts.show(CARD, Request("seragam"))
    assert isinstance(asks.outcome, ChooseMember)
    chosen = acts.choose(asks.id, 2)
    assert chosen is not None
    assert isinstance(chosen.outcome, Approved)
    assert judge.looked[-1] == Request("seragam", 2)


def test_unknown_act_is_none() -> None:
    _, acts = desk()
    assert acts.give("no such act") is None
    assert acts.choose("no such act", 1) is None


def test_card_text_is_forgotten_once_it_is_not_needed() -> None:
    _, acts = desk()
    done = acts.give(acts.show(CARD, Request("pangan")).id)
    assert done is not None
    assert done.presentation is None


def test_old_acts_are_forgotten() -> None:
    _, acts = desk()
    first = acts.show(Presentation("KHB1FIRST"), Request("pangan"))
    for number in range(70):
        acts.show(Presentation(f"KHB1{number}"), Request("pangan"))
    assert acts.give(first.id) is None


def test_mean_counts_from_sight_to_record() -> None:
    watch = Watch()
    _, acts = desk(watch)
    assert acts.mean_seconds is None
    for text, seconds in (("A", 4.0), ("B", 6.0)):
        act = acts.show(Presentation(text), Request("pangan"))
        watch.now += seconds
        acts.give(act.id)
    assert acts.mean_seconds == 5.0


def desk(watch: Watch | None = None) -> tuple[Judge, Acts]:
    judge = Judge()
    return judge, Acts(judge, monotonic=watch or Watch())


def test_family_found_is_judged_only_once_an_officer_has_compared() -> None:
    judge, acts = desk()
    found = acts.look_up("1", Request("pangan"))
    assert found.outcome == FOUND
    assert judge.looked == []
    assert acts.give(found.id) == found  # nothing to give yet
    assert judge.redeemed == []
    matched = acts.match(found.id)
    assert matched is not None
    assert isinstance(matched.outcome, Approved)
    assert matched.presentation == Presentation.of_found(FOUND)
    again = acts.match(found.id)
    assert again is not None
    assert again.id == matched.id  # pressed twice, judged once
    assert len(judge.looked) == 1
    given = acts.give(matched.id)
    assert given is not None
    assert isinstance(given.outcome, Redeemed)


def test_look_up_that_found_nobody_matches_nothing() -> None:
    _, acts = desk()
    act = acts.look_up("2", Request("pangan"))
    assert act.outcome == Refused(Reason.LOOK_UP_UNKNOWN)
    assert act.presentation is None
    assert acts.match(act.id) is None
    assert acts.match("gone") is None
    card = acts.show(CARD, Request("pangan"))
    assert acts.match(card.id) is None


def test_two_families_without_cards_are_two_acts() -> None:
    judge, acts = desk()
    first = acts.show(Presentation.of_found(FOUND), Request("pangan"))
    other = acts.show(
        Presentation.of_found(replace(FOUND, household=b"otherone")), Request("pangan")
    )
    empty = acts.show(Presentation(""), Request("pangan"))
    assert len({first.id, other.id, empty.id}) == 3
    assert len(judge.looked) == 3


def test_no_digits_are_held_by_an_act() -> None:
    _, acts = desk()
    act = acts.look_up("6299010101260099", Request("pangan"))
    assert "6299010101260099" not in repr(acts._acts)
    assert act.presentation is None


def giving_slowly(judge: Judge, acts: Acts, id: str) -> tuple[threading.Thread, list[Act | None]]:
    """Give in a thread, up to where its card is asked; it answers when `card_is_slow` is set."""
    judge.card_is_slow = threading.Event()
    came: list[Act | None] = []
    thread = threading.Thread(target=lambda: came.append(acts.give(id)))
    thread.start()
    assert judge.committing.wait(10)
    return thread, came


def test_others_go_on_while_a_card_commits() -> None:
    judge, acts = desk()
    act = acts.show(CARD, Request("pangan"))
    thread, came = giving_slowly(judge, acts, act.id)
    other = acts.show(Presentation("KHB1OTHER"), Request("pangan"))  # does not wait for the card
    assert (isinstance(other.outcome, Approved), came) == (True, [])
    assert judge.card_is_slow is not None
    judge.card_is_slow.set()
    thread.join(10)
    assert (len(came), len(judge.redeemed)) == (1, 1)


def _keep(answers: list[Act | None], ask: Callable[[], Act | None]) -> Callable[[], None]:
    return lambda: answers.append(ask())


def test_same_card_and_same_act_wait_for_the_card_that_commits() -> None:
    judge, acts = desk()
    act = acts.show(CHIP, Request("pangan"))
    thread, came = giving_slowly(judge, acts, act.id)
    answers: list[Act | None] = []
    asked: tuple[Callable[[], Act | None], ...] = (
        lambda: acts.give(act.id),
        lambda: acts.show(CHIP, Request("pangan")),
        lambda: acts.shown(act.id),
        lambda: None if acts.chip_of(act.id) else acts.shown(act.id),  # its card may be gone
    )
    waiting = [threading.Thread(target=_keep(answers, ask)) for ask in asked]
    for one in waiting:
        one.start()
    waiting[0].join(0.05)
    assert (answers, len(judge.looked)) == ([], 1)
    assert judge.card_is_slow is not None
    judge.card_is_slow.set()
    for one in (thread, *waiting):
        one.join(10)
    (done,) = came
    assert done is not None
    assert all(one is not None and one.outcome == done.outcome for one in answers)
    assert (len(answers), len(judge.looked), len(judge.redeemed)) == (4, 1, 1)


def test_act_whose_giving_failed_can_be_given_again_by_all() -> None:
    judge, acts = desk()
    judge.fails = 1
    act = acts.show(CARD, Request("pangan"))
    with pytest.raises(NotSavedError):
        acts.give(act.id)
    assert acts.show(CARD, Request("pangan")).id == act.id  # nobody waits for what is over


def test_refusal_that_two_may_set_aside_is_given_by_two_alone_and_once() -> None:
    judge, acts = desk()
    judge.refuses = judge.by_two = True
    act = acts.show(CARD, Request("pangan"))
    alone = acts.give(act.id)
    assert (alone, judge.redeemed) == (act, [])
    done = acts.give(act.id, second="WK")
    assert done is not None
    assert isinstance(done.outcome, Redeemed)
    assert judge.redeemed == [Request("pangan", None, 6, second="WK")]
    assert (done.presentation, done.by_two) == (None, None)
    assert acts.give(act.id, second="WK") == done
    assert acts.mean_seconds is None  # what two people talk over is no pace of the counter


def test_refusal_that_nobody_may_set_aside_keeps_no_card_and_gives_nothing_to_two() -> None:
    judge, acts = desk()
    judge.refuses = True
    act = acts.show(CARD, Request("pangan"))
    assert (act.presentation, acts.give(act.id, second="WK"), judge.redeemed) == (None, act, [])
