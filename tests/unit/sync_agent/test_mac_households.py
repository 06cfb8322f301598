"""A chip vouches for the family whose card it is, and no file clears a contradiction."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from ledger.entry import Basis, Observed
from ledger.mac_verdict import Finding, MacVerdict
from sync_agent.province.cases import Why
from sync_agent.province.mac_verdicts import MacCaseKind
from tests.issuer_check import (
    FALSE_VALUE,
    UID,
    IssuerCheck,
    asked,
    check,
    hand_in,
    mac_of,
    otherwise,
    redeem,
    the_case,
    told,
)
from tests.sync_world import SyncWorld, batch_of
from tests.unit.sync_agent.test_mac_verdicts import OTHER_UID, away_by_chip_and_home_on_paper
from tests.world import NOW

ON_BOTH_STORES = True


def chip_of_another(world: SyncWorld, *, value: bytes | None = None) -> MacVerdict:
    """A thief writes a redemption of a family with another's chip, and the family comes home."""
    family, another = world.homes_2[0], world.homes_1[0]
    verdict = redeem(world, world.one, family, value=value, whose=another)
    assert verdict.household == another
    world.take(world.two, family)
    hand_in(world)
    return verdict


def test_chip_of_another_family_wins_no_double(world: SyncWorld, issuer: IssuerCheck) -> None:
    verdict = chip_of_another(world)
    assert verdict.finding is Finding.VALID
    assert told(the_case(world)) == ("T002-0001", ["T001-0001"], Why.HOME)
    world.province.macs.take(issuer.file(verdict))
    case = the_case(world)
    assert told(case) == ("T002-0001", ["T001-0001"], Why.MAC_INVALID)
    assert [claim.finding for claim in case.losers] == [Finding.INVALID]
    (shown,) = world.province.macs.cases()
    assert (shown.kind, shown.id.number()) == (MacCaseKind.INVALID, "T001-0001")


def test_chip_of_another_family_wins_no_double_at_its_own_home_terminal(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    """Nor does it win where the thief is the family's home terminal, and the family was away."""
    family = world.homes_1[0]
    verdict = redeem(world, world.one, family, whose=world.homes_1[1])
    world.record(world.two, world.redemption(family, basis=Basis.EXCEPTION))
    hand_in(world)
    world.province.macs.take(issuer.file(verdict))
    assert told(the_case(world)) == ("T002-0001", ["T001-0001"], Why.MAC_INVALID)


def test_chip_of_another_family_shown_by_another_terminal_accuses_nobody(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    chip_of_another(world, value=b"")
    (lost,) = [c for c in asked(world, world.folder / "asked", anew=True) if c.uid == UID]
    signed = mac_of(lost.record, 2, before=(0, 0))
    world.record(world.two, Observed(world.homes_1[0], 1, UID, 2, signed, lost.record))
    hand_in(world)
    verdicts = check(asked(world, world.folder / "asked", anew=True), {UID: world.homes_1[0]})
    assert [one.finding for one in verdicts] == [Finding.LOST, Finding.VALID]
    world.province.macs.take(issuer.file(*verdicts))
    case = the_case(world)
    assert told(case) == ("T002-0001", ["T001-0001"], Why.HOME)
    assert [claim.finding for claim in case.losers] == [Finding.LOST]
    assert world.province.macs.cases() == []


def test_chip_that_the_office_never_made_says_nothing(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = replace(away_by_chip_and_home_on_paper(world), household=None)
    world.province.macs.take(issuer.file(verdict))
    case = the_case(world)
    assert told(case) == ("T002-0001", ["T001-0001"], Why.HOME)
    assert [claim.finding for claim in case.losers] == [None]
    assert world.province.macs.cases() == []


@pytest.mark.parametrize("unknown_first", [True, False])
def test_chip_that_the_office_comes_to_know_counts_for_its_family(
    world: SyncWorld, issuer: IssuerCheck, unknown_first: bool
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    unknown = replace(verdict, household=None)
    for one in (unknown, verdict) if unknown_first else (verdict, unknown):
        taken = world.province.macs.take(issuer.file(one))
        assert (taken.new, taken.contradicted) == (1, 0)
    assert told(the_case(world)) == ("T001-0001", ["T002-0001"], Why.MAC_VALID)


def test_invalid_value_of_a_chip_that_the_office_never_made_is_invalid_all_the_same(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = redeem(world, world.one, world.homes_1[0], value=FALSE_VALUE)
    world.province.take(batch_of(world.one), road="http")
    world.province.macs.take(issuer.file(replace(verdict, household=None)))
    assert [case.kind for case in world.province.macs.cases()] == [MacCaseKind.INVALID]


def test_one_commit_of_two_families_is_a_contradiction_and_counts_for_neither(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    world.province.macs.take(issuer.file(verdict))
    other = replace(verdict, household=world.homes_1[0])
    assert world.province.macs.take(issuer.file(other)).contradicted == 1
    assert the_case(world).why is Why.HOME
    assert [case.kind for case in world.province.macs.cases()] == [MacCaseKind.CONTRADICTED]


def test_one_side_of_a_contradiction_sent_again_is_told_as_contradicted(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    other = redeem(world, world.one, world.homes_1[1], uid=OTHER_UID)
    world.province.macs.take(issuer.file(verdict))
    world.province.macs.take(issuer.file(otherwise(verdict)))
    for again in (verdict, otherwise(verdict)):
        taken = world.province.macs.take(issuer.file(again, other, at=NOW + 5))
        assert taken.contradicted == 1
    assert world.province.macs.take(issuer.file(other, at=NOW + 6)).contradicted == 0


def test_only_revoking_the_key_of_the_false_file_clears_a_contradiction(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    thief = IssuerCheck(world)
    world.province.macs.take(issuer.file(verdict))
    world.province.macs.take(thief.file(otherwise(verdict)))
    third = issuer.file(verdict, at=NOW + 5)
    assert world.province.macs.take(third).contradicted == 1
    assert [case.kind for case in world.province.macs.cases()] == [MacCaseKind.CONTRADICTED]
    true, false = world.verdict_keys
    world.verdict_keys[:] = [true, dataclasses.replace(false, revoked_at=NOW + 10)]
    world.province.release(world.sign_release())
    assert world.province.macs.cases() == []
    assert the_case(world).why is Why.MAC_VALID
    assert world.province.macs.take(third).contradicted == 0
