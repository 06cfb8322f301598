"""Every vector of people files, look-up and the locked key, and that their script writes them."""

import subprocess
import sys
from typing import Any

import pytest

from card_codec.refusal import Refused
from ledger import errors
from ledger.locked_key import unlock_key
from ledger.look_up import has_date, make_tag, mask, read_number, stretch
from ledger.people_file import PeopleFile, read_people, write_people
from ledger.policy import LookUpRules
from ledger.record import compress
from tests.vectors.loading import VECTORS, cases

Case = dict[str, Any]


@pytest.mark.parametrize("case", cases("people", "valid"))
def test_valid_people_file_says_what_it_should(case: Case) -> None:
    plain = compress(bytes.fromhex(case["input"]))
    file = read_people(plain)
    assert _said(file) == case["expected"]
    assert write_people(file) == plain


def _said(file: PeopleFile) -> Case:
    families = [
        {
            "household": f.household.hex(),
            "name": f.name,
            "members": [[m.number, m.name, m.role, m.born] for m in f.members],
            "tags": [[t.member, t.tag.hex()] for t in f.tags],
        }
        for f in file.families
    ]
    return {"desa": file.desa, "period": file.period, "families": families}


@pytest.mark.parametrize("case", cases("people", "invalid"))
def test_invalid_people_file_is_refused(case: Case) -> None:
    with pytest.raises(errors.RecordError):
        read_people(compress(bytes.fromhex(case["input"])))


@pytest.mark.parametrize("case", cases("look-up", "valid"))
def test_valid_number_has_its_tag(case: Case) -> None:
    said, expected = case["input"], case["expected"]
    number = read_number(said["typed"])
    assert isinstance(number, str)
    rules = LookUpRules(bytes.fromhex(said["salt"]), said["memory_kib"], said["passes"])
    stretched = stretch(number, rules)
    assert {
        "number": number,
        "has_date": has_date(number),
        "mask": mask(number),
        "stretched": stretched.hex(),
        "tag": make_tag(bytes.fromhex(said["key"]), stretched).hex(),
    } == expected


@pytest.mark.parametrize("case", cases("look-up", "invalid"))
def test_invalid_number_is_no_number(case: Case) -> None:
    refused = read_number(case["input"]["typed"])
    assert isinstance(refused, Refused)
    assert refused.reason == case["expected_error"]


@pytest.mark.parametrize("case", cases("locked-key", "valid"))
def test_valid_locked_key_opens_with_its_pin(case: Case) -> None:
    said = case["input"]
    assert unlock_key(bytes.fromhex(said["data"]), said["pin"]) == case["expected"]["identity"]


@pytest.mark.parametrize("case", cases("locked-key", "invalid"))
def test_invalid_locked_key_stays_closed(case: Case) -> None:
    said = case["input"]
    with pytest.raises(errors.LedgerError) as caught:
        unlock_key(bytes.fromhex(said["data"]), said["pin"])
    assert type(caught.value).__name__ == case["expected_error"]


def test_vectors_are_what_their_script_writes() -> None:
    words = [sys.executable, "-m", "docs.spec.vectors.make_people_vectors", "--check"]
    done = subprocess.run(
        words, cwd=VECTORS.parents[2], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
