"""The simulator itself: a story told again is the same story, and what is broken is found."""

import pytest

from tests.simulation.main import tell


@pytest.mark.slow
def test_a_story_keeps_every_promise_and_told_again_it_is_the_same() -> None:
    told, again = tell(1), tell(1)
    assert (told.broken, again.broken) == ("", "")
    assert told.digest == again.digest
    assert (told.faults, told.found, told.blind) == (again.faults, again.found, again.blind)
