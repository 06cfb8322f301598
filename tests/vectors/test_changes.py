"""Every vector of a kecamatan's changes."""

import subprocess
import sys
from typing import Any

import pytest

from ledger.changes_file import read_changes, write_changes
from ledger.errors import RecordError
from ledger.record import compress
from tests.vectors.loading import VECTORS, cases

Case = dict[str, Any]


@pytest.mark.parametrize("case", cases("changes", "valid"))
def test_valid_changes_are_read_and_written_alike(case: Case) -> None:
    data = compress(bytes.fromhex(case["input"]))
    changes = read_changes(data)
    assert [
        [c.terminal, c.epoch, c.seq, c.household.hex(), c.number] for c in changes.corrected
    ] == case["expected"]
    assert write_changes(changes) == data


@pytest.mark.parametrize("case", cases("changes", "invalid"))
def test_invalid_changes_are_refused(case: Case) -> None:
    with pytest.raises(RecordError):
        read_changes(compress(bytes.fromhex(case["input"])))


def test_vectors_are_what_their_program_writes() -> None:
    command = [sys.executable, "-m", "docs.spec.vectors.make_changes_vectors", "--check"]
    done = subprocess.run(command, cwd=VECTORS.parents[2], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
