"""nfcpy's udp driver, in a network namespace of its own."""

from pathlib import Path

import pytest

from tests.namespace import run_inside


@pytest.mark.integration
@pytest.mark.slow
def test_redemptions_over_udp_pass_inside() -> None:
    told = run_inside(Path(__file__).parent / "inside")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "2 passed" in told.stdout.splitlines()[-1]
