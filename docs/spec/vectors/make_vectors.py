"""Write the test vectors of the credential, the QR text, the trust list and the status list.

    python -m docs.spec.vectors.make_vectors           writes the files
    python -m docs.spec.vectors.make_vectors --check   fails if they are not what it would write

The keys are fixed test keys and sign nothing outside of these files. Everything is put together
here with a plain CBOR writer and plain Base32, not with the codec, so that the codec's own writer
is tested by them too. The same script always gives the same files.
"""

import hashlib
import sys
import zlib
from collections.abc import Iterator

import cbor2

from docs.spec.vectors.credential_vectors import credential_cases
from docs.spec.vectors.vector_parts import (
    CLAIMS,
    ISSUER,
    TRUST,
    TRUST_ROWS,
    Case,
    cose,
    pack,
    text,
    trust_list,
    trust_row,
)
from docs.spec.vectors.writing import write_or_check

# The QR text


def qr_text_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the QR text."""
    data = cose(pack(CLAIMS))
    printed = text(data)
    valid = (
        ("printed", "As printed.", printed),
        ("lower-case", "Caps Lock was on.", printed.lower()),
        ("mixed-case", "Some letters only.", printed[:30] + printed[30:].lower()),
        ("scanner-ends", "Scanners end with CR LF or TAB.", f" {printed}\t\r\n"),
    )
    for name, description, heard in valid:
        yield (
            f"qr-text/valid/{name}",
            {
                "description": description,
                "input": heard,
                "expected": {"data": data.hex(), "text": printed},
            },
        )
    for name, description, heard, code in invalid_texts(printed):
        yield (
            f"qr-text/invalid/{name}",
            {
                "description": description,
                "input": heard,
                "expected_error": code,
            },
        )


def invalid_texts(printed: str) -> Iterator[tuple[str, str, str, str]]:
    """Name, description, text and error code."""
    azerty = str.maketrans("AQZWM1234567", "QAWZ,&é\"'(-è")
    spare = cose(pack(CLAIMS | {169: {4: "A"}}))  # leaves 2 spare bits in the last character
    last = text(spare)[:-1] + chr(ord(text(spare)[-1]) + 1)
    yield "empty", "Nothing was typed.", "", "malformed"
    yield "prefix-only", "Only the prefix.", "KHB1", "malformed"
    yield "other-prefix", "One character of the prefix changed.", "KHBA" + printed[4:], "malformed"
    yield "prefix-r", "A receipt's prefix is not a card's.", "KHR1" + printed[4:], "malformed"
    yield "cut-off", "The end was not read.", printed[:-3], "malformed"
    yield "spare-bits", "Another last character for the same bytes.", last, "malformed"
    yield "padded", "With the padding of RFC 4648.", "KHB1" + "MFRA====", "malformed"
    yield "too-long", "More than 1,600 characters.", "KHB1" + "A" * 1_597, "malformed"
    yield "long-s", "U+017F would become S.", "KHB1\u017fAAAAAAA", "malformed"
    yield "word", "A word typed by hand.", "garbage", "malformed"
    yield "zero", "0 is not in the alphabet.", printed[:50] + "0" + printed[51:], "scanner_layout"
    yield "azerty", "A scanner set to AZERTY.", printed.translate(azerty), "scanner_layout"
    yield "spaced", "Spaces inside.", printed[:60] + " " + printed[60:], "scanner_layout"
    yield "url", "A web address.", "https://example.org/KHB1", "not_our_card"
    yield "number", "A number of 16 digits.", "6299010101900003", "not_our_card"
    yield "qris", "A payment code.", "00020101021126610014COM.EXAMPLE", "not_our_card"
    yield "wifi", "A network's code.", "WIFI:T:WPA;S:Puskesmas;;", "not_our_card"
    yield "sentence", "Words.", "Selamat datang di pasar murah", "not_our_card"


# The trust list and the status list


def trust_list_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the trust list."""
    for name, description, version, rows in (
        ("empty", "No keys.", 0, ()),
        ("four-keys", "Issuers, one revoked, and a terminal.", 7, TRUST_ROWS),
    ):
        ordered = sorted(rows, key=lambda row: hashlib.sha256(row[0]).digest()[:4])
        fields = ("spki", "use", "holder", "valid_from", "valid_until", "revoked_at")
        yield (
            f"trust-list/valid/{name}",
            {
                "description": description,
                "input": trust_list(*rows, version=version).hex(),
                "expected": {
                    "version": version,
                    "keys": [
                        dict(zip(fields, [row[0].hex(), *row[1:]], strict=True)) for row in ordered
                    ],
                },
            },
        )
    for name, description, data in invalid_trust_lists():
        yield (
            f"trust-list/invalid/{name}",
            {
                "description": description,
                "input": data.hex(),
                "expected_error": "malformed",
            },
        )


