"""``betang-ledger``: fsck, verify-receipt, rights and version, and what bad input they meet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from card_codec.trust import encode_trust_list
from ledger import cli
from ledger.rights import Rights
from terminal.counter import Redeemed
from tests.commands import Command, contents
from tests.point import Point, make_point
from tests.source_tree import ROOT
from tests.unit.ledger.journals import tamper
from tests.world import World


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(cli.main, monkeypatch, capsys)


@pytest.fixture
def point(tmp_path: Path) -> Point:
    """A counter that has given once, refused once and is closed."""
    point = make_point(tmp_path)
    point.show("mawar", quantity=1)
    point.show("kamboja")
    point.counter.close()
    return point


# --- fsck ---


def test_clean_journal_is_reported_and_unchanged(run: Command, point: Point) -> None:
    before = contents(point.folder.root)
    told = run("fsck", "--config", point.folder.root, "--json")
    assert (told.code, told.err) == (0, "")
    head = told.report["head"]
    assert told.report == {"ok": True, "entries": 3, "head": head, "faults": []}
    assert len(head) == 64
    assert contents(point.folder.root) == before
    words = run("fsck", "--config", point.folder.root)
    assert words.out == f"3 entries, head {head[:16]}\nclean\n"


def test_fault_is_reported_with_exit_1(run: Command, point: Point) -> None:
    tamper(point.folder.journal, "DELETE FROM element WHERE terminal = 1")
    told = run("fsck", "--config", point.folder.root, "--json")
    assert (told.code, told.report["ok"]) == (1, False)
    assert told.report["faults"] == ["redemption T001-0001 is not counted"]
    words = run("fsck", "--config", point.folder.root).out
    assert "fault: redemption T001-0001 is not counted\nstop service and keep the file\n" in words


@pytest.mark.parametrize("keep", [0, 10, 4096, 9000])
def test_journal_cut_short_is_a_fault_without_a_traceback(
    run: Command, point: Point, keep: int
) -> None:
    whole = point.folder.journal.read_bytes()
    point.folder.journal.write_bytes(whole[:keep])
    told = run("fsck", "--config", point.folder.root, "--json")
    assert (told.code, told.report["ok"]) == (1, False)
    assert told.report["faults"]
    assert point.folder.journal.read_bytes() == whole[:keep]


def test_fsck_without_a_journal_or_configuration_is_one_sentence(
    run: Command, tmp_path: Path
) -> None:
    told = run("fsck", "--config", tmp_path)
    assert (told.code, "check --config" in told.sentence) == (2, True)
    folder = World(tmp_path).terminal("Satu")
    folder.journal.unlink()
    before = contents(tmp_path)
    told = run("fsck", "--config", folder.root, "--json")
    assert (told.code, "no journal at" in told.sentence) == (1, True)
    assert contents(tmp_path) == before


def test_fsck_checks_the_key_only_where_there_is_one(run: Command, point: Point) -> None:
    point.folder.signing_key.write_bytes(point.other.signing_key.read_bytes())
    told = run("fsck", "--config", point.folder.root, "--json")
    assert "the journal was not begun with this terminal's signing key" in told.report["faults"]
    point.folder.signing_key.unlink()
    assert run("fsck", "--config", point.folder.root, "--json").report["ok"]


# --- verify-receipt ---


@pytest.fixture
def slip(point: Point) -> tuple[str, Path]:
    """A slip of the counter, and a trust list with its key."""
    point.restart()
    given = point.show("mawar", quantity=1)
    assert isinstance(given, Redeemed)
    rights = Rights(point.folder.rights)
    trust = point.world.folder / "trust.khb"
    trust.write_bytes(encode_trust_list(rights.full_trust()))
    point.counter.close()
    return given.receipt, trust


def test_genuine_slip_is_reported(run: Command, slip: tuple[str, Path]) -> None:
    text, trust = slip
    told = run("verify-receipt", "--trust", trust, text, "--json")
    assert told.code == 0
    assert told.report == {"ok": True, "reason": None, "number": "T001-0004"}
    assert run("verify-receipt", "--trust", trust, text).out == "genuine, T001-0004\n"


@pytest.mark.parametrize("wrong", ["", "x", "KHR1", "KHB1AAAA", "-"])
def test_slip_that_is_none_is_reported(run: Command, slip: tuple[str, Path], wrong: str) -> None:
    told = run("verify-receipt", "--trust", slip[1], "--json", "--", wrong)
    assert (told.code, told.report) == (1, {"ok": False, "reason": "malformed", "number": None})


def test_changed_slip_is_reported(run: Command, slip: tuple[str, Path]) -> None:
    text = slip[0]
    changed = text[:90] + ("A" if text[90] != "A" else "B") + text[91:]
    told = run("verify-receipt", "--trust", slip[1], changed)
    assert told.code == 1
    assert told.out.startswith("refused: ")


@pytest.mark.parametrize("data", [b"", b"garbage", bytes(9_000_000)], ids=["", "garbage", "9 MB"])
def test_file_that_is_no_trust_list_is_told(run: Command, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "trust"
    path.write_bytes(data)
    told = run("verify-receipt", "--trust", path, "KHR1AAAA")
    assert (told.code, "is not a trust list" in told.sentence) == (2, True)
    for missing in (tmp_path, tmp_path / "nowhere"):
        told = run("verify-receipt", "--trust", missing, "KHR1AAAA")
        assert (told.code, "check --trust" in told.sentence) == (2, True)


# --- rights and version ---


def test_rights_of_a_household_are_reported(run: Command, point: Point) -> None:
    id = point.ids["anggrek"].hex()
    told = run("rights", "--config", point.folder.root, id, "--json")
    assert told.code == 0
    assert told.report == {
        "here": True, "household": id, "kecamatan": "629901", "place": "Desa Satu", "issue": 1,
        "class": 1, "household_rights": {"pangan": 1, "pasar-murah": 1},
        "member_rights": [
            {"member": 2, "programme": "klinik", "quantity": 6},
            {"member": 3, "programme": "seragam", "quantity": 1},
        ],
    }  # fmt: skip


def test_household_that_is_not_here_exits_1(run: Command, point: Point) -> None:
    told = run("rights", "--config", point.folder.root, "00" * 8, "--json")
    assert (told.code, told.report) == (1, {"here": False})


@pytest.mark.parametrize("wrong", ["", "xyz", "00" * 7, "00" * 9, "0g" * 8, " 00" * 5 + "0", "é"])
def test_household_that_is_no_number_is_one_sentence(
    run: Command, point: Point, wrong: str
) -> None:
    told = run("rights", "--config", point.folder.root, "--", wrong)
    assert told.code in {1, 2}
    assert "give its 16 hexadecimal digits" in told.sentence


@pytest.mark.parametrize("data", [None, b"", b"garbage" * 1000])
def test_ledger_that_is_missing_or_damaged_is_one_sentence(
    run: Command, point: Point, data: bytes | None
) -> None:
    point.folder.rights.unlink()
    if data is not None:
        point.folder.rights.write_bytes(data)
    told = run("rights", "--config", point.folder.root, "00" * 8)
    assert told.code == 1
    assert "sync" in told.sentence
    told = run("version", "--config", point.folder.root, "--json")
    assert (told.code, told.report) == (1, {"ledger_version": None})


def test_version_is_reported(run: Command, point: Point) -> None:
    told = run("version", "--config", point.folder.root, "--json")
    assert (told.code, told.report) == (0, {"ledger_version": 1})
    assert run("version", "--config", point.folder.root).out == "ledger 1\n"


# --- as a program of its own ---


def test_program_checks_a_journal(point: Point) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ledger.cli", "fsck", "--config", point.folder.root, "--json"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["entries"] == 3
