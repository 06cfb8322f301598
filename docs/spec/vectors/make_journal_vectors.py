"""Write the test vectors of the journal entry and the receipt.

    python -m docs.spec.vectors.make_journal_vectors           writes the files
    python -m docs.spec.vectors.make_journal_vectors --check   fails if they are not so

Everything is put together here with a plain CBOR writer and plain Base32, not with the project's
own, so that its writers are tested by them too.
"""

import base64
import hashlib
import sys
from collections.abc import Iterator
from typing import Any

from docs.spec.vectors.vector_parts import (
    HOUSEHOLD,
    HSM,
    ISSUED,
    STRANGER,
    TERMINAL,
    Case,
    Key,
    pack,
    sign,
    spki,
    text,
    trust_list,
    trust_row,
)
from docs.spec.vectors.writing import write_or_check

AT = ISSUED + 3_600
MOMENT = [AT, AT, AT + 60, ISSUED, ISSUED + 60, 1_000, b"bootboot"]
GENESIS = hashlib.sha256(b"KHB-GENESIS-v1\0" + b"\0\1" + b"\1" + spki(TERMINAL)).digest()
OPENED = ["Balai Desa Petak Haruei"]
GIVEN = [HOUSEHOLD, 1, 0, 1, 1, 2, 30_000, 1, 1]
UID = bytes.fromhex("04a1b2c3d4e580")
PENDING = [HOUSEHOLD, 1, 0, 1, 1, 2, 30_000, 1, UID, 7, 0x000101]
VALUE = bytes.fromhex("002b2f3407cf3f08")
MARK = bytes.fromhex("14000000000001000000000000501400")
RECORD = bytes.fromhex("1100010100001101020000000a505a00")
SEEN = [HOUSEHOLD, 1, UID, 2, VALUE, MARK + RECORD]
COMPLAINED = [2, "already_redeemed", HOUSEHOLD, 0, 1, 1]


def leaf(body: bytes) -> bytes:
    """The leaf hash that names an entry."""
    return hashlib.sha256(b"\0KHB-JRN-v1\0" + body).digest()


def entry(kind: int, content: list[Any], *, seq: int = 2, **change: Any) -> list[Any]:
    """The ten items of an entry that follows the opening; `change` spoils one."""
    prev = GENESIS if seq == 1 else leaf(FIRST)
    fields = {
        "form": 1, "terminal": 1, "epoch": 1, "seq": seq, "prev": prev, "kind": kind,
        "moment": MOMENT, "ledger": 7, "officer": "RB", "content": content,
    } | change  # fmt: skip
    return list(fields.values())


FIRST = pack([1, 1, 1, 1, GENESIS, 10, MOMENT, 7, "RB", OPENED])
TAKEN = pack(entry(1, GIVEN))


def head(body: bytes, key: Key = TERMINAL) -> bytes:
    """The signature over an entry as head of its chain."""
    return sign(key, b"KHB-HEAD-v1\0" + leaf(body))


# The journal entry


