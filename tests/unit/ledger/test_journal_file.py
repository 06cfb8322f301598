"""The journal as a file: made whole or not at all, never overwritten, never another's."""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from card_codec.keys import PrivateKey
from ledger.boot import check_pages
from ledger.errors import JournalDamagedError, JournalError
from ledger.folder import TerminalFolder, open_folder
from ledger.journal import Identity, create_journal, open_journal
from terminal.counter import open_counter
from terminal.init import ensure_journal, make_keys
from tests.unit.ledger.journals import commit, fresh, given
from tests.unit.ledger.samples import KEY
from tests.world import World

IDENTITY = Identity(1, 1, KEY.public)


class PowerCutError(Exception):
    """The machine stops here."""


@pytest.fixture
def folder(tmp_path: Path) -> TerminalFolder:
    """A terminal that was enrolled and has not served yet."""
    folder = World(tmp_path).terminal("Loket")
    folder.journal.unlink()
    return folder


def test_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"somebody's")
    with pytest.raises(JournalError, match="never overwritten"):
        create_journal(path, IDENTITY)
    assert path.read_bytes() == b"somebody's"
    assert os.listdir(tmp_path) == ["journal.db"]


def test_journal_that_cannot_be_made_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot make"):
        create_journal(tmp_path / "missing" / "journal.db", IDENTITY)
    assert os.listdir(tmp_path) == []


STEPS = ["sqlite3.connect", "os.fsync", "os.link", "os.open"]


@pytest.mark.parametrize("step", STEPS)
def test_power_cut_while_it_is_made_leaves_no_half_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Cut at the first such step, then at the second, until it is made."""
    path, cuts = tmp_path / "journal.db", 0
    module, name = step.split(".")
    real: Callable[..., object] = getattr({"os": os, "sqlite3": sqlite3}[module], name)
    while not path.exists():
        left = cuts

        def cut(*args: object, **kwargs: object) -> object:
            nonlocal left
            if left == 0:
                raise PowerCutError
            left -= 1
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.{name}", cut)
            try:
                create_journal(path, IDENTITY).close()
            except PowerCutError:
                cuts += 1
        if path.exists():
            break
    assert cuts >= 1
    journal = open_journal(path)
    commit(journal, given())
    assert journal.head().seq == 1


def test_two_processes_that_make_it_at_once_share_one(
    folder: TerminalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw no file; the second finds the first one's and leaves it alone."""
    both = threading.Barrier(2)
    link = os.link

    def link_together(*args: Path) -> None:
        both.wait(5)
        link(*args)

    monkeypatch.setattr(os, "link", link_together)
    monkeypatch.setattr(os, "getpid", threading.get_ident)  # as if they were processes
    threads = [threading.Thread(target=ensure_journal, args=(folder,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert open_journal(folder.journal).head().seq == 0
    assert [n for n in os.listdir(folder.root) if n.startswith(".building")] == []


def test_existing_journal_is_left_alone(folder: TerminalFolder) -> None:
    ensure_journal(folder)
    before = folder.journal.read_bytes()
    ensure_journal(folder)
    assert folder.journal.read_bytes() == before


def test_lost_journal_of_a_terminal_that_has_served_is_not_begun_anew(
    folder: TerminalFolder,
) -> None:
    """A new one under the same epoch would forget what was given and number it again."""
    folder.rights.write_bytes(b"")
    with pytest.raises(JournalError, match="is gone; bring it back, or ask"):
        ensure_journal(folder)
    assert not folder.journal.exists()


# --- whose it is ---


def test_journal_of_another_terminal_is_not_served(tmp_path: Path) -> None:
    world = World(tmp_path)
    one, two = world.terminal("Satu"), world.terminal("Dua")
    os.replace(two.journal, one.journal)
    with pytest.raises(JournalError, match=r"journal of T002; terminal.toml names T001"):
        open_counter(one)


def test_journal_is_not_served_with_another_key(folder: TerminalFolder) -> None:
    ensure_journal(folder)
    folder.signing_key.write_bytes(PrivateKey.generate().to_pem())
    with pytest.raises(JournalError, match="is not the key"):
        open_counter(folder)


def test_epoch_of_the_configuration_is_the_journals(folder: TerminalFolder) -> None:
    ensure_journal(folder)
    text = (folder.root / "terminal.toml").read_text().replace("epoch = 1", "epoch = 2")
    (folder.root / "terminal.toml").write_text(text)
    with pytest.raises(JournalError, match=r"journal of T001; terminal.toml names T001.2"):
        open_counter(open_folder(folder.root))


# --- what is no journal ---


def refused(path: Path) -> str:
    """Why a file is not opened; it must not be touched."""
    before = path.read_bytes()
    with pytest.raises(JournalError) as caught:
        open_journal(path)
    assert path.read_bytes() == before
    assert "\n" not in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\x00", bytes(8192)])
def test_file_that_is_no_journal_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    assert refused(path)


def test_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "journal.db", tmp_path):
        with pytest.raises(JournalError, match="no journal at"):
            open_journal(path)


def test_journal_cut_short_anywhere_is_called_damaged(tmp_path: Path) -> None:
    journal = fresh(tmp_path)
    for _ in range(60):
        commit(journal, given())
    journal.close()
    whole = journal.path.read_bytes()
    cut = tmp_path / "cut.db"
    for length in range(0, len(whole), 509):
        cut.write_bytes(whole[:length])
        with pytest.raises(JournalDamagedError, match="journal is damaged") as caught:
            look_through(cut)
        assert "\n" not in caught.value.detail
        for more in ("-wal", "-shm"):
            Path(f"{cut}{more}").unlink(missing_ok=True)
    assert look_through(journal.path)


def look_through(path: Path) -> bool:
    """What a counter does before a day of service."""
    journal = open_journal(path)
    try:
        check_pages(journal)
    finally:
        journal.close()
    return True


def test_wal_cut_short_loses_only_the_newest_acts(tmp_path: Path) -> None:
    """As after a power cut with pages on their way: what opens is a chain that holds."""
    journal = fresh(tmp_path)
    for _ in range(5):
        commit(journal, given())
    main, wal = journal.path.read_bytes(), Path(f"{journal.path}-wal").read_bytes()
    copy, found = tmp_path / "copy.db", set()
    for length in range(0, len(wal) + 1, 1500):
        copy.write_bytes(main)
        Path(f"{copy}-wal").write_bytes(wal[:length])
        Path(f"{copy}-shm").unlink(missing_ok=True)
        opened = open_journal(copy)
        seqs = [entry.body.seq for entry in opened.signed_run(1)[0]]
        assert seqs == list(range(1, len(seqs) + 1))
        found.add(len(seqs))
        opened.close()
    assert found >= {0, 4}


# --- the key ---


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    public = make_keys(tmp_path)
    private = tmp_path / "keys" / "terminal.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    key = PrivateKey.from_pem(private.read_bytes())
    assert public.read_text() == key.public.to_pem()
    before = private.read_bytes()
    with pytest.raises(JournalError.__base__, match="never replaced"):  # type: ignore[arg-type]
        make_keys(tmp_path)
    assert private.read_bytes() == before


def test_power_cut_between_the_two_halves_of_the_key_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace
    done: list[tuple[str, ...]] = []

    def once(*args: str) -> None:
        if done:
            raise PowerCutError
        done.append(args)
        replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", once)
        with pytest.raises(PowerCutError):
            make_keys(tmp_path)
    public = make_keys(tmp_path)
    private = (tmp_path / "keys" / "terminal.pem").read_bytes()
    assert public.read_text() == PrivateKey.from_pem(private).public.to_pem()
