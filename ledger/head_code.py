"""The code of a head: eight characters that two people can compare over the telephone.

It stands for one entry of one terminal and, through the chain, for all before it. A day's close, a
stick that is carried away and what the province took of it each have such a head. The code proves
nothing by itself: whoever tells it may be wrong. See docs/spec/bundle.md.
"""

from __future__ import annotations

import hashlib
import re

from ledger.element import RedemptionId
from ledger.errors import RecordError

CONTEXT = b"KHB-CODE-v1\x00"
LENGTH = 8
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O and U, which are heard and read as others."""
_HEARD_AS = str.maketrans("ILO", "110", "- ")
_NUMBER = re.compile(r"T([0-9]{3,5})(?:\.([0-9]{1,3}))?-([0-9]{4,10})\Z", re.ASCII)


def head_code(id: RedemptionId, leaf: bytes) -> str:
    """The code of an entry, ``7Q2M-0XKD``.

    Args:
        id: the entry.
        leaf: its leaf hash, 32 bytes.
    """
    place = id.terminal.to_bytes(2, "big") + bytes([id.epoch]) + id.seq.to_bytes(4, "big")
    value = int.from_bytes(hashlib.sha256(CONTEXT + place + leaf).digest()[:5], "big")
    text = "".join(LETTERS[value >> 5 * place & 31] for place in reversed(range(LENGTH)))
    return f"{text[:4]}-{text[4:]}"


def read_code(text: str) -> str:
    """A code as somebody typed it, in its one form.

    Raises:
        RecordError: it is none.
    """
    plain = text.upper().translate(_HEARD_AS) if len(text) < 40 else ""
    if len(plain) != LENGTH or not set(plain) <= set(LETTERS):
        raise RecordError(f"{text[:40]!r} is no code; it has eight letters and digits, 7Q2M-0XKD")
    return f"{plain[:4]}-{plain[4:]}"


def read_id(text: str) -> RedemptionId:
    """A number as people read it, ``T001-0017``.

    Raises:
        RecordError: it is none.
    """
    match = _NUMBER.match(text.strip().upper()) if len(text) < 40 else None
    if match is None:
        raise RecordError(f"{text[:40]!r} is no number of an entry; it reads like T001-0017")
    terminal, epoch, seq = (int(part or 1) for part in match.groups())
    id = RedemptionId(terminal, epoch, seq)
    if not (0 < terminal <= 0xFFFF and 0 < epoch <= 0xFF and 0 < seq <= 0xFFFFFFFF):
        raise RecordError(f"{text[:40]!r} is no number of an entry; it reads like T001-0017")
    return id
