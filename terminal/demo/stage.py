"""The stage: two counters and a province as real processes, and what can be done to them."""

from __future__ import annotations

import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terminal.demo.chips import SAID, ChipDrawer, start_chips
from terminal.demo.pages import Page
from terminal.demo.prepare import PIN_FILE
from terminal.demo.programs import Serving, call, command, serve
from terminal.errors import DemoError

Report = dict[str, Any]
EVENT = "2"
"""Both counters at one event, each without a cable."""


@dataclass(slots=True)
class CounterOnStage:
    """One counter: its process, its page, and whether its cable is in."""

    name: str
    config: str
    log: Path
    embed: str
    pool: ThreadPoolExecutor
    serving: Serving | None = None
    page: Page | None = None
    cable: bool = False
    plug_pulled: bool = False
    last_before: str | None = None
    checked: Report | None = None
    starts: int = 0
    port: int = 0
    reader: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    exposed: tuple[str, Report] = ("", {})

    def start(self) -> None:
        """Start the counter's program; the same port again after a restart."""
        words = ["--config", self.config, "--port", str(self.port), "--embed", self.embed]
        words += ["--reader", self.reader] if self.reader else []
        self.serving = serve(
            "betang-terminal", "serve", *words, log=self.log, environment=self.environment
        )
        url = self.serving.ready["url"]
        self.port = urllib.parse.urlsplit(url).port or 0
        self.page = Page(url)
        self.starts += 1

    def open_day(self, pin_file: Path) -> None:
        """Let the counter call families by name; without it, it serves by card all the same."""
        with suppress(DemoError):
            words = ("--config", self.config, "--pin-file", pin_file, "--json")
            call("betang-terminal", "open-day", *words)

    def close_day(self) -> None:
        """Leave no key in memory."""
        with suppress(DemoError):
            call("betang-terminal", "close-day", "--config", self.config, "--json")

    def state(self) -> Report:
        """What the counter's own page says; empty while it is down."""
        if self.page is None or self.serving is None or self.serving.process.poll() is not None:
            return {}
        found: Report = self.page.get("/state").get("state", {})
        return found

    def exposure(self, head: str) -> Report:
        """What could be given twice and what a thief could give; asked anew when much happened.

        Args:
            head: of the counter's journal now.
        """
        if self.exposed[0] != head:
            words = ("--config", self.config, "--event", EVENT, "--json")
            try:
                self.exposed = head, dict(call("betang-terminal", "exposure", *words))
            except DemoError:
                self.exposed = head, {}
        return self.exposed[1]

    def sync(self) -> Report:
        """One run of the agent over the cable.

        Raises:
            DemoError: the cable is out, or the agent failed.
        """
        if not self.cable:
            raise DemoError("the cable is out: nothing leaves and nothing comes")
        with self.lock:
            return dict(call("betang-sync", "once", "--config", self.config, "--json"))

    def pull_plug(self) -> None:
        """Kill the counter without a word, start it again, and check its journal by hand."""
        with self.lock:
            if self.serving is None:
                return
            last = self.state().get("last")
            self.last_before = last["number"] if last else None
            self.serving.pull_plug()
            self.plug_pulled = True
            self.pool.submit(self.start).result()
            self.checked = call(
                "betang-ledger", "fsck", "--config", self.config, "--json", may_refuse=True
            )

    def fsck_command(self) -> str:
        """The command to repeat the check by hand."""
        return " ".join(command("betang-ledger", "fsck", "--config", self.config))


class Stage:
    """Everything that runs, from start to stop."""

    def __init__(self, folder: Path, report: Report, *, embed: str) -> None:
        logs = folder / "logs"
        logs.mkdir(exist_ok=True)
        self.folder = folder
        self._province_config = report["province"]["config"]
        self._province_log = logs / "province.log"
        # Its threads live as long as the stage, and what they start lives no longer than they do.
        self._pool = ThreadPoolExecutor(3)
        self.counters = [
            CounterOnStage(f"{n}", t["config"], logs / f"counter{n}.log", embed, self._pool)
            for n, t in enumerate(report["terminals"], 1)
        ]
        self.chips: ChipDrawer | None = None
        self._has_chips = bool(report["chips"])
        self._province: Serving | None = None
        self._desk: Page | None = None

    def start(self) -> None:
        """Start the province and both counters, at the same time.

        Raises:
            DemoError: one of them did not start; the others are stopped again.
        """
        if self._has_chips:
            self.chips = self._pool.submit(start_chips, self.folder, blank=0).result()
            for counter, reader in zip(self.counters, self.chips.readers, strict=True):
                counter.reader, counter.environment = reader, self.chips.environment
        starts = [self._pool.submit(c.start) for c in self.counters]
        starts.append(self._pool.submit(self._start_province))
        starts += [self._pool.submit(c.open_day, self.folder / PIN_FILE) for c in self.counters]
        try:
            for started in starts:
                started.result()
        except DemoError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything that runs."""
        for serving in (*(c.serving for c in self.counters), self._province):
            if serving is not None:
                serving.stop()
        if self.chips is not None:
            self.chips.stop()
        for closed in [self._pool.submit(c.close_day) for c in self.counters]:
            closed.result()
        self._pool.shutdown(wait=True)

    def lay_chip(self, counter: int, uid: str) -> None:
        """Lay a chip card on a counter's reader, or take it away if it lies there.

        Raises:
            DemoError: there is no such card.
        """
        if self.chips is None:
            raise DemoError("there are no chip cards here")
        if self.chips.lying.get(counter) == uid:
            self.chips.take(counter)
        else:
            self.chips.lay(counter, uid)

    def says_of_chips(self) -> str:
        """How the chip cards are reached, in a sentence."""
        return SAID[self.chips.link] if self.chips else ""

    def lying(self) -> dict[int, str]:
        """UID of the chip card on each counter's reader."""
        return dict(self.chips.lying) if self.chips else {}

    def province(self) -> Report:
        """What the province's desk says."""
        return self._desk.get("/desk/data") if self._desk else {}

    def _start_province(self) -> None:
        words = ["serve", "--config", self._province_config, "--json"]
        self._province = serve("betang-sync", "province", *words, log=self._province_log)
        self._desk = Page(self._province.ready["desk"] + "&lang=en")
