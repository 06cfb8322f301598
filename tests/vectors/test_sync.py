"""Every vector of batch, acknowledgement and usage segment, and their pages' examples."""

import re
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from card_codec import canonical
from card_codec.keys import PublicKey
from card_codec.trust import decode_trust_list
from ledger.acknowledgement import read_acknowledgement
from ledger.errors import RecordError
from ledger.record import compress
from ledger.usage_file import read_usage, write_usage
from sync_agent.batch import BATCH_SIZE_MAX, read_batch
from sync_agent.errors import IntakeRefusedError, MessageError
from sync_agent.province.intake import check_batch
from tests.vectors.loading import VECTORS, cases

Case = dict[str, Any]


def check(case: Case) -> list[str]:
    """Bodies of a batch that holds."""
    batch = read_batch(travelling(bytes.fromhex(case["input"]["batch"])))
    check_batch(batch, PublicKey.from_spki(bytes.fromhex(case["input"]["key"])))
    return [entry.data.hex() for entry in batch.entries]


def travelling(record: bytes) -> bytes:
    """The record with its columns compressed."""
    fields = canonical.decode(record, size_max=BATCH_SIZE_MAX)
    assert isinstance(fields, list)
    assert isinstance(fields[8], bytes)
    return canonical.encode([*fields[:8], compress(fields[8]), *fields[9:]])


@pytest.mark.parametrize("case", cases("batch", "valid"))
def test_valid_batch_gives_its_entries(case: Case) -> None:
    assert check(case) == case["expected"]["bodies"]


@pytest.mark.parametrize("case", cases("batch", "invalid"))
def test_invalid_batch_is_refused_with_its_code(case: Case) -> None:
    try:
        check(case)
    except MessageError:
        code = "malformed"
    except IntakeRefusedError as error:
        code = error.code
    else:
        code = "taken"
    assert code == case["expected_error"]


@pytest.mark.parametrize("case", cases("acknowledgement", "valid"))
def test_valid_acknowledgement_says_what_it_should(case: Case) -> None:
    trust = decode_trust_list(bytes.fromhex(case["input"]["trust"]))
    said = read_acknowledgement(bytes.fromhex(case["input"]["data"]), trust)
    assert {
        "terminal": said.terminal,
        "epoch": said.epoch,
        "seq": said.seq,
        "head": said.head.hex(),
        "at": said.at,
        "ledger": said.ledger,
        "software": said.software,
    } == case["expected"]


@pytest.mark.parametrize("case", cases("acknowledgement", "invalid"))
def test_invalid_acknowledgement_is_refused(case: Case) -> None:
    trust = decode_trust_list(bytes.fromhex(case["input"]["trust"]))
    with pytest.raises(RecordError):
        read_acknowledgement(bytes.fromhex(case["input"]["data"]), trust)


@pytest.mark.parametrize("case", cases("usage", "valid"))
def test_valid_segment_is_read_and_written_alike(case: Case) -> None:
    data = bytes.fromhex(case["input"])
    file, elements = read_usage(compressed(data))
    said = [
        asdict(e.id)
        | {
            "member": e.right.member,
            "programme": e.right.programme,
            "window": e.right.window,
            "quantity": e.quantity,
            "minute": e.minute,
            "counter": e.counter,
            "household": e.right.household.hex(),
            "leaf": e.leaf.hex(),
        }
        for e in elements
    ]
    expected = case["expected"]
    assert (file.kecamatan, file.number) == (expected["kecamatan"], expected["number"])
    assert said == expected["elements"]
    assert len(file.voids) == expected["voids"]
    written = write_usage(
        file.kecamatan, file.number, reversed(elements), prev=file.prev, voids=file.voids
    )
    assert written == compressed(data)


def compressed(data: bytes) -> bytes:
    """A vector holds the columns before compression, whose form is not unique."""
    items = canonical.decode(data, size_max=len(data))
    assert isinstance(items, list)
    if isinstance(items[4], bytes):
        items[4] = compress(items[4])
    return canonical.encode(items)


@pytest.mark.parametrize("case", cases("usage", "invalid"))
def test_invalid_segment_is_refused(case: Case) -> None:
    with pytest.raises(RecordError):
        read_usage(compressed(bytes.fromhex(case["input"])))


@pytest.mark.parametrize(
    ("page", "vector", "field"),
    [
        ("batch", "two-entries", "batch"),
        ("acknowledgement", "two-entries", "data"),
        ("usage", "two-elements", None),
    ],
)
def test_first_bytes_of_a_page_are_its_vector(page: str, vector: str, field: str | None) -> None:
    text = (VECTORS.parent / f"{page}.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\n([0-9a-f\n]+)^```", text, re.MULTILINE)[0]
    (case,) = (c.values[0] for c in cases(page, "valid") if c.id == vector)
    assert isinstance(case, dict)
    assert "".join(shown.split()) == (case["input"][field] if field else case["input"])


def test_vectors_are_what_their_script_writes() -> None:
    words = [sys.executable, "-m", "docs.spec.vectors.make_sync_vectors", "--check"]
    done = subprocess.run(
        words, cwd=VECTORS.parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