def entry_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the journal entry."""
    for name, description, items in (
        *chip_entries(),
        *complaints(),
        ("opened", "The first entry of an epoch follows its genesis.", entry(10, OPENED, seq=1)),
        ("redemption", "Two units for 15,000 rupiah each, at home.", entry(1, GIVEN)),
        ("away", "One visit of person 3, away from home.",
         entry(1, [HOUSEHOLD, 2, 3, 3, 1, 1, 0, 2, 2])),
        ("void", "Takes entry 2 back.", entry(4, [2, "salah ketik", "WK"], seq=3)),
        ("handover", "The goods of entry 2 went over the counter.", entry(5, [2], seq=3)),
        ("refusal", "A blocked card.", entry(6, ["revoked", HOUSEHOLD, 1, 0, 1, 1])),
        ("refusal-unheard", "Nobody's: the text was not a card.",
         entry(6, ["malformed", None, 0, 0, 1, 2])),
        ("look-up", "By the NIK of member 3.", entry(7, [HOUSEHOLD, 3, ""])),
        ("look-up-unknown", "A number of nobody here.", entry(7, [None, 0, "look_up_unknown"])),
        ("closed", "12 parcels and two sets stand, one was taken back.",
         entry(11, [1, 14, 1, 3, 180_000, bytes.fromhex("010000000c0300000002")])),
        ("sealed", "Entry 2 is brought back from a copy as the last of epoch 1.",
         entry(15, ["restored", 1, 2, leaf(TAKEN)], seq=1, epoch=2)),
        ("bounds", "The largest of everything.",
         entry(1, [HOUSEHOLD, 255, 255, 255, 255, 2**24 - 1, 2**53, 4, 3], seq=2**32 - 1,
               terminal=65_535, epoch=255, moment=[*[2**40] * 6, b"bootboot"], ledger=2**32 - 1,
               officer="ABCDEFGHIJKL")),
    ):  # fmt: skip
        body = pack(items)
        yield (
            f"journal-entry/valid/{name}",
            {
                "description": description,
                "input": entry_input(body, head(body)),
                "expected": {
                    "terminal": items[1],
                    "epoch": items[2],
                    "number": items[3],
                    "kind": items[5],
                    "leaf": leaf(body).hex(),
                    "element": element(items) if items[5] in {1, 2} else None,
                },
            },
        )
    for name, description, body, signature in invalid_entries():
        yield (
            f"journal-entry/invalid/{name}",
            {
                "description": description,
                "input": entry_input(body, signature or head(body)),
                "expected_error": "bad_signature" if signature else "malformed",
            },
        )


def chip_entries() -> Iterator[tuple[str, str, list[Any]]]:
    """Name, description and items of entries about chips, and about going without one."""
    yield from (
        ("exception", "The chip does not answer; two officers give.",
         entry(12, ["use_chip", HOUSEHOLD, 0, 1, "WK"])),
        ("pending", "Two units by chip, before the card is asked; T001.1 committed before.",
         entry(2, PENDING)),
        ("commit", "The card committed entry 2.", entry(3, [2, 8, VALUE], seq=3)),
        ("commit-without-value", "The card committed entry 2; its Transaction MAC was lost.",
         entry(3, [2, 8, b""], seq=3)),
        ("not-committed", "The card did not commit entry 2.",
         entry(4, [2, "not committed by the card", "-"], seq=3)),
        ("observed", "A chip shows the station's mark and ten units given at terminal 1.",
         entry(8, SEEN)),
        ("observed-empty", "A chip that shows no record at all.",
         entry(8, [*SEEN[:5], b""])),
        ("chip-unproven", "By a chip of which no key is held.", entry(1, [*GIVEN[:7], 5, 2])),
    )  # fmt: skip


def complaints() -> Iterator[tuple[str, str, list[Any]]]:
    """Name, description and items of complaints."""
    yield from (
        ("complaint", "About the refusal of entry 2.", entry(13, COMPLAINED, seq=3)),
        ("complaint-of-nobody", "About a look-up that found nobody, for programme 1.",
         entry(13, [2, "look_up_unknown", None, 0, 1, 4], seq=3)),
    )  # fmt: skip


def invalid_complaints() -> Iterator[tuple[str, str, list[Any]]]:
    """The same of complaints that no reader takes: there is no room for anybody's words."""
    yield from (
        ("complaint-in-words", "A reason that is a text of somebody's, and no code.",
         entry(13, [2, "Ibu Siti: anak saya sakit", *COMPLAINED[2:]], seq=3)),
        ("complaint-by-number", "A reason with digits in it.",
         entry(13, [2, "nik_6299012802260003", *COMPLAINED[2:]], seq=3)),
        ("complaint-without-a-reason", "No reason at all.",
         entry(13, [2, "", *COMPLAINED[2:]], seq=3)),
        ("complaint-of-too-much", "A field more, with a telephone.",
         entry(13, [*COMPLAINED, "0812"], seq=3)),
        ("complaint-of-a-text", "The number of the refusal as it is printed.",
         entry(13, ["T001-0002", *COMPLAINED[1:]], seq=3)),
    )  # fmt: skip


def invalid_chip_entries() -> Iterator[tuple[str, str, list[Any]]]:
    """The same of entries that no reader takes."""
    yield from (
        ("pending-as-redemption", "A pending entry with a redemption's content.", entry(2, GIVEN)),
        ("uid-of-four", "A chip with a UID of four bytes.",
         entry(2, [*PENDING[:8], UID[:4], *PENDING[9:]])),
        ("counter-at-its-end", "A chip that can commit no more.",
         entry(2, [*PENDING[:9], 2**32 - 1, 0])),
        ("commit-of-nothing", "A commit that moved no counter.", entry(3, [2, 0, VALUE], seq=3)),
        ("half-a-value", "A Transaction MAC of four bytes.", entry(3, [2, 8, VALUE[:4]], seq=3)),
        ("record-cut-off", "A record of fifteen bytes.", entry(8, [*SEEN[:5], RECORD[:15]])),
        ("record-of-nothing", "A record of a kind that no card holds.",
         entry(8, [*SEEN[:5], b"\x1f" + RECORD[1:]])),
        ("shown-by-6", "Presented in a way nobody knows.", entry(1, [*GIVEN[:7], 6, 1])),
        ("seventeen-records", "More records than a card shows.",
         entry(8, [*SEEN[:5], RECORD * 17])),
    )  # fmt: skip


