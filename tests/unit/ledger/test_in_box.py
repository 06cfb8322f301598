"""The in-box: whoever writes there can delay, and can never gain a grant."""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.in_box import read_brought
from tests.point import Point, make_point
from tests.world import KEC_1

TIMESTAMP = "metadata/timestamp.json"


@pytest.fixture
def point(tmp_path: Path) -> Point:
    """A second ledger, in which nothing has changed, lies in the in-box."""
    point = make_point(tmp_path)
    point.world.policy_number = 0
    point.world.publish()
    point.bring()
    return point


def files(point: Point) -> list[str]:
    """Every file of the in-box that the terminal reads when it takes the second ledger."""
    box = point.folder.in_box
    found = sorted(str(p.relative_to(box)) for p in box.rglob("*") if p.is_file())
    newest = {TIMESTAMP, "metadata/2.snapshot.json", "metadata/2.targets.json"}
    newest |= {f"metadata/2.{role}.json" for role in (f"online-{KEC_1}", f"changes-{KEC_1}")}
    return [name for name in found if name in newest]


def stays(point: Point) -> str | None:
    """Look into the in-box: nothing changes. What the counter says of it.

    python-tuf keeps each file of metadata that was good, and would not read it again: what it
    kept before stands again afterwards.
    """
    before, answers = point.held(), point.answers()
    with as_it_was(point):
        started = time.monotonic()
        installed = point.take()
        assert time.monotonic() - started < 3
    assert not installed.changed
    assert (point.held(), point.answers()) == (before, answers)
    assert installed.problem is None or "\n" not in installed.problem
    return installed.problem


@contextmanager
def as_it_was(point: Point) -> Iterator[None]:
    """Put the files of trust back afterwards."""
    kept, folder = point.folder.root / "kept", point.folder.trusted
    if folder.is_dir():
        shutil.copytree(folder, kept, symlinks=True)
    yield
    shutil.rmtree(folder, ignore_errors=True)
    if kept.is_dir():
        kept.rename(folder)


def taken_after_all(point: Point) -> None:
    """Once the files are right, they are taken."""
    point.bring()
    installed = point.take()
    assert (installed.changed, installed.ledger, installed.problem) == (True, 2, None)


def test_untouched_delivery_is_taken(point: Point) -> None:
    taken_after_all(point)


# --- bytes ---


