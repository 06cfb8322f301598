"""The cable is cut: the network namespace is unshared, and a counter redeems as before."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.town import make_town, start
from tests.source_tree import ROOT

pytestmark = pytest.mark.slow
UNSHARE = ("unshare", "--net", *(() if os.geteuid() == 0 else ("--map-root-user",)))
REDEMPTION_TESTS = (
    "tests/unit/terminal/test_decision.py",
    "tests/unit/terminal/test_redeem.py",
    "tests/unit/terminal/test_counter.py",
    "tests/unit/terminal/test_cli.py",
    "tests/unit/ledger",
)
REACH = """
import errno, socket
assert [name for _, name in socket.if_nameindex()] == ["lo"], socket.if_nameindex()
for address in (("192.0.2.1", 443), ("127.0.0.1", 9)):  # of documentation; loopback, which is down
    try:
        socket.create_connection(address, timeout=3)
    except OSError as error:
        assert error.errno == errno.ENETUNREACH, error
    else:
        raise SystemExit("reached " + address[0])
try:
    socket.getaddrinfo("example.org", 443)
except socket.gaierror:
    print("nothing can be reached")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*UNSHARE, sys.executable, *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=240,
    )  # fmt: skip


def test_network_is_really_gone_there() -> None:
    ended = run("-c", REACH)
    assert (ended.returncode, ended.stdout) == (0, "nothing can be reached\n"), ended.stderr


def test_redemption_tests_pass_there_and_none_is_skipped() -> None:
    ended = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *REDEMPTION_TESTS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^\d{3,} passed in ", ended.stdout, re.MULTILINE), ended.stdout
    assert "skipped" not in ended.stdout


def test_counter_in_a_process_of_its_own_serves_a_town_there(tmp_path: Path) -> None:
    town = make_town(tmp_path, families=25)
    child = start("redeem", town.folder.root, prefix=UNSHARE)
    child.tell(town.cards)
    *given, last = child.rest()
    assert last == "done"
    assert [line.split()[0] for line in given] == list(town.cards)
