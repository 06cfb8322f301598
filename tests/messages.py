"""One good example of every message of the road, and the reader that it was written for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from card_codec.keys import PrivateKey
from card_codec.refusal import Refused
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.access import Access, Door, read_access, token_hash, write_access
from ledger.acknowledgement import Acknowledgement, read_acknowledgement, write_acknowledgement
from ledger.changes_file import Wanted, make_changes, read_changes, write_changes
from ledger.clock import Moment
from ledger.element import RedemptionId
from ledger.entry import (
    Basis,
    Content,
    Entry,
    Handover,
    Opened,
    Presented,
    Redemption,
    Refusal,
    Void,
    genesis,
    make_entry,
    read_entry,
    sign_head,
)
from ledger.errors import RecordError
from ledger.receipt import verify_receipt, write_receipt
from ledger.rights_file import FLAG_MOVED, HouseholdRow, make_base
from ledger.usage_file import read_usage, write_usage
from sync_agent.batch import Batch, read_batch, write_batch
from sync_agent.errors import MessageError
from sync_agent.messages import (
    HeadAnswer,
    OfferItem,
    Problem,
    Taken,
    read_json,
    read_offer,
    read_taken,
    write_taken,
)
from tests.world import NOW

TERMINAL = PrivateKey.generate()
LOG = PrivateKey.generate()
HASH = "ab" * 32


@dataclass(frozen=True)
class Message:
    """How one kind of message is read.

    Attributes:
        read: gives what the bytes say, or raises one of ``errors``.
        write: the one form of what was read; None where several spellings say the same.
    """

    good: bytes
    read: Callable[[bytes], Any]
    errors: type[Exception] | tuple[type[Exception], ...]
    write: Callable[[Any], bytes] | None = None


def chain() -> list[Entry]:
    """A short morning of terminal 1."""
    said: list[Content] = [
        Opened("Balai"),
        Redemption(b"keluarga", 1, 0, 1, 1, 1, 15_000, Presented.PICTURE, Basis.HOME),
        Handover(2),
        Refusal("malformed", None, 0, 0, 1, Presented.TEXT),
        Void(2, "salah", "PW"),
    ]
    entries: list[Entry] = []
    prev = genesis(1, 1, TERMINAL.public)
    for seq, content in enumerate(said, 1):
        at = NOW + 40 * seq
        moment = Moment(at, at, at, at - 30, NOW, 1_000 + seq * 40, b"bootboot")
        entry = make_entry(
            id=RedemptionId(1, 1, seq), prev=prev, moment=moment, ledger=1, officer="UJI",
            content=content,
        )  # fmt: skip
        entries.append(entry)
        prev = entry.leaf
    return entries


def batch() -> bytes:
    """That morning as it travels."""
    entries = chain()
    signature = sign_head(entries[-1].leaf, TERMINAL)
    return write_batch(Batch(1, 1, 1, tuple(entries), signature))


def messages() -> dict[str, Message]:
    """Every kind, by name."""
    entries, trust = chain(), TrustList(1, [_trusted(LOG, KeyUse.LOG, "P")])
    said = Acknowledgement("khb-ack-2", 1, 1, 5, entries[-1].leaf, NOW)
    acknowledgement = write_acknowledgement(said, LOG)
    element = entries[1].element()
    assert element is not None
    access = Access("khb-access-1", (Door(1, 1, token_hash("t")),))
    taken = Taken("khb-taken-1", 5, 1, 1, 5, acknowledgement)
    offer = [OfferItem("metadata/1.root.json", 7, HASH)]
    slip = write_receipt(entries[1], sign_head(entries[1].leaf, TERMINAL)).encode()
    return {
        "batch": Message(batch(), read_batch, MessageError),
        "entry": Message(entries[1].data, read_entry, RecordError, lambda e: e.data),
        "taken": Message(write_taken(taken), read_taken, MessageError, write_taken),
        "acknowledgement": Message(
            acknowledgement, lambda d: read_acknowledgement(d, trust), RecordError
        ),
        "usage": Message(write_usage("629901", 1, [element]), read_usage, RecordError),
        "changes": Message(_changes(), read_changes, RecordError),
        "head": Message(
            _json(HeadAnswer(5, HASH)), lambda d: read_json(d, HeadAnswer), MessageError
        ),
        "problem": Message(
            _json(Problem("gap", "send from 3")), lambda d: read_json(d, Problem), MessageError
        ),
        "offer": Message(_json(offer), read_offer, MessageError),
        "access": Message(write_access(access), read_access, RecordError),
        "slip": Message(slip, _read_slip, NotASlipError),
    }


class NotASlipError(Exception):
    """The slip was refused, which is a value where it is read."""


def _read_slip(data: bytes) -> object:
    trust = TrustList(1, [_trusted(TERMINAL, KeyUse.TERMINAL, "T001.1")])
    read = verify_receipt(data.decode("latin-1"), trust)
    if isinstance(read, Refused):
        raise NotASlipError(read.reason)
    return read


def _changes() -> bytes:
    rows = [HouseholdRow(bytes([n]) * 8, "6299012001", 1, 1, 0) for n in (1, 2, 3)]
    base = make_base("629901", period="2026-4", number=1, rows=rows)
    one, two, three = base.ids()
    wanted = Wanted(
        removed={one: FLAG_MOVED},
        replaced={two: 2},
        cleared={(two, 1): 1},
        corrected={(RedemptionId(1, 1, 17), three): 1, (RedemptionId(2, 1, 3), two): 1},
    )
    return write_changes(make_changes(base, number=1, wanted=wanted))


def _trusted(key: PrivateKey, use: KeyUse, holder: str) -> TrustedKey:
    return TrustedKey(key.public, use, holder, 0)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
