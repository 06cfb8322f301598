"""The simulator itself: a story told again is the same story, and what is broken is found."""

import json
from pathlib import Path

import pytest

from tests.simulation.main import code_state, line_of, listed, tell, tell_all
from tests.simulation.mutants import MUTANTS
from tests.simulation.story import REDEMPTIONS

SEEDS = 20


@pytest.mark.slow
def test_every_promise_holds_in_each_of_twenty_stories() -> None:
    stories = list(tell_all(range(1, SEEDS + 1)))
    assert {told.seed: told.broken for told in stories if told.broken} == {}
    assert all(told.redemptions >= REDEMPTIONS >= 600 for told in stories)
    assert len({told.digest for told in stories}) == SEEDS


@pytest.mark.slow
def test_a_story_told_again_is_the_same() -> None:
    told, again = tell(1), tell(1)
    assert told.digest == again.digest
    assert (told.faults, told.found, told.blind) == (again.faults, again.found, again.blind)


@pytest.mark.slow
def test_what_is_broken_is_found_out_and_told_with_its_seed() -> None:
    with MUTANTS["acknowledged entries are deleted on the terminal"]():
        told = tell(1)
    assert (told.seed, told.broken.partition(":")[0]) == (1, "what was printed is in the journal")


@pytest.mark.slow
def test_a_list_holds_for_the_code_it_was_made_with(tmp_path: Path) -> None:
    path, told = tmp_path / "seeds.jsonl", tell(1)
    assert listed(path, code_state()) == set()
    path.write_text(json.dumps(line_of(told, code_state())) + "\n")
    assert listed(path, code_state()) == {1}
    assert listed(path, "of another code") == set()
