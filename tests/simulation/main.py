"""``make simulate SEEDS=20 [FIRST=n]``: tell stories, count, and stop at nothing that is broken."""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from tests.simulation import thief
from tests.simulation.chip_mishaps import STOLEN
from tests.simulation.mishaps import MISHAPS, OF_THEFT
from tests.simulation.road import FAULTS
from tests.simulation.story import REDEMPTIONS, Story, Told, has_theft
from tests.simulation.town import SHM
from tests.simulation.witness import BrokenPromiseError
from tests.source_tree import ROOT

CHIP = ("chip left too early", "chip left unfinished")
CHIP_VOID = ("void on a chip", "chip left during a void")
LEADS_ON = {"image taken", "province saved", "backup made", "late arrivals", "chip void"}
FURTHER = {"void", "fork told", "new epoch", "stick", *CHIP, *CHIP_VOID}
EVERY_SEED = {*MISHAPS, *FAULTS, *FURTHER} - LEADS_ON - OF_THEFT
"""What must happen in each story, or it is none."""
WITH_THEFT = {STOLEN, "counterfeit chip", thief.AFTER}
"""What must happen as well in each in which a redeem master is stolen."""
CODE = (
    "card_codec", "ledger", "terminal", "sync_agent", "provisioning", "virtual_card",
    "tests/simulation",
)  # fmt: skip


def main() -> None:
    """Tell the stories of these seeds; exit 1 if one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--list", type=Path, help="a line of JSON for each seed; those it holds are not told again"
    )
    asked = parser.parse_args()
    began = time.monotonic()
    code = code_state()
    done = listed(asked.list, code) if asked.list else set()
    seeds = [s for s in range(asked.first, asked.first + asked.seeds) if s not in done]
    stories = []
    for told in tell_all(seeds, processes=asked.processes):
        stories.append(told)
        if asked.list:
            with asked.list.open("a") as file:
                file.write(json.dumps(line_of(told, code)) + "\n")
        if told.broken:
            print(f"seed {told.seed}: {told.broken}", flush=True)
    report(stories, seconds=time.monotonic() - began)
    sys.exit(1 if any(told.broken for told in stories) else 0)


def tell_all(seeds: Sequence[int], *, processes: int = 2) -> Iterator[Told]:
    """The stories of these seeds in their order, several at a time."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(tell, seeds)


def code_state() -> str:
    """A name for the code the stories run: what was seen holds for this code, and for no other."""
    digest = hashlib.sha256()
    for path in sorted(path for room in CODE for path in (ROOT / room).rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def listed(path: Path, code: str) -> set[int]:
    """Seeds a list holds for this code."""
    if not path.exists():
        return set()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["seed"] for line in lines if line["code"] == code}


def tell(seed: int) -> Told:
    """One story, in a folder of its own; what does not hold is in the answer."""
    folder = Path(tempfile.mkdtemp(prefix=f"khb-seed-{seed}-", dir=SHM if SHM.is_dir() else None))
    story = None
    gc.disable()  # a story keeps what it makes; it is let go of at its end
    try:
        story = Story(seed, folder / "town")
        told = story.tell()
        due = EVERY_SEED | (WITH_THEFT if has_theft(seed) else set())
        missing = sorted(due - {name for name, count in told.faults.items() if count})
        if missing or told.redemptions < REDEMPTIONS:
            broken = f"too little happened: {told.redemptions} redemptions, no {missing}"
            told = replace(told, broken=broken)
        return told
    except BrokenPromiseError as error:
        return _broken(seed, story, f"{error}")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"
        return _broken(seed, story, what[:400])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        gc.enable()


def _broken(seed: int, story: Story | None, what: str) -> Told:
    if story is None:
        return Told(seed, 0, 0, Counter(), Counter(), Counter(), 0, what)
    w = story.witness
    return Told(seed, w.redemptions, 0, story.faults, w.checked, w.found, w.blind, what)


def line_of(told: Told, code: str) -> dict[str, object]:
    """One seed's figures."""
    return {
        "code": code,
        "seed": told.seed,
        "redemptions": told.redemptions,
        "doubles": told.found["double"],
        "forks": told.found["fork"],
        "blind": told.blind,
        "stolen_master": has_theft(told.seed),
        "rupiah_twice_by_chip": told.found[thief.TWICE],
        "rupiah_exposed": told.found[thief.EXPOSED],
        "digest": told.digest,
        "broken": told.broken,
    }


def report(stories: list[Told], *, seconds: float) -> None:
    """What was seen, in one page."""
    failed = [told for told in stories if told.broken]
    if not stories:
        print("no seed to tell: the list holds them all")
        return
    print(
        f"{len(stories)} seeds from {stories[0].seed}, {sum(t.redemptions for t in stories)}"
        f" redemptions, {seconds:.0f} s"
    )
    print("\nfaults:")
    _lines(_sum(told.faults for told in stories))
    print("\ninvariants, times looked at:")
    _lines(_sum(told.checked for told in stories))
    print("\nfound:")
    _lines(_sum(told.found for told in stories))
    print(
        f"  {sum(told.blind for told in stories):>8}  rights given twice of which no record is left"
    )
    print(f"\nfailures: {len(failed)}")
    for told in failed:
        print(f"  seed {told.seed}: make simulate SEEDS=1 FIRST={told.seed}: {told.broken}")


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _lines(counter: Counter[str]) -> None:
    for name, count in sorted(counter.items(), key=lambda one: (-one[1], one[0])):
        print(f"  {count:>8}  {name}")


if __name__ == "__main__":
    main()
