"""Write the test vectors of people files, look-up and the locked key.

    python -m docs.spec.vectors.make_people_vectors           writes the files
    python -m docs.spec.vectors.make_people_vectors --check   fails if they are not so

Everything is put together here with a plain CBOR writer, HMAC, argon2id and AES-GCM, not with the
project's own code. Sealed and compressed forms are not unique, so people files stand as they are
before both.
"""

import hashlib
import hmac
import sys
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from docs.spec.vectors.vector_parts import HOUSEHOLD, Case, pack, seed
from docs.spec.vectors.writing import write_or_check

OTHER = bytes.fromhex("6299000055667788")
SALT, KEY = seed("look-up salt")[:16], seed("look-up key")
MEMORY_KIB, PASSES = 64, 2
"""Far too little for service, so that the vectors are checked in no time."""
NIK, WOMAN, KK = "6299010101900001", "6299014101900001", "6299012802260003"
IDENTITY = "AGE-SECRET-KEY-12ZL9N5S9AU3T5NDR5H0HJ540VGAFKSPKZS58X5F5MQUNJ7PAPWUSWFV6GV"
PIN = "620000"


def stretched(number: str) -> bytes:
    """argon2id of a number."""
    kdf = Argon2id(salt=SALT, length=32, iterations=PASSES, lanes=1, memory_cost=MEMORY_KIB)
    return kdf.derive(number.encode())


def tag(number: str) -> bytes:
    """The tag of a number."""
    return hmac.new(KEY, b"KHB-TAG-v1\0" + stretched(number), hashlib.sha256).digest()[:16]


def people(*families: Any, **changed: Any) -> list[Any]:
    """The record of a people file, with fields changed."""
    fields = {
        "form": "khb-people-1",
        "desa": "6299012001",
        "period": "Tahap 4/2026",
        "number": 1,
        "key": b"sealed",
        "families": list(families),
    }
    return list((fields | changed).values())


HEAD: list[Any] = [1, "Siti Aminah", "head", None]
PUPIL: list[Any] = [3, "Rahmad Aminah", "child", 2014]
FAMILY: list[Any] = [
    HOUSEHOLD,
    "Siti Aminah",
    [HEAD, PUPIL],
    [[0, tag(KK)], [1, tag(WOMAN)]],
]
SMALL: list[Any] = [OTHER, "Bambang Riyadi", [], []]


