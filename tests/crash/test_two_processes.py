"""Two real processes at one journal: each right is given exactly once."""

from collections import Counter
from pathlib import Path

import pytest

from ledger.fsck import check_journal
from tests.crash.town import make_town, start

pytestmark = pytest.mark.crash

FAMILIES = 400
"""Enough that the three run at once on any machine; how they take turns is the machine's affair."""


def test_processes_that_decide_the_same_rights_at_once_approve_each_once(tmp_path: Path) -> None:
    town = make_town(tmp_path, families=FAMILIES)
    children = [start("redeem", town.folder.root) for _ in range(3)]
    for child in children:
        child.tell(town.cards)
    said = [child.rest() for child in children]
    assert all(lines[-1] == "done" for lines in said)
    given = Counter(line.split()[0] for lines in said for line in lines[:-1])
    assert given == dict.fromkeys(town.cards, 1)
    numbers = [line.split()[1] for lines in said for line in lines[:-1]]
    assert len(set(numbers)) == len(numbers)
    checked = check_journal(
        town.folder.journal, terminal=1, epoch=1, key=town.folder.signer().public
    )
    assert checked.ok
    assert checked.entries >= FAMILIES * 3
