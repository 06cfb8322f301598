"""kill -9 at random moments: every acknowledged redemption is there, and service goes on."""

import random
import shutil
import time
from pathlib import Path

import pytest

from ledger.element import Element, RedemptionId, Right
from ledger.entry import Redemption
from ledger.fsck import check_journal
from ledger.repository import tuf_signer
from terminal.counter import Presentation, Redeemed, Request
from tests.crash.town import Town, make_town, start

pytestmark = pytest.mark.crash
KILLS = 60
SEED = 20261
AT_ONCE = 80
"""Cards a process is told before it is killed; the town has enough for all of them."""


def test_kill_in_a_loop_of_redemptions_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    chance, town = random.Random(SEED), make_town(tmp_path, families=KILLS * (AT_ONCE + 2))
    acknowledged: dict[str, str] = {}
    caught = 0
    for _ in range(KILLS):
        waiting = [household for household in town.cards if household not in acknowledged]
        child = start("redeem", town.folder.root)
        child.tell({household: town.cards[household] for household in waiting[:AT_ONCE]})
        time.sleep(chance.uniform(0.002, 0.06))
        said = child.kill()
        caught += said[-1:] not in ([], ["done"])
        acknowledged |= dict(line.split() for line in said if line != "done")
        acknowledged |= reopen(town, acknowledged, waiting[-1])
    assert caught >= KILLS // 3, f"seed {SEED}"
    assert len(acknowledged) > 5 * KILLS


def reopen(town: Town, acknowledged: dict[str, str], free: str) -> dict[str, str]:
    """After a kill: all that was said is there, once; fsck is clean; a free family is served."""
    key = town.folder.signer().public
    checked = check_journal(town.folder.journal, terminal=1, epoch=1, key=key)
    assert checked.faults == (), f"seed {SEED}"
    counter = town.world.counter(town.folder)
    kept: dict[str, str] = {}
    at = 1
    while run := counter._desk.journal.signed_run(at)[0]:
        for entry in run:
            if isinstance(entry.content, Redemption):
                household = entry.content.household.hex()
                assert household not in kept, "given twice"
                kept[household] = entry.id.number()
        at = run[-1].body.seq + 1
    assert acknowledged.items() <= kept.items(), f"seed {SEED}"
    outcome = counter.redeem(Presentation(town.cards[free]), Request("pangan"))
    assert isinstance(outcome, Redeemed)
    counter.close()
    return {**kept, free: outcome.number}


def test_kill_while_ledgers_are_installed_leaves_a_whole_one(tmp_path: Path) -> None:
    chance, town = random.Random(SEED), make_town(tmp_path, families=200)
    timestamps: dict[str, str] = {}
    metadata = town.world.repository.metadata
    for seq in range(1, 41):
        element = Element(RedemptionId(2, 1, seq), bytes(8), Right(bytes(8), 0, 1, 1), 1, 1)
        town.world.add_usage(element)
        town.world.sign_online_roles()
        online = tuf_signer(town.world.online)
        version = town.world.repository.publish(online, now=town.world.clock.wall)
        timestamps[str(version)] = (metadata / "timestamp.json").read_text()
    shutil.copytree(
        town.world.repository.folder, town.folder.in_box, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("timestamp.json"),
    )  # fmt: skip
    card = next(iter(town.cards.values()))
    done, kills = 1, 0
    while done < 41 and kills < 10:
        child = start("install", town.folder.root)
        child.tell({v: text for v, text in timestamps.items() if int(v) > done})
        time.sleep(chance.uniform(0.01, 0.3))
        said = [line.split(" ", 2) for line in child.kill() if line != "done"]
        kills += 1
        assert all(problem == "None" for _, _, problem in said), said
        done = max([done, *(int(ledger) for _, ledger, _ in said)])
        counter = town.world.counter(town.folder)
        state = counter.state()
        assert state.problem is None
        assert state.ledger_version is not None
        assert state.ledger_version >= done
        counter.look(Presentation(card), Request("pangan"))
        done = state.ledger_version
        counter.close()
    assert done > 5
    key = town.folder.signer().public
    assert check_journal(town.folder.journal, terminal=1, epoch=1, key=key).ok