def people_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the people file."""
    for name, description, families in (
        ("no-family", "A desa without families.", ()),
        ("two-families", "One that can be looked up, one that is named only.", (FAMILY, SMALL)),
    ):
        yield (
            f"people/valid/{name}",
            {
                "description": description,
                "input": pack(people(*families)).hex(),
                "expected": {
                    "desa": "6299012001",
                    "period": "Tahap 4/2026",
                    "families": [
                        {
                            "household": household.hex(),
                            "name": named,
                            "members": members,
                            "tags": [[member, tag.hex()] for member, tag in tags],
                        }
                        for household, named, members, tags in families
                    ],
                },
            },
        )
    for name, description, record in (
        ("other-form", "A form of another version.", people(FAMILY, form="khb-people-2")),
        ("unordered", "Families out of order.", people(SMALL, FAMILY)),
        ("family-twice", "One family twice.", people(FAMILY, FAMILY)),
        ("member-twice", "One member twice.", people([HOUSEHOLD, "A", [HEAD, HEAD], []])),
        ("member-0", "0 is no member.", people([HOUSEHOLD, "A", [[0, *HEAD[1:]]], []])),
        ("other-role", "An unknown role.", people([HOUSEHOLD, "A", [[1, "A", "boss", None]], []])),
        ("short-tag", "A tag of 15 bytes.", people([HOUSEHOLD, "A", [], [[0, bytes(15)]]])),
        ("no-name", "A family without a name.", people([HOUSEHOLD, "", [], []])),
        ("desa-of-9", "A desa of 9 digits.", people(desa="629901200")),
        ("number-in-clear", "One field more.", [*people(FAMILY), NIK]),
        ("born-as-text", "A year as text.",
         people([HOUSEHOLD, "A", [[1, "A", "head", "1990"]], []])),
    ):  # fmt: skip
        yield (
            f"people/invalid/{name}",
            {
                "description": description,
                "input": pack(record).hex(),
                "expected_error": "RecordError",
            },
        )


def look_up_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of look-up."""
    rules = {"salt": SALT.hex(), "memory_kib": MEMORY_KIB, "passes": PASSES, "key": KEY.hex()}
    for name, description, typed, dated in (
        ("nik", "A man's NIK.", NIK, True),
        ("nik-woman", "A woman's NIK: day + 40.", WOMAN, True),
        ("kk", "A KK number.", KK, True),
        ("spaced", "As it is printed.", "6299 0101 0190 0001", True),
        ("dotted", "With dots and hyphens.", " 62.99.01-010190-0001 ", True),
        ("leap-day", "29 February of a year that is a leap year in one century.",
         "6299012902000001", True),
        ("day-31", "31 April is no day; it is looked up all the same.", "6299013104900001", False),
        ("serial-0", "A serial of 0000; it is looked up all the same.", "6299010101900000", False),
        ("month-13", "No 13th month.", "6299010113900001", False),
        ("day-72", "No 32nd day of a woman.", "6299017201900001", False),
    ):  # fmt: skip
        number = "".join(c for c in typed if c.isdigit())
        yield (
            f"look-up/valid/{name}",
            {
                "description": description,
                "input": {"typed": typed} | rules,
                "expected": {
                    "number": number,
                    "has_date": dated,
                    "mask": f"{number[:4]}••••••••{number[-4:]}",
                    "stretched": stretched(number).hex(),
                    "tag": tag(number).hex(),
                },
            },
        )
    for name, description, typed in (
        ("empty", "Nothing was typed.", ""),
        ("fifteen", "One digit is missing.", NIK[:-1]),
        ("seventeen", "One digit too many.", NIK + "1"),
        ("letter", "The letter O for a zero.", NIK[:-4] + "OO01"),
        ("arabic-digits", "Digits of another script.", "".join(chr(0x660 + int(c)) for c in NIK)),
        ("very-long", "More than anybody types.", "1 " * 40),
    ):
        yield (
            f"look-up/invalid/{name}",
            {
                "description": description,
                "input": {"typed": typed} | rules,
                "expected_error": "number_length",
            },
        )


def locked(identity: str, pin: str, **changed: Any) -> bytes:
    """A locked key, with fields changed after it was locked."""
    salt, nonce = seed("pin salt")[:16], seed("pin nonce")[:12]
    fields = {
        "form": "khb-locked-1", "memory_kib": 64, "passes": 1, "salt": salt, "nonce": nonce,
        "box": b"",
    }  # fmt: skip
    kdf = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=64)
    head = pack(list(fields.values()))
    box = AESGCM(kdf.derive(pin.encode())).encrypt(nonce, identity.encode(), head)
    return pack(list((fields | {"box": box} | changed).values()))


def locked_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the locked key."""
    yield (
        "locked-key/valid/pin",
        {
            "description": "Six digits open it.",
            "input": {"data": locked(IDENTITY, PIN).hex(), "pin": PIN},
            "expected": {"identity": IDENTITY},
        },
    )
    whole = locked(IDENTITY, PIN)
    for name, description, data, pin, error in (
        ("other-pin", "Another PIN.", whole, "620001", "WrongPinError"),
        ("box-changed", "The last bit of the box.", whole[:-1] + bytes([whole[-1] ^ 1]), PIN,
         "WrongPinError"),
        ("cost-changed", "A lower price written in.", locked(IDENTITY, PIN, memory_kib=32), PIN,
         "WrongPinError"),
        ("other-form", "A form of another version.", locked(IDENTITY, PIN, form="khb-locked-2"),
         PIN, "RecordError"),
        ("passes-0", "A price of nothing.", locked(IDENTITY, PIN, passes=0), PIN, "RecordError"),
        ("memory-bomb", "More memory than any terminal has.",
         locked(IDENTITY, PIN, memory_kib=2**31), PIN, "RecordError"),
        ("cut-off", "One byte is missing.", whole[:-1], PIN, "RecordError"),
    ):  # fmt: skip
        yield (
            f"locked-key/invalid/{name}",
            {
                "description": description,
                "input": {"data": data.hex(), "pin": pin},
                "expected_error": error,
            },
        )


if __name__ == "__main__":
    sys.exit(write_or_check(people_cases, look_up_cases, locked_cases))