def entry_input(body: bytes, signature: bytes) -> Case:
    """An entry, its head signature and the key that must have made it."""
    return {"body": body.hex(), "signature": signature.hex(), "key": spki(TERMINAL).hex()}


def element(items: list[Any]) -> Case:
    """What a redemption adds to the union."""
    household, _, member, programme, window, quantity, *_ = items[9]
    return {
        "leaf": leaf(pack(items))[:8].hex(),
        "household": household.hex(),
        "member": member,
        "programme": programme,
        "window": window,
        "quantity": quantity,
        "minute": items[6][1] // 60,
    }


def invalid_entries() -> Iterator[tuple[str, str, bytes, bytes | None]]:
    """Name, description, body, and the signature where it is that which is wrong."""
    for name, description, items in (
        *invalid_chip_entries(),
        *invalid_complaints(),
        ("form-2", "A form this version does not know.", entry(1, GIVEN, form=2)),
        ("terminal-0", "There is no terminal 0.", entry(1, GIVEN, terminal=0)),
        ("totals-of-641", "Totals of more than 128 programmes.",
         entry(11, [1, 0, 0, 0, 0, bytes(641)])),
        ("sealed-for-nothing", "A reason this version does not know.",
         entry(15, ["tired", 1, 2, leaf(TAKEN)])),
        ("epoch-256", "An epoch of more than 8 bits.", entry(1, GIVEN, epoch=256)),
        ("number-true", "true is not 1.", entry(10, OPENED, prev=GENESIS, seq=True)),
        ("prev-31", "A hash of 31 bytes.", entry(1, GIVEN, prev=bytes(31))),
        ("prev-base64", "A hash as Base64 text.",
         entry(1, GIVEN, prev=base64.b64encode(bytes(32)).decode())),
        ("kind-0", "No kind.", entry(0, GIVEN)),
        ("kind-9", "A kind that has no content yet.", entry(9, GIVEN)),
        ("kind-16", "A kind that nobody knows.", entry(16, GIVEN)),
        ("other-content", "A hand-over with a redemption's content.", entry(5, GIVEN)),
        ("moment-of-six", "A moment without its boot.", entry(1, GIVEN, moment=MOMENT[:6])),
        ("time-too-large", "A time past 2^40.", entry(1, GIVEN, moment=[2**40 + 1, *MOMENT[1:]])),
        ("officer-of-13", "Thirteen characters.", entry(1, GIVEN, officer="A" * 13)),
        ("eleven-items", "One item more.", [*entry(1, GIVEN), 0]),
        ("nine-items", "One item less.", entry(1, GIVEN)[:9]),
        ("content-longer", "One field more.", entry(1, [*GIVEN, 0])),
        ("content-shorter", "One field less.", entry(1, GIVEN[:8])),
        ("quantity-too-large", "More than 24 bits.", entry(1, [*GIVEN[:5], 2**24, *GIVEN[6:]])),
        ("shown-by-nothing", "Presented by 0.", entry(1, [*GIVEN[:7], 0, 1])),
        ("no-basis", "On a basis that nobody knows.", entry(1, [*GIVEN[:8], 4])),
        ("household-of-7", "Seven bytes.", entry(1, [HOUSEHOLD[:7], *GIVEN[1:]])),
        ("reason-empty", "A refusal without a reason.", entry(6, ["", None, 0, 0, 1, 1])),
        ("point-of-81", "A point of 81 characters.", entry(10, ["A" * 81])),
    ):  # fmt: skip
        yield name, description, pack(items), None
    for name, description, body in (
        ("empty", "No bytes at all.", b""),
        ("cut-off", "The last byte is missing.", TAKEN[:-1]),
        ("trailing-byte", "One byte follows.", TAKEN + b"\0"),
        ("long-head", "A number not in its shortest form.", b"\x8a\x18\x01" + TAKEN[2:]),
        ("indefinite", "An array of indefinite length.", b"\x9f" + TAKEN[1:] + b"\xff"),
        ("too-long", "More than 1,024 bytes.", bytes(1_025)),
        ("float", "A float for a number.", b"\x8a\xf9\x3c\x00" + TAKEN[2:]),
    ):
        yield name, description, body, None
    yield "stranger", "Signed by another key.", TAKEN, head(TAKEN, STRANGER)
    yield "head-of-another", "The signature of the entry before.", TAKEN, head(FIRST)
    yield "bare-leaf", "Signed without its context.", TAKEN, sign(TERMINAL, leaf(TAKEN))
    changed = TAKEN[:-3] + b"\x00" + TAKEN[-2:]
    yield "changed-after-signing", "The sum paid was changed.", changed, head(TAKEN)


