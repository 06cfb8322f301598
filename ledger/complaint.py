"""What a complaint must say: what the refusal said that it is about, and each at most once."""

from __future__ import annotations

from ledger.act import Act
from ledger.entry import Complaint, Entry, Kind, LookUp, Presented, Refusal, read_entry


def complaint_about(entry: Entry | None, *, programme: int = 0) -> Complaint | None:
    """The complaint about an entry; None where it refused nobody.

    Args:
        entry: a refusal, or a look-up that found no family.
        programme: number of the programme that was served at a look-up, 0 where nobody said.
    """
    if entry is None:
        return None
    seq, said = entry.body.seq, entry.content
    if isinstance(said, Refusal):
        who = (said.household, said.member, said.programme)
        return Complaint(seq, said.reason, *who, said.presented)
    if isinstance(said, LookUp) and said.reason:
        who = (said.household, said.member, programme)
        return Complaint(seq, said.reason, *who, Presented.LOOK_UP)
    return None


def newest_refusal(act: Act) -> int | None:
    """Number of the newest refusal, or look-up that found nobody; None where there is none."""
    rows = act.connection.execute(
        "SELECT seq, body FROM entry WHERE kind IN (?, ?) ORDER BY seq DESC",
        (int(Kind.REFUSAL), int(Kind.LOOK_UP)),
    )
    return next((seq for seq, body in rows if complaint_about(read_entry(body))), None)


def filed_about(act: Act, seq: int) -> tuple[Entry, bytes] | None:
    """The complaint about an entry and the signature over it; None before one is filed."""
    for body, signature in act.connection.execute(
        "SELECT body, signature FROM entry WHERE seq > ? AND kind = ?", (seq, int(Kind.COMPLAINT))
    ):
        entry = read_entry(body)
        if isinstance(entry.content, Complaint) and entry.content.seq == seq:
            return entry, bytes(signature)
    return None


class Complaints:
    """Complaints of one chain as its entries are read, in their order."""

    def __init__(self, *, after: int = 0) -> None:
        """Begin after an entry: those up to it were pruned, and may still be spoken of."""
        self.after = after
        self._refusals: dict[int, Entry] = {}
        self._about: set[int] = set()

    def note(self, entry: Entry) -> list[str]:
        """Keep what follows from an entry; what is wrong with it, in a sentence."""
        said = entry.content
        if isinstance(said, Refusal | LookUp):
            self._refusals[entry.body.seq] = entry
        if not isinstance(said, Complaint):
            return []
        twice = said.seq in self._about
        self._about.add(said.seq)
        expected = complaint_about(self._refusals.get(said.seq), programme=said.programme)
        told = f"entry {entry.body.seq} complains of entry {said.seq}"
        pruned = 0 < said.seq <= self.after
        if not pruned and said != expected:
            return [f"{told}, which refused otherwise or nobody"]
        return [f"{told} once more"] if twice else []
