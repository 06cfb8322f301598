"""The rules of the counter, each broken alone, and each two of them broken at once."""

import ast
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from card_codec.credential import CardKind
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.entry import Basis, Presented
from ledger.policy import DAY, AwayCap, Limit, Scope, Window
from ledger.rights_file import FLAG_CHIP, FLAG_DECEASED, FLAG_MOVED
from terminal import decision, grant, place
from terminal.decision import Approved, ChooseMember
from tests.unit.terminal.cases import CLOSES, NOW, OPENS, OTHER, Case, judged

# In the order in which they must be found: what to change, and the refusal it leads to.
RULES: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.SAMPLE_CARD, {"kind": CardKind.SAMPLE}),
    (Reason.TRAINING_CARD, {"kind": CardKind.TRAINING}),
    (Reason.WRONG_AUDIENCE, {"audience": "OTHER"}),
    (Reason.NOT_YET_VALID, {"issued": NOW + 1}),
    (Reason.EXPIRED, {"expires": NOW}),
    (Reason.REVOKED, {"blocked": True}),
    (Reason.REPLACED, {"row_issue": 2}),
    (Reason.HOUSEHOLD_DECEASED, {"flags": FLAG_DECEASED}),
    (Reason.HOUSEHOLD_MOVED, {"flags": FLAG_MOVED}),
    (Reason.RIGHT_NOT_HERE, {"listed": False}),
    (Reason.NOT_ENTITLED, {"owed": None}),
    (Reason.WINDOW_NOT_OPEN, {"windows": (Window(1, "w", NOW + 1, CLOSES),)}),
    (Reason.WINDOW_CLOSED, {"windows": (Window(1, "w", OPENS, NOW - 1),)}),
    (Reason.CARD_PENDING_ELSEWHERE, {"taken": 3, "unfinished": True}),
    (Reason.ALREADY_REDEEMED, {"taken": 3}),
    (Reason.MORE_THAN_LEFT, {"asked": 4}),
    (Reason.ONE_OF_TAKEN, {"other_taken": 1}),
    (Reason.TOO_SOON, {"taken": 1, "days_between": 7}),
    (Reason.USE_CHIP, {"flags": FLAG_CHIP}),
    (Reason.CARD_HISTORY_INCOMPLETE, {"gap": True}),
    (Reason.CARD_HISTORY_INCOMPLETE, {"alone_from": OPENS + 1}),
    (Reason.NOT_SERVED_AWAY, {"home": OTHER, "quota": 0}),
    (Reason.AWAY_QUOTA_USED, {"home": OTHER, "served": 5}),
    (Reason.AWAY_PROGRAMME_USED, {"home": OTHER, "cap": AwayCap(1, 1), "programme_served": 1}),
    (Reason.AWAY_PART_USED, {"home": OTHER, "cap": AwayCap(1, 1), "given_away": 1}),
    (Reason.LEDGER_TOO_OLD, {"away_percent": None}),
    (Reason.LEDGER_STALE, {"home": OTHER, "away_percent": 0}),
]
# What a household that is not listed cannot be as well.
OF_A_ROW = {
    Reason.REVOKED, Reason.REPLACED, Reason.HOUSEHOLD_DECEASED, Reason.HOUSEHOLD_MOVED
}  # fmt: skip


OF_WHAT_IS_LEFT = {
    Reason.CARD_PENDING_ELSEWHERE, Reason.ALREADY_REDEEMED, Reason.MORE_THAN_LEFT
}  # fmt: skip


def both(one: dict[str, Any], other: dict[str, Any]) -> Case | None:
    """A case that breaks two rules; None when it cannot break both."""
    merged = {**other, **one}
    for name in one.keys() & other.keys():
        if name == "flags":
            merged[name] = one[name] | other[name]
        elif one[name] != other[name]:
            return None
    return replace(Case(), **merged)


@pytest.mark.parametrize(("reason", "broken"), RULES, ids=[reason for reason, _ in RULES])
def test_each_broken_rule_is_refused_by_its_reason(reason: Reason, broken: dict[str, Any]) -> None:
    assert isinstance(judged(Case()), Approved)
    refused = judged(replace(Case(), **broken))
    assert isinstance(refused, Refused)
    assert refused.reason is reason


def test_of_two_broken_rules_the_first_is_the_reason() -> None:
    tried = 0
    for (first, one), (second, other) in combinations(RULES, 2):
        case = both(one, other)
        if case is None or (second is Reason.RIGHT_NOT_HERE and first in OF_A_ROW):
            continue
        tried += 1
        refused = judged(case)
        assert isinstance(refused, Refused)
        assert refused.reason is first, f"{first} with {second}"
    assert tried > 160


def test_all_that_can_be_broken_at_once_is_refused_by_its_kind() -> None:
    worst = Case(
        kind=CardKind.SAMPLE, audience="OTHER", expires=NOW, blocked=True, row_issue=2,
        flags=FLAG_CHIP | FLAG_DECEASED | FLAG_MOVED, owed=None, taken=3, asked=4, home=OTHER,
        quota=0, away_percent=None,
    )  # fmt: skip
    assert judged(worst) == Refused(Reason.SAMPLE_CARD)


