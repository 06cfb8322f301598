"""An agent whose road does not work: ``python -m bench.bad_road stuck|slow|crashing FOLDER``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ledger.folder import open_folder
from sync_agent.agent import sync_once
from sync_agent.batch import Batch
from sync_agent.errors import RoadClosedError, SyncError
from sync_agent.messages import HeadAnswer, OfferItem, Taken

SLOW_SECONDS = 0.05
RESTART_SECONDS = 0.2
FOREVER_SECONDS = 3600


class BadRoad:
    """Stuck in the middle of a batch, slow with each, or gone in the middle of one."""

    is_live = True
    takes_entries = True

    def __init__(self, manner: str) -> None:
        self._manner = manner
        self.reached = False

    def head(self) -> HeadAnswer | None:
        return None

    def send(self, batch: Batch) -> Taken | None:
        del batch
        if not self.reached:
            self.reached = True
            sys.stdout.write("reached\n")
            sys.stdout.flush()
        if self._manner == "stuck":
            time.sleep(FOREVER_SECONDS)
        if self._manner == "crashing":
            os._exit(1)
        time.sleep(SLOW_SECONDS)
        raise RoadClosedError("the line is too thin")

    def offer(self) -> list[OfferItem]:
        return []

    def fetch(self, item: OfferItem) -> bytes:
        raise RoadClosedError(item.path)

    def close(self) -> None:
        """Nothing is held open."""


def main() -> None:
    """Sync again and again until killed; a crash is followed by the next start, as a timer does."""
    manner, folder = sys.argv[1], open_folder(Path(sys.argv[2]))
    road = BadRoad(manner)
    while True:
        if manner == "crashing":
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                road.reached = True
                time.sleep(RESTART_SECONDS)
                continue
        try:
            sync_once(folder, road, now=int(time.time()))
        except SyncError:
            time.sleep(SLOW_SECONDS)


if __name__ == "__main__":
    main()
