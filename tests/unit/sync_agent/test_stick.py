"""A stick may hold anything: links, pipes, heaps of files. None of it gets through."""

import os
import socket
from pathlib import Path

import pytest

from sync_agent import stick as stick_module
from sync_agent.errors import StickError
from sync_agent.stick import Stick


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    (tmp_path / "stick").mkdir()
    return Stick(tmp_path / "stick")


def test_what_was_written_is_read_back_and_not_written_twice(stick: Stick) -> None:
    assert stick.write("a/b/c.batch", b"bytes") is True
    assert stick.write("a/b/c.batch", b"bytes") is False
    assert stick.read("a/b/c.batch", size_max=5) == b"bytes"
    assert stick.names("a/b") == ["c.batch"]
    assert stick.write("a/b/c.batch", b"other") is True
    assert sorted(p.name for p in (stick.root / "a" / "b").iterdir()) == ["c.batch"]


def test_new_folder_is_synced_into_the_one_that_holds_it(
    stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    fsync = os.fsync

    def remember(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", remember)
    stick.write("a/b/c.batch", b"bytes")
    folders = (stick.root, stick.root / "a", stick.root / "a" / "b")
    assert {folder.stat().st_ino for folder in folders} <= synced


def test_what_is_read_back_was_let_go_of_by_memory(
    stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, read = os.fsync, Stick.read
    monkeypatch.setattr(os, "posix_fadvise", lambda *said: steps.append(f"let go {said[1:]}"))

    def sync(handle: int) -> None:
        steps.append("sync")
        fsync(handle)

    def reading(own: Stick, path: str, *, size_max: int) -> bytes | None:
        steps.append("read")
        return read(own, path, size_max=size_max)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Stick, "read", reading)
    stick.write("c.batch", b"bytes")
    assert steps == ["read", "sync", f"let go {(0, 0, os.POSIX_FADV_DONTNEED)}", "sync", "read"]


def test_write_that_is_broken_off_leaves_nothing_half(
    stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", stop)
        with pytest.raises(KeyboardInterrupt):
            stick.write("c.batch", b"bytes")
    assert list(stick.root.iterdir()) == []


def test_folder_that_is_in_the_way_is_named_whole(stick: Stick) -> None:
    (stick.root / "to").mkdir()
    (stick.root / "to" / "1-1").symlink_to("/etc")
    with pytest.raises(StickError, match=r"^to/1-1 on .* a link or a file stands in its way"):
        stick.names("to/1-1")


def test_what_is_not_there_is_none(stick: Stick) -> None:
    assert stick.read("a/b", size_max=5) is None
    assert stick.names("a") == []
    stick.remove("a/b")


def test_no_folder_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StickError, match="there is no folder"):
        Stick(tmp_path / "missing")


def test_file_that_is_a_link_is_refused(stick: Stick, tmp_path: Path) -> None:
    secret = tmp_path / "terminal.pem"
    secret.write_text("secret")
    (stick.root / "x").symlink_to(secret)
    with pytest.raises(StickError, match="not a plain file"):
        stick.read("x", size_max=100)


def test_folder_that_is_a_link_is_refused_for_reading_and_writing(
    stick: Stick, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("secret")
    (stick.root / "d").symlink_to(outside)
    for act in (
        lambda: stick.read("d/x", size_max=100),
        lambda: stick.names("d"),
        lambda: stick.write("d/y", b"1"),
        lambda: stick.remove("d/x"),
    ):
        with pytest.raises(StickError, match="stands in its way"):
            act()
    assert [p.name for p in outside.iterdir()] == ["x"]


def test_writing_over_a_link_replaces_the_link_and_not_its_target(
    stick: Stick, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    (stick.root / "x").symlink_to(target)
    stick.write("x", b"new")
    assert target.read_text() == "kept"
    assert not (stick.root / "x").is_symlink()


@pytest.mark.timeout(20)
def test_pipe_socket_and_folder_in_a_files_place_are_refused_at_once(stick: Stick) -> None:
    os.mkfifo(stick.root / "pipe")
    (stick.root / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(stick.root / "socket"))
        for name in ("pipe", "folder", "socket"):
            with pytest.raises(StickError, match="not a plain file"):
                stick.read(name, size_max=100)


def test_file_over_its_limit_is_refused_without_reading_it_whole(stick: Stick) -> None:
    with (stick.root / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(StickError, match="larger than it may be"):
        stick.read("huge", size_max=100)


def test_heap_of_files_is_refused_not_walked(stick: Stick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stick_module, "NAMES_MAX", 10)
    for number in range(11):
        stick.write(f"d/{number}", b"")
    with pytest.raises(StickError, match="too many files"):
        stick.names("d")


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a/../b", ".hidden", "a/.b", "a\0b", ""])
def test_path_that_leads_elsewhere_is_refused(stick: Stick, path: str) -> None:
    for act in (
        lambda: stick.read(path, size_max=1),
        lambda: stick.write(path, b"1"),
        lambda: stick.remove(path),
    ):
        with pytest.raises(StickError):
            act()
    assert list(stick.root.iterdir()) == []


def test_names_that_cannot_be_ours_are_passed_over(stick: Stick) -> None:
    for name in ("good", "with space", ".hidden", "ünicode", "-dash"):
        (stick.root / name).write_text("")
    (stick.root / "d").mkdir()
    for name in ("good", "with space", ".hidden"):
        (stick.root / "d" / name).write_text("")
    assert stick.names("d") == ["good"]


def test_stick_that_lies_about_what_it_keeps_is_found(
    stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_in = Stick._write_in

    def lie(directory: int, name: str, data: bytes) -> None:
        write_in(directory, name, data[:-1])

    monkeypatch.setattr(Stick, "_write_in", staticmethod(lie))
    with pytest.raises(StickError, match="gave back other bytes"):
        stick.write("a/b", b"bytes")


def test_full_stick_leaves_no_half_file(stick: Stick, monkeypatch: pytest.MonkeyPatch) -> None:
    stick.write("a/b", b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StickError, match="No space left"):
        stick.write("a/b", b"new")
    assert (stick.root / "a" / "b").read_bytes() == b"old"
    assert [p.name for p in (stick.root / "a").iterdir()] == ["b"]