def test_every_reason_named_in_the_rules_is_proved_here() -> None:
    trees = [
        ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
        for module in (decision, grant, place)
    ]
    named = {
        Reason[node.attr]
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    }
    assert named
    assert named <= {reason for reason, _ in RULES}


# --- windows ---

WINDOW_EDGES = [
    ("a second before it opens", OPENS - 1, OPENS - 1, Reason.WINDOW_NOT_OPEN),
    ("as it opens", OPENS, OPENS, None),
    ("when it may have opened, not surely", OPENS - 1, OPENS + DAY, Reason.WINDOW_NOT_OPEN),
    ("as it closes", CLOSES, CLOSES, None),
    ("a second after it closed", CLOSES + 1, CLOSES + 1, Reason.WINDOW_CLOSED),
    ("when it may have closed", OPENS, CLOSES + 1, Reason.WINDOW_CLOSED),
    ("at floor time, the clock being behind", OPENS, OPENS, None),
]


@pytest.mark.parametrize(
    ("early", "late", "reason"),
    [edge[1:] for edge in WINDOW_EDGES],
    ids=[edge[0] for edge in WINDOW_EDGES],
)
def test_window_is_open_from_early_until_late(early: int, late: int, reason: Reason | None) -> None:
    verdict = judged(Case(early=early, late=late, issued=0))
    assert (verdict.reason if isinstance(verdict, Refused) else None) is reason


def test_refusal_says_when_the_window_opens_or_closed() -> None:
    first, second = Window(1, "a", OPENS, NOW - 2), Window(2, "b", NOW + 5, CLOSES)
    assert judged(Case(windows=(second, first))) == Refused(
        Reason.WINDOW_NOT_OPEN, Facts(day=NOW + 5)
    )
    assert judged(Case(windows=(first,))) == Refused(Reason.WINDOW_CLOSED, Facts(day=NOW - 2))
    assert judged(Case(windows=())) == Refused(Reason.NOT_ENTITLED)


def test_right_of_the_window_that_closes_first_is_given_first() -> None:
    later, sooner = Window(1, "a", OPENS, CLOSES), Window(2, "b", OPENS, NOW + DAY)
    approved = judged(Case(windows=(later, sooner)))
    assert isinstance(approved, Approved)
    assert (approved.window, approved.right.window) == (sooner, 2)


def test_what_was_taken_in_one_open_window_leaves_the_other_untouched() -> None:
    """A stage that runs out while the next has begun must not turn a family away."""
    sooner, later = Window(1, "a", OPENS, NOW + DAY), Window(2, "b", OPENS, CLOSES)
    case = Case(windows=(sooner, later), taken={1: 3, 2: 1})
    approved = judged(case)
    assert isinstance(approved, Approved)
    assert (approved.window, approved.left_before, approved.left_after) == (later, 2, 0)
    assert judged(replace(case, asked=3)) == Refused(Reason.MORE_THAN_LEFT, Facts(count=2))
    spent = judged(replace(case, taken={1: 3, 2: 3}))
    assert isinstance(spent, Refused)
    assert spent.reason is Reason.ALREADY_REDEEMED


# --- what is left ---


def test_all_that_is_left_is_given_unless_less_is_asked() -> None:
    whole, part = judged(Case(taken=1, price=100)), judged(Case(taken=1, price=100, asked=1))
    assert isinstance(whole, Approved)
    assert isinstance(part, Approved)
    assert (whole.quantity, whole.left_before, whole.left_after, whole.pays) == (2, 2, 0, 200)
    assert (part.quantity, part.left_before, part.left_after, part.pays) == (1, 2, 1, 100)


def test_more_than_left_says_how_much_is_left() -> None:
    assert judged(Case(taken=1, asked=3)) == Refused(Reason.MORE_THAN_LEFT, Facts(count=2))


