"""A power cut between any two steps of installing: service goes on with the old or the new."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.fsck import check_journal
from tests.point import Point, make_point, taken_elsewhere
from tests.world import KEC_1

MODULES = {"os": os, "sqlite3": sqlite3}
STEPS = ["os.replace", "os.fsync", "os.open", "os.remove", "os.symlink", "sqlite3.connect"]


class PowerCutError(Exception):
    """The machine stops here."""


@pytest.fixture
def point(tmp_path: Path) -> Point:
    """The next ledger blocks a card and knows a redemption more."""
    point = make_point(tmp_path)
    point.world.blocked[KEC_1].append((point.ids["mawar"], 1))
    point.world.add_usage(taken_elsewhere(point.ids["anggrek"], seq=18))
    point.world.publish()
    point.bring()
    return point


@pytest.mark.parametrize("step", STEPS)
def test_power_cut_at_any_step_leaves_the_old_ledger_or_the_new(
    point: Point, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Cut at the first such step, then, from the state that left, at the second, and so on."""
    cuts = 0
    while True:
        with monkeypatch.context() as patch:
            cut_at(patch, step, cuts)
            try:
                point.take()
            except PowerCutError:
                cuts += 1
            else:
                break
        serves_on(point)
        assert cuts < 200
    assert cuts >= 1
    serves_on(point)
    point.take()
    assert point.counter.state().ledger_version == 2
    assert is_new(point)


def cut_at(patch: pytest.MonkeyPatch, step: str, count: int) -> None:
    """Let a step happen so many times, then never again."""
    module, name = step.split(".")
    real: Callable[..., object] = getattr(MODULES[module], name)
    left = count

    def cut(*args: object, **kwargs: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise PowerCutError
        return real(*args, **kwargs)

    patch.setattr(MODULES[module], name, cut)


def serves_on(point: Point) -> None:
    """As after a restart: the journal holds, and the answers are those of one ledger."""
    point.restart()
    state = point.counter.state()
    assert state.ledger_version in {1, 2}
    assert state.problem is None
    assert is_new(point) is (state.ledger_version == 2)
    key = point.folder.signer().public
    assert check_journal(point.folder.journal, terminal=1, epoch=1, key=key).ok


def is_new(point: Point) -> bool:
    """Whether the new ledger's block is known; its usage may be known before it."""
    answers = point.answers()
    blocked = answers["mawar", "pangan"] == Refused(Reason.REVOKED)
    refused = answers["anggrek", "pangan"]
    taken = isinstance(refused, Refused) and refused.reason is Reason.ALREADY_REDEEMED
    assert taken or not blocked
    return blocked
