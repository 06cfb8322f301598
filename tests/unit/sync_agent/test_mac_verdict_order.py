"""Records and verdicts give the same cases in whatever order they come, on either store."""

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

from card_codec.chip.record import decode_record
from ledger.element import RedemptionId
from ledger.mac_verdict import Finding, MacVerdict
from sync_agent.province.cases import Case, CaseKind, Claim, Why, judge
from sync_agent.province.folder import ProvinceFolder
from sync_agent.province.mac_verdicts import MacCase, MacCaseKind
from sync_agent.province.province import Province
from tests.issuer_check import (
    FALSE_VALUE,
    UID,
    IssuerCheck,
    hand_in,
    otherwise,
    redeem,
    the_case,
    told,
)
from tests.postgres import Server
from tests.sync_world import SyncWorld, batch_of
from tests.world import NOW

OTHER_UID = bytes.fromhex("04a1b2c3d4e581")
pytestmark = pytest.mark.slow


ON_BOTH_STORES = True


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


OWN, OTHER = "own", "other"
OF = st.sampled_from([OWN, OTHER, None])
FOUND = st.frozensets(st.tuples(st.sampled_from([Finding.VALID, Finding.INVALID]), OF), max_size=3)
LOST = st.frozensets(st.tuples(st.just(Finding.LOST), OF), max_size=2)
Said = frozenset[tuple[Finding, str | None]]


def plainly(said: Said) -> Finding | None:
    """What verdicts on one commit, told by its own terminal, say of a redemption together."""
    findings, households = {one for one, _ in said}, {of for _, of in said} - {None}
    if len(findings) != 1 or len(households) > 1:
        return None
    (finding,) = findings
    if finding is not Finding.VALID:
        return finding
    return {OWN: finding, OTHER: Finding.INVALID}.get(next(iter(households), None) or "")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    found=st.tuples(FOUND, FOUND, FOUND, LOST),
    chance=st.randoms(use_true_random=False),
)
def test_store_judges_verdicts_in_any_order_as_the_plain_rule_does(
    chips: Chips, new_store: Callable[[], str], found: Any, chance: Any
) -> None:
    """Four redemptions of one right, each with none to three verdicts on its own value."""
    issuer, world = chips.issuer, chips.issuer.world
    said: dict[RedemptionId, Said] = dict(zip(chips.verdicts, found, strict=True))
    of = {OWN: world.homes_2[0], OTHER: world.homes_1[0], None: None}
    files = [
        issuer.file(replace(chips.verdicts[id], finding=finding, household=of[whose]))
        for id, verdicts in said.items()
        for finding, whose in verdicts
    ]
    order = [*chips.batches, *files]
    chance.shuffle(order)
    with fresh(world, new_store()) as province:
        for one in order:
            if one in chips.batches:
                province.take(one, road="stick")
            else:
                province.macs.take(one)
        (case,) = province.cases()
    plain = [dataclasses.replace(one, finding=plainly(said[one.id])) for one in chips.claims]
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
