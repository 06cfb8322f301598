"""Finding a family by a number typed from a KTP or KK, while nobody keeps the number.

    number → argon2id with the salt of the period → HMAC-SHA-256 with the look-up key → tag

There are few possible numbers (some 10⁸ in a province), so a plain hash of one is as good as the
number. argon2id makes each guess slow, the look-up key of the desa makes it impossible for whoever
has only the tags. See docs/spec/people.md §4.
"""

from __future__ import annotations

import hashlib
import hmac
from calendar import monthrange

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.policy import LookUpRules

DIGITS = 16
"""Of a NIK and of a KK number alike."""
TYPED_LENGTH_MAX = 64
"""Characters of what may be typed, spaces, dots and hyphens included."""
SEPARATORS = str.maketrans("", "", " .-")
KEY_BYTES = 32
TAG_BYTES = 16
TAG_CONTEXT = b"KHB-TAG-v1\x00"
WOMAN = 40
"""Added to the day of birth in a woman's NIK."""


def read_number(typed: str) -> str | Refused:
    """The 16 digits that were typed, or how many there are. It is typing help, no judgement."""
    digits = typed[: TYPED_LENGTH_MAX + 1].strip().translate(SEPARATORS)
    if len(typed) > TYPED_LENGTH_MAX or len(digits) != DIGITS or not _is_ascii_digits(digits):
        return Refused(Reason.NUMBER_LENGTH, Facts(count=sum(c in "0123456789" for c in digits)))
    return digits


def has_date(number: str) -> bool:
    """Whether digits 7 to 12 are a day, of birth (NIK) or of recording (KK), and a serial follows.

    A number without one is still looked up: whoever stands in the signed list under such a number
    is found. Only when it is not found is the officer asked to look at the digits again.
    """
    day, month, year = int(number[6:8]), int(number[8:10]), int(number[10:12])
    day -= WOMAN if day > WOMAN else 0
    if not 1 <= month <= 12 or number[12:] == "0000":
        return False
    return 1 <= day <= max(monthrange(century + year, month)[1] for century in (1900, 2000))


def mask(number: str) -> str:
    """``6299••••••••0003``: for digits just typed, never for anything kept."""
    return f"{number[:4]}{'•' * (DIGITS - 8)}{number[-4:]}"


def stretch(number: str, rules: LookUpRules) -> bytes:
    """argon2id of a number (32 bytes): what makes each guess slow. Never kept either."""
    derive = Argon2id(
        salt=rules.salt,
        length=KEY_BYTES,
        iterations=rules.passes,
        lanes=1,
        memory_cost=rules.memory_kib,
    )
    return derive.derive(number.encode("ascii"))


def make_tag(key: bytes, stretched: bytes) -> bytes:
    """The tag of a number in the people file of a desa (16 bytes).

    Args:
        key: look-up key of the desa and period (32 bytes).
        stretched: what ``stretch`` made of the number.
    """
    return hmac.new(key, TAG_CONTEXT + stretched, hashlib.sha256).digest()[:TAG_BYTES]


def _is_ascii_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
