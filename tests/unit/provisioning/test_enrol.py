import hashlib
import re
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from card_codec.keys import PrivateKey, PublicKey
from ledger.access import Door, read_access
from ledger.backup import back_up
from ledger.clock import Reading
from ledger.element import Right
from ledger.entry import Opened
from ledger.errors import FolderError
from ledger.folder import open_folder
from ledger.install import POLICY_PATH, ROLL_PATH, now_here, take_in_box
from ledger.journal import open_journal
from ledger.policy import read_policy
from ledger.restore import bring_back
from ledger.rights import Rights
from ledger.roll import read_roll
from provisioning.enrol import Enrolment, enrol, shut_out
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.office import open_office
from terminal.init import ensure_journal, make_keys
from tests.unit.provisioning.played import (
    KEC_1,
    KEC_2,
    NOW,
    Province,
    enrol_terminal,
    publish_office,
    read_ledger,
)

ENROLMENT = Enrolment(
    name="Loket 1",
    point="Balai Desa",
    home=KEC_1,
    holds=(),
    away=5,
    province_url="http://127.0.0.1:1",
    officer="BR",
)


@pytest.fixture
def terminal(office: Path, province: Province, tmp_path: Path) -> Path:
    """A terminal with its keys, at an office that has published once."""
    publish_office(office, province)
    make_keys(tmp_path / "counter1")
    return tmp_path / "counter1"


def listed(office: Path) -> list[Any]:
    db = sqlite3.connect(office / "office.db")
    found = db.execute("SELECT ordinal, home FROM terminal").fetchall()
    db.close()
    return found


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_enrolled_terminal_finds_its_papers(office: Path, terminal: Path) -> None:
    done = enrol_terminal(office, terminal)
    folder = open_folder(terminal)
    assert (done.ordinal, done.epoch, done.config) == (1, 1, terminal / "terminal.toml")
    assert (folder.config.ordinal, folder.config.epoch, folder.config.home) == (1, 1, KEC_1)
    assert folder.config.point == 'Balai Desa "Satu"'
    assert folder.config.officer == "BR"
    assert re.fullmatch(r"[0-9a-f]{64}", folder.road_token.read_text(encoding="ascii"))
    assert folder.road_token.stat().st_mode & 0o777 == 0o600
    root = office / "release" / "metadata" / "1.root.json"
    assert folder.first_root.read_bytes() == root.read_bytes()
    assert names(terminal) == {
        "keys/terminal.pem",
        "keys/terminal.pub",
        "keys/root.json",
        "keys/road.token",
        "terminal.toml",
    }


def test_next_publication_lists_the_terminal_its_homes_and_its_token(
    office: Path, terminal: Path, province: Province, tmp_path: Path
) -> None:
    make_keys(tmp_path / "counter2")
    enrol_terminal(office, terminal)
    assert enrol_terminal(office, tmp_path / "counter2", home=KEC_2, holds=()).ordinal == 2
    publish_office(office)
    province.take(office / "release")
    files = read_ledger(province.repository, tmp_path / "reader")
    one, two = read_roll(files[ROLL_PATH]).terminals
    assert (one.ordinal, one.home, one.holds, one.away_households) == (1, KEC_1, (KEC_1, KEC_2), 5)
    assert (two.ordinal, two.home, two.holds) == (2, KEC_2, (KEC_2,))
    assert one.spki == open_folder(terminal).signer().public.spki
    homes = {p.desa[:6]: p.home for p in read_policy(files[POLICY_PATH]).places}
    assert homes == {KEC_1: 1, KEC_2: 2}
    token = (terminal / "keys" / "road.token").read_bytes()
    access = read_access((office / "release" / "access.json").read_bytes())
    assert access.terminals[0] == Door(1, 1, hashlib.sha256(token).hexdigest())
    assert access.opens(token.decode()) == access.terminals[0]