@pytest.mark.parametrize("taken", [3, 4, 2**32])
def test_nothing_left_says_when_where_and_which_receipt(taken: int) -> None:
    assert judged(Case(taken=taken)) == Refused(
        Reason.ALREADY_REDEEMED,
        Facts(at=NOW // 60 * 60 - 300, point="Balai Dua", terminal="T002", redemption="T002-0017"),
    )


def test_status_only_programme_has_no_limit() -> None:
    approved = judged(Case(limit=Limit.STATUS, taken=99))
    assert isinstance(approved, Approved)
    assert (approved.quantity, approved.left_before, approved.left_after) == (1, None, None)


def test_status_only_programme_obeys_every_other_rule() -> None:
    for reason, broken in RULES:
        if reason in OF_WHAT_IS_LEFT:
            continue
        refused = judged(replace(Case(limit=Limit.STATUS), **broken))
        assert isinstance(refused, Refused)
        assert refused.reason is reason


# --- the card ---


def test_card_newer_than_the_ledger_knows_is_served() -> None:
    approved = judged(Case(issue=2, row_issue=1))
    assert isinstance(approved, Approved)
    assert approved.issue == 2


def test_replaced_card_says_which_number_counts() -> None:
    assert judged(Case(issue=1, row_issue=3)) == Refused(Reason.REPLACED, Facts(count=3))


def test_training_card_is_served_in_training_only() -> None:
    assert isinstance(judged(Case(kind=CardKind.TRAINING, training=True)), Approved)
    assert judged(Case(kind=CardKind.SAMPLE, training=True)) == Refused(Reason.SAMPLE_CARD)


def test_uncertain_time_alone_turns_no_card_away() -> None:
    assert isinstance(judged(Case(issued=NOW + DAY, late=NOW + DAY)), Approved)
    assert isinstance(judged(Case(expires=NOW + 1, late=NOW + 9 * DAY)), Approved)


# --- persons ---


def test_person_is_asked_for_only_where_there_is_someone_to_choose() -> None:
    person = Case(scope=Scope.PERSON, members=(2, 5))
    assert isinstance(asked := judged(person), ChooseMember)
    assert asked.members == (2, 5)
    chosen = judged(replace(person, member=5))
    assert isinstance(chosen, Approved)
    assert (chosen.member, chosen.right.member) == (5, 5)
    nobody = judged(Case(scope=Scope.PERSON))
    assert nobody == Refused(Reason.NOT_ENTITLED)


def test_person_without_a_right_is_not_entitled() -> None:
    stranger = Case(scope=Scope.PERSON, members=(2,), member=7, owed=None)
    assert judged(stranger) == Refused(Reason.NOT_ENTITLED)


def test_card_that_does_not_count_is_refused_before_a_person_is_chosen() -> None:
    person = Case(scope=Scope.PERSON, members=(2, 5))
    for reason, broken in RULES[: [r for r, _ in RULES].index(Reason.NOT_ENTITLED)]:
        refused = judged(replace(person, **broken))
        assert isinstance(refused, Refused)
        assert refused.reason is reason


# --- place and age ---


def test_home_is_served_without_touching_the_away_quota() -> None:
    approved = judged(Case(quota=0))
    assert isinstance(approved, Approved)
    assert (approved.basis, approved.away_left) == (Basis.HOME, None)


@pytest.mark.parametrize("served", range(5))
def test_away_quota_counts_down(served: int) -> None:
    approved = judged(Case(home=OTHER, served=served))
    assert isinstance(approved, Approved)
    assert (approved.basis, approved.away_left) == (Basis.AWAY, 4 - served)


def test_household_after_the_last_of_the_quota_is_refused_and_sent_home() -> None:
    assert judged(Case(home=OTHER, served=5)) == Refused(
        Reason.AWAY_QUOTA_USED, Facts(point="Balai Dua", count=5)
    )


def test_household_served_away_already_does_not_count_twice() -> None:
    approved = judged(Case(home=OTHER, served=4, served_itself=True))
    assert isinstance(approved, Approved)
    assert approved.away_left == 0


def test_counter_without_a_quota_serves_nobody_away() -> None:
    assert judged(Case(home=OTHER, quota=0)) == Refused(
        Reason.NOT_SERVED_AWAY, Facts(point="Balai Dua")
    )


def test_household_that_is_at_home_nowhere_is_served_away() -> None:
    approved = judged(Case(home=None))
    assert isinstance(approved, Approved)
    assert approved.basis is Basis.AWAY


# Share of the quota that the age leaves, households served away before, whether one more is.
AGES = [
    (100, 4, True), (100, 5, False),
    (50, 0, True), (50, 1, True), (50, 2, False), (50, 4, False),
    (20, 0, True), (20, 1, False),
    (19, 0, False), (0, 0, False),
]  # fmt: skip


@pytest.mark.parametrize(("percent", "served", "given"), AGES)
def test_age_leaves_a_share_of_the_away_quota(percent: int, served: int, given: bool) -> None:
    verdict = judged(Case(home=OTHER, served=served, away_percent=percent))
    assert isinstance(verdict, Approved) is given
    assert isinstance(judged(Case(served=served, away_percent=percent)), Approved)


def test_chip_household_gives_nothing_on_paper_and_all_by_chip() -> None:
    for presented in Presented:
        verdict = judged(Case(flags=FLAG_CHIP, presented=presented))
        if presented is Presented.CHIP:
            assert isinstance(verdict, Approved)
        elif presented is Presented.CHIP_UNPROVEN:
            assert isinstance(verdict, Approved)  # by the rules of paper: no key of it is held
            asked = judged(Case(flags=FLAG_CHIP, presented=presented, can_be_asked=True))
            assert asked == Refused(Reason.USE_CHIP)
        else:
            assert verdict == Refused(Reason.USE_CHIP)
