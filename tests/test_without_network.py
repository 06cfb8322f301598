"""Every test marked network_less passes again with the network namespace unshared."""

import os
import subprocess
import sys

import pytest

from tests.source_tree import ROOT, house_is_whole


@pytest.mark.slow
def test_marked_tests_pass_with_the_network_unshared() -> None:
    """Only loopback is there: what needs another address fails."""
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    inside = 'ip link set lo up && exec "$0" -m pytest -q -m network_less -p no:cacheprovider'
    told = subprocess.run(
        ["unshare", "--net", *as_root, "sh", "-c", inside, sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    if told.returncode == pytest.ExitCode.NO_TESTS_COLLECTED and not house_is_whole():
        return
    assert told.returncode == 0, told.stdout + told.stderr
    assert " passed" in told.stdout.splitlines()[-1]
