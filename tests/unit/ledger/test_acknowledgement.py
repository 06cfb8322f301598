"""The province's word: kept only if it is the province's, and of this chain."""

import os
from pathlib import Path
from typing import Any

import pytest

from card_codec.keys import PrivateKey
from card_codec.trust import KeyUse, TrustedKey
from ledger import newer
from ledger.acknowledgement import Acknowledgement, write_acknowledgement
from ledger.errors import RolledBackError
from ledger.in_box import FILES_MAX, list_brought
from ledger.install import Installed
from terminal.counter import Redeemed
from tests.point import Point, make_point
from tests.unit.ledger.journals import tamper
from tests.world import NOW


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


def acknowledge(point: Point, name: str, data: bytes) -> None:
    folder = point.folder.in_box / "acknowledgements"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def word(point: Point, seq: int, *, key: PrivateKey | None = None, **change: object) -> bytes:
    """The province's word over this journal's entries up to one."""
    head = point.counter._desk.journal.leaf(seq) or bytes(32)
    fields = {"terminal": 1, "epoch": 1, "seq": seq, "head": head, "at": NOW, **change}
    signed = Acknowledgement("khb-ack-2", **fields)  # type: ignore[arg-type]
    return write_acknowledgement(signed, key or point.world.log)


def test_word_over_this_chain_is_kept_and_the_newest_counts(point: Point) -> None:
    for name in ("mawar", "melati", "kamboja"):
        point.show(name)
    acknowledge(point, "T001-1-2.cose", word(point, 2))
    acknowledge(point, "T001-1-1.cose", word(point, 1))
    assert point.take().changed
    assert point.counter.state().waiting == point.counter.state().seq - 2
    assert not point.take().changed


def test_word_that_is_not_the_provinces_over_this_chain_is_passed_over(point: Point) -> None:
    assert isinstance(point.show("mawar"), Redeemed)
    good = word(point, 1)
    for number, data in enumerate((
        word(point, 1, key=PrivateKey.generate()), word(point, 1, key=point.world.issuer),
        word(point, 1, terminal=2), word(point, 1, epoch=2), good[:-1], good + b"\x00", b"",
        b"x" * 5000,
    )):  # fmt: skip
        acknowledge(point, f"bad{number}.cose", data)
    (point.folder.in_box / "acknowledgements" / "folder").mkdir()
    os.mkfifo(point.folder.in_box / "acknowledgements" / "pipe")
    before = point.held()
    assert point.take() == Installed(changed=False, ledger=1)
    assert point.held() == before
    assert point.counter._desk.journal.acknowledged() is None
    acknowledge(point, "good.cose", good)
    assert point.take().changed


@pytest.mark.parametrize("change", [{"seq": 1, "head": bytes(32)}, {"seq": 99}])
def test_word_over_entries_that_are_not_here_stops_service(
    point: Point, change: dict[str, Any]
) -> None:
    """An older copy was put back: going on in its epoch would make a second history."""
    assert isinstance(point.show("mawar"), Redeemed)
    acknowledge(point, "T001.cose", word(point, **change))
    before = point.held()
    with pytest.raises(RolledBackError, match="an older copy was put back"):
        point.take()
    assert point.held() == before


def test_kept_word_that_the_chain_no_longer_bears_out_stops_the_next_start(point: Point) -> None:
    assert isinstance(point.show("mawar"), Redeemed)
    acknowledge(point, "T001.cose", word(point, 1))
    point.take()
    point.counter.close()
    tamper(point.folder.journal, "UPDATE acknowledgement SET seq = 7")
    with pytest.raises(RolledBackError):
        point.restart()


def test_word_of_a_log_key_that_was_revoked_is_passed_over(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stole it would have the terminal believe that the province holds what it does not."""
    revoked = TrustedKey(point.world.log.public, KeyUse.LOG, "province", 0, None, NOW)
    trust = point.world.trust()
    kept = [key for key in trust.keys if key.use is not KeyUse.LOG]
    monkeypatch.setattr(type(point.world), "trust", lambda world: type(trust)(2, [*kept, revoked]))
    point.world.publish()
    point.bring()
    assert point.take().problem is None
    assert isinstance(point.show("mawar"), Redeemed)
    acknowledge(point, "one.cose", word(point, 1))
    assert not point.take().changed


def test_thousands_of_names_are_looked_at_only_so_far(point: Point) -> None:
    for number in range(FILES_MAX + 500):
        acknowledge(point, f"n{number}", b"x")
    for strange in (b"\xff\xfe", b"-rf", b"a\nb", b".hidden"):
        path = os.path.join(os.fsencode(point.folder.in_box), b"acknowledgements", strange)
        with open(path, "wb") as file:
            file.write(b"x")
    names = list_brought(point.folder.in_box, "acknowledgements")
    assert len(names) <= FILES_MAX
    assert point.take() == Installed(changed=False, ledger=1)


@pytest.mark.parametrize(
    ("ledger", "software", "told"),
    [
        (99, "0.0.1", (99, None)),
        (1, "999.0", (None, "999.0")),
        (0, "", (None, None)),
        (99, "0.10000", None),
        (99, "0.0.9.9", (99, None)),
    ],
)
def test_word_that_names_something_newer_is_said_on_the_screen(
    point: Point, ledger: int, software: str, told: tuple[int | None, str | None] | None
) -> None:
    point.show("mawar")
    acknowledge(point, "T001-1-1.cose", word(point, 1, ledger=ledger, software=software))
    point.take()
    said = point.counter.state().newer
    assert (said.ledger, said.software) == (told or (None, None))


@pytest.mark.parametrize(
    ("installed", "told"),
    [("0.2.0rc1", "0.2.0"), ("1!2.0", "1"), ("0.1.0+local.7", "0.1.0"), ("weird", "0")],
)
def test_version_of_any_form_is_told_in_one_that_terminals_read(
    monkeypatch: pytest.MonkeyPatch, installed: str, told: str
) -> None:
    monkeypatch.setattr(newer, "version", lambda _name: installed)
    newer.software_version.cache_clear()
    try:
        assert newer.software_version() == told
    finally:
        newer.software_version.cache_clear()


def test_word_of_the_same_version_written_shorter_is_nothing_newer(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newer, "software_version", lambda: "0.1")
    point.show("mawar")
    acknowledge(point, "T001-1-1.cose", word(point, 1, software="0.1.0"))
    point.take()
    assert point.counter.state().newer.software is None


def test_word_is_held_against_what_is_installed_now(point: Point) -> None:
    point.show("mawar")
    installed = point.counter.state().ledger_version
    assert installed is not None
    acknowledge(point, "T001-1-1.cose", word(point, 1, ledger=installed))
    point.take()
    assert point.counter.state().newer.ledger is None
    acknowledge(point, "T001-1-1.cose", word(point, 1, ledger=installed + 1))
    point.take()
    assert point.counter.state().newer.ledger is None, "the first word over an entry is the word"