def invalid_trust_lists() -> Iterator[tuple[str, str, bytes]]:
    """Name, description and bytes."""
    row = trust_row(ISSUER, "issuer", "Kalteng")
    ordered = cbor2.loads(TRUST)[3]
    yield "empty-file", "No bytes at all.", b""
    yield "other-magic", "Another file.", pack(["khb-status", 1, 7, [row]])
    yield "format-2", "A format this version does not know.", pack(["khb-trust", 2, 7, [row]])
    yield "trailing-byte", "One byte follows.", TRUST + b"\x00"
    yield "unordered", "Not in the order of kids.", pack(["khb-trust", 1, 7, ordered[::-1]])
    yield "same-kid", "One kid twice.", trust_list(row, row)
    yield "other-use", "An unknown use.", trust_list(trust_row(ISSUER, "root", "Kalteng"))
    yield "no-holder", "A holder without a letter.", trust_list(trust_row(ISSUER, "issuer", ""))
    yield (
        "until-before-from",
        "Ends before it begins.",
        trust_list(trust_row(ISSUER, "issuer", "Kalteng", until=1)),
    )
    yield "not-a-key", "Bytes that are no key.", trust_list([b"\x30\x00", *row[1:]])
    yield "five-fields", "A key without its last field.", trust_list(row[:-1])


def status_list_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the status list."""
    for name, description, bits in (
        ("all-clear", "Eight bits, none set.", b"\x00"),
        ("draft-example", "The 16 bits of the draft's example.", b"\xb9\xa3"),
        ("sparse", "8,000 bits, three set.", b"\x01" + bytes(499) + b"\x80" + bytes(498) + b"\x80"),
    ):
        yield (
            f"status-list/valid/{name}",
            {
                "description": description,
                "input": pack({"bits": 1, "lst": zlib.compress(bits, 9)}).hex(),
                "expected": {
                    "size": len(bits) * 8,
                    "set": [i for i in range(len(bits) * 8) if bits[i // 8] >> i % 8 & 1],
                },
            },
        )
    good = zlib.compress(bytes(100), 9)
    for name, description, value in (
        ("two-bits", "Two bits per index.", {"bits": 2, "lst": good}),
        ("bits-true", "true is not 1.", {"bits": True, "lst": good}),
        ("more-fields", "An unknown field.", {"bits": 1, "lst": good, "ttl": 1}),
        ("cut-off", "The stream ends too early.", {"bits": 1, "lst": good[:-1]}),
        ("followed", "A byte follows the stream.", {"bits": 1, "lst": good + b"\x00"}),
        ("not-zlib", "No zlib stream.", {"bits": 1, "lst": b"\x00" * 20}),
        ("no-bits", "An empty list.", {"bits": 1, "lst": zlib.compress(b"", 9)}),
        ("bomb", "Inflates to 2 MB.", {"bits": 1, "lst": zlib.compress(bytes(2_000_000), 9)}),
    ):
        yield (
            f"status-list/invalid/{name}",
            {
                "description": description,
                "input": pack(value).hex(),
                "expected_error": "malformed",
            },
        )


if __name__ == "__main__":
    sys.exit(write_or_check(credential_cases, qr_text_cases, trust_list_cases, status_list_cases))