def test_file_cut_anywhere_is_refused(point: Point) -> None:
    for name in files(point):
        path = point.folder.in_box / name
        whole = path.read_bytes()
        for length in (0, 1, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            assert stays(point), f"{name} cut to {length} bytes"
        path.write_bytes(whole)
    taken_after_all(point)


def test_file_with_one_byte_changed_is_refused(point: Point) -> None:
    for name in files(point):
        path = point.folder.in_box / name
        whole = path.read_bytes()
        for at in range(0, len(whole), 1 + len(whole) // 6):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert stays(point), f"byte {at} of {name}"
        path.write_bytes(whole)
    taken_after_all(point)


def test_target_that_is_not_what_was_signed_is_refused(point: Point) -> None:
    shutil.rmtree(point.folder.trusted)  # nothing kept from before: all is read again
    found = (point.folder.in_box / "targets").rglob("*")
    targets = [p for p in found if p.is_file() and "usage" not in p.parts]  # that is not read twice
    assert len(targets) == 7
    for path in targets:
        whole = path.read_bytes()
        for wrong in (b"", whole[:-1], whole + b"\x00", b"\x00" * len(whole)):
            path.write_bytes(wrong)
            assert stays(point), f"{path.name} as {len(wrong)} bytes"
        path.unlink()
        assert stays(point), f"{path.name} withheld"
        path.write_bytes(whole)
    assert point.take().problem is None


def test_files_of_two_deliveries_are_not_mixed(point: Point) -> None:
    box = point.folder.in_box / "metadata"
    for role in ("snapshot", "targets", f"online-{KEC_1}", f"changes-{KEC_1}"):
        newer = (box / f"2.{role}.json").read_bytes()
        (box / f"2.{role}.json").write_bytes((box / f"1.{role}.json").read_bytes())
        assert stays(point), role
        (box / f"2.{role}.json").write_bytes(newer)
    taken_after_all(point)


BOMBS = {
    "deep arrays": b"[" * 16_000,
    "deep maps": b'{"a":' * 3_000,
    "a number of 15,000 digits": b"9" * 15_000,
    "a number of many powers": b"1e999999",
    "not a number": b"NaN",
    "no Unicode": b'"\xff\xfe"',
    "a lone surrogate": b'{"signed":{"_type":"\\ud800"},"signatures":[]}',
    "nothing signed": b'{"signed":{},"signatures":[]}',
    "another kind": b'{"signed":{"_type":"mirror"},"signatures":[]}',
    "a list of lists": b"[[]]",
    "signatures of nobody": b'{"signed":{"_type":"timestamp"},"signatures":[{}]}',
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_metadata_made_to_break_its_reader_is_refused(point: Point, bomb: bytes) -> None:
    for name in files(point):
        path = point.folder.in_box / name
        whole = path.read_bytes()
        path.write_bytes(bomb)
        assert stays(point), name
        path.write_bytes(whole)
    taken_after_all(point)


def test_megabytes_of_nested_json_are_refused(point: Point) -> None:
    for role, size in (("targets", 5_000_000), ("snapshot", 2_000_000)):
        path = point.folder.in_box / "metadata" / f"2.{role}.json"
        whole = path.read_bytes()
        path.write_bytes(b"[" * size)
        assert stays(point), role
        path.write_bytes(whole)


def test_file_without_an_end_is_read_no_further_than_its_limit(point: Point) -> None:
    shutil.rmtree(point.folder.trusted)
    targets = next((point.folder.in_box / "targets" / "policy").iterdir())
    for path in (point.folder.in_box / TIMESTAMP, *(point.folder.in_box / n for n in files(point)),
                 targets):  # fmt: skip
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(50 << 30)  # 50 GB that take no room
        assert stays(point), path.name
        path.write_bytes(whole)


# --- things that are no files ---


def as_link(path: Path, good: Path) -> None:
    path.symlink_to(good)


def as_broken_link(path: Path, good: Path) -> None:
    path.symlink_to(good.parent / "nowhere")


def as_pipe(path: Path, good: Path) -> None:
    os.mkfifo(path)


def as_folder(path: Path, good: Path) -> None:
    path.mkdir()


def as_socket(path: Path, good: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's address is short
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def as_link_to_zeros(path: Path, good: Path) -> None:
    path.symlink_to("/dev/zero")


NO_FILES = (as_link, as_broken_link, as_pipe, as_folder, as_socket, as_link_to_zeros)


@pytest.mark.parametrize("become", NO_FILES)
def test_what_is_no_plain_file_is_not_followed(
    point: Point, become: Callable[[Path, Path], None]
) -> None:
    """A link to the very file that is wanted is refused too: what it points to may change."""
    shutil.rmtree(point.folder.trusted)
    box = point.folder.in_box
    for path in (box / TIMESTAMP, box / "metadata" / "2.targets.json",
                 next((box / "targets" / "policy").iterdir())):  # fmt: skip
        good = box.parent / "good"
        path.rename(good)
        become(path, good)
        assert stays(point), path.name
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        good.rename(path)
    assert point.take().problem is None


@pytest.mark.parametrize("name", ["metadata", "targets", "targets/policy"])
def test_folder_that_is_a_link_is_not_followed(point: Point, name: str) -> None:
    shutil.rmtree(point.folder.trusted)
    folder, elsewhere = point.folder.in_box / name, point.folder.root / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    before, answers = point.held(), point.answers()
    point.take()
    assert (point.held(), point.answers()) == (before, answers)
    folder.unlink()
    elsewhere.rename(folder)
    assert point.take().problem is None


def test_device_is_never_read() -> None:
    for name in ("zero", "null", "random", "tty"):
        assert read_brought(Path("/dev"), name, size_max=10) is None


NAMES = ["../journal.db", "..", ".", "", "a/../b", "/etc/passwd", ".hidden", "a\x00b", "a\nb",
         "a" * 300, "a/./b", "a//b", "é", "~", "*", "%2e%2e/journal.db"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_name_that_leads_out_or_hides_is_not_opened(point: Point, name: str) -> None:
    assert read_brought(point.folder.in_box, name, size_max=10**9) is None
    assert read_brought(point.folder.in_box / "metadata", f"../{name}", size_max=10**9) is None


def test_file_exactly_at_its_limit_is_read_and_one_byte_over_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    assert read_brought(tmp_path, "file", size_max=4) == b"1234"
    assert read_brought(tmp_path, "file", size_max=3) is None


def test_in_box_that_is_not_there_or_a_file_is_empty(point: Point) -> None:
    shutil.rmtree(point.folder.in_box)
    assert stays(point) is None
    point.folder.in_box.write_bytes(b"not a folder")
    assert stays(point) is None


def test_timestamp_alone_is_refused_and_everything_else_alone_is_nothing_new(point: Point) -> None:
    box = point.folder.in_box
    timestamp = (box / TIMESTAMP).read_bytes()
    (box / TIMESTAMP).unlink()
    assert stays(point) is None
    shutil.rmtree(box)
    (box / "metadata").mkdir(parents=True)
    (box / TIMESTAMP).write_bytes(timestamp)
    assert stays(point)
    taken_after_all(point)


# --- anything at all ---

PLACES = st.one_of(st.integers(0, 40), st.from_regex(r"[a-z0-9.-]{1,9}", fullmatch=True))
BYTES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"{}", b"[]", b"null", b'{"signed":{}}', b"\x28\xb5\x2f\xfd"]),
    st.tuples(st.integers(0, 20_000), st.integers(1, 255)),  # flip a byte of what is there
    st.integers(0, 4_000),  # cut what is there
)


@pytest.mark.slow
@given(changes=st.lists(st.tuples(PLACES, BYTES), min_size=1, max_size=4))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_at_any_path_change_no_decision(
    point: Point, changes: list[tuple[int | str, bytes | tuple[int, int] | int]]
) -> None:
    """The second ledger says what the first says, so whether it is taken must not show either."""
    answers, first = point.answers(), point.folder.rights.read_bytes()
    point.bring()
    box = point.folder.in_box
    known = sorted(p for p in box.rglob("*") if p.is_file())
    for place, change in changes:
        spoil(known[place % len(known)] if isinstance(place, int) else box / place, change)
    with as_it_was(point):
        installed = point.take()
    assert installed.problem is None or "\n" not in installed.problem
    assert point.answers() == answers
    assert point.counter._desk.journal.head().seq == 0
    point.folder.rights.write_bytes(first)
    point.restart()


def spoil(path: Path, change: bytes | tuple[int, int] | int) -> None:
    """Write bytes, flip a byte, or cut."""
    whole = path.read_bytes() if path.is_file() else b""
    if isinstance(change, int):
        change = whole[:change]
    elif isinstance(change, tuple):
        at, mask = change[0] % max(len(whole), 1), change[1]
        change = whole[:at] + bytes([(whole or b"\x00")[at] ^ mask]) + whole[at + 1 :]
    if not path.is_dir():
        path.write_bytes(change)
