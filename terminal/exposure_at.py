"""Exposure of a counter as it stands: what of its journal bears on it."""

from __future__ import annotations

from ledger.element import Element
from ledger.install import now_here
from terminal.errors import WrongRequestError
from terminal.exposure import Bearing, Exposure, exposure
from terminal.redeem import Desk, running


def exposure_at(desk: Desk, *, event: int | None = None) -> Exposure:
    """Compute the exposure of a counter now.

    Args:
        desk: what the counter works with.
        event: how many terminals stand at a planned event, this one among them.

    Raises:
        WrongRequestError: no ledger is installed, or the roll lists fewer terminals.
    """
    journal, rights = desk.journal, desk.rights
    whose = journal.identity
    me = rights.roll.terminal(whose.terminal, whose.epoch) if rights else None
    if rights is None or me is None:
        raise WrongRequestError("no ledger that lists this terminal is installed; sync it first")
    known, moment = journal.known(), now_here(journal, desk.clock.read())
    bearing = Bearing(
        moment=moment,
        taken=known.totals(),
        away=running(rights, known.away_elements(), moment),
        unheard=_unheard(desk),
    )
    return exposure(rights, bearing, me, event=event)


def given_unheard(desk: Desk) -> int:
    """Worth of what no other terminal can know of yet: away from home, or by exception; rupiah."""
    if desk.rights is None:
        return 0
    worth = {p.number: p.worth for p in desk.rights.policy.programmes}
    return sum(e.quantity * worth.get(e.right.programme, 0) for e in _unheard(desk))


def _unheard(desk: Desk) -> list[Element]:
    acknowledged = desk.journal.acknowledged()
    told = acknowledged.seq if acknowledged else 0
    known = desk.journal.known()
    return [e for e in (*known.away_elements(), *known.excepted_elements()) if e.id.seq > told]
