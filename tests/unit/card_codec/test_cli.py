import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from card_codec import cli
from card_codec.credential import CardKind
from card_codec.keys import PrivateKey
from card_codec.qr.picture import png
from card_codec.reason import Reason
from card_codec.trust import encode_trust_list
from tests.unit.card_codec.samples import CARD, FULL, TRUST, card_text

SENTENCE = re.compile(r"[^\n]+\.\n")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    path = tmp_path / "trust"
    path.write_bytes(encode_trust_list(TRUST))
    return path


def _one_sentence(run: Result) -> None:
    assert run.stdout == ""
    assert SENTENCE.fullmatch(run.stderr), run.stderr


def test_scan_gives_one_line_for_each_file_ours_or_not(tmp_path: Path) -> None:
    texts = [card_text(), "HTTPS://EXAMPLE.ORG"]
    paths = [tmp_path / "card.png", tmp_path / "other.png"]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(png(text))
    run = _run("scan", "--json", *paths)
    assert run.exit_code == 0
    assert run.stderr == ""
    assert [json.loads(line) for line in run.stdout.splitlines()] == [
        {"path": str(path), "texts": [text]} for path, text in zip(paths, texts, strict=True)
    ]
    assert _run("scan", *paths).stdout.splitlines()[0] == f"{paths[0]}: {texts[0]}"


def test_scan_goes_on_after_a_file_that_is_no_picture(tmp_path: Path) -> None:
    bad, good, absent = tmp_path / "bad.png", tmp_path / "good.png", tmp_path / "absent.png"
    bad.write_bytes(b"no picture")
    good.write_bytes(png("KHB1MFRGG"))
    run = _run("scan", "--json", bad, absent, tmp_path, good)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.exit_code == 1
    assert [line["texts"] for line in lines] == [[], [], [], ["KHB1MFRGG"]]
    assert ["error" in line for line in lines] == [True, True, True, False]
    assert lines[0]["error"].endswith("Give a PNG or JPEG picture of the card.")
    plain = _run("scan", bad)
    assert plain.exit_code == 1
    _one_sentence(plain)


def test_scan_of_a_picture_without_a_code_is_done_and_empty(tmp_path: Path) -> None:
    path = tmp_path / "white.png"
    Image.new("L", (200, 200), 255).save(path)
    run = _run("scan", "--json", path)
    assert (run.exit_code, json.loads(run.stdout)["texts"]) == (0, [])
    assert _run("scan", path).stdout == f"{path}: no code found\n"


def test_verify_says_ok_for_a_signed_card(trust: Path) -> None:
    run = _run("verify", "--trust", trust, card_text(FULL), "--json")
    assert (run.exit_code, json.loads(run.stdout)) == (0, {"ok": True, "reason": None})


@pytest.mark.parametrize("kind", CardKind)
def test_verify_names_the_kind_of_card(trust: Path, kind: CardKind) -> None:
    run = _run("verify", "--trust", trust, card_text(replace(CARD, kind=kind)))
    assert run.exit_code == 0
    assert (kind.name in run.stdout) is (kind is not CardKind.CARD)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("garbage", Reason.MALFORMED),
        (card_text(key=PrivateKey.generate()), Reason.UNKNOWN_ISSUER),
        (card_text()[:-5] + "AAAAA", Reason.BAD_SIGNATURE),
        ("https://example.org", Reason.NOT_OUR_CARD),
    ],
)
def test_verify_refuses_with_the_code(trust: Path, text: str, reason: Reason) -> None:
    run = _run("verify", "--trust", trust, text, "--json")
    assert (run.exit_code, json.loads(run.stdout)) == (1, {"ok": False, "reason": reason})
    plain = _run("verify", "--trust", trust, text)
    assert plain.exit_code == 1
    assert reason in plain.stderr
    _one_sentence(plain)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 9_000_000, None])
def test_wrong_trust_file_is_wrong_use(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "wrong"
    if content is not None:
        path.write_bytes(content)
    run = _run("verify", "--trust", path, card_text(), "--json")
    assert run.exit_code == 2
    _one_sentence(run)
    assert str(path) in run.stderr


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".SVG", b"<svg ")])
def test_picture_is_written_whole_and_alone(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"card{suffix}"
    assert _run("picture", card_text(), "--out", path).exit_code == 0
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes().startswith(start)


def test_drawn_picture_scans_to_its_text(tmp_path: Path) -> None:
    path, text = tmp_path / "card.png", card_text(FULL)
    assert _run("picture", text, "--out", path, "--module-px", 3).exit_code == 0
    assert json.loads(_run("scan", "--json", path).stdout)["texts"] == [text]


@pytest.mark.parametrize(
    ("text", "name", "code"),
    [("khb1", "a.png", 1), ("KHB1", "a.gif", 2), ("KHB1", "absent/a.png", 2), ("", "a.svg", 1)],
)
def test_picture_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, text: str, name: str, code: int
) -> None:
    run = _run("picture", text, "--out", tmp_path / name)
    assert run.exit_code == code
    _one_sentence(run)
    assert list(tmp_path.iterdir()) == []


def test_inspect_shows_the_claims_as_unverified() -> None:
    stranger = PrivateKey.generate()
    run = _run("inspect", card_text(FULL, stranger), "--json")
    said = json.loads(run.stdout)
    assert run.exit_code == 0
    assert said["verified"] is False
    assert (said["kid"], said["household"]) == (stranger.public.kid.hex(), FULL.household.hex())
    assert (said["name"], said["kind"], said["issue"]) == ("SITI AMINAH", "card", 1)
    assert _run("inspect", card_text(FULL)).stdout.startswith("NOT VERIFIED.")


def test_inspect_of_something_else_is_refused() -> None:
    run = _run("inspect", "KHB1AAAA")
    assert run.exit_code == 1
    _one_sentence(run)
    said: dict[str, Any] = json.loads(_run("inspect", "KHB1AAAA", "--json").stdout)
    assert (said["verified"], said["error"]) == (False, "malformed")


def test_reasons_are_listed_whole() -> None:
    listed = json.loads(_run("reasons", "--json").stdout)
    assert [line["code"] for line in listed] == list(Reason)
    assert all(len(line) == 6 and all(line.values()) for line in listed)
    assert len(_run("reasons").stdout.splitlines()) == len(Reason)


def test_decoders_are_listed() -> None:
    listed = json.loads(_run("decoders", "--json").stdout)
    assert [part["available"] for part in listed] == [True, True, True]
    assert _run("decoders").stdout.startswith("zxing-cpp: works")


@pytest.mark.parametrize("arguments", [(), ("scan",), ("verify", "X"), ("nothing",)])
def test_wrong_use_is_exit_2(arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2
