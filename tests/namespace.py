"""Run tests in a network (and mount) namespace of their own: loopback alone, an empty /run.

The virtual reader and nfcpy's udp driver listen on every address and ask nobody who they are; and
the path of pcscd's socket cannot be chosen. So their tests lie in folders called ``inside``, which
are collected only within such a namespace.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.source_tree import ROOT

INSIDE = "BETANG_TESTS_INSIDE"


def is_inside() -> bool:
    """Whether this process runs within such a namespace."""
    return os.environ.get(INSIDE) == "1"


def run_inside(
    folder: Path, *, with_run: bool = False, timeout_s: float = 280
) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder inside, with root's rights there.

    Args:
        folder: with the tests.
        with_run: whether to lay an empty /run over the machine's.
        timeout_s: then the run is ended.
    """
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    mount = "mount -t tmpfs tmpfs /run && " if with_run else ""
    shell = f'{mount}ip link set lo up && exec "$0" -m pytest -q -p no:cacheprovider "$1"'
    return subprocess.run(
        [
            *("unshare", "--net", "--mount", *as_root),
            *("sh", "-c", shell, sys.executable, str(folder)),
        ],
        cwd=ROOT,
        env={**os.environ, INSIDE: "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
