"""The five steps: each ticks itself off by what really happened, never by a click."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Report = dict[str, Any]


@dataclass(slots=True)
class Steps:
    """Which steps were seen done; once done a step stays done."""

    done: set[int] = field(default_factory=set)

    def look(self, counters: list[Report], province: Report, plugged: list[Report]) -> list[int]:
        """Tick off what the counters, the province and the restarted counter show now.

        Args:
            counters: state of each counter, with ``cable`` added.
            province: the province's desk.
            plugged: for each counter whose plug was pulled: numbers before and after, and fsck.
        """
        first, second = (*counters, {}, {})[:2]
        if first.get("served_today", 0) > 0:
            self.done.add(1)
        if first.get("last_refusal") == "already_redeemed":
            self.done.add(2)
        if second.get("twice_rupiah", 0) > 0 and not second.get("cable"):
            self.done.add(3)
        if province.get("cases"):
            self.done.add(4)
        if any(_came_back(p) for p in plugged):
            self.done.add(5)
        return sorted(self.done)


def _came_back(plugged: Report) -> bool:
    """The counter is up again, holds its last receipt, and fsck found nothing."""
    checked = plugged.get("checked") or {}
    before = plugged.get("before")
    return bool(checked.get("ok")) and before is not None and before == plugged.get("after")