def test_before_any_terminal_is_enrolled_no_place_has_a_home(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    province.take(office / "release")
    files = read_ledger(province.repository, tmp_path / "reader")
    assert {p.home for p in read_policy(files[POLICY_PATH]).places} == {0}


def test_enrolled_terminal_installs_the_rights_of_every_household(
    office: Path, terminal: Path, province: Province
) -> None:
    enrol_terminal(office, terminal)
    publish_office(office)
    province.take(office / "release")
    folder = open_folder(terminal)
    ensure_journal(folder)
    shutil.copytree(province.repository.folder, folder.in_box)
    journal = open_journal(folder.journal)
    done = take_in_box(folder, journal, Reading(NOW, 1_000, b"bootboot"))
    journal.close()
    assert done.problem is None
    assert done.changed
    rights = Rights(folder.rights)
    db = sqlite3.connect(office / "office.db")
    households = db.execute("SELECT id, class FROM household").fetchall()
    persons = db.execute("SELECT household, member, programme, quantity FROM person_right")
    for id, class_number in households:
        found = rights.household(id)
        assert found is not None
        assert found.row.class_number == class_number
        assert rights.quantity(found, Right(id, 0, 2, 1)) == 1
    for id, member, programme, quantity in persons:
        found = rights.household(id)
        assert found is not None
        number = {"klinik": 3, "seragam": 4}[programme]
        assert rights.quantity(found, Right(id, member, number, 1)) == quantity
    db.close()
    rights.close()


def test_terminal_of_a_later_root_gets_the_newest_one(
    office: Path, terminal: Path, province: Province
) -> None:
    publish_office(office, Province(province.folder), rotate=True)
    enrol_terminal(office, terminal)
    newest = office / "release" / "metadata" / "2.root.json"
    assert (terminal / "keys" / "root.json").read_bytes() == newest.read_bytes()


def test_key_is_enrolled_once(office: Path, terminal: Path, tmp_path: Path) -> None:
    enrol_terminal(office, terminal)
    copy = tmp_path / "copy" / "keys"
    copy.mkdir(parents=True)
    shutil.copyfile(terminal / "keys" / "terminal.pub", copy / "terminal.pub")
    with pytest.raises(ProvisioningError, match=r"already enrolled as terminal 1 \(Loket 1\)"):
        enrol_terminal(office, tmp_path / "copy")
    assert names(tmp_path / "copy") == {"keys/terminal.pub"}
    assert listed(office) == [(1, KEC_1)]


def test_key_whose_short_name_is_taken_is_refused(office: Path, terminal: Path) -> None:
    one, other = _keys_of_one_kid()
    assert one.kid == other.kid
    public = terminal / "keys" / "terminal.pub"
    public.write_text(one.to_pem(), encoding="ascii")
    enrol_terminal(office, terminal)
    public.write_text(other.to_pem(), encoding="ascii")
    with pytest.raises(ProvisioningError, match=f"short name {one.kid.hex()}"):
        enrol_terminal(office, terminal)
    assert len(listed(office)) == 1


def _keys_of_one_kid() -> tuple[PublicKey, PublicKey]:
    """Two keys that share a kid of 4 bytes: any 32 bytes are an Ed25519 public key."""
    head = PrivateKey.generate().public.spki[:-32]
    seen: dict[bytes, bytes] = {}
    for i in range(1_000_000):
        spki = head + hashlib.sha256(i.to_bytes(4, "big")).digest()
        kid = hashlib.sha256(spki).digest()[:4]
        if kid in seen:
            return PublicKey.from_spki(seen[kid]), PublicKey.from_spki(spki)
        seen[kid] = spki
    raise AssertionError("no pair found")


def test_machine_that_takes_anothers_place_has_its_number_in_the_next_epoch(
    office: Path, terminal: Path, province: Province, tmp_path: Path
) -> None:
    enrol_terminal(office, terminal)
    make_keys(tmp_path / "new")
    done = enrol_terminal(office, tmp_path / "new", again=1)
    config = open_folder(tmp_path / "new").config
    assert (done.ordinal, done.epoch, config.ordinal, config.epoch) == (1, 2, 1, 2)
    publish_office(office)
    province.take(office / "release")
    roll = read_roll(read_ledger(province.repository, tmp_path / "reader")[ROLL_PATH])
    assert [(t.ordinal, t.epoch, t.holds, t.shut_out) for t in roll.terminals] == [
        (1, 1, (KEC_1, KEC_2), None),
        (1, 2, (KEC_1, KEC_2), None),
    ]
    make_keys(tmp_path / "third")
    assert enrol_terminal(office, tmp_path / "third", again=1).epoch == 3


def test_copy_of_a_journal_is_brought_back_where_the_office_enrolled_anew(
    office: Path, terminal: Path, tmp_path: Path
) -> None:
    enrol_terminal(office, terminal)
    old = open_folder(terminal)
    ensure_journal(old)
    journal, now = open_journal(old.journal), Reading(NOW, 1_000, b"bootboot")
    with journal.act() as act:
        act.append(
            Opened("SARI"),
            moment=now_here(journal, now),
            ledger=1,
            officer="SARI",
            signer=old.signer(),
        )
    journal.close()
    back_up(old.journal, tmp_path / "copy")
    make_keys(tmp_path / "new")
    enrol_terminal(office, tmp_path / "new", again=1)
    new = open_folder(tmp_path / "new")
    assert bring_back(new, tmp_path / "copy", signer=new.signer(), now=now).entries == 1


def test_place_of_a_terminal_that_never_was_is_taken_by_none(office: Path, terminal: Path) -> None:
    with pytest.raises(ProvisioningError, match="no terminal 7 is enrolled"):
        enrol_terminal(office, terminal, again=7)
    assert listed(office) == []
    assert "terminal.toml" not in names(terminal)


def test_after_the_last_epoch_a_number_is_given_up(office: Path, terminal: Path) -> None:
    enrol_terminal(office, terminal)
    db = sqlite3.connect(office / "office.db", isolation_level=None)
    db.execute("PRAGMA foreign_keys=OFF")
    db.execute("UPDATE terminal SET epoch = 255")
    db.close()
    make_keys(terminal.parent / "new")
    with pytest.raises(ProvisioningError, match="all 255 epochs"):
        enrol_terminal(office, terminal.parent / "new", again=1)


def test_terminal_that_is_shut_out_stands_so_in_the_next_roll(
    office: Path, terminal: Path, province: Province, tmp_path: Path
) -> None:
    enrol_terminal(office, terminal)
    make_keys(tmp_path / "new")
    enrol_terminal(office, tmp_path / "new", again=1)
    with open_office(office) as opened:
        assert shut_out(opened, "T001", now=NOW) is True
        assert shut_out(opened, "T001", now=NOW + 1) is False
    publish_office(office)
    province.take(office / "release")
    roll = read_roll(read_ledger(province.repository, tmp_path / "reader")[ROLL_PATH])
    assert [(t.epoch, t.shut_out) for t in roll.terminals] == [(1, NOW), (2, None)]
    with open_office(office) as opened:
        assert shut_out(opened, "T001.2", now=NOW) is True


def test_road_token_of_a_terminal_that_is_shut_out_still_says_whose_it_is(
    office: Path, terminal: Path
) -> None:
    enrol_terminal(office, terminal)
    with open_office(office) as opened:
        shut_out(opened, "T001", now=NOW)
    publish_office(office)
    access = read_access((office / "release" / "access.json").read_bytes())
    token = (terminal / "keys" / "road.token").read_text()
    door = access.opens(token)
    assert door is not None, "so that its officer is told why it is refused"
    assert (door.terminal, door.epoch) == (1, 1)


@pytest.mark.parametrize("name", ["", "1", "T1", "T001.", "T001.2.3", "T0000001", "t001", "T００1"])
def test_name_that_is_no_terminals_shuts_nobody_out(
    office: Path, terminal: Path, name: str
) -> None:
    enrol_terminal(office, terminal)
    with open_office(office) as opened, pytest.raises(WrongUseError, match="is no terminal"):
        shut_out(opened, name, now=NOW)


@pytest.mark.parametrize("name", ["T002", "T001.2", "T000", "T001.0"])
def test_terminal_that_is_not_enrolled_is_not_shut_out(
    office: Path, terminal: Path, name: str
) -> None:
    enrol_terminal(office, terminal)
    with open_office(office) as opened, pytest.raises(ProvisioningError, match="no terminal T0"):
        shut_out(opened, name, now=NOW)


@pytest.mark.parametrize(("home", "holds"), [("629977", ()), (KEC_1, (KEC_2, "629977"))])
def test_unknown_kecamatan_is_refused(
    office: Path, terminal: Path, home: str, holds: tuple[str, ...]
) -> None:
    with pytest.raises(ProvisioningError, match="does not serve kecamatan 629977") as refused:
        enrol_terminal(office, terminal, home=home, holds=holds)
    assert not isinstance(refused.value, WrongUseError)
    assert "terminal.toml" not in names(terminal)


@pytest.mark.parametrize(
    "content",
    [b"", b"-----BEGIN PUBLIC KEY-----\n", b"x" * 100_000, PrivateKey.generate().to_pem()],
)
def test_file_that_is_no_public_key_is_refused(
    office: Path, terminal: Path, content: bytes
) -> None:
    (terminal / "keys" / "terminal.pub").write_bytes(content)
    with pytest.raises(ProvisioningError, match=r"terminal\.pub"):
        enrol_terminal(office, terminal)
    assert listed(office) == []


def test_folder_without_a_key_is_refused(office: Path, terminal: Path, tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match="no public key at"):
        enrol_terminal(office, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_office_that_never_published_gives_no_root(office: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "counter1")
    with pytest.raises(ProvisioningError, match="publish` first"):
        enrol_terminal(office, tmp_path / "counter1")


@pytest.mark.parametrize(
    ("enrolment", "words"),
    [
        (replace(ENROLMENT, officer="Bernadetta Rahayu"), "officer"),
        (replace(ENROLMENT, name=""), "name"),
        (replace(ENROLMENT, name="Loket\n1"), "name"),
        (replace(ENROLMENT, point=" Balai"), "point"),
        (replace(ENROLMENT, province_url="ftp://x"), "province"),
        (replace(ENROLMENT, language="nl"), "language"),
        (replace(ENROLMENT, away=70_000), "--away"),
        (replace(ENROLMENT, away=-1), "--away"),
    ],
)
def test_value_out_of_bounds_enrols_nothing(
    office: Path, terminal: Path, enrolment: Enrolment, words: str
) -> None:
    with open_office(office) as opened, pytest.raises(WrongUseError, match=words):
        enrol(opened, terminal, enrolment, now=NOW, randomness=lambda size: b"r" * size)
    assert listed(office) == []
    assert "terminal.toml" not in names(terminal)


def test_folder_that_cannot_be_written_leaves_the_roster_as_it_was(
    office: Path, terminal: Path
) -> None:
    (terminal / "terminal.toml").mkdir()
    with pytest.raises(FolderError, match="nothing was changed"):
        enrol_terminal(office, terminal)
    assert listed(office) == []
