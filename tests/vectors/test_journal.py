"""Every vector of the journal entry and the receipt, and their pages' examples."""

import re
import subprocess
import sys
from typing import Any

import pytest

from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey
from card_codec.refusal import Refused
from card_codec.trust import decode_trust_list
from ledger.entry import Complaint, Entry, Pending, Redemption, check_head, make_entry, read_entry
from ledger.errors import RecordError
from ledger.receipt import VerifiedReceipt, verify_receipt, write_receipt
from tests.vectors.loading import VECTORS, cases

Case = dict[str, Any]


def read(case: Case) -> Entry:
    """An entry whose head signature holds."""
    given = {name: bytes.fromhex(value) for name, value in case["input"].items()}
    entry = read_entry(given["body"])
    check_head(entry.leaf, given["signature"], PublicKey.from_spki(given["key"]))
    return entry


@pytest.mark.parametrize("case", cases("journal-entry", "valid"))
def test_valid_entry_says_what_it_should_and_is_made_alike(case: Case) -> None:
    entry, expected = read(case), case["expected"]
    id, element = entry.id, entry.element()
    assert (id.terminal, id.epoch, id.seq) == (
        expected["terminal"], expected["epoch"], expected["number"],
    )  # fmt: skip
    assert (entry.kind, entry.leaf.hex()) == (expected["kind"], expected["leaf"])
    said = element and {
        "leaf": element.leaf.hex(),
        "household": element.right.household.hex(),
        "member": element.right.member,
        "programme": element.right.programme,
        "window": element.right.window,
        "quantity": element.quantity,
        "minute": element.minute,
    }
    assert said == expected["element"]
    body = entry.body
    again = make_entry(
        id=id, prev=body.prev, moment=body.moment, ledger=body.ledger, officer=body.officer,
        content=entry.content,
    )  # fmt: skip
    assert again.data.hex() == case["input"]["body"]


@pytest.mark.parametrize("case", cases("journal-entry", "invalid"))
def test_invalid_entry_is_refused(case: Case) -> None:
    with pytest.raises((RecordError, CardCodecError)) as caught:
        read(case)
    code = "bad_signature" if isinstance(caught.value, CardCodecError) else "malformed"
    assert code == case["expected_error"]


@pytest.mark.parametrize("case", cases("receipt", "valid"))
def test_valid_receipt_says_what_it_should_and_is_written_alike(case: Case) -> None:
    trust = decode_trust_list(bytes.fromhex(case["input"]["trust"]))
    verified = verify_receipt(case["input"]["text"], trust)
    assert isinstance(verified, VerifiedReceipt)
    content = verified.entry.content
    assert isinstance(content, Redemption | Pending | Complaint)
    assert verified.is_complaint is isinstance(content, Complaint)
    assert {
        "number": verified.number,
        "household": content.household and content.household.hex(),
        "quantity": None if isinstance(content, Complaint) else content.quantity,
    } == case["expected"]
    text = case["input"]["text"].strip().upper()
    assert write_receipt(verified.entry, _signature(text)) == text


@pytest.mark.parametrize("case", cases("receipt", "invalid"))
def test_invalid_receipt_is_refused_with_its_code(case: Case) -> None:
    trust = decode_trust_list(bytes.fromhex(case["input"]["trust"]))
    refused = verify_receipt(case["input"]["text"], trust)
    assert isinstance(refused, Refused)
    assert refused.reason == case["expected_error"]


def _signature(text: str) -> bytes:
    """The last 64 bytes of a slip, by a reader that is not ours."""
    import base64

    body = text[4:]
    return base64.b32decode(body + "=" * (-len(body) % 8))[-64:]


def test_first_bytes_of_the_entrys_page_are_its_vector() -> None:
    shown = _blocks("journal-entry", r"[0-9a-f\n]+")
    assert shown == _input("journal-entry", "redemption")["body"]


def test_first_text_of_the_receipts_page_is_its_vector() -> None:
    assert _blocks("receipt", r"[A-Z1-7\n]+") == _input("receipt", "given")["text"]


def _blocks(page: str, form: str) -> str:
    text = (VECTORS.parent / f"{page}.md").read_text(encoding="utf-8")
    return "".join(re.findall(rf"^```\n({form})^```", text, re.MULTILINE)[0].split())


def _input(spec: str, name: str) -> Case:
    (case,) = (c.values[0] for c in cases(spec, "valid") if c.id == name)
    given: Case = case["input"]
    return given


def test_vectors_are_what_their_script_writes() -> None:
    words = [sys.executable, "-m", "docs.spec.vectors.make_journal_vectors", "--check"]
    done = subprocess.run(
        words, cwd=VECTORS.parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
