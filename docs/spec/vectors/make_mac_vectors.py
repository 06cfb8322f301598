"""Write the test vectors of Transaction MACs that go to the issuer, and of its verdicts.

    python -m docs.spec.vectors.make_mac_vectors           writes the files
    python -m docs.spec.vectors.make_mac_vectors --check   fails if they are not so

Everything is put together here with a plain CBOR writer and the library's CMAC, not with the
project's own. The compressed form of a file is not unique: its vectors hold the bytes before it.
"""

import struct
import sys
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from docs.spec.vectors.vector_parts import (
    HOUSEHOLD,
    ISSUED,
    STRANGER,
    Case,
    cose,
    pack,
    seed,
    trust_list,
    trust_row,
)
from docs.spec.vectors.writing import write_or_check

VERDICT = ed25519.Ed25519PrivateKey.from_private_bytes(seed("issuer's verdicts"))
LOG = ed25519.Ed25519PrivateKey.from_private_bytes(seed("province log"))
AT = ISSUED + 86_400
MASTER = seed("master of Transaction MACs")[:16]
UID, OTHER = bytes.fromhex("04a1b2c3d4e580"), bytes.fromhex("04a1b2c3d4e581")
DAY = AT // 86_400
ASKED, VERDICTS = "khb-mac-asked-1", "khb-mac-verdicts-2"
VALID, INVALID, LOST = 1, 2, 3


def record(seq: int, *, kind: int = 1, terminal: int = 1, quantity: int = 1) -> bytes:
    """The 16 bytes that a chip was asked to write."""
    head = struct.pack(">BHB", 0x10 | kind, terminal, 1)
    taken = seq.to_bytes(3, "big") + bytes([1, 1, 0]) + quantity.to_bytes(3, "big")
    return head + taken + struct.pack(">HB", DAY, 0)


def cmac(key: bytes, message: bytes) -> bytes:
    """RFC 4493."""
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def value(uid: bytes, counter: int, written: bytes, *, before: bytes) -> bytes:
    """TMV of a commit (docs/spec/chip-profile.md §7), from the master on."""
    name = uid + bytes.fromhex("484bf0 0f 000000 01") + b"KHB1"
    key = cmac(MASTER, b"\x01" + name)
    context = b"\x00\x01\x00\x80" + counter.to_bytes(4, "little") + uid
    enc = Cipher(algorithms.AES(cmac(key, b"\xa5" + context)), modes.CBC(bytes(16))).encryptor()
    terminal = int.from_bytes(written[1:3], "big")
    reader = b"\xc8" + name_of(terminal, written[3]) + enc.update(before)
    write = b"\x8b\x01" + bytes(3) + b"\x10\x00\x00"
    message = reader.ljust(48, b"\x00") + write.ljust(16, b"\x00") + written
    return cmac(cmac(key, b"\x5a" + context), message)[1::2]


def name_of(terminal: int, epoch: int) -> bytes:
    """A reader id."""
    return f"T{terminal:03d}.{epoch}".encode().ljust(16, b"\x00")


FIRST, SECOND, TAKEN_BACK = record(17), record(40, terminal=2), record(17, kind=2)
STATION, ONE, TWO = name_of(0, 0), name_of(1, 1), name_of(2, 1)
FIRST_VALUE = value(UID, 2, FIRST, before=STATION)
GOOD: list[list[object]] = [
    [UID, 2, FIRST, FIRST_VALUE, 0],
    [UID, 3, SECOND, value(UID, 3, SECOND, before=ONE), 257],
    [OTHER, 2, FIRST, b"", 0],
]
FOUND = [
    [*GOOD[0][:4], VALID, HOUSEHOLD],
    [*GOOD[1][:4], VALID, HOUSEHOLD],
    [*GOOD[2][:4], LOST, None],
]
TRUST = trust_list(trust_row(VERDICT, "verdict", "ID-KT"), trust_row(LOG, "log", "province"))
GOOD_FILE = pack([VERDICTS, AT, FOUND])


def finding_cases() -> Iterator[tuple[str, Case]]:
    """What the issuer finds of one commit each."""
    flipped = bytes([FIRST_VALUE[0] ^ 1]) + FIRST_VALUE[1:]
    void = value(UID, 3, TAKEN_BACK, before=ONE)
    stranger = [OTHER, 2, FIRST, value(OTHER, 2, FIRST, before=STATION), 0]
    for name, description, commit, finding in (
        ("first-redemption", "The first commit after the card station's.", GOOD[0], VALID),
        ("of-another-terminal", "Terminal 2 had the commit after terminal 1.", GOOD[1], VALID),
        ("lost", "No value was shown.", GOOD[2], LOST),
        ("one-bit", "One bit of the value is another.", [*GOOD[0][:3], flipped, 0], INVALID),
        ("counter", "The value of another counter.", [UID, 3, FIRST, FIRST_VALUE, 0], INVALID),
        ("chip", "The value of another chip.", [OTHER, 2, FIRST, FIRST_VALUE, 0], INVALID),
        (
            "quantity",
            "The record says more than the chip wrote.",
            [UID, 2, record(17, quantity=2), FIRST_VALUE, 0],
            INVALID,
        ),
        (
            "before-unknown",
            "A void; nobody said who was before.",
            [UID, 3, TAKEN_BACK, void, None],
            VALID,
        ),
        ("before-wrong", "Another was before than is said.", [*GOOD[1][:4], 0], VALID),
        ("not-made-here", "Signed, by a chip that the log does not know.", stranger, VALID),
    ):
        yield (
            f"mac-verdict/valid/finding-{name}",
            {
                "description": description,
                "input": {
                    "master": MASTER.hex(),
                    "terminals": [[1, 1], [2, 1]],
                    "chips": [[UID.hex(), HOUSEHOLD.hex()]],
                    "asked": pack([ASKED, [commit]]).hex(),
                },
                "expected": {
                    "finding": finding,
                    "household": HOUSEHOLD.hex() if commit[0] == UID else None,
                },
            },
        )


