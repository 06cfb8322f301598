"""People files from the in-box to the memory of an open day, and every way to spoil them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Targets

from ledger.custody import FileCustody
from ledger.errors import ClosedError, RecordError
from ledger.folder import TerminalFolder
from ledger.install import Installed, take_in_box
from ledger.journal import Journal, open_journal
from ledger.people import INDEX, NOBODY, People, homes_of, open_people, served_desa
from ledger.people_file import people_path, read_people, seal_people, write_people
from ledger.policy import HomeException
from ledger.repository import online_role, tuf_signer
from ledger.sealing import SEALED_SIZE_MAX, seal
from tests.villagers import Villagers
from tests.world import DESA_1, DESA_2, KEC_1, KEC_2, World

NIK, KK = "6299010101900001", "6299012802260003"
NAMES = ("Siti Aminah", "Rahmad Aminah")


@dataclass
class Village:
    """A world with one named family at home here, and one at the other terminal."""

    world: World
    folder: TerminalFolder
    other: TerminalFolder
    journal: Journal
    family: bytes
    away: bytes

    @property
    def villagers(self) -> Villagers:
        return self.world.villagers

    def publish(self) -> None:
        self.world.publish()
        shutil.rmtree(self.folder.in_box, ignore_errors=True)
        self.world.bring(self.folder)

    def take(self) -> Installed:
        return take_in_box(self.folder, self.journal, self.world.clock.read())

    def custody(self) -> FileCustody:
        return FileCustody(self.world.room(self.folder), self.world.clock)

    def open(self) -> People:
        self.world.open_day(self.folder)
        return open_people(self.folder, self.custody())

    def held(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.people.glob("*")}


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    world = World(tmp_path)
    mine, other = world.terminal("Satu"), world.terminal("Dua", home=KEC_2)
    family, away = world.household("siti"), world.household("yanti", kecamatan=KEC_2)
    world.villagers.add(family, *NAMES, numbers={0: KK, 1: NIK})
    world.villagers.add(away, "Yanti Marlina", desa=DESA_2)
    journal = open_journal(mine.journal)
    made = Village(world, mine, other, journal, family, away)
    made.publish()
    yield made
    journal.close()


def test_only_the_desa_served_here_are_installed_and_they_stay_sealed(village: Village) -> None:
    assert village.take().problem is None
    assert sorted(village.held()) == [f"{DESA_1}.age", INDEX]
    with pytest.raises(ClosedError):
        open_people(village.folder, village.custody())
    people = village.open()
    assert people.problems == ()
    assert people.names(village.family) == {0: NAMES[0], 1: NAMES[0], 2: NAMES[1]}
    assert people.names(village.away) == {}
    assert people.family(village.away) is None


def test_installing_again_writes_nothing_anew(village: Village) -> None:
    village.take()
    path = village.folder.people / f"{DESA_1}.age"
    before = path.stat().st_ino
    world = village.world
    world.repository.publish(tuf_signer(world.online), now=world.clock.wall + 1)
    world.bring(village.folder)
    assert village.take().changed
    assert path.stat().st_ino == before


def test_exceptions_of_home_bring_the_people_too(village: Village) -> None:
    policy = village.world.policy()
    exception = HomeException(DESA_2, 3, 1)
    changed = msgspec.structs.replace(policy, home_exceptions=(exception,))
    assert served_desa(policy, 1) == (DESA_1,)
    assert served_desa(changed, 1) == (DESA_1, DESA_2)
    assert homes_of(changed, DESA_2) == {1, 2}
    assert served_desa(policy, 0) == ()


def _in_box_file(village: Village, desa: str = DESA_1) -> Path:
    repository = village.world.repository
    newest = repository.load("targets", Targets)
    digest = newest.targets[people_path(desa)].hashes["sha256"]
    return village.folder.in_box / "targets" / "people" / desa[:6] / f"{digest}.{desa}.age"


def _is_refused(village: Village) -> None:
    """What was brought is refused, and what was installed stands as it was."""
    held, rights = village.held(), village.folder.rights.read_bytes()
    installed = village.take()
    assert installed.problem is not None
    assert village.held() == held
    assert village.folder.rights.read_bytes() == rights
    assert village.open().names(village.family)[0] == NAMES[0]


def _newer(village: Village) -> None:
    """A newer publication with one more family lies in the in-box."""
    village.take()
    village.world.clock.pass_time(60)
    more = village.world.household("budi")
    village.villagers.add(more, "Budi Santoso")
    village.publish()


def test_people_file_of_another_desa_is_refused(village: Village) -> None:
    _newer(village)
    _in_box_file(village).write_bytes(_in_box_file(village, DESA_2).read_bytes())
    _is_refused(village)


def test_people_file_truncated_in_the_in_box_is_refused(village: Village) -> None:
    _newer(village)
    whole = _in_box_file(village).read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        _in_box_file(village).write_bytes(whole[:size])
        _is_refused(village)


def test_people_file_that_was_not_brought_holds_the_ledger_back(village: Village) -> None:
    _newer(village)
    _in_box_file(village).unlink()
    _is_refused(village)


def test_people_file_longer_than_signed_is_not_read_to_its_end(village: Village) -> None:
    _newer(village)
    path = _in_box_file(village)
    path.write_bytes(path.read_bytes() + bytes(1_000_000))
    _is_refused(village)


def test_people_file_over_the_limit_is_refused_before_it_is_read(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    _newer(village)
    monkeypatch.setattr("ledger.people_install.SEALED_SIZE_MAX", 100)
    _is_refused(village)
    assert SEALED_SIZE_MAX == 8 * 1024 * 1024


def test_swapped_signature_of_the_decree_is_refused(village: Village) -> None:
    _newer(village)
    (newest,) = village.folder.in_box.glob("metadata/2.targets.json")
    (older,) = village.world.repository.folder.glob("metadata/1.targets.json")
    metadata = json.loads(newest.read_text())
    metadata["signatures"] = json.loads(older.read_text())["signatures"]
    newest.write_text(json.dumps(metadata))
    _is_refused(village)


def test_people_file_signed_by_the_online_key_is_not_even_looked_at(village: Village) -> None:
    """The online role's paths are its own: a people file it names is not found."""
    world = village.world
    village.take()
    world.clock.pass_time(60)
    forged = Villagers(recipients=village.villagers.recipients)
    forged.add(village.family, "Nama Palsu")
    (path, sealed) = next(forged.sealed(world.policy()))
    village.villagers.families.pop(DESA_1)
    world.publish()
    usage = world.repository.load(online_role(KEC_1), Targets)
    world.repository.add_target(usage, path, sealed)
    world.repository.sign(
        usage, online_role(KEC_1), signers=[tuf_signer(world.online)], now=world.clock.wall
    )
    world.repository.publish(tuf_signer(world.online), now=world.clock.wall)
    shutil.rmtree(village.folder.in_box)
    world.bring(village.folder)
    assert village.take().problem is None
    assert village.held() == {}
    assert village.open().names(village.family) == {}


