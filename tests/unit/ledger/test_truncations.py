"""Every truncation of every file that a terminal reads: each is refused, and nothing changes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import install
from ledger.errors import LedgerError
from tests.point import Point, make_point
from tests.world import KEC_1, KEC_2

ROLES = (
    "snapshot",
    "targets",
    *(f"{r}-{k}" for r in ("online", "changes") for k in (KEC_1, KEC_2)),
)


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    """A second ledger lies in the in-box; nothing of the first was kept, so that all is read."""
    point = make_point(tmp_path)
    point.world.policy_number = 0  # so that the second names the same files
    point.world.publish()
    point.bring()
    yield point
    point.counter.close()


def read_files(point: Point) -> list[Path]:
    box = point.folder.in_box
    named = [box / "metadata" / f"2.{role}.json" for role in ROLES]
    targets = [p for p in (box / "targets").rglob("*") if p.is_file() and "usage" not in p.parts]
    return [box / "metadata" / "timestamp.json", *named, *targets]


@pytest.mark.slow
def test_every_truncation_of_every_file_is_refused(point: Point) -> None:
    before, kept = point.held(), point.folder.root / "kept"
    for name in [p for p in point.folder.trusted.iterdir() if p.name.endswith((".zst", ".cbor"))]:
        name.unlink()  # python-tuf reads a file again only if it does not hold it
    shutil.copytree(point.folder.trusted, kept, symlinks=True)
    journal, reading = point.counter._desk.journal, point.world.clock.read()
    files = read_files(point)
    assert len(files) >= 14
    for path in files:
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(LedgerError):
                install._verify(point.folder, journal, reading)
            shutil.rmtree(point.folder.trusted)
            shutil.copytree(kept, point.folder.trusted, symlinks=True)
        path.write_bytes(whole)
        assert point.held() == before
    assert point.take().problem is None
