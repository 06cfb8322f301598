"""Write the test vectors of the batch, the acknowledgement and the usage segment.

    python -m docs.spec.vectors.make_sync_vectors           writes the files
    python -m docs.spec.vectors.make_sync_vectors --check   fails if they are not so

Everything is put together here with a plain CBOR writer, not with the project's own. The compressed
form of a message is not unique, so its vectors hold the bytes before compression; of a usage
segment the columns.
"""

import hashlib
import struct
import sys
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric import ed25519

from docs.spec.vectors.vector_parts import (
    HOUSEHOLD,
    ISSUED,
    STRANGER,
    TERMINAL,
    Case,
    cose,
    pack,
    seed,
    sign,
    spki,
    trust_list,
    trust_row,
)
from docs.spec.vectors.writing import write_or_check

LOG = ed25519.Ed25519PrivateKey.from_private_bytes(seed("province log"))
AT = ISSUED + 3_600

GENESIS = hashlib.sha256(b"KHB-GENESIS-v1\0" + b"\0\1" + b"\1" + spki(TERMINAL)).digest()
MOMENT = [AT, AT, AT, ISSUED, ISSUED, 1_000, b"bootboot"]
OPENED = pack([1, 1, 1, 1, GENESIS, 10, MOMENT, 1, "RB", ["Balai Desa Petak Haruei"]])


def leaf(body: bytes) -> bytes:
    """The leaf hash that names an entry."""
    return hashlib.sha256(b"\0KHB-JRN-v1\0" + body).digest()


TAKEN = pack([1, 1, 1, 2, leaf(OPENED), 1, MOMENT, 1, "RB", [HOUSEHOLD, 1, 0, 1, 1, 1, 0, 1, 1]])
SIGNATURE = sign(TERMINAL, b"KHB-HEAD-v1\0" + leaf(TAKEN))
# The columns of both entries, byte by byte (docs/spec/batch.md, §2).
TEXTS = ["RB", "Balai Desa Petak Haruei"]
SHAPES = [[10, "t"], [1, "biiiiiiii"]]
POOL = b"bootboot" + HOUSEHOLD


