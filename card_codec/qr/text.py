"""The text carrier: a prefix of four characters and Base32 without padding.

Letters and digits only, so that a scanner that types like a keyboard carries it through any
field. One text per content: what is read must be what would be written. Format:
docs/spec/qr-text.md.
"""

import base64
import binascii
import re

from card_codec.errors import CardCodecError, malformed

CARD_PREFIX = "KHB1"
RECEIPT_PREFIX = "KHR1"
CARD_LENGTH_MAX = 1_600
RECEIPT_LENGTH_MAX = 4_096

_ENDS = "\r\n\t "
_BASE32 = re.compile(r"[A-Z2-7]*")
# Shorter texts are typing, not a scan; a credential has at least 160 characters.
_SCAN_LENGTH_MIN = 40
_FAMILY = "KHB"

# Codes that plainly are something else; everything doubtful is `malformed`.
_OTHER_CODE = re.compile(
    r"[0-9]{8,}"  # a number: NIK, goods, e-money
    r"|[A-Za-z][A-Za-z0-9+.-]*://.*"
    r"|(?:WIFI|BEGIN|MAILTO|TEL|SMSTO|GEO|HC1|SHC|UPI|OTPAUTH|DATA|BITCOIN):.*"
    r"|000201[0-9]{2}.*"  # QRIS and other EMV payment codes
    r"|[{\[<].*"
    r"|\S+\s+\S.*",
    re.DOTALL | re.IGNORECASE,
)


def write_text(data: bytes, prefix: str = CARD_PREFIX) -> str:
    """The text for signed content: prefix and upper-case Base32 (RFC 4648 §6), unpadded."""
    return prefix + base64.b32encode(data).decode("ascii").rstrip("=")


def read_text(text: str, prefix: str = CARD_PREFIX, *, length_max: int = CARD_LENGTH_MAX) -> bytes:
    """The content of a text as a scanner or keyboard gives it: any case, ends padded.

    Args:
        text: what was typed or scanned.
        prefix: the four characters it must begin with.
        length_max: limit in characters, after stripping.

    Raises:
        CardCodecError: `malformed`; `scanner_layout`, for a text of ours with characters that no
            scanner types when it is set up right; `not_our_card`, for what plainly is another
            code.
    """
    text = text.strip(_ENDS)
    if len(text) > length_max:
        raise malformed(f"the text has more than {length_max} characters")
    # Before upper(): it would turn ı, ſ, ß and ﬁ into ASCII letters.
    if not text.isascii():
        raise _foreign(text)
    upper = text.upper()
    body = upper[len(prefix) :]
    if not upper.startswith(prefix) or _BASE32.fullmatch(body) is None:
        raise _foreign(text)
    try:
        data = base64.b32decode(body + "=" * (-len(body) % 8))
    except binascii.Error as exc:
        raise malformed("the code is incomplete") from exc
    # b32decode ignores the spare bits of the last character.
    if not data or write_text(data, prefix) != upper:
        raise malformed("the code is incomplete or its end is damaged")
    return data


def _foreign(text: str) -> CardCodecError:
    """The error for a text with a wrong prefix or with characters that are not of the alphabet."""
    if text[:3].upper() == _FAMILY:
        rest = text[4:].upper()
        if len(text) >= _SCAN_LENGTH_MIN and _BASE32.fullmatch(rest) is None:
            return CardCodecError(
                "scanner_layout", "the scanner types another keyboard's characters"
            )
        return malformed("the code is damaged")
    if _OTHER_CODE.fullmatch(text) is not None:
        return CardCodecError("not_our_card", "this is another kind of code")
    return malformed("this is not a card's code")
