"""A chip's signature from the counter to the office and back, by the commands people type."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from card_codec.chip.khb1_files import AWAY_KEY, HOME_KEYS, ChipContent, Silicon
from card_codec.trust import KeyUse, TrustedKey
from ledger.mac_verdict import Finding, read_verdicts
from provisioning.chip_log import LoggedChip, Progress, enter
from provisioning.chip_masters import write_masters
from provisioning.decree import full_trust
from provisioning.office import open_office
from tests.card_station import MASTERS
from tests.issuer_check import FALSE_VALUE, UID, IssuerCheck, otherwise, redeem
from tests.sync_world import SyncWorld, batch_of, small_world
from tests.unit.provisioning.played import make_office
from tests.world import NOW

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PASSPHRASE = "sampit katingan barito"
SYNC = "from sync_agent.cli import main; main()"
PROVISION = "from provisioning.cli import main; main()"
OTHER_UID = bytes.fromhex("04a1b2c3d4e581")


def run(program: str, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def report(program: str, *words: object, code: int = 0) -> Any:
    return json.loads(run(program, *words, "--json", code=code).stdout)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    made = small_world(tmp_path)
    yield made
    made.province.close()


@pytest.fixture
def office(tmp_path: Path, world: SyncWorld) -> Path:
    """An office whose verdict key the province's release names, with the masters of the chips."""
    root = make_office(tmp_path / "issuing")
    with open_office(root) as opened:
        write_masters(opened.chip_masters, MASTERS, PASSPHRASE)
        keys = full_trust(opened.roster).keys
    (key,) = (k.key for k in keys if k.use is KeyUse.VERDICT)
    world.verdict_keys.append(TrustedKey(key, KeyUse.VERDICT, "ID-KT", 0))
    world.province.release(world.sign_release())
    (tmp_path / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
    return root


def test_double_is_decided_by_what_the_office_found(
    world: SyncWorld, office: Path, tmp_path: Path
) -> None:
    family, other = world.homes_2
    redeem(world, world.one, family)
    world.take(world.two, family)
    redeem(world, world.one, other, uid=OTHER_UID, value=FALSE_VALUE)
    for folder in (world.one, world.two):
        world.province.take(batch_of(folder), road="stick")
    province = ("--config", world.province_folder.root / "province.toml")
    entered(office, {UID: family, OTHER_UID: other})
    (case,) = report(SYNC, "province", "cases", *province)
    assert (case["winner"], "signatures" in case) == ("T002-0001", False)
    (asked,) = report(SYNC, "province", "ask-macs", *province, "--out", tmp_path / "out")["files"]
    out = tmp_path / "verdicts.zst"
    checked = report(
        PROVISION, "check-tmac", asked, "--office", office, "--out", out,
        "--passphrase-file", tmp_path / "passphrase", code=1,
    )  # fmt: skip
    assert (checked["valid"], len(checked["invalid"])) == (1, 1)
    for new in (2, 0):
        taken = report(SYNC, "province", "take-verdicts", *province, "--from", out)
        assert taken == {
            "new": new, "valid": 1, "invalid": 1, "tmv_lost": 0, "unknown": 0, "contradicted": 0,
        }  # fmt: skip
    double, counterfeit = report(SYNC, "province", "cases", *province)
    assert (double["winner"], double["losers"]) == ("T001-0001", ["T002-0001"])
    assert double["signatures"] == {"T001-0001": "valid"}
    assert counterfeit == {"kind": "mac_invalid", "number": "T001-0003"}
    again = report(SYNC, "province", "ask-macs", *province, "--out", tmp_path / "again")
    assert again == {"files": []}
    anew = report(SYNC, "province", "ask-macs", *province, "--out", tmp_path / "all", "--all")
    assert Path(anew["files"][0]).read_bytes() == Path(asked).read_bytes()
    file = read_verdicts(out.read_bytes(), world.trust())
    assert {one.finding for one in file.verdicts} == {Finding.VALID, Finding.INVALID}


def entered(office: Path, chips: dict[bytes, bytes]) -> None:
    """The office's card station made these chips for these households."""
    content = ChipContent("620101", 1, 1, (*HOME_KEYS, AWAY_KEY), b"credential")
    with open_office(office) as opened:
        for number, (uid, household) in enumerate(chips.items(), 1):
            opened.roster.db.execute(
                "INSERT INTO household (id, desa, class, issue, chip, state)"
                " SELECT ?, desa, class, issue, chip, state FROM household LIMIT 1",
                (household,),
            )
            made = LoggedChip(number, uid, household, 1, Silicon.EV3, content, (), Progress.MADE)
            enter(opened.roster, made, now=NOW)


def test_chip_of_another_family_wins_no_double_by_the_commands_people_type(
    world: SyncWorld, office: Path, tmp_path: Path
) -> None:
    family, another = world.homes_2[0], world.homes_1[0]
    redeem(world, world.one, family, whose=another)
    world.take(world.two, family)
    for folder in (world.one, world.two):
        world.province.take(batch_of(folder), road="stick")
    entered(office, {UID: another})
    province = ("--config", world.province_folder.root / "province.toml")
    (asked,) = report(SYNC, "province", "ask-macs", *province, "--out", tmp_path / "out")["files"]
    out = tmp_path / "verdicts.zst"
    checked = report(
        PROVISION, "check-tmac", asked, "--office", office, "--out", out,
        "--passphrase-file", tmp_path / "passphrase",
    )  # fmt: skip
    assert (checked["valid"], checked["unknown_chip"]) == (1, 0)
    report(SYNC, "province", "take-verdicts", *province, "--from", out)
    double, passed_off = report(SYNC, "province", "cases", *province)
    assert (double["winner"], double["losers"]) == ("T002-0001", ["T001-0001"])
    assert passed_off == {"kind": "mac_invalid", "number": "T001-0001"}


def test_what_is_no_file_of_verdicts_is_one_sentence(world: SyncWorld, tmp_path: Path) -> None:
    issuer = IssuerCheck(world)
    verdict = redeem(world, world.one, world.homes_1[0])
    province = ("--config", world.province_folder.root / "province.toml")
    path = tmp_path / "verdicts.zst"

    def take(data: bytes, code: int) -> list[str]:
        path.write_bytes(data)
        words = ("province", "take-verdicts", *province, "--from", path)
        return run(SYNC, *words, code=code).stderr.splitlines()

    nothing = run(SYNC, "province", "take-verdicts", *province, "--from", path, code=2).stderr
    assert "cannot be read" in nothing
    (sentence,) = take(b"no verdicts", 1)
    assert "Traceback" not in sentence
    issuer.end(stolen=True)
    (sentence,) = take(issuer.file(verdict), 1)
    assert sentence.startswith("not verdicts of the issuer: no trusted key")
    following = IssuerCheck(world)
    (sentence,) = take(following.file(verdict), 0)
    assert sentence.startswith("verdicts on commits of which no entry has arrived: 1;")
    (sentence,) = [w for w in take(following.file(otherwise(verdict)), 1) if "contradict" in w]
    assert "neither counts" in sentence
