"""The day, look-up and contents by their command lines; a closed disk searched byte by byte."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.day_room import find_room, is_in_memory
from tests.integration.prepared import betang, report_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PIN = "620000"


@dataclass
class Place:
    """An office, a province and one counter with people, as commands make them."""

    folder: Path
    household: str
    numbers: dict[int, str]

    @property
    def config(self) -> Path:
        return self.folder / "counter"

    def terminal(self, *words: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of the counter, with digits typed on stdin."""
        command, *rest = words
        line = [str(Path(sys.executable).with_name("betang-terminal")), str(command)]
        return subprocess.run(
            [*line, "--config", str(self.config), *map(str, rest)],
            input=typed + "\n", capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def open_day(self, pin: str = PIN) -> subprocess.CompletedProcess[str]:
        pin_file = self.folder / "pin"
        pin_file.write_text(pin + "\n")
        return self.terminal("open-day", "--pin-file", pin_file, "--json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("people")
    office, counter, pin = folder / "office", folder / "counter", folder / "pin"
    pin.write_text(PIN)
    province = _call("betang-sync", "province", "init", "--dir", folder / "province")
    _call("betang-provision", "demo", "--households", 20, "--kecamatan", 1, "--dir", office)
    public = folder / "province" / "public.json"
    _call("betang-provision", "publish", "--office", office, "--province", public)
    init = _call("betang-terminal", "init", "--dir", counter, "--pin-file", pin)
    assert Path(init["sealing"]) == counter / "keys" / "sealing.pub"
    _call("betang-provision", "enrol", "--office", office, "--terminal", counter,
          "--name", "Loket 1", "--point", "Balai", "--home", "629901", "--officer", "BR",
          "--province-url", province["url"])  # fmt: skip
    listed = _call("betang-provision", "households", "--office", office)
    household = next(h["household"] for h in listed if len(h["programmes"]) > 1)
    tagged = _call("betang-provision", "look-up", "--office", office, "--household", household)
    numbers = _call("betang-provision", "numbers", "--office", office, "--household", household)
    assert tagged == {"tags": len(numbers), "doubled": []}
    _call("betang-provision", "publish", "--office", office)
    _call("betang-sync", "province", "release", "--config", province["config"],
          "--from", office / "release")  # fmt: skip
    stick = folder / "stick"
    stick.mkdir()
    _call("betang-sync", "province", "once", "--config", province["config"], "--with", stick)
    _call("betang-sync", "once", "--config", counter, "--with", stick)
    place = Place(folder, household, {one["member"]: one["number"] for one in numbers})
    assert place.terminal("state", "--json").returncode == 0
    return place


@pytest.fixture
def place(made: Place) -> Place:
    """The counter with its day closed."""
    made.terminal("close-day")
    return made


def _call(program: str, *words: object) -> Any:
    done = betang(program, *(str(word) for word in words), "--json")
    assert done.returncode == 0, done.stderr
    return report_of(done)


def test_day_is_opened_with_its_pin_and_closed_again(place: Place) -> None:
    refused = place.open_day("999999")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "this PIN does not open the sealing key; type it again\n"
    opened = json.loads(place.open_day().stdout)
    assert (opened["open"], opened["problems"]) == (True, [])
    assert opened["people"]
    closed = json.loads(place.terminal("close-day", "--json").stdout)
    assert closed == {"open": False, "was_open": True, "totals": None}
    again = json.loads(place.terminal("close-day", "--json").stdout)
    assert again == {"open": False, "was_open": False, "totals": None}


def test_family_is_found_by_digits_on_stdin_and_given_to(place: Place) -> None:
    place.open_day()
    found = place.terminal("look-up", "--json", typed=place.numbers[0])
    report = json.loads(found.stdout)
    assert (found.returncode, report["outcome"]) == (0, "found")
    assert report["household"] == place.household
    assert (report["name"], report["place"]) != ("", "")
    assert report["number"] == f"{place.numbers[0][:4]}••••••••{place.numbers[0][-4:]}"
    words = ("--look-up", "--programme", "pasar-murah", "--json")
    given = json.loads(place.terminal("redeem", *words, typed=place.numbers[1]).stdout)
    assert given["outcome"] == "approved"
    again = place.terminal("redeem", *words, typed=place.numbers[0])
    assert (again.returncode, json.loads(again.stdout)["reason"]) == (1, "already_redeemed")


def test_closed_day_and_wrong_digits_are_refused_with_their_reason(place: Place) -> None:
    closed = place.terminal("look-up", "--json", typed=place.numbers[0])
    assert (closed.returncode, json.loads(closed.stdout)["reason"]) == (1, "look_up_closed")
    place.open_day()
    short = place.terminal("look-up", "--json", typed=place.numbers[0][:-1])
    assert json.loads(short.stdout) == {
        "outcome": "refused", "reason": "number_length", "count": 15,
    }  # fmt: skip
    unknown = place.terminal("redeem", "--look-up", "--programme", "pangan", "--json",
                             typed="6299010101260099")  # fmt: skip
    assert (unknown.returncode, json.loads(unknown.stdout)["reason"]) == (1, "look_up_unknown")
    wrong = place.terminal("redeem", "--look-up", "--programme", "nothing", typed=place.numbers[0])
    assert wrong.returncode == 2


def test_contents_tell_villages_and_keys_open_and_closed(place: Place) -> None:
    closed = json.loads(place.terminal("contents", "--json").stdout)
    assert closed["day_open"] is False
    counts = {r["what"]: r["count"] for r in closed["records"]}
    assert counts["families by name"] is None
    place.open_day()
    opened = json.loads(place.terminal("contents", "--json").stdout)
    counts = {r["what"]: r["count"] for r in opened["records"]}
    assert (opened["day_open"], counts["families by name"]) == (True, 20)
    assert counts["tags of NIK and KK numbers"] == len(place.numbers)
    assert opened["others"] == []
    table = place.terminal("contents").stdout
    assert "taken closed" in table
    assert "keys/sealing.locked" in table
    place.terminal("close-day")
    by_pin = place.terminal("contents", "--json", "--pin-file", place.folder / "pin")
    report = json.loads(by_pin.stdout)
    assert report["day_open"] is False
    assert {r["what"]: r["count"] for r in report["records"]}["families by name"] == 20


def test_closed_terminals_disk_holds_no_name_and_no_number(place: Place) -> None:
    place.open_day()
    for number in place.numbers.values():
        place.terminal("redeem", "--look-up", "--programme", "pangan", typed=number)
    place.terminal("close-day")
    office = place.folder / "office"
    listed = _call("betang-provision", "households", "--office", office)
    names = {member["name"] for household in listed for member in household["members"]}
    assert len(names) > 40
    secrets = [name.encode() for name in names if " " in name]
    secrets += [number.encode() for number in place.numbers.values()]
    secrets += [f"{n[:4]}••••••••{n[-4:]}".encode() for n in place.numbers.values()]
    for folder in (place.config, place.folder / "province", place.folder / "stick"):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) > 10
        found = {p: s for p in files for s in secrets if s in p.read_bytes()}
        assert found == {}
    kept = [path for path in office.rglob("*") if path.is_file()]
    numbers = [number.encode() for number in place.numbers.values()]
    assert [p for p in kept for n in numbers if n in p.read_bytes()] == []


def test_day_survives_the_end_of_a_command_but_lies_on_no_disk(place: Place) -> None:
    room = find_room(place.config)
    assert room is not None
    assert is_in_memory(room.path)
    assert not room.path.exists()
    place.open_day()
    assert b"AGE-SECRET-KEY" in room.path.read_bytes()
    assert room.path.stat().st_mode & 0o777 == 0o600
    place.terminal("close-day")
    assert not room.path.exists()


def test_closing_wipes_the_key_even_if_the_journal_is_damaged(place: Place) -> None:
    room = find_room(place.config)
    assert room is not None
    place.open_day()
    journal = place.config / "journal.db"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:5000])
    closed = place.terminal("close-day")
    journal.write_bytes(whole)
    assert closed.returncode == 1
    assert not room.path.exists()


def test_bad_pin_files_and_double_keys_are_one_sentence(place: Place) -> None:
    for pin in (place.folder / "missing", place.folder):
        done = place.terminal("open-day", "--pin-file", pin)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
    for words in (["--pin-file", str(place.folder / "pin")], ["--new-sealing-key"]):
        done = betang("betang-terminal", "init", "--dir", str(place.config), *words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
