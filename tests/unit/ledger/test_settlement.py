"""Usage goes when its window is settled, by an offline signature and by nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.element import Element, RedemptionId, Right
from ledger.fsck import check_journal
from ledger.policy import DAY, Window
from ledger.repository import tuf_signer
from terminal.counter import Redeemed
from tests.point import Point, make_point, tables, taken_elsewhere
from tests.unit.ledger.forging import honest, sign_timestamp
from tests.world import KEC_1, NOW

SETTLED = 60 * DAY + 14 * DAY + 1
"""Stage 1 closes in 60 days, and is settled 14 days later."""


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path)
    yield made
    made.counter.close()


def rows(point: Point, table: str) -> list[tuple[Any, ...]]:
    return tables(point.folder.journal)[table]


def holds_together(point: Point) -> bool:
    key = point.folder.signer().public
    return check_journal(point.folder.journal, terminal=1, epoch=1, key=key).ok


def test_usage_of_a_settled_window_is_gone_and_what_was_given_here_stays(point: Point) -> None:
    assert isinstance(point.show("mawar"), Redeemed)
    assert len(rows(point, "element")) == 2
    point.world.clock.pass_time(SETTLED)
    honest(point)
    (kept,) = rows(point, "element")
    assert kept[0] == point.ids["mawar"]
    assert holds_together(point)


def test_segment_that_was_let_go_is_not_taken_again(point: Point) -> None:
    point.world.clock.pass_time(SETTLED)
    honest(point)
    digests = [row[2] for row in rows(point, "segment")]
    honest(point)
    assert [row[2] for row in rows(point, "segment")] == digests
    assert rows(point, "element") == []


def test_usage_of_a_window_still_open_stays(point: Point) -> None:
    world = point.world
    longer = Window(2, "Tahap 2", NOW - DAY, NOW + 200 * DAY)
    world.programmes = tuple(
        msgspec.structs.replace(p, windows=(*p.windows, longer)) for p in world.programmes
    )
    second = Right(point.ids["dahlia"], 0, 1, 2)
    world.add_usage(
        Element(RedemptionId(2, 1, 30), bytes(8), second, 1, NOW // 60),
        taken_elsewhere(point.ids["mawar"], seq=31),
    )
    honest(point)
    world.clock.pass_time(SETTLED)
    honest(point)
    assert [row[:3] for row in rows(point, "element")] == [(point.ids["dahlia"], 1, 2)]
    refused = point.answers()["dahlia", "pangan"]
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ALREADY_REDEEMED
    assert holds_together(point)


def test_no_clock_and_no_online_time_makes_a_terminal_forget(point: Point) -> None:
    world, before = point.world, rows(point, "element")
    world.clock.reboot(wall=NOW + 400 * DAY)
    world.repository.publish(tuf_signer(world.online), now=NOW + DAY)
    sign_timestamp(point, time=NOW + 400 * DAY)
    point.bring()
    point.take()
    point.show("kamboja")
    world.clock.reboot(wall=NOW + 2 * DAY)
    world.repository.publish(tuf_signer(world.online), now=NOW + 2 * DAY)
    point.bring()
    point.take()
    assert rows(point, "element") == before
    assert isinstance(point.answers()["dahlia", "pangan"], Refused)


def test_window_that_no_policy_names_any_more_is_settled_after_400_days(point: Point) -> None:
    world = point.world
    right = Right(point.ids["dahlia"], 0, 9, 9)
    world.add_usage(Element(RedemptionId(2, 1, 30), bytes(8), right, 1, NOW // 60))
    honest(point)
    world.clock.pass_time(399 * DAY)
    honest(point)
    assert [row[1] for row in rows(point, "element")] == [9]
    world.clock.pass_time(2 * DAY)
    honest(point)
    assert rows(point, "element") == []
    assert len(world.usage[KEC_1]) == 2