# The receipt

ES256 = pack(entry(1, GIVEN, terminal=2))
TERMINALS = trust_list(
    trust_row(TERMINAL, "terminal", "T001.1"), trust_row(HSM, "terminal", "T002.1")
)


def slip(body: bytes, key: Key = TERMINAL) -> str:
    """The text of a slip over an entry."""
    return text(body + head(body, key), "KHR1")


def receipt_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the receipt."""
    printed = slip(TAKEN)
    for name, description, shown, number in (
        ("given", "As printed.", printed, "T001-0002"),
        ("lower-case", "Typed in small letters, ends padded.", f" {printed.lower()}\r\n",
         "T001-0002"),
        ("by-chip", "Of a redemption by chip: its pending entry.", slip(pack(entry(2, PENDING))),
         "T001-0002"),
        ("complaint", "Of a complaint: nothing was given.",
         slip(pack(entry(13, COMPLAINED, seq=3))), "T001-0003"),
        ("es256", "Of a terminal whose key lies in a module.", slip(ES256, HSM), "T002-0002"),
    ):  # fmt: skip
        yield (
            f"receipt/valid/{name}",
            {
                "description": description,
                "input": {"text": shown, "trust": TERMINALS.hex()},
                "expected": {
                    "number": number,
                    "household": HOUSEHOLD.hex(),
                    "quantity": None if name == "complaint" else 2,
                },
            },
        )
    for name, description, shown, code in invalid_receipts(printed):
        yield (
            f"receipt/invalid/{name}",
            {
                "description": description,
                "input": {"text": shown, "trust": TERMINALS.hex()},
                "expected_error": code,
            },
        )


def invalid_receipts(printed: str) -> Iterator[tuple[str, str, str, str]]:
    """Name, description, text and error code."""
    refusal = pack(entry(6, ["revoked", HOUSEHOLD, 1, 0, 1, 1]))
    later, elsewhere = pack(entry(1, GIVEN, epoch=2)), pack(entry(1, GIVEN, terminal=3))
    fewer = pack(entry(1, [*GIVEN[:5], 1, *GIVEN[6:]]))
    yield "empty", "Nothing was typed.", "", "malformed"
    yield "prefix-only", "Only the prefix.", "KHR1", "malformed"
    yield "card", "A card's prefix.", "KHB1" + printed[4:], "malformed"
    yield "cut-off", "The end was not read.", printed[:-2], "malformed"
    yield "padded", "With the padding of RFC 4648.", printed + "=", "malformed"
    yield "number", "Only the receipt number.", "T001-0002", "malformed"
    yield "signature-only", "No entry before the signature.", text(bytes(64), "KHR1"), "malformed"
    yield "refusal", "A refusal gave nothing.", slip(refusal), "malformed"
    yield "opened", "An opening gave nothing.", slip(FIRST), "malformed"
    commit = pack(entry(3, [2, 8, VALUE], seq=3))
    yield "commit", "A commit names no family.", slip(commit), "malformed"
    yield "other-epoch", "Terminal 1 in epoch 2 is not listed.", slip(later), "unknown_issuer"
    yield "other-terminal", "Terminal 3 is not listed.", slip(elsewhere), "unknown_issuer"
    yield "stranger", "Signed by another key.", slip(TAKEN, STRANGER), "bad_signature"
    yield "other-terminals-key", "Terminal 2's slip by key 1.", slip(ES256), "bad_signature"
    signed = text(fewer + head(TAKEN), "KHR1")
    yield "quantity-changed", "One unit where two were signed.", signed, "bad_signature"
    bare = text(TAKEN + sign(TERMINAL, leaf(TAKEN)), "KHR1")
    yield "bare-leaf", "Signed without the context of a head.", bare, "bad_signature"


if __name__ == "__main__":
    sys.exit(write_or_check(entry_cases, receipt_cases))
