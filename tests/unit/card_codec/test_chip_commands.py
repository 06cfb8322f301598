"""betang-card selftest, readers, read: at the command line, with a double on the desk."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from card_codec import cli
from card_codec.chip.errors import ChipLinkError
from card_codec.readers import desk
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import Driver, ReaderState, ReaderStatus
from tests.chip_world import HOME, KECAMATAN, MARK, TAKEN, UID, Station
from tests.vectors.loading import VECTORS
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank
from virtual_card.link import Fault, InProcessLink

SENTENCE = re.compile(r"[^\n]+\.\n")
DESK = (
    ReaderStatus("ACS ACR1252 00 00", Driver.PCSC, ReaderState.CARD, b"\x3b\x80"),
    ReaderStatus("usb:001:004", Driver.NFC, ReaderState.NO_CARD),
)


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


class OnDesk(InProcessLink):
    """A double where a reader would have it."""

    reader = "ACS ACR1252 00 00"
    atr = b""

    def close(self) -> None:
        self.pull()


Lay = Callable[..., OnDesk]


@pytest.fixture
def lay(monkeypatch: pytest.MonkeyPatch) -> Lay:
    def put(card: DesfireCard, faults: dict[int, Fault] | None = None) -> OnDesk:
        link = OnDesk(card, error=ChipLinkError, faults=faults)
        monkeypatch.setattr(desk, "open_card", lambda name: link)
        monkeypatch.setattr(desk, "state_after_loss", lambda card: ReaderState.CARD_REMOVED)
        return link

    return put


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    rows = [
        {"kecamatan": kecamatan, "generation": generation, "key": key.hex()}
        for (kecamatan, generation), key in HOME.items()
    ]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted((VECTORS / "chip").glob("*.json")), ids=lambda p: p.stem)
def test_selftest_gives_one_line_for_each_vector(path: Path) -> None:
    run = _run("selftest", "--vectors", path, "--json")
    names = [case["name"] for case in json.loads(path.read_text(encoding="utf-8"))]
    assert run.exit_code == 0
    assert [json.loads(line) for line in run.stdout.splitlines()] == [
        {"name": name, "ok": True} for name in names
    ]
    assert len(_run("selftest", "--vectors", path).stdout.splitlines()) == len(names)


def test_selftest_fails_with_the_wrong_one_named(tmp_path: Path) -> None:
    cases = json.loads((VECTORS / "chip" / "cmac.json").read_text(encoding="utf-8"))
    cases[1]["expect"] = "00" * 16
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(cases), encoding="utf-8")
    run = _run("selftest", "--vectors", path, "--json")
    assert run.exit_code == 1
    told = [json.loads(line)["ok"] for line in run.stdout.splitlines()]
    assert told == [True, False, True, True]
    assert _run("selftest", "--vectors", path).stdout.splitlines()[1].startswith("WRONG")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", None])
def test_selftest_with_another_file_is_wrong_use(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other"
    if content is not None:
        path.write_bytes(content)
    run = _run("selftest", "--vectors", path, "--json")
    assert (run.exit_code, run.stdout) == (2, "")
    assert SENTENCE.fullmatch(run.stderr)


def test_readers_are_listed_with_their_states(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {Driver.NFC: ReaderState.NO_LIBRARY}
    monkeypatch.setattr(desk, "list_readers", lambda: (DESK, missing))
    run = _run("readers", "--json")
    assert run.exit_code == 0
    assert [(one["name"], one["state"], one["atr"]) for one in json.loads(run.stdout)] == [
        ("ACS ACR1252 00 00", "card", "3b80"),
        ("usb:001:004", "no_card", None),
    ]
    assert SENTENCE.fullmatch(run.stderr)
    assert _run("readers").stdout.splitlines() == [
        "a card lies on ACS ACR1252 00 00",
        "there is no card on usb:001:004; put one on it",
    ]


def test_no_reader_at_all_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "list_readers", lambda: ((), {}))
    assert (_run("readers", "--json").stdout, _run("readers").exit_code) == ("[]\n", 0)
    assert _run("readers").stdout == "no card reader is connected\n"


def test_card_is_read_with_its_counter_and_records(lay: Lay, keys: Path) -> None:
    link = lay(Station().card(opening=[MARK, TAKEN]))
    run = _run("read", "--keys", keys, "--json")
    told = json.loads(run.stdout)
    assert run.exit_code == 0
    assert (told["uid"], told["profile"], told["silicon"]) == (UID.hex(), "KHB-1", "ev3")
    assert (told["kecamatan"], told["generation"]) == (KECAMATAN, 1)
    assert told["credential"]["verified"] is False
    assert told["counter"] == 2
    assert [record["kind"] for record in told["records"]] == ["personalised", "redemption"]
    assert (told["records"][1]["terminal"], told["records"][1]["quantity"]) == (1, 10)
    assert link.card.mac_file.counter == 2
    assert all(one.apdu[1] not in {0x8D, 0x8B, 0xC7, 0xC8} for one in link.trace)


def test_card_is_read_as_far_as_it_goes_without_a_key(lay: Lay) -> None:
    lay(Station().card())
    told: dict[str, Any] = json.loads(_run("read", "--json").stdout)
    assert told["uid"] == UID.hex()
    assert (told["counter"], told["records"]) == (None, None)
    assert "counter: None" in _run_plain(lay)


def _run_plain(lay: Lay) -> str:
    lay(Station().card())
    return _run("read").stdout


def test_other_card_is_named_and_refused(lay: Lay) -> None:
    lay(blank(UID))
    run = _run("read", "--json")
    assert run.exit_code == 1
    assert json.loads(run.stdout)["foreign"] == "other_desfire"


@pytest.mark.parametrize("step", [0, 4, 7, 11])
def test_card_pulled_early_is_one_sentence(lay: Lay, keys: Path, step: int) -> None:
    lay(Station().card(), {step: Fault.TORN_BEFORE})
    run = _run("read", "--keys", keys, "--json")
    assert (run.exit_code, run.stdout) == (1, "")
    assert SENTENCE.fullmatch(run.stderr)
    assert "too early" in run.stderr


def test_card_with_another_key_is_one_sentence(lay: Lay, tmp_path: Path) -> None:
    lay(Station().card())
    path = tmp_path / "keys"
    row = {"kecamatan": KECAMATAN, "generation": 1, "key": "00" * 16}
    path.write_text(json.dumps([row]), encoding="utf-8")
    run = _run("read", "--keys", path)
    assert (run.exit_code, run.stdout) == (1, "")
    assert SENTENCE.fullmatch(run.stderr)


def test_reader_that_cannot_be_opened_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for state in ReaderState:

        def refuse(name: str | None, state: ReaderState = state) -> None:
            raise ReaderError(state, name or "")

        monkeypatch.setattr(desk, "open_card", refuse)
        run = _run("read", "--reader", "ACR", "--json")
        assert (run.exit_code, run.stdout) == (1, "")
        assert SENTENCE.fullmatch(run.stderr), run.stderr


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "[1]", '[{"kecamatan": "629901"}]', "[" * 100_000, " " * 100_001),
        '[{"kecamatan": "6299", "generation": 1, "key": "' + "00" * 16 + '"}]',
        '[{"kecamatan": "629901", "generation": 0, "key": "' + "00" * 16 + '"}]',
        '[{"kecamatan": "629901", "generation": true, "key": "' + "00" * 16 + '"}]',
        '[{"kecamatan": "629901", "generation": 1, "key": "00"}]',
        '[{"kecamatan": "629901", "generation": 1, "key": "' + "00" * 16 + '", "more": 1}]',
        None,
    ],
)
def test_wrong_file_of_keys_is_wrong_use(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    run = _run("read", "--keys", path, "--json")
    assert (run.exit_code, run.stdout) == (2, "")
    assert SENTENCE.fullmatch(run.stderr)
