"""Watching: sync again and again, patiently while the road is closed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from tenacity import RetryCallState, RetryError, Retrying
from tenacity.nap import sleep_using_event
from tenacity.retry import retry_if_exception_type
from tenacity.stop import stop_when_event_set
from tenacity.wait import wait_random_exponential

from ledger.errors import LedgerError
from sync_agent.agent import Report
from sync_agent.errors import SyncError

PAUSE_SECONDS = 60
"""Between two runs while the road is open."""
BACKOFF_SECONDS = 30
BACKOFF_SECONDS_MAX = 1_800
"""A closed road is tried at random within a span that doubles from the first to the second."""


def watch_until(
    stopped: Event,
    act: Callable[[], Report],
    *,
    on_report: Callable[[Report], None],
    on_trouble: Callable[[str], None],
) -> None:
    """Run ``act`` until stopped; trouble is told and tried again, never the end.

    Args:
        stopped: set by whoever ends it.
        act: one run.
        on_report: hears what a run did.
        on_trouble: hears the sentence of a run that failed.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        on_trouble(str(error))

    patient = Retrying(
        retry=retry_if_exception_type((SyncError, LedgerError)),
        wait=wait_random_exponential(multiplier=BACKOFF_SECONDS, max=BACKOFF_SECONDS_MAX),
        stop=stop_when_event_set(stopped),
        sleep=sleep_using_event(stopped),
        before_sleep=tell,
    )
    while not stopped.is_set():
        try:
            on_report(patient(act))
        except RetryError:
            return
        stopped.wait(PAUSE_SECONDS)
