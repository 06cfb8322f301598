"""Write the test vectors of a kecamatan's changes.

    python -m docs.spec.vectors.make_changes_vectors           writes the files
    python -m docs.spec.vectors.make_changes_vectors --check   fails if they are not so

Everything is put together here with a plain CBOR writer, not with the project's own. The compressed
form of a file is not unique, so a vector holds the record before compression.
"""

import hashlib
import sys
from collections.abc import Iterator

from docs.spec.vectors.vector_parts import HOUSEHOLD, Case, pack
from docs.spec.vectors.writing import write_or_check

OTHER = bytes.fromhex("6299000055667788")
PARENT, RESULT = (hashlib.sha256(name).digest() for name in (b"parent", b"result"))
CHANGES = {
    "form": "khb-changes-2",
    "kecamatan": "629901",
    "number": 7,
    "parent": PARENT,
    "result": RESULT,
    "removed": [[0, 2], [5, 8]],
    "moved": [[1, "6299012002"]],
    "replaced": [[1, 3]],
    "lowered": [[2, 1]],
    "cleared": [[OTHER, 2, 6]],
    "corrected": [[1, 1, 17, HOUSEHOLD, 7], [1, 1, 17, OTHER, 4], [2, 1, 3, HOUSEHOLD, 7]],
}


def changes(**change: object) -> str:
    """The file with other fields, in hexadecimal."""
    return pack(list((CHANGES | change).values())).hex()


def changes_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector."""
    corrected = CHANGES["corrected"]
    assert isinstance(corrected, list)

    kinds = ("removed", "moved", "replaced", "lowered", "cleared")
    empty: dict[str, object] = {kind: [] for kind in kinds}
    for name, description, own in (
        ("every-kind", "A row or two of each kind.", {}),
        ("nothing", "No row at all.", empty | {"corrected": []}),
        ("corrected-alone", "One number, taken back for two households.", empty),
        ("highest", "The highest terminal, epoch and entry.",
         {"corrected": [[65535, 255, 0xFFFFFFFF, HOUSEHOLD, 1]]}),
    ):  # fmt: skip
        rows = own.get("corrected", corrected)
        assert isinstance(rows, list)
        expected = [[*row[:3], row[3].hex(), row[4]] for row in rows]
        yield (
            f"changes/valid/{name}",
            {"description": description, "input": changes(**own), "expected": expected},
        )
    for name, description, record in invalid():
        yield (
            f"changes/invalid/{name}",
            {"description": description, "input": record, "expected_error": "RecordError"},
        )


def invalid() -> Iterator[tuple[str, str, str]]:
    """Name, description and record."""
    row = [1, 1, 17, HOUSEHOLD, 7]
    old = [*CHANGES.values()][:10]
    yield "form-1", "The form before, which took nothing back.", changes(form="khb-changes-1")
    yield "ten-items", "Without the last list.", pack(old).hex()
    yield "twelve-items", "A list too many.", pack([*CHANGES.values(), []]).hex()
    yield "twice", "A redemption twice.", changes(corrected=[row, row])
    yield "twice-since", "Twice, first said twice.", changes(corrected=[[*row[:4], 6], row])
    yield "entries-fall", "Out of order.", changes(corrected=[row, [1, 1, 16, OTHER, 7]])
    yield "households-fall", "Out of order.", changes(corrected=[[1, 1, 17, OTHER, 7], row])
    yield "still-to-come", "In changes 8; these are 7.", changes(corrected=[[*row[:4], 8]])
    yield "said-by-0", "Changes count from 1.", changes(corrected=[[*row[:4], 0]])
    yield "terminal-0", "Terminals count from 1.", changes(corrected=[[0, *row[1:]]])
    yield "terminal-65536", "There is none.", changes(corrected=[[65536, *row[1:]]])
    yield "epoch-0", "Epochs count from 1.", changes(corrected=[[1, 0, *row[2:]]])
    yield "epoch-256", "There is none.", changes(corrected=[[1, 256, *row[2:]]])
    yield "entry-0", "Entries count from 1.", changes(corrected=[[1, 1, 0, *row[3:]]])
    yield "entry-true", "true is not 1.", changes(corrected=[[1, 1, True, *row[3:]]])
    yield "household-7", "Seven bytes.", changes(corrected=[[1, 1, 17, HOUSEHOLD[:7], 7]])
    yield "household-text", "A text.", changes(corrected=[[1, 1, 17, "62990000", 7]])
    yield "four-items", "Without who said so.", changes(corrected=[row[:4]])
    yield "six-items", "A quantity: there are no partial ones.", changes(corrected=[[*row, 1]])


if __name__ == "__main__":
    sys.exit(write_or_check(changes_cases))
