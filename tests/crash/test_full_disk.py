"""A real disk that is full: nothing is given that is not on it, and with room service goes on."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.crash.town import make_town, start

pytestmark = pytest.mark.crash
MOUNT = """
mount -t tmpfs -o size=2m none "$0" && cp -a "$1/." "$0" && shift
head -c 900000 /dev/zero >"$0/ballast"
exec "$@"
"""


def test_full_disk_gives_nothing_and_with_room_service_goes_on(tmp_path: Path) -> None:
    town = make_town(tmp_path / "town", families=1_500)
    shutil.rmtree(town.folder.in_box)
    disk = tmp_path / "disk"
    disk.mkdir()
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    prefix = ("unshare", "--mount", *as_root, "sh", "-c", MOUNT,
              str(disk), str(town.folder.root))  # fmt: skip
    child = start("fill", disk, prefix=prefix)
    child.tell(town.cards)
    *full, told = child.rest()
    report = json.loads(told)
    assert len(full) == 1
    assert report["full"]
    assert report["faults"] == []
    assert report["seals"] == 1
    assert report["kept"] == report["given"]
    assert len(report["given"]) > 100
