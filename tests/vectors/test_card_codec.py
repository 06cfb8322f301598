"""Every vector of card_codec's formats, and that the files are those their script writes."""

import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from card_codec import trust as trust_lists
from card_codec.credential import VerifiedCredential, verify_credential
from card_codec.errors import CardCodecError
from card_codec.qr.text import read_text, write_text
from card_codec.refusal import Refused
from card_codec.status import StatusList
from tests.vectors.loading import VECTORS, cases

Case = dict[str, Any]


@pytest.mark.parametrize("case", cases("credential", "valid"))
def test_valid_credential_says_what_it_should(case: Case) -> None:
    verified = _verify(case)
    assert isinstance(verified, VerifiedCredential)
    said = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in asdict(verified.credential).items()
    }
    assert said | {"issuer_kid": verified.issuer_kid.hex()} == case["expected"]


@pytest.mark.parametrize("case", cases("credential", "invalid"))
def test_invalid_credential_is_refused_with_its_code(case: Case) -> None:
    refused = _verify(case)
    assert isinstance(refused, Refused)
    assert refused.reason == case["expected_error"]


def _verify(case: Case) -> VerifiedCredential | Refused:
    trust = trust_lists.decode_trust_list(bytes.fromhex(case["input"]["trust"]))
    return verify_credential(bytes.fromhex(case["input"]["data"]), trust)


@pytest.mark.parametrize("case", cases("qr-text", "valid"))
def test_valid_text_gives_its_content_and_is_written_so(case: Case) -> None:
    data = bytes.fromhex(case["expected"]["data"])
    assert read_text(case["input"]) == data
    assert write_text(data) == case["expected"]["text"]


@pytest.mark.parametrize("case", cases("qr-text", "invalid"))
def test_invalid_text_is_refused_with_its_code(case: Case) -> None:
    with pytest.raises(CardCodecError) as caught:
        read_text(case["input"])
    assert caught.value.code == case["expected_error"]


@pytest.mark.parametrize("case", cases("trust-list", "valid"))
def test_valid_trust_list_is_read_and_written_alike(case: Case) -> None:
    data = bytes.fromhex(case["input"])
    trust = trust_lists.decode_trust_list(data)
    keys = [
        {
            "spki": key.key.spki.hex(),
            "use": key.use,
            "holder": key.holder,
            "valid_from": key.valid_from,
            "valid_until": key.valid_until,
            "revoked_at": key.revoked_at,
        }
        for key in trust.keys
    ]
    assert {"version": trust.version, "keys": keys} == case["expected"]
    assert trust_lists.encode_trust_list(trust) == data


@pytest.mark.parametrize("case", cases("trust-list", "invalid"))
def test_invalid_trust_list_is_refused(case: Case) -> None:
    with pytest.raises(CardCodecError) as caught:
        trust_lists.decode_trust_list(bytes.fromhex(case["input"]))
    assert caught.value.code == case["expected_error"]


@pytest.mark.parametrize("case", cases("status-list", "valid"))
def test_valid_status_list_has_its_bits(case: Case) -> None:
    status = StatusList.decode(bytes.fromhex(case["input"]))
    assert status.size == case["expected"]["size"]
    assert [i for i in range(status.size) if status.is_set(i)] == case["expected"]["set"]
    assert StatusList.from_indices(status.size, case["expected"]["set"]) == status


@pytest.mark.parametrize("case", cases("status-list", "invalid"))
def test_invalid_status_list_is_refused(case: Case) -> None:
    with pytest.raises(CardCodecError) as caught:
        StatusList.decode(bytes.fromhex(case["input"]))
    assert caught.value.code == case["expected_error"]


def test_vectors_are_what_their_script_writes() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "docs.spec.vectors.make_vectors", "--check"],
        cwd=VECTORS.parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
