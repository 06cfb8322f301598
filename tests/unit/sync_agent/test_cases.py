"""The winner of a double follows from what the records say, never from who came first."""

import hashlib
from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from ledger.element import RedemptionId, Right
from ledger.entry import Basis
from ledger.mac_verdict import Finding
from sync_agent.province.cases import CaseKind, Claim, Why, judge

RIGHT = Right(b"household"[:8], 0, 1, 1)


def claim(terminal: int, *, home=False, basis=Basis.AWAY, quantity=1, seq=1, finding=None) -> Claim:
    leaf = hashlib.sha256(f"{terminal}/{seq}".encode()).digest()
    return Claim(RedemptionId(terminal, 1, seq), leaf, quantity, home, basis, finding=finding)


HOME = claim(2, home=True, basis=Basis.HOME)
AWAY = claim(3)
EXCEPTION = claim(4, basis=Basis.EXCEPTION)


def test_one_redemption_within_the_right_is_no_case() -> None:
    assert judge(RIGHT, 1, [AWAY]) is None
    assert judge(RIGHT, 2, [AWAY, HOME]) is None


def test_the_same_record_twice_is_no_case() -> None:
    assert judge(RIGHT, 1, [AWAY, AWAY]) is None


def test_home_goes_before_away_before_exception() -> None:
    case = judge(RIGHT, 1, [EXCEPTION, AWAY, HOME])
    assert case is not None
    assert case.counted == (HOME,)
    assert case.losers == (AWAY, EXCEPTION)
    assert case.why is Why.HOME
    without = judge(RIGHT, 1, [EXCEPTION, AWAY])
    assert without is not None
    assert (without.winner, without.why) == ("T003-0001", Why.BEFORE_EXCEPTION)


def test_an_exception_at_home_still_is_at_home() -> None:
    at_home = claim(9, home=True, basis=Basis.EXCEPTION)
    case = judge(RIGHT, 1, [AWAY, at_home])
    assert case is not None
    assert case.counted == (at_home,)


def test_a_record_that_calls_itself_home_is_not_believed() -> None:
    liar = claim(5, basis=Basis.HOME)
    case = judge(RIGHT, 1, [liar, HOME])
    assert case is not None
    assert case.losers == (liar,)


def test_equal_standing_is_settled_by_the_leaf_hash() -> None:
    others = [claim(n) for n in range(3, 9)]
    case = judge(RIGHT, 1, others)
    assert case is not None
    assert case.counted == (min(others, key=lambda c: c.leaf),)
    assert case.why is Why.FINGERPRINT


def test_verdict_goes_before_home_before_nothing_known_before_invalid() -> None:
    """Valid, then without one or lost by the ordinary rule, then invalid."""
    signed = claim(5, basis=Basis.EXCEPTION, finding=Finding.VALID)
    lost = claim(6, home=True, finding=Finding.LOST)
    false = claim(7, home=True, finding=Finding.INVALID)
    case = judge(RIGHT, 1, [false, AWAY, lost, signed])
    assert case is not None
    assert (case.counted, case.losers) == ((signed,), (lost, AWAY, false))
    assert case.why is Why.MAC_VALID
    without = judge(RIGHT, 1, [false, EXCEPTION])
    assert without is not None
    assert (without.counted, without.why) == ((EXCEPTION,), Why.MAC_INVALID)


def test_claims_count_as_long_as_their_sum_stays_within_the_right() -> None:
    first, second, third = (claim(n, home=True, basis=Basis.HOME, quantity=2) for n in (1, 2, 3))
    case = judge(RIGHT, 5, [first, second, third])
    assert case is not None
    assert len(case.counted) == 2
    assert len(case.losers) == 1


def test_after_the_first_that_does_not_fit_none_fits() -> None:
    large = claim(3, quantity=3)
    small = claim(4, basis=Basis.EXCEPTION, quantity=1)
    case = judge(RIGHT, 3, [claim(1, home=True), large, small])
    assert case is not None
    assert case.losers == (large, small)


def test_one_record_over_its_right_is_an_excess_with_no_winner() -> None:
    alone = claim(3, quantity=4)
    case = judge(RIGHT, 3, [alone])
    assert case is not None
    assert (case.kind, case.winner, case.losers, case.why) == (
        CaseKind.EXCESS,
        None,
        (alone,),
        Why.NONE,
    )


def test_every_order_of_arrival_gives_the_same_case() -> None:
    claims = [HOME, AWAY, EXCEPTION, claim(6), claim(7, quantity=2)]
    cases = {judge(RIGHT, 2, order) for order in permutations(claims)}
    assert len(cases) == 1


CLAIMS = st.lists(
    st.builds(
        claim,
        st.integers(1, 6),
        home=st.booleans(),
        basis=st.sampled_from(Basis),
        quantity=st.integers(0, 4),
        seq=st.integers(1, 3),
        finding=st.sampled_from([None, *Finding]),
    ),
    max_size=8,
    unique_by=lambda c: c.id,
)


@given(claims=CLAIMS, quantity=st.integers(0, 10), data=st.data())
def test_any_order_and_repetition_gives_the_same_verdict(claims, quantity, data) -> None:
    shuffled = data.draw(st.permutations(claims))
    repeated = shuffled + data.draw(st.lists(st.sampled_from(claims))) if claims else []
    assert judge(RIGHT, quantity, repeated) == judge(RIGHT, quantity, claims)


@given(claims=CLAIMS, quantity=st.integers(0, 10))
def test_a_case_keeps_every_record_and_counts_no_more_than_the_right(claims, quantity) -> None:
    case = judge(RIGHT, quantity, claims)
    if case is None:
        assert sum(c.quantity for c in claims) <= quantity
        return
    assert set(case.counted) | set(case.losers) == set(claims)
    assert not set(case.counted) & set(case.losers)
    assert sum(c.quantity for c in case.counted) <= quantity
    assert sum(c.quantity for c in claims) > quantity


@given(claims=CLAIMS, quantity=st.integers(0, 10), finding=st.sampled_from([None, *Finding]))
def test_verdict_that_all_share_changes_nothing(claims, quantity, finding) -> None:
    plain = judge(RIGHT, quantity, [replace(c, finding=None) for c in claims])
    case = judge(RIGHT, quantity, [replace(c, finding=finding) for c in claims])
    assert _ids(case) == _ids(plain)


@given(claims=CLAIMS, quantity=st.integers(0, 10))
def test_lost_value_counts_as_no_verdict(claims, quantity) -> None:
    lost = [replace(c, finding=Finding.LOST) if c.finding is None else c for c in claims]
    assert _ids(judge(RIGHT, quantity, lost)) == _ids(judge(RIGHT, quantity, claims))


@given(claims=CLAIMS, quantity=st.integers(0, 10))
def test_no_record_counts_before_one_with_a_better_verdict(claims, quantity) -> None:
    case = judge(RIGHT, quantity, claims)
    if case is not None:
        rank: dict[Finding | None, int] = {Finding.VALID: 0, Finding.INVALID: 2}
        ranks = [rank.get(c.finding, 1) for c in (*case.counted, *case.losers)]
        assert ranks == sorted(ranks)


def _ids(case):
    return case and ([c.id for c in case.counted], [c.id for c in case.losers], case.why)
