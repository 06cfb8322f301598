"""The real pcscd and vsmartcard-vpcd, in a mount and network namespace of their own.

What is run lies in the folder ``inside``; `make setup-test` installs both programs.
"""

import re
from pathlib import Path

import pytest

from tests.namespace import run_inside

TESTS_AT_LEAST = 20


@pytest.mark.integration
@pytest.mark.slow
def test_real_pcscd_serves_the_card_inside() -> None:
    told = run_inside(Path(__file__).parent / "inside", with_run=True)
    last = told.stdout.splitlines()[-1] if told.stdout else ""
    assert told.returncode == 0, told.stdout + told.stderr
    passed = re.match(r"(\d+) passed in", last)
    assert passed is not None, last
    assert int(passed.group(1)) >= TESTS_AT_LEAST
