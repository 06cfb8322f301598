"""The report of what a thief could read: it counts what lies there, and misses no file."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from card_codec.refusal import Refused
from ledger.contents import Contents, Held, Readable, read_contents
from ledger.contents_files import is_disk_encrypted, lying_files, swap_areas
from ledger.custody import FileCustody
from ledger.errors import LedgerError
from ledger.folder import TerminalFolder, open_folder
from ledger.people_file import seal_people
from ledger.rights_file import MemberRight
from terminal.contents_table import contents_table
from terminal.counter import Counter, Found, Presentation, Request
from tests.world import DESA_1, KEC_2, World

KK, NIK = "6299012802260003", "6299010101900001"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One counter after a morning: a food parcel, a visit, a refusal, two look-ups."""
    world = World(tmp_path)
    folder = world.terminal("Satu")
    world.terminal("Dua", home=KEC_2)
    visits = (MemberRight(2, 3, 6),)
    siti, budi = world.household("siti", members=visits), world.household("budi")
    world.household("yanti", kecamatan=KEC_2)
    world.blocked["629901"].append((budi, 1))
    world.villagers.add(siti, "Siti Aminah", "Dewi Aminah", numbers={0: KK, 1: NIK})
    world.villagers.add(budi, "Budi Santoso")
    world.publish()
    world.bring(folder)
    world.open_day(folder)
    counter = world.counter(folder)
    counter.take_in_box()
    _morning(counter, world.card(siti), world.card(budi))
    counter.close()
    return world


def _morning(counter: Counter, card: str, blocked: str) -> None:
    found = counter.look_up(KK)
    assert isinstance(found, Found)
    counter.redeem(Presentation.of_found(found), Request("pangan"))
    counter.redeem(Presentation(card), Request("klinik", 2, 1))
    assert isinstance(counter.redeem(Presentation(blocked), Request("pangan")), Refused)
    assert isinstance(counter.look_up("6299010101260099"), Refused)


def _contents(world: World, *, is_open: bool = True) -> Contents:
    folder = _folder(world)
    if not is_open:
        world.room(folder).wipe()
    return read_contents(folder, FileCustody(world.room(folder), world.clock))


def _folder(world: World) -> TerminalFolder:
    return open_folder(world.folder / "Satu")


def _counts(records: tuple[Held, ...]) -> dict[str, int | None]:
    return {record.what: record.count for record in records if record.where.endswith(("db", "e/"))}


def test_everything_is_counted_from_what_lies_there(world: World) -> None:
    assert _counts(_contents(world).records) == {
        "households of 629901 (pseudonyms)": 2,
        "rights of persons of 629901 (pseudonyms)": 1,
        "households of 629902 (pseudonyms)": 1,
        "rights of persons of 629902 (pseudonyms)": 0,
        "blocked cards": 1,
        "entries: redemption": 2,
        "entries: handover": 2,
        "entries: refusal": 1,
        "entries: look-up": 2,
        "redemptions of one person by programme klinik": 1,
        "redemptions elsewhere (usage)": 0,
        "families by name": 2,
        "members by name": 3,
        "years of birth": 0,
        "tags of NIK and KK numbers": 2,
    }


def test_names_are_readable_open_and_cost_a_pin_closed(world: World) -> None:
    opened, closed = _contents(world), _contents(world, is_open=False)
    assert (opened.day_open, closed.day_open) == (True, False)
    for contents in (opened, closed):
        people = [r for r in contents.records if r.where == "people/"]
        assert {(r.open, r.closed) for r in people} == {(Readable.YES, Readable.PIN)}
        others = [r for r in contents.records if r.where.endswith(".db")]
        assert {(r.open, r.closed) for r in others} == {(Readable.YES, Readable.YES)}
    assert all(r.count is None for r in closed.records if r.where == "people/")
    assert [(v.desa, v.name, v.ours, v.families) for v in closed.villages] == [
        (DESA_1, "Desa Satu", None, None),
    ] * len(closed.villages)


def test_people_sealed_to_others_are_told_as_such_and_not_counted(world: World) -> None:
    other = [world.villagers.recipients[2]]
    sealed = seal_people(world.villagers.file(DESA_1, other), other)
    (_folder(world).people / f"{DESA_1}.age").write_bytes(sealed)
    contents = _contents(world)
    mine = {v.where.partition("/")[0]: v.ours for v in contents.villages}
    assert mine == {"in-box": True, "people": False}
    assert not any(r.where == "people/" for r in contents.records)


