"""Room: so many bytes may be in hand at once, whoever brings them; who comes later waits."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sync_agent.errors import IntakeRefusedError

UPLOADS_AT_ONCE = 4
"""Of one terminal, which has one under way: others were cut off and are not given up here yet."""


class Room:
    """A bound on what all uploads together may hold in memory.

    Who asked first is let in first, so that many small ones never keep a large one out.
    """

    def __init__(self, size: int) -> None:
        """Name the room's size in bytes."""
        self._size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def held(self, count: int) -> AsyncIterator[None]:
        """Hold room for so many bytes; more than there is at all counts as all there is."""
        count = min(count, self._size)
        await self._enter(count)
        try:
            yield
        finally:
            self._free += count
            self._let_in()

    async def _enter(self, count: int) -> None:
        if not self._waiting and count <= self._free:
            self._free -= count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and gone at one moment
                self._free += count
            else:
                self._waiting = deque(w for w in self._waiting if w[1] is not turn)
            self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            count, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= count
                turn.set_result(None)


class Turns:
    """At most so many uploads of one terminal at once: one that stalls keeps no other out."""

    def __init__(self, most: int = UPLOADS_AT_ONCE) -> None:
        self._most = most
        self._under_way: Counter[tuple[int, int]] = Counter()

    @contextmanager
    def taken(self, caller: tuple[int, int]) -> Iterator[None]:
        """Take a turn for an upload of this terminal and epoch.

        Raises:
            IntakeRefusedError: it has as many under way as it may.
        """
        if self._under_way[caller] >= self._most:
            words = f"{self._most} uploads of this terminal are under way; wait for them"
            raise IntakeRefusedError(429, "too_many", words)
        self._under_way[caller] += 1
        try:
            yield
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller]
