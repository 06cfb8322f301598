"""Copies that prove to be equal, and an epoch that is never gone on with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger.backup import MANIFEST, NAME, back_up, check_backup
from ledger.cli import main
from ledger.element import Right
from ledger.entry import Sealed
from ledger.errors import JournalError
from ledger.folder import TerminalFolder, open_folder
from ledger.fsck import check_journal
from ledger.journal import open_journal
from ledger.restore import bring_back
from sync_agent.province.evidence import ChainCase, ChainKind
from sync_agent.province.sticks import once_with
from sync_agent.stick import Stick
from terminal.counter import Redeemed, open_counter
from tests.commands import Command
from tests.point import Point, make_point
from tests.simulation.town import make_terminal
from tests.sync_world import SyncWorld, batch_of, install, small_world, sync
from tests.unit.ledger.journals import tamper
from tests.unit.sync_agent.test_evidence import begun_anew
from tests.world import KEC_1


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    made = make_point(tmp_path / "point")
    yield made
    made.counter.close()


def test_copy_made_while_it_is_served_is_equal_to_the_last_entry(
    point: Point, tmp_path: Path
) -> None:
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    made = back_up(point.folder.journal, tmp_path / "copy")
    head = point.counter.state().head
    assert (made.entries, made.head) == (1, head)
    assert isinstance(point.show("mawar", quantity=1), Redeemed)
    assert check_backup(tmp_path / "copy")[0] == made
    assert check_journal(tmp_path / "copy" / NAME, terminal=1, epoch=1).ok


def test_copy_is_never_written_over_another(point: Point, tmp_path: Path) -> None:
    back_up(point.folder.journal, tmp_path / "copy")
    with pytest.raises(JournalError, match="never overwritten"):
        back_up(point.folder.journal, tmp_path / "copy")


def test_damaged_journal_gives_no_copy_to_rely_on(point: Point, tmp_path: Path) -> None:
    point.show("mawar")
    point.counter.close()
    tamper(point.folder.journal, "UPDATE entry SET leaf = zeroblob(32)")
    with pytest.raises(JournalError, match="do not rely on it"):
        back_up(point.folder.journal, tmp_path / "copy")
    assert not (tmp_path / "copy" / MANIFEST).exists()


def spoil_file(copy: Path) -> None:
    data = bytearray((copy / NAME).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / NAME).write_bytes(data)


def spoil_head(copy: Path) -> None:
    values = msgspec.json.decode((copy / MANIFEST).read_bytes())
    (copy / MANIFEST).write_bytes(msgspec.json.encode(values | {"head": "00" * 32}))


def spoil_count(copy: Path) -> None:
    values = msgspec.json.decode((copy / MANIFEST).read_bytes())
    (copy / MANIFEST).write_bytes(msgspec.json.encode(values | {"entries": 0, "head": ""}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_file, "is not the file that was copied"),
        (spoil_head, "does not end where"),
        (spoil_count, "does not end where"),
        (lambda copy: (copy / NAME).unlink(), "is not the file that was copied"),
        (lambda copy: (copy / MANIFEST).unlink(), "no copy of a journal"),
        (lambda copy: (copy / MANIFEST).write_bytes(b"{}"), "is damaged"),
    ],
)
def test_copy_that_is_not_what_was_copied_is_refused(
    point: Point, tmp_path: Path, spoil: object, told: str
) -> None:
    point.show("mawar")
    back_up(point.folder.journal, tmp_path / "copy")
    spoil(tmp_path / "copy")  # type: ignore[operator]
    with pytest.raises(JournalError, match=told):
        check_backup(tmp_path / "copy")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _handle: None)
        made = small_world(tmp_path / "world")
        yield made
    made.province.close()


def new_epoch(world: SyncWorld) -> TerminalFolder:
    """A folder of terminal 1's next epoch, enrolled, without a journal."""
    root = world.folder / "new"
    folder = make_terminal(root, 1, epoch=2, home=KEC_1)
    for file in root.glob("journal.db*"):
        file.unlink()
    old = world.terminals[0]
    world.terminals.append(msgspec.structs.replace(old, epoch=2, spki=folder.signer().public.spki))
    world.give_root(folder)
    world.province.release(world.sign_release())
    return folder


def test_brought_back_in_a_new_epoch_all_counts_as_taken_and_is_handed_in(
    world: SyncWorld, tmp_path: Path
) -> None:
    first, second, _ = world.homes_1
    world.take(world.one, first)
    back_up(world.one.journal, tmp_path / "copy")
    world.take(world.one, second)
    lost = world.one
    shutil.rmtree(lost.root)
    folder = new_epoch(world)
    made = bring_back(folder, tmp_path / "copy", signer=folder.signer(), now=world.clock.read())
    assert made.entries == 1
    journal = open_journal(folder.journal)
    [entry], _ = journal.signed_run(1)
    assert entry.content == Sealed("restored", 1, 1, bytes.fromhex(made.head))
    elements = journal.known().elements(Right(first, 0, 1, 1))
    assert [(e.id.epoch, e.id.seq) for e in elements] == [(1, 1)]
    journal.close()
    assert check_journal(folder.journal, terminal=1, epoch=2).faults == ()
    stick = tmp_path / "stick"
    stick.mkdir()
    once_with(world.province, Stick(stick))
    assert sync(folder, stick).uploaded == 0, "the ledger comes first: it says to whom to seal"
    assert install(world, folder).ledger is not None
    sync(open_folder(folder.root / "former" / "1"), stick)
    once_with(world.province, Stick(stick))
    assert world.province.head(1, 1).seq == 1
    sync(folder, stick)
    once_with(world.province, Stick(stick))
    assert world.province.head(1, 2).seq == 1
    counter = open_counter(folder, clock=world.clock)
    assert counter.state().seq == 1
    counter.close()


