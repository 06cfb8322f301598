"""The demo's chip cards: a process of their own, reached by sockets as a reader is."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from card_codec.chip.errors import ChipLinkError
from card_codec.chip.khb1_making import BlankChip, find
from card_codec.readers import desk
from card_codec.readers.errors import ReaderError
from card_codec.readers.status import ReaderState
from tests.source_tree import ROOT

Order = Callable[..., Any]


@contextmanager
def drawer(folder: Path) -> Iterator[tuple[Any, Order]]:
    """The process; what it said first, and how it is given orders."""
    process = subprocess.Popen(
        [sys.executable, "-m", "virtual_card.drawer", "--dir", str(folder), "--blank", "2"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def order(*words: object) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(" ".join(map(str, words)) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        yield json.loads(process.stdout.readline()), order
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def test_card_is_laid_on_a_reader_and_taken_away(tmp_path: Path) -> None:
    with drawer(tmp_path / "chips") as (told, order):
        (first, second), (one, two) = told["readers"], told["cards"]
        assert first == f"unix:{tmp_path}/chips/reader1.sock"
        watch = desk.watch(first)
        assert watch(0) is ReaderState.NO_CARD
        order("lay", 1, one)
        assert watch(0) is ReaderState.CARD
        with desk.open_card(first) as link:
            found = find(link, atr=link.atr)
            assert isinstance(found, BlankChip)
            assert found.uid.hex() == one
            order("take", 1)
            with pytest.raises(ChipLinkError):
                link.transmit(bytes.fromhex("9060000000"))
            assert desk.state_after_loss(link) is ReaderState.CARD_REMOVED
        order("lay", 2, two)
        with pytest.raises(ReaderError) as caught:
            desk.open_card(first)
        assert caught.value.state is ReaderState.NO_CARD
        with desk.open_card(second) as link:
            assert isinstance(find(link, atr=link.atr), BlankChip)
        assert "error" in order("lay", 3, one)
        assert "error" in order("dance")


def test_card_remembers_across_processes_and_reader_that_is_gone_is_named(tmp_path: Path) -> None:
    with drawer(tmp_path / "chips") as (told, order):
        reader, uid = told["readers"][0], told["cards"][0]
        order("lay", 1, uid)
        with desk.open_card(reader) as link:
            link.transmit(bytes.fromhex("90ca00000d" + "484bf00ba501f1f04b48422d31" + "00"))
    assert list((tmp_path / "chips").glob("*.sock")) == []
    with pytest.raises(ReaderError) as caught:
        desk.open_card(reader)
    assert caught.value.state is ReaderState.READER_LOST
    with drawer(tmp_path / "chips") as (told, order):
        assert uid in told["cards"]
        order("lay", 1, uid)
        with desk.open_card(reader) as link:
            assert link.transmit(bytes.fromhex("00a4040c06f04b48422d31")) == (b"", 0x9000)


def test_program_without_a_pcscd_says_nothing_and_ends(tmp_path: Path) -> None:
    """Whoever started it then takes the other link."""
    program = [sys.executable, "-m", "virtual_card.drawer", "--link", "pcsc"]
    done = subprocess.run(
        [*program, "--dir", str(tmp_path)],
        cwd=ROOT,
        env={"PATH": "/nowhere"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no pcscd with a virtual reader can be had here\n"
    assert list(tmp_path.iterdir()) == []
