"""A bar on stderr for what takes long enough to see one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

SHOWN_FROM = 5_000
"""Households; fewer are done before a bar is drawn."""


@contextmanager
def show_progress(words: str, households: int) -> Iterator[Callable[[int], None]]:
    """A bar that is advanced by so many households at a time; none where nobody looks."""
    hidden = households <= SHOWN_FROM or not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=hidden, transient=True) as progress:
        task = progress.add_task(words, total=households)
        yield lambda done: progress.advance(task, done)
