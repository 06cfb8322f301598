"""A card torn at every frame of a redemption and of a void, and every way to go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chip_recovery import (
    Case,
    End,
    Ended,
    Next,
    cases,
    frames_of_a_redemption,
    frames_of_a_void,
    run,
    run_void,
    table,
)
from tests.chip_town import Town, make_town
from virtual_card.link import Fault


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames_of", "play", "last"),
    [(frames_of_a_redemption, run, 3), (frames_of_a_void, run_void, 3)],
    ids=["redemption", "void"],
)
def test_no_tear_gives_goods_twice_or_loses_them_in_silence(
    tmp_path: Path,
    frames_of: Callable[[Town], list[str]],
    play: Callable[[Town, Case], Ended],
    last: int,
) -> None:
    town = make_town(tmp_path)
    try:
        names = frames_of(town)
        assert names[-last:] == ["CommitReaderID", "WriteRecord", "CommitTransaction"]
        ended = {case: play(town, case) for case in cases(len(names))}
        print("\n".join(table(names, ended)))
        assert [told for one in ended.values() for told in one.wrong] == []
        assert len(ended) == len(names) * len(Fault) * len(Next)
        stands = {case.then for case, one in ended.items() if one.end is not End.GIVEN}
        assert stands == {Next.FLUSHED}  # everything else is settled by the card
        assert (town.journal_holds(1), town.journal_holds(2)) == ((), ())
    finally:
        town.close()
