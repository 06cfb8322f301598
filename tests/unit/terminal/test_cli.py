"""``betang-terminal redeem``, ``state`` and ``init``: their JSON, exit codes and bad input."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from card_codec.qr.picture import png
from ledger.entry import Presented, Redemption, read_entry
from terminal import cli
from terminal import counter as counter_module
from tests.commands import Command, Told, contents
from tests.point import Point, make_point, tables
from tests.source_tree import ROOT
from tests.world import World

AT = "2026-09-21T21:13:00+07:00"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(cli.main, monkeypatch, capsys)


@pytest.fixture
def point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Point:
    """A service point whose commands read the test's clock."""
    point = make_point(tmp_path)
    point.counter.close()
    monkeypatch.setattr(counter_module, "SystemClock", lambda: point.world.clock)
    return point


def redeem(run: Command, point: Point, name: str, *more: object) -> Told:
    text = point.cards.get(name, name)
    return run("redeem", "--config", point.folder.root, "--text", text, *more)


# --- what redeem reports ---


def test_approved_card_is_reported_in_the_words_of_the_interface(
    run: Command, point: Point
) -> None:
    told = redeem(run, point, "mawar", "--programme", "pangan", "--quantity", 1, "--json")
    receipt = told.report["receipt"]
    assert (told.code, told.err) == (0, "")
    assert told.report == {
        "outcome": "approved", "reason": None, "detail": None,
        "receipt": {"text": receipt["text"], "number": "T001-0001"}, "left": 1, "unit": "paket",
    }  # fmt: skip
    assert receipt["text"].startswith("KHR1")


def test_second_time_is_reported_with_when_and_where(run: Command, point: Point) -> None:
    redeem(run, point, "mawar", "--programme", "pangan")
    told = redeem(run, point, "mawar", "--programme", "pangan", "--json")
    assert told.code == 1
    assert told.report == {
        "outcome": "refused", "reason": "already_redeemed",
        "detail": {"at": AT, "point": "Balai Satu", "terminal": "T001",
                   "redemption": "T001-0001"},
        "receipt": None, "left": 0, "unit": "paket",
    }  # fmt: skip


REFUSED = {
    "kamboja": "revoked", "tanjung": "replaced", "contoh": "sample_card",
    "asing": "right_not_here", "cempaka": "not_entitled", "kenanga": "use_chip",
    "dahlia": "already_redeemed", "": "malformed", "garbage": "malformed",
    "KHB1" + "A" * 1_000_000: "malformed", "https://example.org": "not_our_card",
}  # fmt: skip


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=[n[:20] for n in REFUSED])
def test_refused_card_is_reported_with_its_reason(
    run: Command, point: Point, name: str, reason: str
) -> None:
    told = redeem(run, point, name, "--programme", "pangan", "--json")
    assert (told.code, told.err) == (1, "")
    report = told.report
    assert list(report) == ["outcome", "reason", "detail", "receipt", "left", "unit"]
    assert (report["outcome"], report["reason"], report["receipt"]) == ("refused", reason, None)
    if reason != "already_redeemed":
        assert report["detail"] is None


def test_more_than_left_says_how_much_is_left(run: Command, point: Point) -> None:
    told = redeem(run, point, "mawar", "--programme", "pangan", "--quantity", 3, "--json")
    assert (told.report["reason"], told.report["left"], told.report["detail"]) == (
        "more_than_left", 2, None,
    )  # fmt: skip


def test_person_is_served_by_member(run: Command, point: Point) -> None:
    told = redeem(run, point, "anggrek", "--programme", "klinik", "--member", 2, "--json")
    assert (told.report["outcome"], told.report["left"], told.report["unit"]) == (
        "approved", 0, "kunjungan",
    )  # fmt: skip


def test_words_for_people_are_one_line(run: Command, point: Point) -> None:
    told = redeem(run, point, "mawar", "--programme", "pangan")
    assert told.out == "approved: receipt T001-0001, 0 paket left\n"
    told = redeem(run, point, "mawar", "--programme", "pangan")
    assert told.out.startswith("refused: already_redeemed {'at': ")
    assert redeem(run, point, "kamboja", "--programme", "pangan").out == "refused: revoked\n"


def test_redeem_looks_into_the_in_box_first(run: Command, point: Point) -> None:
    point.world.blocked["629901"].append((point.ids["mawar"], 1))
    point.world.publish()
    point.bring()
    told = redeem(run, point, "mawar", "--programme", "pangan", "--json")
    assert told.report["reason"] == "revoked"


def test_counter_without_a_ledger_refuses_every_card(run: Command, tmp_path: Path) -> None:
    folder = World(tmp_path).terminal("Satu")
    told = run("redeem", "--config", folder.root, "--text", "x", "--programme", "p", "--json")
    assert told.code == 1
    assert told.report == {
        "outcome": "refused", "reason": "no_ledger", "detail": None, "receipt": None,
        "left": None, "unit": None,
    }  # fmt: skip


# --- pictures ---


