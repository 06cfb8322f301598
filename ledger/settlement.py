"""When a window is settled: what was taken of it elsewhere need not be known here any longer.

Judged by what an offline key has signed, and by nothing else: neither a clock nor the key on the
network can make a terminal forget what a family has taken.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.element import Element
from ledger.policy import DAY, Policy

UNLISTED_DAYS = 400
"""Of a window that no policy names any more, nothing can be given; its usage stays so long."""


def settled_by(policy: Policy, office_time: int) -> Callable[[Element], bool]:
    """Tells of an element whether its window is settled.

    Args:
        policy: the installed one.
        office_time: newest offline signature, Unix seconds.
    """
    listed = {(p.number, w.number): p.ends(w) for p in policy.programmes for w in p.windows}

    def is_settled(element: Element) -> bool:
        right = element.right
        ends = listed.get((right.programme, right.window))
        if ends is None:
            return element.minute * 60 + UNLISTED_DAYS * DAY < office_time
        return ends + policy.settle_days * DAY < office_time

    return is_settled
