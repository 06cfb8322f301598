"""The commands as an office and a technician type them, in processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.element import Right
from ledger.folder import TerminalFolder
from ledger.journal import open_journal
from tests.sync_world import SyncWorld, install, small_world

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COMMAND = [sys.executable, "-c", "from sync_agent.cli import main; main()"]


def run(*words: object, code: int = 0) -> str:
    """One command's whole output, after its exit code was as expected."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    if code:
        assert "Traceback" not in done.stderr
        return done.stderr
    return done.stdout


def report(*words: object, code: int = 0):
    return json.loads(run(*words, "--json", code=code))


def one_sentence(words: str) -> str:
    assert len(words.strip().splitlines()) == 1, words
    assert len(words) < 400
    return words


@contextmanager
def serving(config: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """A province in a process; stopped by SIGTERM unless the test has killed it."""
    words = [*COMMAND, "province", "serve", "--config", str(config), "--json", *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    made = small_world(tmp_path)
    yield made
    made.province.close()


@pytest.fixture
def config(world: SyncWorld) -> Path:
    return world.province_folder.root / "province.toml"


def point_to(folder: TerminalFolder, url: object) -> None:
    """The province's URL as enrolment writes it."""
    path = folder.root / "terminal.toml"
    text = path.read_text()
    (old,) = (line for line in text.splitlines() if line.startswith("province"))
    path.write_text(text.replace(old, f'province = "{url}"'))


def test_province_is_made_once_with_keys_nobody_else_reads(tmp_path: Path) -> None:
    made = report("province", "init", "--dir", tmp_path / "p")
    config = Path(made["config"])
    read = tomllib.loads(config.read_text())
    assert made["url"] == f"http://{read['listen']}"
    public = json.loads((tmp_path / "p" / "public.json").read_text())
    assert sorted(public) == ["log", "online"]
    for name in ("online", "log"):
        assert "PUBLIC KEY" in public[name]
        assert (tmp_path / "p" / "keys" / f"{name}.pem").stat().st_mode & 0o777 == 0o600
    before = {p: p.read_bytes() for p in (tmp_path / "p").rglob("*") if p.is_file()}
    assert "never replaced" in one_sentence(
        run("province", "init", "--dir", tmp_path / "p", code=2)
    )
    assert {p: p.read_bytes() for p in (tmp_path / "p").rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    "listen", ["127.0.0.1", "127.0.0.1:70000", ":x", "a b:80", "127.0.0.1:80\n"]
)
def test_province_that_cannot_listen_is_not_made(tmp_path: Path, listen: str) -> None:
    folder = tmp_path / "p"
    one_sentence(run("province", "init", "--dir", folder, "--listen", listen, code=2))
    assert not folder.exists()


def test_province_is_not_made_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "surat.txt").write_text("penting")
    for folder in (tmp_path, tmp_path / "surat.txt"):
        assert "empty folder" in one_sentence(run("province", "init", "--dir", folder, code=2))
    assert [p.name for p in tmp_path.iterdir()] == ["surat.txt"]


@pytest.mark.parametrize(
    "where",
    [
        "",
        "ftp://x",
        "file:///media/usb",
        "http://",
        "https://[x",
        "https://a:b",
        "http://x.example",
    ],
)
def test_road_that_leads_nowhere_is_wrong_use(world: SyncWorld, where: str, tmp_path: Path) -> None:
    one_sentence(run("once", "--config", world.one.root, "--with", where, code=2))
    if not where.startswith("http"):
        config = world.province_folder.root
        one_sentence(run("province", "once", "--config", config, "--with", where, code=2))


def test_whole_road_by_commands(world: SyncWorld, config: Path, tmp_path: Path) -> None:
    one, two = world.one.root, world.two.root
    household = world.homes_1[0]
    taken = report("province", "release", "--config", config, "--from", world.release_folder)
    assert taken == {"ledger_version": 2, "corrections_of_others": []}
    first, second = world.take(world.one, household), world.take(world.two, household)
    with serving(config, "--port", "0") as (process, ready):
        assert ready["ready"] is True
        for folder in (world.one, world.two):
            point_to(folder, ready["url"])
        sent = report("once", "--config", one)
        assert sent == {
            "uploaded": 1,
            "accepted": 1,
            "acknowledgement": first,
            "ledger_version": 3,
            "waits": None,
            "usage_new": 1,
            "handed_over": first,
            "code": sent["code"],
        }
        assert report("province", "code", first, sent["code"], "--config", config) == {
            "number": first,
            "shown": "held",
        }
        assert report("once", "--config", two / "terminal.toml")["usage_new"] == 2
        cases = report("province", "cases", "--config", config)
        right = f"{household.hex()}/0/1/1"
        (case,) = cases
        assert (case["kind"], case["right"], case["settled"]) == ("double", right, False)
        assert (case["winner"], case["losers"], case["why"]) == (first, [second], "home")
        _check_records(case["records"], first, second)
        listed = report("province", "redemptions", "--config", config.parent)
        assert {r["number"] for r in listed} == {first, second}
        blocked = report(
            "province", "block", "--config", config, "--household", household.hex(), "--issue",
            1, "--reason", "lost",
        )  # fmt: skip
        assert blocked["new"] is True
        assert report("once", "--config", one)["ledger_version"] == 5
        desk = httpx.get(str(ready["desk"]), follow_redirects=False, trust_env=False)
        assert desk.status_code == 303
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    closed = one_sentence(run("once", "--config", one, code=1))
    assert "no answer" in closed
    stick = tmp_path / "stick"
    stick.mkdir()
    assert report("province", "once", "--config", config, "--with", stick)["terminals"] == 2
    assert report("once", "--config", one, "--with", stick)["ledger_version"] == 5


def _check_records(records: list[dict[str, Any]], first: str, second: str) -> None:
    """Who decides about people needs each record, its officer, its ledger and when it came."""
    assert [(r["number"], r["counts"]) for r in records] == [(first, True), (second, False)]
    for one in records:
        assert one.keys() == {
            *("number", "counts", "at", "officer", "ledger", "quantity", "basis", "at_home"),
            *("late", "leaf", "acknowledged", "received", "road"),
        }
        assert (one["officer"], one["ledger"], one["road"]) == ("UJI", 1, "http")
        assert one["acknowledged"] == one["number"], "each came in a batch of its own"
        assert one["at"] > 0 < one["received"]
        assert re.fullmatch(r"[0-9a-f]{64}", one["leaf"])


def test_wrong_use_is_one_sentence_and_exit_2(world: SyncWorld, config: Path) -> None:
    good = config.read_text()
    wrong = {
        "unknown key": (good + "colour = 1\n", "colour"),
        "wrong kind": (good.replace('language = "id"', "language = 5"), "language"),
        "no port": (good.replace("listen = ", "listne = "), "listne"),
        "unknown store": (good.replace("sqlite:///", "mysql://"), "store"),
        "not TOML": ("listen = [", "not TOML"),
        "not text": ("\x00", "not TOML"),
    }
    for text, words in wrong.values():
        config.write_text(text)
        assert words in one_sentence(run("province", "cases", "--config", config, code=2))
    config.write_text(good)
    for name in ("online", "log"):
        key = config.parent / "keys" / f"{name}.pem"
        kept = key.read_bytes()
        key.write_bytes(kept[:40])
        words = run(
            "province", "release", "--config", config, "--from", world.release_folder, code=2
        )
        assert "not a signing key" in one_sentence(words)
        key.write_bytes(kept)
    block = ("province", "block", "--config", config, "--issue", 1)
    for household, reason in (("xyz", "lost"), ("AB" * 8, "lost"), ("ab" * 8, "because")):
        one_sentence(run(*block, "--household", household, "--reason", reason, code=2))
    one_sentence(run("once", "--config", world.one.root / "nothing", code=2))
    world.one.road_token.unlink()
    assert "road token" in one_sentence(run("once", "--config", world.one.root, code=2))


def test_failed_check_is_one_sentence_and_exit_1(
    world: SyncWorld, config: Path, tmp_path: Path
) -> None:
    bad = ("province", "release", "--config", config, "--from")
    one_sentence(run(*bad, tmp_path / "nothing", code=1))
    (config.parent / "province.db").write_bytes(b"not a database, but long enough to be looked at")
    for file in config.parent.glob("province.db-*"):
        file.unlink()
    assert "store" in one_sentence(run("province", "cases", "--config", config, code=1))
    one_sentence(run("once", "--config", world.two.root, "--with", tmp_path / "no-stick", code=1))
    world.one.journal.write_bytes(b"no journal")
    one_sentence(run("once", "--config", world.one.root, "--with", tmp_path, code=1))


def test_port_that_is_taken_is_one_sentence(config: Path) -> None:
    with serving(config, "--port", "0") as (_, ready):
        port = str(ready["url"]).rpartition(":")[2]
        words = run("province", "serve", "--config", config, "--port", port, code=1)
        assert "cannot listen" in one_sentence(words)


def test_code_that_was_told_names_who_owes_entries(world: SyncWorld, config: Path) -> None:
    words = [*COMMAND, "province", "code", "T001-0007", "7q2m 0xkd", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "owes entries" in done.stdout) == (1, True)
    (case,) = report("province", "cases", "--config", config)
    assert (case["kind"], case["terminal"], case["from"], case["to"]) == (
        "missing_entries", "T001", 1, 7,
    )  # fmt: skip
    for wrong in (("T001-7x", "7q2m-0xkd"), ("T001-0007", "7q2m"), ("T009-0001", "7q2m-0xkd")):
        one_sentence(run("province", "code", *wrong, "--config", config, code=1))


def test_log_is_archived_and_held_against_its_archive(world: SyncWorld, config: Path) -> None:
    for household in world.homes_1:
        world.take(world.one, household)
    with serving(config, "--port", "0") as (_, ready):
        report("once", "--config", world.one.root, "--with", ready["url"])
    (made,) = report("province", "archive", "--config", config)["segments"]
    assert (made["number"], made["entries"]) == (1, 3)
    assert report("province", "archive", "--config", config) == {"segments": []}
    checked = report("province", "archive", "--check", "--config", config)
    assert checked == {"segments": 1, "faults": []}
    (config.parent / "segments" / "log-000001.parquet").unlink()
    words = [*COMMAND, "province", "archive", "--check", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "cannot be read" in done.stdout) == (1, True)


def test_reconciling_finds_the_same_cases_and_settles_what_is_due(
    world: SyncWorld, config: Path
) -> None:
    for terminal in (world.one, world.two):
        world.take(terminal, world.homes_1[0])
    with serving(config, "--port", "0") as (_, ready):
        for terminal in (world.one, world.two):
            report("once", "--config", terminal.root, "--with", ready["url"])
    done = report("province", "reconcile", "--config", config)
    assert done["redemptions"] == 2
    assert done["cases"] == report("province", "cases", "--config", config)
    assert report("province", "reconcile", "--config", config)["settled"] == []


@pytest.mark.crash
def test_province_killed_again_and_again_loses_and_doubles_nothing(
    world: SyncWorld, config: Path
) -> None:
    """Kill -9 at many moments of an upload; what was acknowledged is held, all arrives once."""
    acknowledged = 0
    for round_number in range(8):
        for household in world.homes_1:
            world.take(world.one, household, programme=1 + round_number % 2)
        with serving(config, "--port", "0") as (process, ready):
            point_to(world.one, ready["url"])
            agent = subprocess.Popen(
                [*COMMAND, "once", "--config", str(world.one.root), "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            time.sleep(0.35 + 0.06 * round_number)
            os.kill(process.pid, signal.SIGKILL)
            said, _ = agent.communicate(timeout=60)
            if agent.returncode == 0:
                acknowledged = int(json.loads(said)["acknowledgement"].rpartition("-")[2])
        held = report("province", "redemptions", "--config", config)
        numbers = sorted(r["number"] for r in held)
        assert len(set(numbers)) == len(numbers) >= acknowledged
    with serving(config, "--port", "0") as (_, ready):
        point_to(world.one, ready["url"])
        last = report("once", "--config", world.one.root)
        assert last["acknowledgement"] == "T001-0024"
        assert report("once", "--config", world.one.root)["uploaded"] == 0
        report("once", "--config", world.two.root, "--with", ready["url"])
    assert len(report("province", "redemptions", "--config", config)) == 24
    bring_all(world)


def bring_all(world: SyncWorld) -> None:
    """The other counter knows every redemption exactly once."""
    assert install(world, world.two).problem is None
    journal = open_journal(world.two.journal, reading=True)
    known = journal.known()
    total = sum(
        known.taken(Right(household, 0, programme, 1)).total
        for household in world.homes_1
        for programme in (1, 2)
    )
    journal.close()
    assert total == 24


def test_watching_tells_of_a_closed_road_in_its_json_too(world: SyncWorld) -> None:
    point_to(world.one, "http://127.0.0.1:1")
    words = [*COMMAND, "watch", "--config", str(world.one.root), "--json"]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert "no answer from" in json.loads(watching.stdout.readline())["trouble"]
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(20) == 0
    watching.stdout.close()


def test_watching_reports_trouble_and_goes_on_until_told_to_stop(
    world: SyncWorld, config: Path
) -> None:
    with serving(config, "--port", "0") as (_, ready):
        point_to(world.one, ready["url"])
        words = [*COMMAND, "watch", "--config", str(world.one.root), "--json"]
        watching = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["ledger_version"] == 1
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(20) == 0
        watching.stdout.close()
