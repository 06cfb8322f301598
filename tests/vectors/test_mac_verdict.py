"""Every vector of the issuer's verdicts, and its page's example."""

import re
import subprocess
import sys
from typing import Any

import pytest

from card_codec.chip.diversify import NO_KECAMATAN
from card_codec.trust import decode_trust_list
from ledger.errors import RecordError
from ledger.mac_verdict import read_asked, read_verdicts, write_asked
from ledger.record import compress, inflate
from provisioning.chip_masters import FileMasters, Master, Purpose
from provisioning.mac_check import check_commits
from tests.source_tree import ROOT
from tests.vectors.loading import VECTORS, cases

Case = dict[str, Any]


def of_kind(kind: str, start: str) -> list[Any]:
    return [case for case in cases("mac-verdict", kind) if str(case.id).startswith(start)]


@pytest.mark.parametrize("case", of_kind("valid", "finding-"))
def test_issuer_finds_what_the_vector_says(case: Case) -> None:
    given = case["input"]
    master = Master(Purpose.TMAC, NO_KECAMATAN, 1, bytes.fromhex(given["master"]))
    commits = read_asked(compress(bytes.fromhex(given["asked"])))
    terminals = [(ordinal, epoch) for ordinal, epoch in given["terminals"]]
    chips = {bytes.fromhex(uid): bytes.fromhex(household) for uid, household in given["chips"]}
    held = FileMasters([master])
    (checked,) = check_commits(commits, held, terminals, chips.get, lambda _: None)
    household = checked.verdict.household
    said = checked.verdict.finding, household and household.hex()
    assert said == (case["expected"]["finding"], case["expected"]["household"])
    differs = case["name"] == "finding-before-wrong"
    assert checked.before_differs is differs


@pytest.mark.parametrize("case", of_kind("valid", "file-"))
def test_files_are_read_and_written_alike(case: Case) -> None:
    given, expected = case["input"], case["expected"]
    asked = bytes.fromhex(given["asked"])
    commits = read_asked(compress(asked))
    assert inflate(write_asked(reversed(commits))) == asked
    trust = decode_trust_list(bytes.fromhex(given["trust"]))
    file = read_verdicts(compress(bytes.fromhex(given["verdicts"])), trust)
    assert file.at == expected["at"]
    assert [verdict.finding for verdict in file.verdicts] == expected["findings"]
    named = [v.household and v.household.hex() for v in file.verdicts]
    assert named == expected["households"]
    assert [(v.uid, v.counter, v.record, v.value) for v in file.verdicts] == [
        (c.uid, c.counter, c.record, c.value) for c in commits
    ]


@pytest.mark.parametrize("case", cases("mac-verdict", "invalid"))
def test_invalid_file_is_refused(case: Case) -> None:
    with pytest.raises(RecordError):
        read_either(case["input"])


def read_either(given: dict[str, str]) -> object:
    """A file of commits, or of verdicts."""
    if "asked" in given:
        return read_asked(compress(bytes.fromhex(given["asked"])))
    trust = decode_trust_list(bytes.fromhex(given["trust"]))
    return read_verdicts(compress(bytes.fromhex(given["verdicts"])), trust)


def test_first_bytes_of_the_page_are_its_vector() -> None:
    text = (VECTORS.parent / "mac-verdict.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\n([0-9a-f\n]+)^```", text, re.MULTILINE)[0]
    (case,) = (c.values[0] for c in of_kind("valid", "file-"))
    assert shown.replace("\n", "") == case["input"]["verdicts"]


def test_vectors_are_what_their_script_writes() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "docs.spec.vectors.make_mac_vectors", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (0, "")