def test_what_only_the_copy_holds_is_owed_until_it_is_handed_in(
    world: SyncWorld, tmp_path: Path
) -> None:
    world.take(world.one, world.homes_1[0])
    world.province.take(batch_of(world.one), road="http")
    world.take(world.one, world.homes_1[1])
    back_up(world.one.journal, tmp_path / "copy")
    shutil.rmtree(world.one.root)
    folder = new_epoch(world)
    bring_back(folder, tmp_path / "copy", signer=folder.signer(), now=world.clock.read())
    for _ in range(2):
        world.province.take(batch_of(folder), road="http")
        assert world.province.chain_cases() == [ChainCase(ChainKind.MISSING, 1, 1, 2, 2, 1)]
    former = open_folder(folder.root / "former" / "1")
    world.province.take(batch_of(former), road="stick")
    assert world.province.chain_cases() == []


def test_copy_of_a_lost_branch_that_was_brought_back_is_a_fork(
    world: SyncWorld, tmp_path: Path
) -> None:
    world.take(world.one, world.homes_1[0])
    back_up(world.one.journal, tmp_path / "copy")
    begun_anew(world.one)
    world.take(world.one, world.homes_1[1])
    world.province.take(batch_of(world.one), road="http")
    shutil.rmtree(world.one.root)
    folder = new_epoch(world)
    bring_back(folder, tmp_path / "copy", signer=folder.signer(), now=world.clock.read())
    world.province.take(batch_of(folder), road="http")
    assert world.province.chain_cases() == [ChainCase(ChainKind.FORK, 1, 1, 1, 1, 1)]


def test_its_own_epoch_is_never_gone_on_with(point: Point, tmp_path: Path) -> None:
    point.show("mawar")
    back_up(point.folder.journal, tmp_path / "copy")
    point.counter.close()
    for file in point.folder.root.glob("journal.db*"):
        file.unlink()
    with pytest.raises(JournalError, match="never gone on with"):
        bring_back(point.folder, tmp_path / "copy", signer=point.folder.signer(),
                   now=point.world.clock.read())  # fmt: skip
    assert not point.folder.journal.exists()


def test_copy_is_not_brought_back_over_a_journal_nor_at_another_terminal(
    point: Point, world: SyncWorld, tmp_path: Path
) -> None:
    point.show("mawar")
    back_up(point.folder.journal, tmp_path / "copy")
    folder = new_epoch(world)
    (folder.root / "journal.db").touch()
    with pytest.raises(JournalError, match="never overwritten"):
        bring_back(folder, tmp_path / "copy", signer=folder.signer(), now=world.clock.read())
    for file in world.two.root.glob("journal.db*"):
        file.unlink()
    with pytest.raises(JournalError, match=r"is of terminal 1, not of 2"):
        bring_back(world.two, tmp_path / "copy", signer=world.two.signer(),
                   now=world.clock.read())  # fmt: skip


FORMER = {
    "an entry of it gone": ("DELETE FROM former WHERE seq = 1", "is missing"),
    "changed": ("UPDATE former SET leaf = zeroblob(32)", "does not follow"),
    "its key changed": ("UPDATE former_epoch SET spki = x'00'", "without its key"),
    "all of it gone": ("DELETE FROM former", "seals another head"),
}


@pytest.mark.parametrize("damage", FORMER)
def test_damage_to_what_was_brought_back_is_found(
    world: SyncWorld, tmp_path: Path, damage: str
) -> None:
    for household in world.homes_1:
        world.take(world.one, household)
    back_up(world.one.journal, tmp_path / "copy")
    folder = new_epoch(world)
    bring_back(folder, tmp_path / "copy", signer=folder.signer(), now=world.clock.read())
    assert check_journal(folder.journal, terminal=1, epoch=2).ok
    sql, told = FORMER[damage]
    tamper(folder.journal, sql)
    faults = check_journal(folder.journal, terminal=1, epoch=2).faults
    assert any(told in fault for fault in faults), faults


def test_commands_say_what_they_did(
    world: SyncWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Command(main, monkeypatch, capsys)
    world.take(world.one, world.homes_1[0])
    copy = tmp_path / "copy"
    made = run_of(run, "backup", "--config", world.one.root, "--to", copy, "--json")
    assert made["entries"] == 1
    folder = new_epoch(world)
    back = run_of(run, "restore", "--config", folder.root, "--from", copy, "--json")
    assert (back["entries"], back["head"]) == (1, made["head"])
    again = run("restore", "--config", folder.root, "--from", copy)
    assert (again.code, "never overwritten" in again.sentence) == (1, True)


def run_of(run: Command, *arguments: object) -> dict[str, object]:
    run.monkeypatch.setattr("sys.argv", ["betang-ledger", *map(str, arguments)])
    run.capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code in {0, None}
    report: dict[str, object] = msgspec.json.decode(run.capsys.readouterr().out)
    return report