def _lay(village: Village, sealed: bytes) -> None:
    """Somebody who can write to the disk lays a file there and notes its hash."""
    (village.folder.people / f"{DESA_1}.age").write_bytes(sealed)
    digests = {DESA_1: hashlib.sha256(sealed).hexdigest()}
    (village.folder.people / INDEX).write_text(json.dumps(digests))


def test_people_file_sealed_to_another_terminal_stays_closed_and_is_told(village: Village) -> None:
    village.take()
    other = [village.villagers.recipients[2]]
    _lay(village, seal_people(village.villagers.file(DESA_1, other), other))
    people = village.open()
    assert people.files == {}
    assert "another terminal" in people.problems[0]


def test_people_of_another_desa_under_this_name_are_left_out(village: Village) -> None:
    village.take()
    mine = [village.villagers.recipients[1]]
    _lay(village, seal_people(village.villagers.file(DESA_2, mine), mine))
    people = village.open()
    assert people.files == {}
    assert DESA_2 in people.problems[0]


def test_look_up_key_sealed_to_another_terminal_is_found_when_the_day_is_opened(
    village: Village,
) -> None:
    village.take()
    mine, other = village.villagers.recipients[1], village.villagers.recipients[2]
    file = village.villagers.file(DESA_1, [other])
    _lay(village, seal(write_people(file), [mine]))
    assert village.open().files == {}


def test_file_exchanged_on_the_disk_is_not_opened(village: Village) -> None:
    """Anybody can seal to a public key: what the decree did not sign is left closed."""
    village.take()
    mine = [village.villagers.recipients[1]]
    forged = Villagers()
    forged.add(village.family, "Nama Palsu")
    path = village.folder.people / f"{DESA_1}.age"
    path.write_bytes(seal_people(forged.file(DESA_1, mine), mine))
    people = village.open()
    assert people.names(village.family) == {}
    assert "not the file that the decree signed" in people.problems[0]


def test_file_on_the_disk_truncated_at_every_point_is_left_out(village: Village) -> None:
    village.take()
    path = village.folder.people / f"{DESA_1}.age"
    whole = path.read_bytes()
    village.world.open_day(village.folder)
    for size in range(0, len(whole), 3):
        _lay(village, whole[:size])
        people = open_people(village.folder, village.custody())
        assert people.files == {}
        assert len(people.problems) == 1
    _lay(village, whole)
    assert open_people(village.folder, village.custody()).problems == ()


def test_plain_record_truncated_at_every_point_or_followed_is_refused(village: Village) -> None:
    plain = write_people(village.villagers.file(DESA_1, [village.villagers.recipients[1]]))
    read_people(plain)
    for size in range(len(plain)):
        with pytest.raises(RecordError):
            read_people(plain[:size])
    with pytest.raises(RecordError):
        read_people(plain + b"\x00")


def test_people_of_a_period_that_is_over_are_gone_from_the_disk(village: Village) -> None:
    village.take()
    old = (village.folder.people / f"{DESA_1}.age").read_bytes()
    village.world.clock.pass_time(60)
    village.villagers.families[DESA_1] = []
    village.villagers.period = "2027-1"
    village.villagers.add(village.family, "Siti Aminah Baru")
    superseded = _in_box_file(village)
    village.publish()
    superseded.unlink()  # as the agent sweeps what is no longer offered
    assert village.take().problem is None
    assert village.open().names(village.family)[0] == "Siti Aminah Baru"
    assert _files_with(village.folder.root, old) == []
    assert list(village.folder.trusted.glob("people*")) == []


def test_people_of_a_desa_no_longer_served_are_gone_from_the_disk(village: Village) -> None:
    village.take()
    village.world.clock.pass_time(60)
    first, second = village.world.terminals
    village.world.terminals = [second, msgspec.structs.replace(first, home=KEC_2)]
    village.publish()
    assert village.take().problem is None
    assert village.held() == {}
    assert village.open() == NOBODY


def _files_with(root: Path, data: bytes) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and data in path.read_bytes()]


def test_power_cut_between_rights_and_people_is_mended_by_the_next_look(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    _newer(village)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ledger.install.install_people", cut)
        with pytest.raises(KeyboardInterrupt):
            village.take()
    assert village.open().names(village.family)[0] == NAMES[0]  # the old ones, whole
    assert village.take().problem is None
    budi = hashlib.sha256(b"budi").digest()[:8]
    assert village.open().names(budi)[0] == "Budi Santoso"
