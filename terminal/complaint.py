"""A complaint (aduan): what a family is given that does not accept a refusal.

It has a number and a slip, both of the journal's own entry, and changes nothing that is left. What
becomes of it is decided by people.
"""

from __future__ import annotations

from dataclasses import dataclass

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger.complaint import complaint_about, filed_about, newest_refusal
from ledger.entry import Complaint, Entry
from ledger.receipt import write_receipt
from terminal.redeem import Desk, append


@dataclass(frozen=True, slots=True)
class Filed:
    """A complaint is recorded and durable: now its number may be said and its slip be printed.

    Attributes:
        number: of the complaint.
        about: number of the refusal.
        evidence: what the slip says: the entry and the signature over its head.
        again: it was filed before; this is the same one.
    """

    complaint: Complaint
    number: str
    about: str
    evidence: tuple[Entry, bytes]
    again: bool = False

    @property
    def at(self) -> int:
        """When it was filed, Unix seconds."""
        return self.evidence[0].body.moment.early

    @property
    def slip(self) -> str:
        """Text of its slip (``KHR1…``)."""
        return write_receipt(*self.evidence)


def file_complaint(desk: Desk, about: int | None = None, *, programme: int = 0) -> Filed | Refused:
    """File a complaint about a refusal of this terminal; asked again, it is the same one.

    Args:
        desk: what the counter works with.
        about: number of the refusal, or of a look-up that found nobody; None for the newest.
        programme: number of the programme that was served at a look-up, 0 where nobody said.

    Returns:
        ``nothing_refused`` where that entry refused nobody; nothing is recorded then.

    Raises:
        NotSavedError: the disk refused; nothing was filed.
        JournalDamagedError: the journal is damaged; service stops.
    """
    with desk.journal.act() as act:
        seq = about if about is not None else newest_refusal(act)
        refusal = act.entry(seq) if seq is not None else None
        content = complaint_about(refusal, programme=programme)
        if refusal is None or content is None:
            return Refused(Reason.NOTHING_REFUSED)
        held = filed_about(act, content.seq)
        evidence = held or append(desk, act, act.moment(desk.clock.read()), content)
    said = evidence[0].content
    if not isinstance(said, Complaint):
        raise TypeError(f"a complaint was filed as {said!r}")
    again = held is not None
    return Filed(said, evidence[0].id.number(), refusal.id.number(), evidence, again)
