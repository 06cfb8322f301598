"""A void that came from elsewhere: believed by the signature of who made the redemption, or not."""

from __future__ import annotations

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from ledger.element import RedemptionId
from ledger.entry import Void, check_head, read_entry
from ledger.errors import RecordError
from ledger.roll import Roll
from ledger.usage_file import SignedVoid


def said_void(void: SignedVoid) -> RedemptionId | None:
    """The redemption that an entry says was taken back, whoever signed it; None if it says none."""
    try:
        entry = read_entry(void.body)
    except RecordError:
        return None
    if not isinstance(entry.content, Void):
        return None
    return RedemptionId(entry.body.terminal, entry.body.epoch, entry.content.seq)


def believed_void(void: SignedVoid, roll: Roll) -> RedemptionId | None:
    """The redemption that was taken back, if its own terminal and epoch have signed so.

    A terminal that was shut out is not heard: whoever has its key would raise what is left.
    """
    id = said_void(void)
    terminal = roll.terminal(id.terminal, id.epoch) if id else None
    if terminal is None or terminal.shut_out is not None:
        return None
    try:
        check_head(read_entry(void.body).leaf, void.signature, PublicKey.from_spki(terminal.spki))
    except CardCodecError:
        return None
    return id