def test_picture_of_a_card_is_read(run: Command, point: Point, tmp_path: Path) -> None:
    path = tmp_path / "card.png"
    path.write_bytes(png(point.cards["mawar"]))
    told = run("redeem", "--config", point.folder.root, "--image", path, "--programme", "pangan",
               "--json")  # fmt: skip
    assert told.report["outcome"] == "approved"
    [(content,)] = [(row[3],) for row in tables(point.folder.journal)["entry"]]
    assert isinstance(content, bytes)
    redemption = read_entry(content).content
    assert isinstance(redemption, Redemption)
    assert redemption.presented is Presented.PICTURE


def blank() -> bytes:
    out = io.BytesIO()
    Image.new("L", (200, 200), 255).save(out, "PNG")
    return out.getvalue()


PICTURES = {
    "empty": b"", "text": b"garbage", "cut short": png("KHB1" + "A" * 200)[:300],
    "25 MB": b"\x89PNG\r\n\x1a\n" + bytes(25 << 20), "no code": blank(),
    "another code": png("KHB1AAAAAAAA"),
}  # fmt: skip


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES.keys())
def test_picture_without_a_readable_card_is_refused_as_malformed(
    run: Command, point: Point, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "card.png"
    path.write_bytes(data)
    told = run("redeem", "--config", point.folder.root, "--image", path, "--programme", "pangan",
               "--json")  # fmt: skip
    assert (told.code, told.report["reason"]) == (1, "malformed")
    assert told.err.count("\n") <= 1
    assert "Traceback" not in told.err


# --- wrong use: one sentence, exit 2, and the folder is as it was ---

WRONG_REQUESTS = {
    "an unknown programme": ("--programme", "beras"),
    "no person": ("--programme", "klinik"),
    "a person of a household": ("--programme", "pangan", "--member", "2"),
    "person 0": ("--programme", "klinik", "--member", "0"),
    "quantity 0": ("--programme", "pangan", "--quantity", "0"),
    "a quantity too large": ("--programme", "pangan", "--quantity", str(2**70)),
}


@pytest.mark.parametrize("more", WRONG_REQUESTS.values(), ids=WRONG_REQUESTS.keys())
def test_wrong_request_is_one_sentence_and_changes_nothing(
    run: Command, point: Point, more: tuple[str, ...]
) -> None:
    before = contents(point.folder.root)
    told = redeem(run, point, "anggrek", *more, "--json")
    assert told.code == 2
    assert told.sentence
    assert contents(point.folder.root) == before


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ((), "show one card: --image, --text, --reader or --look-up"),
        (("--text", "x", "--image", "y"), "show one card: --image, --text, --reader or --look-up"),
        (("--image", "missing.png"), "No such file or directory; check --image"),
        (("--image", "."), "Is a directory; check --image"),
    ],
)
def test_card_that_is_not_shown_once_is_wrong_use(
    run: Command, point: Point, shown: tuple[str, ...], told: str
) -> None:
    before = contents(point.folder.root)
    ended = run("redeem", "--config", point.folder.root, "--programme", "pangan", *shown)
    assert ended.code == 2
    assert told in ended.sentence
    assert contents(point.folder.root) == before


@pytest.mark.parametrize(
    "wrong", [("--member", "two"), ("--quantity", "1.5"), ("--quantum", "1"), ("x",)]
)
def test_option_that_makes_no_sense_is_wrong_use(
    run: Command, point: Point, wrong: tuple[str, ...]
) -> None:
    told = redeem(run, point, "mawar", "--programme", "pangan", *wrong)
    assert (told.code, told.out) == (2, "")
    assert "Traceback" not in told.err


def config(**change: Any) -> str:
    """A configuration with some keys changed; None leaves one out."""
    keys = {
        "ordinal": 1, "epoch": 1, "name": "Satu", "point": "Balai Satu", "officer": "UJI",
        "home": "629901", "province": "http://127.0.0.1:1",
    } | change  # fmt: skip
    return "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items() if v is not None)


CONFIGS = {
    "unknown key": (config(colour="red"), "unknown field `colour`"),
    "missing key": (config(home=None), "missing required field `home`"),
    "ordinal 0": (config(ordinal=0), "$.ordinal"),
    "ordinal as text": (config(ordinal="1"), "$.ordinal"),
    "epoch 256": (config(epoch=256), "$.epoch"),
    "true for a number": (config(epoch=True), "$.epoch"),
    "officer of 13": (config(officer="A" * 13), "$.officer"),
    "no officer": (config(officer=""), "$.officer"),
    "home of 5 digits": (config(home="62990"), "$.home"),
    "home with a line feed": (config(home="629901\n"), "$.home"),
    "province by name": (config(province="province"), "$.province"),
    "a third language": (config(language="fr"), "$.language"),
    "a name of 81 characters": (config(name="A" * 81), "$.name"),
    "not TOML": ("ordinal = = 1", "is not TOML"),
    "not Unicode": (b"\xff\xfe\x00", "is not TOML"),
    "deeply nested": ("a = " + "[" * 100_000, "is not TOML"),
    "empty": ("", "missing required field"),
}


