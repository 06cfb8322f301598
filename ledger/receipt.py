"""Receipts: the family's slip. ``KHR1`` + Base32 of the entry and the signature over its head.

A receipt is the journal entry itself (of a redemption by chip the pending one, whose id it has), so
it needs no signature of its own, and one that shows up from a branch the terminal has lost is
evidence of that branch. A complaint's slip is made alike; nothing was given on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from card_codec.errors import CardCodecError
from card_codec.qr.text import read_text, write_text
from card_codec.reason import Reason
from card_codec.refusal import Refused
from card_codec.trust import KeyUse, TrustList
from ledger.entry import Complaint, Entry, Pending, Redemption, check_head, read_entry
from ledger.errors import RecordError

PREFIX = "KHR1"
SIGNATURE_SIZE = 64
LENGTH_MAX = 2000
"""Characters of the longest slip text; a card's credential is far shorter."""


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose signature holds under the named terminal's key."""

    entry: Entry
    number: str
    signature: bytes

    @property
    def is_complaint(self) -> bool:
        """It is the slip of a complaint: nothing was given."""
        return isinstance(self.entry.content, Complaint)


def write_receipt(entry: Entry, signature: bytes) -> str:
    """The text of a slip."""
    return write_text(entry.data + signature, PREFIX)


def verify_receipt(text: str, trust: TrustList) -> VerifiedReceipt | Refused:
    """Check a slip without a network.

    Args:
        text: what stands on the slip.
        trust: keys of the terminals, each held by ``T001.1`` (ordinal, epoch).
    """
    try:
        data = read_text(text, PREFIX, length_max=LENGTH_MAX)
        entry = read_entry(data[:-SIGNATURE_SIZE])
    except (CardCodecError, RecordError):
        return Refused(Reason.MALFORMED)
    if not isinstance(entry.content, Redemption | Pending | Complaint):
        return Refused(Reason.MALFORMED)
    holder = f"T{entry.body.terminal:03d}.{entry.body.epoch}"
    keys = [k for k in trust.keys if k.use is KeyUse.TERMINAL and k.holder == holder]
    if not keys:
        return Refused(Reason.UNKNOWN_ISSUER)
    for key in keys:
        try:
            check_head(entry.leaf, data[-SIGNATURE_SIZE:], key.key)
        except CardCodecError:
            continue
        return VerifiedReceipt(entry, entry.id.number(), data[-SIGNATURE_SIZE:])
    return Refused(Reason.BAD_SIGNATURE)
