"""`betang-provision personalise` on the real pcscd: blank cards laid down one after another."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from card_codec.readers import pcsc
from card_codec.readers.status import ReaderState
from tests.integration.pcsc.inside.conftest import SLOTS
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault
from virtual_card.vpcd import OnReader

FIRST = SLOTS[0]
PATIENCE_S = 60.0
SOME_STEP = 50
POLLS_S = 1.5


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("station")
    (folder / "passphrase").write_text("sampit katingan barito\n", encoding="utf-8")
    _provision("demo", "--households", 5, "--kecamatan", 1, "--dir", folder / "office")
    _provision("chip-masters", *_opens(folder))
    return folder


def test_batch_is_made_on_a_real_reader_and_a_pulled_card_is_finished(station: Path) -> None:
    cards = [blank(bytes.fromhex(f"04bb00000000{number:02x}")) for number in range(3)]
    families = _households(station)[:3]
    with _started(station, *families) as process:
        _lay(cards[0], lambda: _progress(station, cards[0]) == "made")
        _lay(cards[1], _is_empty, {SOME_STEP: Fault.TORN_AFTER})
        assert _progress(station, cards[1]) == "begun"
        _lay(cards[2], lambda: _progress(station, cards[2]) == "made")
        _lay(cards[1], lambda: _progress(station, cards[1]) == "made")
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    told = json.loads(out)
    assert [(one["uid"], one["outcome"]) for one in told["cards"]] == [
        (cards[0].uid.hex(), "made"),
        (cards[1].uid.hex(), "pulled"),
        (cards[2].uid.hex(), "made"),
        (cards[1].uid.hex(), "finished"),
    ]
    assert (told["made"], told["waiting"], told["unfinished"]) == (3, [], [])
    chips = json.loads(_provision("chips", "--office", station / "office", "--json"))
    assert [(one["uid"], one["household"]) for one in chips] == [
        (card.uid.hex(), family) for card, family in zip(cards, families, strict=True)
    ]
    for card, family in zip(cards, families, strict=True):
        assert _read(card)["credential"]["household"] == family


def test_wrong_card_is_named_and_whoever_waits_is_told(station: Path) -> None:
    made = json.loads(_provision("chips", "--office", station / "office", "--json"))[0]
    family = _households(station)[3]
    with _started(station, family, wait_s=3) as process:
        _lay(blank(bytes.fromhex(made["uid"])), lambda: process.poll() is not None)
        out, err = process.communicate(timeout=PATIENCE_S)
    told = json.loads(out)
    assert (process.returncode, err) == (1, "")
    assert [one["outcome"] for one in told["cards"]] == ["log_disagrees"]
    assert told["waiting"] == [family]


def test_station_that_was_killed_goes_on_with_the_card(station: Path) -> None:
    card, family = _Slow(blank(bytes.fromhex("04cc0000000000")).memory), _households(station)[4]
    with _started(station, family) as process:
        on = OnReader(card)
        on.put()
        _until(lambda: on.apdus > SOME_STEP)
        process.kill()
        process.wait(PATIENCE_S)
        # pcscd resets the card for a client that died. If it is gone by then, pcscd 1.9.9 calls
        # the reader empty ahead of its own look, and overlooks the next card. Hands are slower.
        time.sleep(POLLS_S)
        on.take()
    _until(_is_empty)
    assert _progress(station, card) == "begun"
    # The household has a card begun: nobody is left to wait, and the unfinished card is awaited.
    with _started(station, family, wait_s=20) as process:
        _lay(card, lambda: process.poll() is not None)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, ""), out
    assert [one["outcome"] for one in json.loads(out)["cards"]] == ["finished"]
    assert _read(card)["credential"]["household"] == family


class _Slow(DesfireCard):
    """Takes its time, so that the station can be killed in the middle."""

    def process(self, apdu: bytes) -> bytes:
        time.sleep(0.03)
        return super().process(apdu)


def _lay(
    card: DesfireCard, until: Callable[[], bool], faults: Mapping[int, Fault] | None = None
) -> None:
    """Lay a card down, wait, and take it away."""
    with OnReader(card, faults=faults):
        if faults:
            _until(lambda: not _is_empty())
        _until(until)
    _until(_is_empty)


def _is_empty() -> bool:
    return pcsc.list_readers()[0].state is ReaderState.NO_CARD


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.05)


def _progress(station: Path, card: DesfireCard) -> str | None:
    """As the log has it, while the command keeps the office to itself."""
    db = sqlite3.connect(station / "office" / "office.db")  # what a kill left is rolled back
    try:
        row = db.execute("SELECT state FROM chip WHERE uid = ?", (card.uid,)).fetchone()
    finally:
        db.close()
    return None if row is None else str(row[0])


def _read(card: DesfireCard) -> Any:
    told: list[str] = []

    def read() -> bool:
        done = subprocess.run(
            _command("card_codec", "read", "--reader", FIRST, "--json"),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        told.append(done.stdout)
        return done.returncode == 0

    _lay(card, read)
    return json.loads(told[-1])


def _households(station: Path) -> list[str]:
    listed = _provision("households", "--office", station / "office", "--json")
    return [one["household"] for one in json.loads(listed)]


def _opens(station: Path) -> tuple[object, ...]:
    return "--office", station / "office", "--passphrase-file", station / "passphrase"


def _started(station: Path, *families: str, wait_s: int = 60) -> subprocess.Popen[str]:
    who = [word for family in families for word in ("--household", family)]
    words = ("personalise", *_opens(station), "--reader", FIRST, "--wait", wait_s, *who, "--json")
    return subprocess.Popen(
        _command("provisioning", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _provision(*words: object) -> str:
    done = subprocess.run(
        _command("provisioning", *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _command(package: str, *words: object) -> list[str]:
    run = f"import sys; from {package}.cli import main; sys.exit(main())"
    return [sys.executable, "-c", run, *map(str, words)]
