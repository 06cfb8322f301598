"""What is wrong with one part of a stick stops no other, and what was taken is always told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ledger.sealing import seal_to_province
from sync_agent.province import sticks
from sync_agent.province.sticks import StickReport, once_with
from sync_agent.stick import Stick
from tests.sync_world import SyncWorld, batch_of, sync


@pytest.fixture
def stick(world: SyncWorld, tmp_path: Path) -> Path:
    """It was at the province, and terminal 1 has laid one redemption on it."""
    path = tmp_path / "stick"
    path.mkdir()
    carry(world, path)
    world.take(world.one, world.homes_1[0])
    bundle = seal_to_province(batch_of(world.one), world.log.public)
    Stick(path).write("from-terminals/1-1/1-1.bundle", bundle)
    return path


def carry(world: SyncWorld, stick: Path) -> StickReport:
    return once_with(world.province, Stick(stick))


def refused(report: StickReport) -> list[tuple[str, str]]:
    return [(one.file, one.error) for one in report.refused]


def test_folder_of_one_terminal_that_is_unfit_stops_no_other(world: SyncWorld, stick: Path) -> None:
    (stick / "from-terminals" / "2-1").symlink_to("/etc")
    shutil.rmtree(stick / "to-terminals" / "2-1")
    os.mkfifo(stick / "to-terminals" / "2-1")
    report = carry(world, stick)
    assert (report.accepted, report.terminals) == (1, 1)
    assert [head.number for head in report.heads] == ["T001-0001"], "its code is told all the same"
    unfit = [("from-terminals/2-1", "not_a_folder"), ("to-terminals/2-1", "not_laid")]
    assert refused(report) == unfit
    assert all(one.file in one.detail for one in report.refused)
    assert sync(world.one, stick).acknowledgement == "T001-0001"


def test_stick_that_takes_nothing_back_still_tells_what_was_taken(
    world: SyncWorld, stick: Path
) -> None:
    shutil.rmtree(stick / "to-terminals")
    (stick / "to-terminals").write_text("a file where a folder should be")
    report = carry(world, stick)
    assert (report.accepted, report.terminals) == (1, 0)
    assert [head.number for head in report.heads] == ["T001-0001"]
    assert refused(report) == [("to-terminals/files", "not_laid")]


def test_more_bundles_than_are_looked_at_are_told(
    world: SyncWorld, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stick / "from-terminals" / "1-1" / "2-2.bundle").write_bytes(b"whatever")
    monkeypatch.setattr(sticks, "BUNDLES_MAX", 1)
    report = carry(world, stick)
    assert report.accepted == 1
    assert refused(report) == [("from-terminals", "too_many")]
    assert "2 bundles and only the first 1" in report.refused[0].detail