def number(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def signed(value: int) -> bytes:
    """0, -1, 1, -2, … as 0, 1, 2, 3, …."""
    return number(value * 2 if value >= 0 else -value * 2 - 1)


COLUMNS = b"".join(
    [
        number(2), number(8), number(8),  # two byte strings of 8 bytes
        number(1), number(2),  # shapes of the entries
        number(1), number(1),  # one time, for one entry more
        signed(AT), signed(0), signed(0),  # early; wall and late as early
        signed(ISSUED), signed(ISSUED),  # office, against early of nothing before; online
        signed(1_000 - AT),  # boot time against early
        number(0),  # the boot id is new
        signed(1), signed(0),  # ledger version
        number(0), number(0),  # officer
        number(1),  # shape 1: the point
        number(0),  # shape 2: the household is new
        *(signed(value) for value in (1, 0, 1, 1, 1, 0, 1, 1)),
    ]
)  # fmt: skip
BATCH: dict[str, object] = {
    "form": "khb-batch-2",
    "terminal": 1,
    "epoch": 1,
    "start": 1,
    "count": 2,
    "prev": GENESIS,
    "shapes": SHAPES,
    "texts": TEXTS,
    "columns": COLUMNS,
    "pool": POOL,
    "signature": SIGNATURE,
}
ACKNOWLEDGEMENT = ["khb-ack-2", 1, 1, 2, leaf(TAKEN), AT + 60, 3, "0.1.0"]


def batch_of(**change: object) -> str:
    """The batch with other fields, in hexadecimal; its columns are not compressed."""
    return pack(list((BATCH | change).values())).hex()


def whole(start: int, *bodies: bytes, **change: object) -> str:
    """A batch whose entries all travel whole."""
    lengths = b"".join(number(len(body)) for body in bodies)
    columns = number(len(bodies)) + lengths + bytes(len(bodies)) + b"\0" + bytes(len(bodies))
    fields = {
        "start": start,
        "count": len(bodies),
        "shapes": [],
        "texts": [],
        "columns": columns,
        "pool": b"".join(bodies),
    }
    return batch_of(**fields | change)


def batch_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the batch."""
    yield (
        "batch/valid/two-entries",
        {
            "description": "The day is opened and one unit is given.",
            "input": {"batch": batch_of(), "key": spki(TERMINAL).hex()},
            "expected": {"bodies": [OPENED.hex(), TAKEN.hex()], "start": 1},
        },
    )
    yield (
        "batch/valid/goes-on",
        {
            "description": "From the second entry on: what it follows is held already.",
            "input": {"batch": second_entry(), "key": spki(TERMINAL).hex()},
            "expected": {"bodies": [TAKEN.hex()], "start": 2},
        },
    )
    for name, description, batch, code in invalid_batches():
        yield (
            f"batch/invalid/{name}",
            {
                "description": description,
                "input": {"batch": batch, "key": spki(TERMINAL).hex()},
                "expected_error": code,
            },
        )


def second_entry() -> str:
    """A batch of the second entry alone."""
    frame = b"".join(map(signed, (AT, 0, 0, ISSUED, ISSUED, 1_000 - AT)))
    content = b"".join(map(signed, (1, 0, 1, 1, 1, 0, 1, 1)))
    head = b"".join(map(number, (2, 8, 8, 1, 1, 0)))
    return batch_of(
        start=2,
        count=1,
        prev=leaf(OPENED),
        shapes=SHAPES[1:],
        texts=["RB"],
        columns=head + frame + number(0) + signed(1) + number(0) + number(0) + content,
    )


def invalid_batches() -> Iterator[tuple[str, str, str, str]]:
    """Name, description, record and error code."""
    loose = pack([1, 1, 1, 2, bytes(32), 10, MOMENT, 1, "RB", ["Balai"]])
    loose_signature = sign(TERMINAL, b"KHB-HEAD-v1\0" + leaf(loose))
    stranger = sign(STRANGER, b"KHB-HEAD-v1\0" + leaf(TAKEN))
    early = sign(TERMINAL, b"KHB-HEAD-v1\0" + leaf(OPENED))
    no_context = sign(TERMINAL, leaf(TAKEN))
    extra = pack([*BATCH.values(), 0]).hex()
    yield "no-entries", "A batch brings something.", batch_of(count=0), "malformed"
    yield "count-3", "More entries than its columns.", batch_of(count=3), "malformed"
    yield "start-0", "Entries count from 1.", batch_of(start=0), "malformed"
    yield "terminal-true", "true is not 1.", batch_of(terminal=True), "malformed"
    yield "form-1", "Another form.", batch_of(form="khb-batch-1"), "malformed"
    yield "more-fields", "A twelfth field.", extra, "malformed"
    yield "short-signature", "63 bytes.", batch_of(signature=SIGNATURE[:-1]), "malformed"
    yield "short-columns", "A byte less.", batch_of(columns=COLUMNS[:-1]), "malformed"
    yield "long-columns", "A byte more.", batch_of(columns=COLUMNS + b"\0"), "malformed"
    yield (
        "long-number",
        "2 in two bytes.",
        batch_of(columns=b"\x82\0" + COLUMNS[1:]),
        "malformed",
    )
    yield "unused-text", "A text nobody names.", batch_of(texts=[*TEXTS, "x"]), "malformed"
    yield "doubled-text", "A text twice.", batch_of(texts=["RB", "RB"]), "malformed"
    yield "short-pool", "A byte less.", batch_of(pool=POOL[:-1]), "malformed"
    yield "shapes-turned", "Not in the order of use.", batch_of(shapes=SHAPES[::-1]), "malformed"
    yield "not-an-entry", "null for an entry.", whole(1, b"\xf6"), "malformed"
    yield "whole-without-need", "Entry 1 fits its place.", whole(1, OPENED), "malformed"
    yield "out-of-place", "Entry 2 as entry 1.", whole(1, TAKEN), "malformed"
    yield (
        "loose-chain",
        "Signed, but entry 2 follows another entry 1.",
        loose_batch(loose, loose_signature),
        "broken_chain",
    )
    yield "other-terminal", "Entries of 1 as 2's.", batch_of(terminal=2), "bad_signature"
    yield "other-epoch", "Entries of epoch 1 as 2's.", batch_of(epoch=2), "bad_signature"
    yield "start-2", "Entry 1 as entry 2.", batch_of(start=2), "bad_signature"
    yield "other-prev", "After another entry.", batch_of(prev=bytes(32)), "bad_signature"
    yield "stranger", "Another key's signature.", batch_of(signature=stranger), "bad_signature"
    yield "early-head", "The first entry's.", batch_of(signature=early), "bad_signature"
    yield "no-context", "The bare leaf was signed.", batch_of(signature=no_context), "bad_signature"


def loose_batch(loose: bytes, signature: bytes) -> str:
    """The first entry, and one that does not follow it, whole."""
    head = b"".join(map(number, (2, 8, len(loose), 1, 0, 1, 0)))
    frame = b"".join(map(signed, (AT, 0, 0, ISSUED, ISSUED, 1_000 - AT)))
    rest = number(0) + signed(1) + number(0) + number(1) + number(0)
    return batch_of(
        shapes=SHAPES[:1],
        columns=head + frame + rest,
        pool=b"bootboot" + loose,
        signature=signature,
    )


def acknowledgement_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the acknowledgement."""
    trust = trust_list(
        trust_row(LOG, "log", "province"), trust_row(TERMINAL, "terminal", "T001.1")
    ).hex()
    good = cose(pack(ACKNOWLEDGEMENT), LOG)
    yield (
        "acknowledgement/valid/two-entries",
        {
            "description": "The two entries of the batch are held.",
            "input": {"data": good.hex(), "trust": trust},
            "expected": {
                "terminal": 1,
                "epoch": 1,
                "seq": 2,
                "head": leaf(TAKEN).hex(),
                "at": AT + 60,
                "ledger": 3,
                "software": "0.1.0",
            },
        },
    )
    for name, description, data in (
        ("stranger", "A key nobody trusts.", cose(pack(ACKNOWLEDGEMENT), STRANGER)),
        ("terminal", "A terminal's key is no log key.", cose(pack(ACKNOWLEDGEMENT), TERMINAL)),
        ("cut-off", "The last byte is missing.", good[:-1]),
        ("followed", "A byte follows.", good + b"\0"),
        ("unsigned", "The bare record.", pack(ACKNOWLEDGEMENT)),
        ("form", "Another form.", cose(pack(["khb-ack-1", *ACKNOWLEDGEMENT[1:]]), LOG)),
        (
            "short-head",
            "31 bytes.",
            cose(pack([*ACKNOWLEDGEMENT[:4], leaf(TAKEN)[1:], *ACKNOWLEDGEMENT[5:]]), LOG),
        ),
        ("no-time", "A field is left out.", cose(pack(ACKNOWLEDGEMENT[:-1]), LOG)),
        ("software", "A version in words.", cose(pack([*ACKNOWLEDGEMENT[:-1], "new"]), LOG)),
    ):
        yield (
            f"acknowledgement/invalid/{name}",
            {
                "description": description,
                "input": {"data": data.hex(), "trust": trust},
                "expected_error": "RecordError",
            },
        )


ROW = struct.Struct(">HBIBBBIII")


def usage_columns(rows: Sequence[tuple[int, ...]]) -> bytes:
    """Each row a run of its own terminal: how many, whose, then a column for each number."""
    numbers = [len(rows), *(n for row in rows for n in (row[0], row[1], 1))]
    rights = [(row[4], row[5], row[3], row[6]) for row in rows]
    things = sorted(set(rights))
    numbers += [len(things), *(n for thing in things for n in thing)]
    said = [
        (row[2], row[7] * 2, things.index(right), row[8])
        for row, right in zip(rows, rights, strict=True)
    ]
    return b"".join(map(number, [*numbers, *(n for column in zip(*said) for n in column)]))  # noqa: B905


def usage_record(rows: Sequence[tuple[int, ...]], **change: object) -> bytes:
    """A segment of rows: terminal, epoch, seq, member, programme, window, quantity, and so on."""
    fields = {
        "form": "khb-usage-2",
        "kecamatan": "629901",
        "number": 1,
        "prev": b"",
        "columns": usage_columns(rows),
        "households": HOUSEHOLD * len(rows),
        "leaves": b"".join(hashlib.sha256(ROW.pack(*row)).digest()[:8] for row in rows),
        "voids": [],
    }
    return pack(list((fields | change).values()))


def signed_void(seq: int, *, of: int) -> list[bytes]:
    """A void as its terminal signed it."""
    content = [of, "salah orang", "WK"]
    body = pack([1, 1, 1, seq, leaf(TAKEN), 4, MOMENT, 1, "RB", content])
    return [body, sign(TERMINAL, b"KHB-HEAD-v1\0" + leaf(body))]


USAGE: list[tuple[int, ...]] = [
    (1, 1, 2, 0, 1, 1, 1, AT // 60, 0),
    (2, 1, 7, 3, 3, 1, 2, AT // 60 + 5, 41),
]


def usage_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the usage segment."""
    first = hashlib.sha256(usage_record(USAGE)).digest()
    voids = [signed_void(3, of=2)]
    valid: tuple[tuple[str, str, list[tuple[int, ...]], dict[str, object]], ...] = (
        ("empty", "No element.", [], {}),
        ("two-elements", "A household's parcel, and visits of member 3 by chip.", USAGE, {}),
        ("void", "What follows another: the parcel was taken back.", [],
         {"number": 2, "prev": first, "voids": voids}),
    )  # fmt: skip
    for name, description, own, change in valid:
        expected = {
            "kecamatan": "629901",
            "number": 2 if change else 1,
            "voids": len(voids) if change else 0,
            "elements": [usage_element(row) for row in own],
        }
        data = usage_record(own, **change).hex()
        case = {"description": description, "input": data, "expected": expected}
        yield f"usage/valid/{name}", case
    invalid: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("household-short", "A column with a byte less.", {"households": HOUSEHOLD[1:]}),
        ("leaf-short", "A leaf too few.", {"leaves": bytes(8)}),
        ("columns-short", "A number too few.", {"columns": usage_columns(USAGE)[:-1]}),
        ("columns-long", "A number to spare.", {"columns": usage_columns(USAGE) + b"\0"}),
        ("runs", "Two runs of one terminal.", {"columns": usage_columns([USAGE[0]] * 2)}),
        ("prev-short", "It follows 31 bytes.", {"prev": bytes(31)}),
        ("void-unsigned", "A void nobody signed.", {"voids": [[voids[0][0], b""]]}),
        ("kecamatan", "Five digits.", {"kecamatan": "62990"}),
        ("number-true", "true is not 1.", {"number": True}),
        ("form", "Another form.", {"form": "khb-usage-1"}),
    )
    for name, description, change in invalid:
        data = usage_record(USAGE, **change).hex()
        case = {"description": description, "input": data, "expected_error": "RecordError"}
        yield f"usage/invalid/{name}", case


def usage_element(row: tuple[int, ...]) -> dict[str, object]:
    """What a row of columns says."""
    names = ("terminal", "epoch", "seq", "member", "programme", "window", "quantity", "minute",
             "counter")  # fmt: skip
    digest = hashlib.sha256(ROW.pack(*row)).hexdigest()
    said = dict(zip(names, row, strict=True))
    return said | {"household": HOUSEHOLD.hex(), "leaf": digest[:16]}


if __name__ == "__main__":
    sys.exit(write_or_check(batch_cases, acknowledgement_cases, usage_cases))
