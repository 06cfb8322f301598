"""What the issuer finds of a chip's signature decides first, and accuses nobody without proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from card_codec.chip.record import RecordKind
from card_codec.keys import PrivateKey
from ledger.entry import Basis, Commit, Observed, Void
from ledger.errors import RecordError
from ledger.mac_verdict import AskedCommit, Finding, MacVerdict, write_verdicts
from sync_agent.province import pages
from sync_agent.province.cases import Why
from sync_agent.province.mac_verdicts import MacCaseKind
from sync_agent.province.words import Language, words
from tests.issuer_check import (
    FALSE_VALUE,
    UID,
    IssuerCheck,
    asked,
    begin,
    check,
    hand_in,
    mac_of,
    otherwise,
    redeem,
    the_case,
    told,
)
from tests.sync_world import SyncWorld, batch_of
from tests.world import NOW

OTHER_UID = bytes.fromhex("04a1b2c3d4e581")


ON_BOTH_STORES = True


def away_by_chip_and_home_on_paper(world: SyncWorld, *, value: bytes | None = None) -> MacVerdict:
    """Without a verdict the record of the home terminal, terminal 2, counts."""
    family = world.homes_2[0]
    verdict = redeem(world, world.one, family, value=value)
    world.take(world.two, family)
    hand_in(world)
    return verdict


def test_valid_verdict_goes_before_the_home_terminal(world: SyncWorld, issuer: IssuerCheck) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    assert told(the_case(world)) == ("T002-0001", ["T001-0001"], Why.HOME)
    taken = world.province.macs.take(issuer.file(verdict))
    assert (taken.new, taken.valid, taken.unknown, taken.contradicted) == (1, 1, 0, 0)
    case = the_case(world)
    assert told(case) == ("T001-0001", ["T002-0001"], Why.MAC_VALID)
    assert [c.finding for c in (*case.counted, *case.losers)] == [Finding.VALID, None]
    assert world.province.macs.cases() == []


def test_invalid_verdict_stands_behind_every_other_record(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    family = world.homes_1[0]
    verdict = redeem(world, world.one, family, value=FALSE_VALUE)
    world.record(world.two, world.redemption(family, basis=Basis.EXCEPTION))
    hand_in(world)
    assert told(the_case(world)) == ("T001-0001", ["T002-0001"], Why.HOME)
    assert verdict.finding is Finding.INVALID
    world.province.macs.take(issuer.file(verdict))
    assert told(the_case(world)) == ("T002-0001", ["T001-0001"], Why.MAC_INVALID)


def test_counterfeit_alone_is_a_case_without_any_double(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = redeem(world, world.one, world.homes_1[0], value=FALSE_VALUE)
    world.province.take(batch_of(world.one), road="http")
    assert world.province.macs.cases() == []
    world.province.macs.take(issuer.file(verdict))
    assert world.province.cases() == []
    (case,) = world.province.macs.cases()
    assert (case.kind, case.id.number()) == (MacCaseKind.INVALID, "T001-0001")


def test_lost_value_changes_nothing_and_accuses_nobody(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = away_by_chip_and_home_on_paper(world, value=b"")
    before = told(the_case(world))
    assert world.province.macs.take(issuer.file(verdict)).tmv_lost == 1
    case = the_case(world)
    assert told(case) == before
    assert [claim.finding for claim in case.losers] == [Finding.LOST]
    assert world.province.macs.cases() == []


def test_same_file_taken_again_changes_nothing(world: SyncWorld, issuer: IssuerCheck) -> None:
    file = issuer.file(away_by_chip_and_home_on_paper(world))
    assert [world.province.macs.take(file).new for _ in range(3)] == [1, 0, 0]
    later = issuer.file(redeem(world, world.one, world.homes_1[1]), at=NOW + 5)
    assert world.province.macs.take(later).new == 1


def test_verdicts_of_another_key_are_refused(world: SyncWorld, issuer: IssuerCheck) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    for key in (PrivateKey.generate(), world.log, world.issuer):
        with pytest.raises(RecordError, match=r"^not verdicts of the issuer"):
            world.province.macs.take(write_verdicts([verdict], key, at=NOW))
    assert the_case(world).why is Why.HOME


def test_verdicts_dated_outside_the_life_of_their_key_are_refused(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    with pytest.raises(RecordError, match="outside the life of their key"):
        world.province.macs.take(issuer.file(verdict, at=NOW - 2))
    issuer.end(stolen=False)
    with pytest.raises(RecordError, match="outside the life of their key"):
        world.province.macs.take(issuer.file(verdict, at=NOW + 10))
    assert world.province.macs.take(issuer.file(verdict, at=NOW + 9)).new == 1
    assert the_case(world).why is Why.MAC_VALID


def test_stolen_verdict_key_decides_nothing_once_it_is_revoked(
    world: SyncWorld, issuer: IssuerCheck, tmp_path: Path
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    world.province.macs.take(issuer.file(otherwise(verdict)))
    assert asked(world, tmp_path / "none") == []
    issuer.end(stolen=True)
    assert the_case(world).why is Why.HOME
    assert world.province.macs.cases() == []
    again = asked(world, tmp_path / "again")
    assert check(again, {UID: world.homes_2[0]}) == [verdict]
    following = IssuerCheck(world)
    world.province.macs.take(following.file(verdict))
    assert the_case(world).why is Why.MAC_VALID


def test_verdict_on_a_commit_nobody_told_is_kept_until_its_entry_arrives(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    family = world.homes_2[0]
    verdict = redeem(world, world.one, family)
    world.take(world.two, family)
    taken = world.province.macs.take(issuer.file(verdict))
    assert (taken.new, taken.unknown) == (1, 1)
    hand_in(world)
    assert told(the_case(world)) == ("T001-0001", ["T002-0001"], Why.MAC_VALID)


def test_verdict_on_another_record_of_the_same_number_says_nothing(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    """Another chip, quantity or counter than the pending entry fixed."""
    away_by_chip_and_home_on_paper(world)
    (commit,) = [c for c in _commits(world) if c.uid == UID]
    more = bytearray(commit.record)
    more[12] += 1
    for uid, counter, record in (
        (OTHER_UID, 2, commit.record),
        (UID, 2, bytes(more)),
        (UID, 3, commit.record),
    ):
        signed = mac_of(record, counter, uid=uid, before=(0, 0))
        commit = AskedCommit(uid, counter, record, signed, 0)
        (verdict,) = check([commit], {uid: world.homes_2[0]})
        assert verdict.finding is Finding.VALID
        world.province.macs.take(issuer.file(verdict))
    assert the_case(world).why is Why.HOME


def _commits(world: SyncWorld) -> list[AskedCommit]:
    return asked(world, world.folder / "asked", anew=True)


def test_two_findings_of_one_commit_both_stay_and_neither_counts(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    world.province.macs.take(issuer.file(verdict))
    taken = world.province.macs.take(issuer.file(otherwise(verdict)))
    assert (taken.new, taken.contradicted) == (1, 1)
    assert the_case(world).why is Why.HOME
    assert [case.kind for case in world.province.macs.cases()] == [MacCaseKind.CONTRADICTED]


def test_false_value_shown_by_another_terminal_accuses_nobody(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    family = world.homes_1[0]
    record = begin(world, world.one, family)
    signed = mac_of(record, 2, before=(0, 0))
    world.record(world.one, Commit(1, 2, signed))
    world.record(world.two, Observed(family, 1, UID, 2, FALSE_VALUE, record))
    hand_in(world)
    verdicts = check(_commits(world), {UID: family})
    assert sorted(one.finding for one in verdicts) == [Finding.VALID, Finding.INVALID]
    for verdict in sorted(verdicts, key=lambda one: -one.finding):
        world.province.macs.take(issuer.file(verdict))
        assert world.province.macs.cases() == []


def test_value_lost_at_its_own_terminal_is_valid_once_another_has_seen_it(
    world: SyncWorld, issuer: IssuerCheck
) -> None:
    family = world.homes_2[0]
    record = begin(world, world.one, family)
    world.record(world.one, Commit(1, 2, b""))
    world.take(world.two, family)
    world.record(world.two, Observed(family, 1, UID, 2, mac_of(record, 2, before=(0, 0)), record))
    hand_in(world)
    world.province.macs.take(issuer.file(*check(_commits(world), {UID: family})))
    assert told(the_case(world)) == ("T001-0001", ["T002-0001"], Why.MAC_VALID)


def test_void_that_no_chip_signed_is_a_case(world: SyncWorld, issuer: IssuerCheck) -> None:
    record = begin(world, world.one, world.homes_1[0])
    world.record(world.one, Commit(1, 2, mac_of(record, 2, before=(0, 0))))
    world.record(world.one, Void(1, "wrong card", "AB"))
    world.record(world.one, Commit(3, 3, FALSE_VALUE))
    world.province.take(batch_of(world.one), road="http")
    commits = _commits(world)
    assert RecordKind.VOID in {one.record[0] & 0x0F for one in commits}
    world.province.macs.take(issuer.file(*check(commits, {UID: world.homes_1[0]})))
    (case,) = world.province.macs.cases()
    assert (case.kind, case.id.number()) == (MacCaseKind.FALSE_VOID, "T001-0001")


def test_only_what_has_no_verdict_yet_is_asked_again(
    world: SyncWorld, issuer: IssuerCheck, tmp_path: Path
) -> None:
    verdict = away_by_chip_and_home_on_paper(world)
    world.province.macs.take(issuer.file(verdict))
    redeem(world, world.one, world.homes_1[0], uid=OTHER_UID)
    hand_in_again(world)
    assert [one.uid for one in asked(world, tmp_path / "new")] == [OTHER_UID]
    assert {one.uid for one in asked(world, tmp_path / "all", anew=True)} == {UID, OTHER_UID}


def hand_in_again(world: SyncWorld) -> None:
    world.province.take(batch_of(world.one), road="stick")


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("id", ("sah", "belum ada putusan", "Tidak ada chip keluarga ini yang menandatangani")),
        ("en", ("valid", "no verdict", "No chip of this family signed this redemption")),
    ],
)
def test_desk_shows_the_verdict_beside_each_record_and_counterfeits_alone(
    world: SyncWorld, issuer: IssuerCheck, language: Language, shown: tuple[str, str, str]
) -> None:
    valid, none, counterfeit = shown
    true = away_by_chip_and_home_on_paper(world)
    false = redeem(world, world.one, world.homes_1[0], uid=OTHER_UID, value=FALSE_VALUE)
    world.province.take(batch_of(world.one), road="stick")
    before = desk_of(world, language)
    assert (before.count(f"<td>{none}</td>"), counterfeit in before) == (2, False)
    world.province.macs.take(issuer.file(true, false))
    page = desk_of(world, language)
    assert (page.count(f"<td>{valid}</td>"), page.count(f"<td>{none}</td>")) == (1, 1)
    assert page.count(counterfeit) == 1


def desk_of(world: SyncWorld, language: Language) -> str:
    return pages._PAGES.get_template("desk.html").render(
        pages._shown(world.province, words(language))
    )
