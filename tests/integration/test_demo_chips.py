"""The demo's chip cards: made by the card station's command, tapped at its counters."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from terminal.demo.chips import ChipDrawer, Link, start_chips
from terminal.demo.prepare import PIN_FILE
from tests.integration.prepared import Prepared, Report, betang, report_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(params=Link)
def chips(
    request: pytest.FixtureRequest, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ChipDrawer]:
    """The cards on the counters' readers, by either link, and both counters' days open."""
    for number in (1, 2):
        pin = prepared.folder / PIN_FILE
        words = ("--config", prepared.counter(number), "--pin-file", pin, "--json")
        opened = betang("betang-terminal", "open-day", *words)
        assert opened.returncode == 0, opened.stderr
    drawer = start_chips(prepared.folder, blank=0, links=(request.param,))
    for name, value in drawer.environment.items():
        monkeypatch.setenv(name, value)
    yield drawer
    drawer.stop()
    assert drawer.process.returncode == 0
    assert list((prepared.folder / "chips").glob("**/*.sock")) == []
    assert not (prepared.folder / "chips" / "pcscd").exists()
    for number in (1, 2):
        betang("betang-terminal", "close-day", "--config", prepared.counter(number), "--json")


def tap(prepared: Prepared, chips: ChipDrawer, counter: int) -> tuple[int, Report]:
    """Redeem food aid with the chip on a counter's reader."""
    words = ("--config", prepared.counter(counter), "--reader", chips.readers[counter - 1])
    done = betang("betang-terminal", "redeem", *words, "--programme", "pangan", "--json")
    assert done.stderr == "", done.stderr
    return done.returncode, report_of(done)


def test_report_lists_chips_apart_from_paper_cards(prepared: Prepared) -> None:
    chips = prepared.report["chips"]
    assert len(chips) == 3
    assert {len(chip["uid"]) for chip in chips} == {14}
    assert all("in-process link" in chip["link"] for chip in chips)
    paper = {card["household"] for card in prepared.report["cards"]}
    assert paper.isdisjoint(chip["household"] for chip in chips)
    listed = betang("betang-provision", "chips", "--office", prepared.report["office"], "--json")
    assert [one["uid"] for one in report_of(listed)] == [chip["uid"] for chip in chips]


def test_chip_tells_the_other_counter_what_was_taken_without_any_network(
    prepared: Prepared, chips: ChipDrawer
) -> None:
    card = prepared.report["chips"][0]
    chips.lay(1, card["uid"])
    code, told = tap(prepared, chips, 1)
    assert (code, told["outcome"], told["left"]) == (0, "approved", 0), told
    assert tap(prepared, chips, 1)[1]["reason"] == "already_redeemed"
    # Counter 2 never heard of counter 1: the card itself tells it.
    chips.lay(2, card["uid"])
    code, told = tap(prepared, chips, 2)
    assert (code, told["reason"]) == (1, "already_redeemed"), told
    for counter in (1, 2):
        assert prepared.fsck(counter)["ok"]


def test_reader_without_a_card_is_one_sentence(prepared: Prepared, chips: ChipDrawer) -> None:
    words = ("--config", prepared.counter(1), "--reader", chips.readers[0])
    done = betang("betang-terminal", "redeem", *words, "--programme", "pangan", "--json")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"there is no card on {chips.readers[0]}" in done.stderr


@contextmanager
def started(prepared: Prepared, *links: Link) -> Iterator[ChipDrawer]:
    drawer = start_chips(prepared.folder, blank=0, links=links or tuple(Link))
    try:
        yield drawer
    finally:
        drawer.stop()


def test_best_link_that_can_be_had_is_taken(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here pcscd and its virtual reader are installed; on a bare machine they are not."""
    with started(prepared) as best:
        assert (best.link, best.readers[0].startswith("ACS ACR1252")) == (Link.PCSC, True)
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "setpriv").symlink_to(shutil.which("setpriv") or "")
    monkeypatch.setenv("PATH", str(bare))
    with started(prepared) as other:
        assert (other.link, other.readers[0].startswith("unix:")) == (Link.LOCAL, True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_pcscd_ends_with_the_cards_however_they_end(
    prepared: Prepared, how: signal.Signals
) -> None:
    ours = ["pgrep", "-f", f"pcscd.*{prepared.folder}"]
    with started(prepared, Link.PCSC) as drawer:
        assert subprocess.run(ours, capture_output=True, check=False).returncode == 0
        drawer.process.send_signal(how)
        drawer.process.wait(10)
        end = time.monotonic() + 10
        while subprocess.run(ours, capture_output=True, check=False).returncode == 0:
            assert time.monotonic() < end, "a pcscd was left behind"
            time.sleep(0.05)


def test_pcscd_of_the_demo_sees_no_reader_of_this_machine(prepared: Prepared) -> None:
    """It has a /run of its own, and no USB; the machine's pcscd is not asked and not replaced."""
    theirs = Path("/run/pcscd/pcscd.comm")
    before = theirs.exists()
    with started(prepared, Link.PCSC) as drawer:
        root = Path(f"/proc/{drawer.process.pid}/root")
        assert {path.name for path in (root / "run").iterdir()} <= {"mount", "pcscd"}
        assert (root / "run/pcscd/pcscd.comm").is_socket()
        usb = root / "dev/bus/usb"
        assert not usb.exists() or list(usb.iterdir()) == []
        assert theirs.exists() == before