def file_cases() -> Iterator[tuple[str, Case]]:
    """Files there and back."""
    yield (
        "mac-verdict/valid/file-two-and-one-lost",
        {
            "description": "Two commits of one chip, and one of another without its value.",
            "input": {
                "asked": pack([ASKED, GOOD]).hex(),
                "verdicts": cose(GOOD_FILE, VERDICT).hex(),
                "trust": TRUST.hex(),
            },
            "expected": {
                "at": AT,
                "findings": [VALID, VALID, LOST],
                "households": [HOUSEHOLD.hex(), HOUSEHOLD.hex(), None],
            },
        },
    )


def refused_file_cases() -> Iterator[tuple[str, Case]]:
    """Files that are no verdicts of the issuer."""
    for name, description, data in (
        ("stranger", "A key nobody trusts.", cose(GOOD_FILE, STRANGER)),
        ("log", "The log's key gives no verdicts.", cose(GOOD_FILE, LOG)),
        ("unsigned", "The bare record.", GOOD_FILE),
        ("cut-off", "The last byte is missing.", cose(GOOD_FILE, VERDICT)[:-1]),
        ("order", "Not in order.", _signed(list(reversed(FOUND)))),
        ("two-findings", "One commit is both.", _signed([FOUND[0], found(FOUND[0], INVALID)])),
        ("lost-with-value", "A value was shown, and is lost.", _signed([found(GOOD[0], LOST)])),
        ("valid-without-value", "Valid, and no value.", _signed([found(GOOD[2], VALID)])),
        ("finding-4", "A finding that there is not.", _signed([found(GOOD[0], 4)])),
        ("short-value", "Seven bytes.", _signed([found([UID, 2, FIRST, FIRST_VALUE[:7]], VALID)])),
        ("no-record", "No record.", _signed([found([UID, 2, bytes(16), FIRST_VALUE], VALID)])),
        (
            "counter-0",
            "No commit leaves it at 0.",
            _signed([found([UID, 0, FIRST, FIRST_VALUE], VALID)]),
        ),
        ("no-household", "Five items, as verdicts had before.", _signed([[*GOOD[0][:4], VALID]])),
        ("household-of-7", "Seven bytes.", _signed([[*FOUND[0][:5], HOUSEHOLD[:7]]])),
        ("household-empty", "Not known is null.", _signed([[*FOUND[0][:5], b""]])),
        (
            "two-households",
            "One commit is of two households.",
            _signed([[*FOUND[0][:5], household] for household in (HOUSEHOLD, bytes(8))]),
        ),
        ("form-1", "The form before.", cose(pack([VERDICTS[:-1] + "1", AT, FOUND]), VERDICT)),
    ):
        yield (
            f"mac-verdict/invalid/{name}",
            {
                "description": description,
                "input": {"verdicts": data.hex(), "trust": TRUST.hex()},
                "expected_error": "RecordError",
            },
        )


def asked_cases() -> Iterator[tuple[str, Case]]:
    """Questions that are none."""
    for name, description, commits in (
        ("asked-order", "Not in order.", list(reversed(GOOD))),
        ("asked-twice", "One stands twice.", [GOOD[0], GOOD[0]]),
        ("asked-uid-of-4", "A UID of four bytes.", [[UID[:4], *GOOD[0][1:]]]),
        ("asked-before", "Who was before does not fit 24 bits.", [[*GOOD[0][:4], 1 << 24]]),
    ):
        yield (
            f"mac-verdict/invalid/{name}",
            {
                "description": description,
                "input": {"asked": pack([ASKED, commits]).hex()},
                "expected_error": "RecordError",
            },
        )


def found(commit: list[object], finding: int) -> list[object]:
    """A verdict on a commit of the household's chip."""
    return [*commit[:4], finding, HOUSEHOLD]


def _signed(verdicts: list[list[object]]) -> bytes:
    return cose(pack([VERDICTS, AT, verdicts]), VERDICT)


if __name__ == "__main__":
    sys.exit(write_or_check(finding_cases, file_cases, refused_file_cases, asked_cases))
