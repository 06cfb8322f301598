"""Write the test vectors of the batch, the acknowledgement and the usage segment.

    python -m docs.spec.vectors.make_sync_vectors           writes the files
    python -m docs.spec.vectors.make_sync_vectors --check   fails if they are not so

Everything is put together here with a plain CBOR writer, not with the project's own. The compressed
form of a message is not unique, so its vectors hold the bytes before compression.
"""

import hashlib
import json
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

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

HERE = Path(__file__).parent
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
BATCH = ["khb-batch-1", 1, 1, 1, [OPENED, TAKEN], SIGNATURE]
ACKNOWLEDGEMENT = ["khb-ack-1", 1, 1, 2, leaf(TAKEN), AT + 60]


def batch_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the batch."""
    yield (
        "batch/valid/two-entries",
        {
            "description": "The day is opened and one unit is given.",
            "input": {"batch": pack(BATCH).hex(), "key": spki(TERMINAL).hex()},
            "expected": {"leaves": [leaf(OPENED).hex(), leaf(TAKEN).hex()], "start": 1},
        },
    )
    second = ["khb-batch-1", 1, 1, 2, [TAKEN], SIGNATURE]
    yield (
        "batch/valid/goes-on",
        {
            "description": "From the second entry on: what it follows is held already.",
            "input": {"batch": pack(second).hex(), "key": spki(TERMINAL).hex()},
            "expected": {"leaves": [leaf(TAKEN).hex()], "start": 2},
        },
    )
    for name, description, batch, code in invalid_batches():
        yield (
            f"batch/invalid/{name}",
            {
                "description": description,
                "input": {"batch": pack(batch).hex(), "key": spki(TERMINAL).hex()},
                "expected_error": code,
            },
        )


def invalid_batches() -> Iterator[tuple[str, str, list[object], str]]:
    """Name, description, record and error code."""
    form, terminal, epoch, start, entries, signature = BATCH
    loose = pack([1, 1, 1, 2, bytes(32), 10, MOMENT, 1, "RB", ["Balai"]])
    loose_signature = sign(TERMINAL, b"KHB-HEAD-v1\0" + leaf(loose))
    stranger = sign(STRANGER, b"KHB-HEAD-v1\0" + leaf(TAKEN))
    early = sign(TERMINAL, b"KHB-HEAD-v1\0" + leaf(OPENED))
    no_context = sign(TERMINAL, leaf(TAKEN))
    whole = [form, terminal, epoch, start, entries]
    yield "no-entries", "A batch brings something.", [*whole[:4], [], signature], "malformed"
    yield "start-0", "Entries count from 1.", [*whole[:3], 0, entries, signature], "malformed"
    yield "terminal-true", "true is not 1.", [form, True, *BATCH[2:]], "malformed"
    yield "form-2", "Another form.", ["khb-batch-2", *BATCH[1:]], "malformed"
    yield "more-fields", "A seventh field.", [*BATCH, 0], "malformed"
    yield "short-signature", "63 bytes.", [*whole, SIGNATURE[:-1]], "malformed"
    yield "other-terminal", "Entries of terminal 1 as 2's.", [form, 2, *BATCH[2:]], "malformed"
    yield "other-epoch", "Entries of epoch 1 as 2's.", [form, 1, 2, *BATCH[3:]], "malformed"
    yield "start-2", "Entry 1 as entry 2.", [*whole[:3], 2, entries, signature], "malformed"
    yield "swapped", "Out of order.", [*whole[:4], [TAKEN, OPENED], signature], "malformed"
    yield "not-an-entry", "null for an entry.", [*whole[:4], [b"\xf6"], signature], "malformed"
    yield (
        "loose-chain",
        "Signed, but entry 2 follows another entry 1.",
        [*whole[:4], [OPENED, loose], loose_signature],
        "broken_chain",
    )
    yield "stranger", "Another key's signature.", [*whole, stranger], "bad_signature"
    yield "early-head", "The signature of the first entry.", [*whole, early], "bad_signature"
    yield "no-context", "The bare leaf was signed.", [*whole, no_context], "bad_signature"


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
            },
        },
    )
    for name, description, data in (
        ("stranger", "A key nobody trusts.", cose(pack(ACKNOWLEDGEMENT), STRANGER)),
        ("terminal", "A terminal's key is no log key.", cose(pack(ACKNOWLEDGEMENT), TERMINAL)),
        ("cut-off", "The last byte is missing.", good[:-1]),
        ("followed", "A byte follows.", good + b"\0"),
        ("unsigned", "The bare record.", pack(ACKNOWLEDGEMENT)),
        ("form", "Another form.", cose(pack(["khb-ack-2", *ACKNOWLEDGEMENT[1:]]), LOG)),
        ("short-head", "31 bytes.", cose(pack([*ACKNOWLEDGEMENT[:4], leaf(TAKEN)[1:], AT]), LOG)),
        ("no-time", "A field is left out.", cose(pack(ACKNOWLEDGEMENT[:-1]), LOG)),
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


def usage_record(rows: Sequence[tuple[int, ...]], **change: object) -> bytes:
    """A segment of rows: terminal, epoch, seq, member, programme, window, quantity, and so on."""
    data = b"".join(ROW.pack(*row) for row in rows)
    columns = b"".join(data[at :: ROW.size] for at in range(ROW.size))
    households = HOUSEHOLD * len(rows)
    leaves = b"".join(hashlib.sha256(ROW.pack(*row)).digest()[:8] for row in rows)
    fields = {
        "form": "khb-usage-1",
        "kecamatan": "629901",
        "number": 1,
        "fixed": columns,
        "households": households,
        "leaves": leaves,
    }
    return pack(list((fields | change).values()))


def usage_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the usage segment."""
    rows = [(1, 1, 2, 0, 1, 1, 1, AT // 60, 0), (2, 1, 7, 3, 3, 1, 2, AT // 60 + 5, 41)]
    names = ("terminal", "epoch", "seq", "member", "programme", "window", "quantity", "minute",
             "counter")  # fmt: skip
    for name, description, own in (
        ("empty", "No element.", []),
        ("two-elements", "A household's parcel, and visits of member 3 by chip.", rows),
    ):
        yield (
            f"usage/valid/{name}",
            {
                "description": description,
                "input": usage_record(own).hex(),
                "expected": {
                    "kecamatan": "629901",
                    "number": 1,
                    "elements": [
                        dict(zip(names, row, strict=True))
                        | {
                            "household": HOUSEHOLD.hex(),
                            "leaf": hashlib.sha256(ROW.pack(*row)).hexdigest()[:16],
                        }
                        for row in own
                    ],
                },
            },
        )
    for name, description, data in (
        ("household-short", "A column with a byte less.", {"households": HOUSEHOLD[1:]}),
        ("leaf-short", "A leaf too few.", {"leaves": bytes(8)}),
        ("fixed-short", "A row too few.", {"fixed": bytes(ROW.size)}),
        ("kecamatan", "Five digits.", {"kecamatan": "62990"}),
        ("number-true", "true is not 1.", {"number": True}),
        ("form", "Another form.", {"form": "khb-usage-2"}),
    ):
        yield (
            f"usage/invalid/{name}",
            {
                "description": description,
                "input": usage_record(rows, **data).hex(),
                "expected_error": "RecordError",
            },
        )


def main() -> int:
    """Write or compare every file; 1 if one differs."""
    wrong = []
    for cases in (batch_cases, acknowledgement_cases, usage_cases):
        for place, case in cases():
            path = HERE / f"{place}.json"
            whole = json.dumps({"name": path.stem} | case, indent=2, ensure_ascii=True) + "\n"
            if "--check" in sys.argv[1:]:
                if not path.exists() or path.read_text(encoding="utf-8") != whole:
                    wrong.append(place)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(whole, encoding="utf-8")
    for place in wrong:
        print(f"{place}.json is not what make_sync_vectors.py writes; run it", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
