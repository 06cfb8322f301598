"""Doing together what many ask for at once.

Who comes first does the work of all who wait by then: a disk that syncs once for forty batches
takes forty times as many. Nobody waits for company: who comes alone is served alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[T, R]):
    item: T
    outcome: R | None = None
    failed: BaseException | None = None
    done: bool = False


class Together(Generic[T, R]):
    """Calls ``act`` with everything that waits, in one thread at a time.

    Args:
        act: gives one outcome for each item, in order; or fails for all of them.
        most: items at once.
        failures: how it may fail. Anything else is a defect and ends the thread it arose in.
    """

    def __init__(
        self,
        act: Callable[[Sequence[T]], Sequence[R]],
        *,
        most: int,
        failures: tuple[type[Exception], ...],
    ) -> None:
        self._act = act
        self._failures = failures
        self._most = most
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._turn = threading.Lock()

    def join(self, item: T) -> R:
        """The outcome for one item.

        Raises:
            Exception: what ``act`` raised for it, alone or in company.
        """
        ticket: _Ticket[T, R] = _Ticket(item)
        self._waiting.append(ticket)
        with self._turn:
            while not ticket.done:
                group = [self._waiting.popleft() for _ in range(self._count())]
                try:
                    self._serve(group)
                finally:  # after a defect the others try by themselves
                    left = [t for t in group if not t.done and t is not ticket]
                    self._waiting.extendleft(reversed(left))
        if ticket.failed is not None:
            raise ticket.failed
        return ticket.outcome  # type: ignore[return-value]  # done and not failed

    def _count(self) -> int:
        return min(len(self._waiting), self._most)

    def _serve(self, group: list[_Ticket[T, R]]) -> None:
        try:
            for ticket, outcome in zip(group, self._act([t.item for t in group]), strict=True):
                ticket.outcome = outcome
        except self._failures as error:
            if len(group) > 1:
                self._serve_apart(group)
                return
            group[0].failed = error
        for ticket in group:
            ticket.done = True

    def _serve_apart(self, group: list[_Ticket[T, R]]) -> None:
        """One of them may be at fault: nobody pays for another. If a second fails, it is not them.

        Then the others are told so at once: a store that is gone is not waited for once for each.
        """
        failed: list[BaseException] = []
        for ticket in group:
            if len(failed) > 1:
                ticket.failed, ticket.done = failed[-1], True
                continue
            self._serve([ticket])
            if ticket.failed is not None:
                failed.append(ticket.failed)