def test_every_key_is_told_with_its_worth(world: World) -> None:
    keys = {key.where: key for key in _contents(world).keys}
    assert {where: (key.open, key.closed) for where, key in keys.items()} == {
        "keys/terminal.pem": (Readable.YES, Readable.YES),
        "keys/terminal.pub": (Readable.NO, Readable.NO),
        "keys/root.json": (Readable.NO, Readable.NO),
        "keys/sealing.pub": (Readable.NO, Readable.NO),
        "keys/sealing.locked": (Readable.YES, Readable.PIN),
    }
    assert DESA_1 in keys["keys/sealing.locked"].worth
    assert all(key.worth for key in keys.values())


@pytest.mark.parametrize(
    "path", ["notes.txt", "people/names.csv", "in-box/targets/x", "trusted/y", "out-box/z", "a/b"]
)
def test_file_that_nobody_knows_is_told(world: World, path: str) -> None:
    assert _contents(world).others == ()
    planted = _folder(world).root / path
    planted.parent.mkdir(exist_ok=True, parents=True)
    planted.write_bytes(b"Siti Aminah")
    assert [(other.path, other.size_bytes) for other in _contents(world).others] == [(path, 11)]


def test_key_that_nobody_knows_is_told_as_readable(world: World) -> None:
    (_folder(world).root / "keys" / "spare.pem").write_bytes(b"?")
    (spare,) = [k for k in _contents(world).keys if k.where == "keys/spare.pem"]
    assert (spare.open, spare.closed) == (Readable.YES, Readable.YES)


def test_no_file_is_left_out_of_the_report(world: World) -> None:
    folder = _folder(world)
    contents = _contents(world)
    told = {k.where for k in contents.keys} | {v.where for v in contents.villages}
    counted = sum(r.count or 0 for r in contents.records if r.what.startswith("files: "))
    files = lying_files(folder)
    rest = [f.path for f in files if f.path not in told and not f.told]
    assert counted == sum(f.told for f in files)
    assert sorted(rest) == [
        ".installing", "journal.db", "people/index.json", "reserve", "rights.db", "terminal.toml",
        "trusted/seen",
    ]  # fmt: skip


def test_reading_changes_nothing_and_the_report_names_nobody(world: World) -> None:
    folder = _folder(world)
    before = {f.path: (folder.root / f.path).read_bytes() for f in lying_files(folder)}
    contents = _contents(world)
    said = str(asdict(contents)) + "\n".join(contents_table(contents))
    assert {f.path: (folder.root / f.path).read_bytes() for f in lying_files(folder)} == before
    for secret in ("Siti", "Dewi", "Budi", KK, NIK):
        assert secret not in said


def test_new_terminal_has_a_report_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    folder = world.terminal("Satu")
    contents = read_contents(folder, FileCustody(None, world.clock))
    assert contents.villages == ()
    assert [r.what for r in contents.records] == ["redemptions elsewhere (usage)"]
    assert list(contents_table(contents))


def test_damaged_database_is_told_and_not_passed_over(world: World) -> None:
    path = _folder(world).rights
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(LedgerError):
        _contents(world)


def test_table_says_open_and_closed_for_every_record(world: World) -> None:
    lines = list(contents_table(_contents(world, is_open=False)))
    assert lines[0] == "Terminal T001: what a thief could read"
    (names,) = [line for line in lines if line.startswith("families by name")]
    assert names.split("  ")[0] == "families by name"
    assert "if PIN guessed" in names
    assert "?" in names
    assert any(line.startswith("? is counted while the day is open") for line in lines)


def test_encryption_and_swap_are_read_from_the_system(tmp_path: Path) -> None:
    device = os.stat(tmp_path).st_dev
    block = tmp_path / "dev" / f"{os.major(device)}:{os.minor(device)}"
    assert is_disk_encrypted(tmp_path, tmp_path / "dev") is None
    block.mkdir(parents=True)
    assert is_disk_encrypted(tmp_path, tmp_path / "dev") is False
    (block / "dm").mkdir()
    (block / "dm" / "uuid").write_text("CRYPT-LUKS2-abc-root")
    assert is_disk_encrypted(tmp_path, tmp_path / "dev") is True
    (block / "dm" / "uuid").write_text("LVM-abc")
    assert is_disk_encrypted(tmp_path, tmp_path / "dev") is False
    swaps = tmp_path / "swaps"
    assert swap_areas(swaps) == ()
    swaps.write_text("Filename Type Size\n/dev/sda2 partition 1\n/dev/zram0 partition 1\n")
    assert swap_areas(swaps) == ("/dev/sda2",)