@pytest.mark.parametrize(("text", "told"), CONFIGS.values(), ids=CONFIGS.keys())
def test_configuration_that_is_wrong_is_named_by_its_key(
    run: Command, point: Point, text: str | bytes, told: str
) -> None:
    path = point.folder.root / "terminal.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = contents(point.folder.root)
    for command in (("redeem", "--text", "x", "--programme", "pangan"), ("state", "--json")):
        ended = run(command[0], "--config", path, *command[1:])
        assert ended.code == 2
        assert told in ended.sentence
        assert str(path) in ended.sentence
    assert contents(point.folder.root) == before


def test_configuration_that_is_not_there_is_told(run: Command, tmp_path: Path) -> None:
    for missing in (tmp_path, tmp_path / "terminal.toml", tmp_path / "nowhere" / "terminal.toml"):
        told = run("state", "--config", missing)
        assert told.code == 2
        assert "No such file or directory; check --config" in told.sentence
    assert list(tmp_path.iterdir()) == []


# --- damaged folders: one sentence, exit 1 or 2, and nothing is half written ---


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_journal_cut_short_stops_service_with_one_sentence(
    run: Command, point: Point, keep: int
) -> None:
    point.folder.journal.write_bytes(point.folder.journal.read_bytes()[:keep])
    before = contents(point.folder.root)
    for command in (("redeem", "--text", "x", "--programme", "pangan"), ("state",)):
        told = run(command[0], "--config", point.folder.root, *command[1:])
        assert told.code == 1
        assert "journal is damaged" in told.sentence
    after = contents(point.folder.root)
    assert {k: v for k, v in after.items() if not k.startswith("journal.db-")} == before


def test_journal_that_was_lost_is_not_begun_anew(run: Command, point: Point) -> None:
    point.folder.journal.unlink()
    before = contents(point.folder.root)
    told = redeem(run, point, "mawar", "--programme", "pangan", "--json")
    assert told.code == 1
    assert "is gone; bring it back" in told.err
    assert told.report["reason"] == "journal_damaged"
    assert contents(point.folder.root) == before


def test_key_of_another_terminal_is_told(run: Command, point: Point) -> None:
    point.folder.signing_key.write_bytes(point.other.signing_key.read_bytes())
    before = contents(point.folder.root)
    told = redeem(run, point, "mawar", "--programme", "pangan", "--json")
    assert (told.code, "is not the key" in told.err) == (1, True)
    assert told.report["outcome"] == "refused"
    point.folder.signing_key.write_bytes(b"garbage")
    told = redeem(run, point, "mawar", "--programme", "pangan")
    assert (told.code, "is not a signing key" in told.sentence) == (2, True)
    point.folder.signing_key.unlink()
    told = redeem(run, point, "mawar", "--programme", "pangan")
    assert (told.code, "no signing key" in told.sentence) == (2, True)
    changed = set(before) - set(contents(point.folder.root))
    assert changed == {"keys/terminal.pem"}


# --- state and init ---


def test_state_is_reported(run: Command, point: Point) -> None:
    redeem(run, point, "mawar", "--programme", "pangan")
    told = run("state", "--config", point.folder.root, "--json")
    report = told.report
    assert told.code == 0
    assert report == {
        "seq": 1, "head": report["head"], "last": "T001-0001", "waiting": 1,
        "ledger_version": 1, "away_left": 5, "twice_rupiah": 0, "problem": None, "unfinished": [],
        "newer_ledger": None, "newer_software": None,
    }  # fmt: skip
    assert "ledger_version: 1\n" in run("state", "--config", point.folder.root).out


def test_state_tells_why_what_was_brought_is_not_installed(run: Command, point: Point) -> None:
    (point.folder.in_box / "metadata" / "timestamp.json").write_bytes(b"{}")
    told = run("state", "--config", point.folder.root, "--json")
    assert "not accepted" in told.report["problem"]


def test_keys_are_made_once(run: Command, tmp_path: Path) -> None:
    folder = tmp_path / "loket"
    told = run("init", "--dir", folder, "--json")
    public = folder / "keys" / "terminal.pub"
    assert (told.code, told.report) == (0, {"folder": str(folder), "public": str(public)})
    before = contents(folder)
    told = run("init", "--dir", folder)
    assert (told.code, "never replaced" in told.sentence) == (2, True)
    assert contents(folder) == before


def test_keys_that_cannot_be_written_are_told(run: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    told = run("init", "--dir", tmp_path / "file")
    assert (told.code, "nothing was changed" in told.sentence) == (2, True)


# --- as programs of their own ---


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "terminal.cli", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def test_program_refuses_and_exits_1(point: Point) -> None:
    ended = program(
        "redeem", "--config", point.folder.root, "--text", "x", "--programme", "pangan", "--json"
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert json.loads(ended.stdout)["reason"] == "malformed"


def test_program_told_nonsense_exits_2_without_a_traceback(point: Point) -> None:
    ended = program("redeem", "--config", point.folder.root / "nowhere", "--text", "x",
                    "--programme", "pangan")  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "check --config" in ended.stderr
