"""What the issuer finds of a chip's signature decides first, and accuses nobody without proof."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from card_codec.chip.record import RecordKind, decode_record
from card_codec.keys import PrivateKey
from ledger.element import RedemptionId
from ledger.entry import Basis, Commit, Observed, Void
from ledger.errors import RecordError
from ledger.mac_verdict import AskedCommit, Finding, MacVerdict, write_verdicts
from sync_agent.province import pages
from sync_agent.province.cases import Case, CaseKind, Claim, Why, judge
from sync_agent.province.folder import ProvinceFolder
from sync_agent.province.mac_verdicts import MacCase, MacCaseKind
from sync_agent.province.province import Province
from sync_agent.province.words import Language, words
from tests.issuer_check import (
    FALSE_VALUE,
    UID,
    IssuerCheck,
    asked,
    begin,
    check,
    mac_of,
    otherwise,
    redeem,
)
from tests.postgres import Server
from tests.sync_world import SyncWorld, batch_of
from tests.world import NOW

OTHER_UID = bytes.fromhex("04a1b2c3d4e581")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def issuer(world: SyncWorld) -> IssuerCheck:
    return IssuerCheck(world)


def hand_in(world: SyncWorld) -> None:
    for folder in (world.one, world.two):
        world.province.take(batch_of(folder), road="http")


def the_case(world: SyncWorld) -> Case:
    (case,) = world.province.cases()
    return case


def told(case: Case) -> tuple[str | None, list[str], Why]:
    return case.winner, [loser.id.number() for loser in case.losers], case.why


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
    assert check(asked(world, tmp_path / "again")) == [verdict]
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
        (verdict,) = check([AskedCommit(uid, counter, record, signed, 0)])
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
    verdicts = check(_commits(world))
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
    world.province.macs.take(issuer.file(*check(_commits(world))))
    assert told(the_case(world)) == ("T001-0001", ["T002-0001"], Why.MAC_VALID)


def test_void_that_no_chip_signed_is_a_case(world: SyncWorld, issuer: IssuerCheck) -> None:
    record = begin(world, world.one, world.homes_1[0])
    world.record(world.one, Commit(1, 2, mac_of(record, 2, before=(0, 0))))
    world.record(world.one, Void(1, "wrong card", "AB"))
    world.record(world.one, Commit(3, 3, FALSE_VALUE))
    world.province.take(batch_of(world.one), road="http")
    commits = _commits(world)
    assert RecordKind.VOID in {one.record[0] & 0x0F for one in commits}
    world.province.macs.take(issuer.file(*check(commits)))
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


@pytest.fixture
def new_store(request: pytest.FixtureRequest, store_url: str | None) -> Callable[[], str]:
    """Makes an empty store of the same sort as the world's."""
    if store_url is None:
        return lambda: "sqlite:///province.db"
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database


@contextmanager
def fresh(world: SyncWorld, store: str) -> Iterator[Province]:
    """A province with the same release and keys, to which nothing has come."""
    root = Path(mkdtemp(dir=world.folder)) / "province"
    left = shutil.ignore_patterns("province.db*")
    shutil.copytree(world.province_folder.root, root, ignore=left)
    config = replace(world.province_folder.config, store=store)
    province = Province(ProvinceFolder(root, config), now=lambda: NOW)
    try:
        yield province
    finally:
        province.close()


def test_any_order_of_arrival_of_records_and_verdicts_gives_the_same_cases(
    world: SyncWorld, issuer: IssuerCheck, new_store: Callable[[], str]
) -> None:
    """Two chips of one family, each at a terminal, one a counterfeit, and a contradicted third."""
    family, other = world.homes_2
    verdicts = [
        redeem(world, world.one, family),
        redeem(world, world.two, family, uid=OTHER_UID, value=FALSE_VALUE),
        redeem(world, world.one, other),
    ]
    world.take(world.two, other)
    batches = [batch_of(folder) for folder in (world.one, world.two)]
    files = [issuer.file(*verdicts), issuer.file(otherwise(verdicts[2]), at=NOW + 1)]
    seen: list[tuple[list[Case], list[MacCase]]] = []
    for order in permutations([*batches, *files]):
        with fresh(world, new_store()) as province:
            for one in order:
                if one in batches:
                    province.take(one, road="stick")
                else:
                    province.macs.take(one)
            found = province.cases(), province.macs.cases()
        seen += [found] if found not in seen else []
    ((cases, macs),) = seen
    by_right = {case.right.household: told(case) for case in cases}
    assert by_right == {
        family: ("T001-0001", ["T002-0001"], Why.MAC_VALID),
        other: ("T002-0003", ["T001-0003"], Why.HOME),
    }
    assert all(case.kind is CaseKind.DOUBLE for case in cases)
    assert [(one.kind, one.id.number()) for one in macs] == [
        (MacCaseKind.CONTRADICTED, "T001-0003"),
        (MacCaseKind.INVALID, "T002-0001"),
    ]


FOUND = st.frozensets(st.sampled_from([Finding.VALID, Finding.INVALID]))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    found=st.tuples(FOUND, FOUND, FOUND, st.frozensets(st.just(Finding.LOST))),
    chance=st.randoms(use_true_random=False),
)
def test_store_judges_verdicts_in_any_order_as_the_plain_rule_does(
    chips: Chips, new_store: Callable[[], str], found: Any, chance: Any
) -> None:
    """Four redemptions of one right, each with none, one or two findings of its own value."""
    issuer, world = chips.issuer, chips.issuer.world
    said = {
        chip: [replace(verdict, finding=finding) for finding in sorted(findings)]
        for (chip, verdict), findings in zip(chips.verdicts.items(), found, strict=True)
    }
    files = [issuer.file(one) for verdicts in said.values() for one in verdicts]
    order = [*chips.batches, *files]
    chance.shuffle(order)
    with fresh(world, new_store()) as province:
        for one in order:
            if one in chips.batches:
                province.take(one, road="stick")
            else:
                province.macs.take(one)
        (case,) = province.cases()
    plain = [
        dataclasses.replace(claim, finding=said[claim.id][0].finding)
        if len(said[claim.id]) == 1
        else claim
        for claim in chips.claims
    ]
    assert case == judge(case.right, 1, plain)


@dataclasses.dataclass
class Chips:
    """Batches with four chips' redemptions of one right, and what the issuer finds of each."""

    issuer: IssuerCheck
    batches: list[bytes]
    verdicts: dict[RedemptionId, MacVerdict]
    claims: list[Claim]


@pytest.fixture
def chips(world: SyncWorld, issuer: IssuerCheck) -> Chips:
    family = world.homes_2[0]
    uids = [UID[:6] + bytes([n]) for n in range(4)]
    places = [world.one, world.one, world.two, world.two]
    values = [None, None, None, b""]
    verdicts = {}
    for uid, folder, value in zip(uids, places, values, strict=True):
        verdict = redeem(world, folder, family, uid=uid, value=value)
        record = decode_record(verdict.record)
        verdicts[RedemptionId(record.terminal, record.epoch, record.seq)] = verdict
    hand_in(world)
    case = the_case(world)
    batches = [batch_of(folder) for folder in (world.one, world.two)]
    return Chips(issuer, batches, verdicts, [*case.counted, *case.losers])


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("id", ("sah", "belum ada putusan", "Tidak ada chip yang menandatangani")),
        ("en", ("valid", "no verdict", "No chip signed this redemption")),
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
