"""``make run``: the five steps of the demo, done in a browser against the real programs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.integration]

PATIENT_MS = 20_000


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs: what it printed, and where it keeps everything."""

    process: subprocess.Popen[str]
    lines: list[str]
    folder: Path

    @property
    def url(self) -> str:
        return self.lines[0].split()[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "data"
    command = [str(Path(sys.executable).with_name("betang-terminal")), "demo", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    yield Demo(process, lines, folder)
    if process.poll() is None:
        process.terminate()
    process.stdout.close()
    process.wait(20)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1600, "height": 1000}) as context:
        yield context.new_page()


def test_five_steps_tick_themselves_off(demo: Demo, page: Page) -> None:
    assert demo.lines[0].startswith("Open")
    page.goto(demo.url)
    expect(_screen(page, 1).locator("#ready")).to_be_visible(timeout=PATIENT_MS)
    assert _done(page) == 0

    _show_card(page, at=1)
    _give(page, at=1)
    _ticked(page, 1)

    _show_card(page, at=1)
    taken = _screen(page, 1).locator("section.verdict[data-reason=already_redeemed]")
    expect(taken).to_be_visible(timeout=PATIENT_MS)
    expect(taken).to_contain_text("SUDAH DIAMBIL")
    expect(taken).to_contain_text("T001-0001")
    _ticked(page, 2)

    _show_card(page, at=2)
    _give(page, at=2)
    _ticked(page, 3)
    facts = _counter(page, 2).locator(".facts")
    expect(facts).to_contain_text("could now be given twice: Rp")
    expect(facts).to_contain_text("a thief of this one could give Rp", timeout=20_000)

    for number in (1, 2):
        _press(page, number, "cable", "the road is open")
        _press(page, number, "sync", "sent:")
    _ticked(page, 4)
    expect(page.locator("#received")).to_have_text("2", timeout=PATIENT_MS)
    expect(page.locator("#cases")).to_contain_text("T001-0001 counts")
    expect(page.locator("#cases")).to_contain_text("T002-0001 is the double")

    _press(page, 1, "plug", "killed with -9 and started again")
    _ticked(page, 5)
    checked = _counter(page, 1).locator(".checked")
    expect(checked).to_contain_text("fsck clean: 3 entries, last receipt T001-0001")
    _repeat_by_hand(checked)


def test_sync_with_the_cable_out_sends_nothing(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    cable = _counter(page, 2).locator("[data-act=cable]")
    expect(cable).to_have_text("Cable: in", timeout=PATIENT_MS)
    _press(page, 2, "cable", "nothing leaves")
    _press(page, 2, "sync", "the cable is out")


def test_chip_on_a_counters_pcsc_reader_is_served(demo: Demo, page: Page) -> None:
    """Debian's pcscd and virtual reader are installed here: the demo says that it uses them."""
    page.goto(demo.url)
    expect(page.locator("#link")).to_contain_text("a real pcscd of the demo's own")
    page.locator("input[name=at][value='1']").check()
    page.locator("#chips button.card").first.click()
    expect(page.locator("#chips .where").first).to_have_text("on reader 1")
    verdict = _screen(page, 1).locator("section.verdict")
    expect(verdict).to_have_attribute("data-kind", "approved", timeout=PATIENT_MS)
    _screen(page, 1).locator("[data-do=give]").click()
    expect(verdict).to_have_attribute("data-kind", "done", timeout=PATIENT_MS)
    page.locator("input[name=at][value='2']").check()
    page.locator("#chips button.card").first.click()
    taken = _screen(page, 2).locator("section.verdict[data-reason=already_redeemed]")
    expect(taken).to_be_visible(timeout=PATIENT_MS)  # the card itself told counter 2


def test_demo_stops_everything_it_started(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(30) == 0
    listed = subprocess.run(["pgrep", "-f", str(demo.folder)], capture_output=True, check=False)
    assert listed.stdout == b""


def _screen(page: Page, number: int) -> FrameLocator:
    return page.frame_locator(f'[data-counter="{number}"] iframe')


def _counter(page: Page, number: int) -> Locator:
    return page.locator(f'[data-counter="{number}"]')


def _show_card(page: Page, *, at: int) -> None:
    page.locator(f'input[name=at][value="{at}"]').check()
    page.locator("#drawer button.card").first.click()


def _give(page: Page, *, at: int) -> None:
    verdict = _screen(page, at).locator("section.verdict")
    expect(verdict).to_have_attribute("data-kind", "approved", timeout=PATIENT_MS)
    expect(verdict).to_contain_text("BERHAK")
    _screen(page, at).locator("[data-do=give]").click()
    expect(verdict).to_have_attribute("data-kind", "done", timeout=PATIENT_MS)
    expect(verdict).to_have_attribute("data-tone", "green")
    expect(verdict.locator(".slip")).to_be_visible()


def _press(page: Page, number: int, act: str, said: str) -> None:
    counter = _counter(page, number)
    counter.locator(f"[data-act={act}]").click()
    expect(counter.locator(".said")).to_contain_text(said, timeout=PATIENT_MS)


def _done(page: Page) -> int:
    return page.locator("#steps li.done").count()


def _ticked(page: Page, step: int) -> None:
    item = page.locator(f'#steps li[data-step="{step}"]')
    expect(item).to_have_class("done", timeout=PATIENT_MS)


def _repeat_by_hand(checked: Locator) -> None:
    """The command on the page, run as a person would, finds the same head."""
    command = checked.locator("code").inner_text().split()
    said = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    report = json.loads(said.stdout)
    assert report["ok"]
    assert report["head"][:16] in checked.inner_text()
