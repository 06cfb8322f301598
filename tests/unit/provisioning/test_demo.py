import re
import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.policy import DAY
from provisioning import demo
from provisioning.demo import demo_policy, make_demo_office
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.office import open_office
from provisioning.policy_table import make_policy, read_policy_table
from tests.unit.provisioning.played import NOW, make_office

ROSTER = ("kecamatan", "desa", "household", "member", "person_right")


def rows(office: Path, statement: str) -> list[Any]:
    db = sqlite3.connect(office / "office.db")
    found = db.execute(statement).fetchall()
    db.close()
    return found


def roster(office: Path) -> dict[str, list[Any]]:
    return {table: rows(office, f"SELECT * FROM {table} ORDER BY rowid") for table in ROSTER}


def keys(office: Path) -> set[bytes]:
    return {path.read_bytes() for path in (office / "keys").rglob("*.pem")}


def test_same_seed_gives_the_same_people_rights_and_classes_but_fresh_keys(
    made_office: Path, tmp_path: Path
) -> None:
    again = make_office(tmp_path / "again", seed=1)
    assert roster(again) == roster(made_office)
    assert len(keys(again)) == 3 + 3 + 1 + 1 + 2 * 2
    assert not keys(again) & keys(made_office)


def test_another_seed_gives_other_households(made_office: Path, tmp_path: Path) -> None:
    other = make_office(tmp_path / "other", seed=2)
    mine = {id for (id,) in rows(made_office, "SELECT id FROM household")}
    assert not mine & {id for (id,) in rows(other, "SELECT id FROM household")}


def test_shares_are_those_of_the_programme(tmp_path: Path) -> None:
    office = make_office(tmp_path / "office", households=2_000)
    ((households,),) = rows(office, "SELECT count(*) FROM household")
    ((members,),) = rows(office, "SELECT count(*) FROM member")
    ((persons,),) = rows(office, "SELECT count(DISTINCT household) FROM person_right")
    halves = rows(
        office,
        "SELECT count(*) FROM household h JOIN desa d ON d.code = h.desa GROUP BY d.kecamatan",
    )
    assert households == 2_000
    assert members / households == pytest.approx(4, abs=0.15)
    assert persons / households == pytest.approx(0.3, abs=0.04)
    assert halves == [(1_000,), (1_000,)]
    assert {n for (n,) in rows(office, "SELECT class FROM household GROUP BY class")} == {1, 2, 3}
    desa = rows(office, "SELECT count(*) FROM desa GROUP BY kecamatan")
    assert all(2 <= count <= 5 for (count,) in desa)


def test_rights_of_persons_fit_the_person(made_office: Path) -> None:
    found = rows(
        made_office,
        "SELECT p.programme, p.quantity, m.role, m.born FROM person_right p"
        " JOIN member m ON m.household = p.household AND m.number = p.member",
    )
    assert {(programme, quantity) for programme, quantity, _, _ in found} == {
        ("klinik", 6),
        ("seragam", 1),
    }
    pupils = [(role, 2026 - born) for programme, _, role, born in found if programme == "seragam"]
    assert pupils
    assert all(role == "child" and 6 <= age <= 17 for role, age in pupils)


def test_year_of_birth_stands_only_where_a_right_needs_it(made_office: Path) -> None:
    born = rows(made_office, "SELECT household, number FROM member WHERE born IS NOT NULL")
    entitled = rows(made_office, "SELECT DISTINCT household, member FROM person_right")
    assert set(born) == set(entitled)


def test_names_fit_and_no_number_of_a_person_is_anywhere(made_office: Path) -> None:
    names = [name for (name,) in rows(made_office, "SELECT name FROM member")]
    assert all(1 <= len(name) <= 40 and name.isprintable() for name in names)
    dump = "\n".join(sqlite3.connect(made_office / "office.db").iterdump())
    dump = re.sub(r"X'[0-9A-F]*'", "", dump)  # keys and ids: digits in a row by chance
    assert re.search(r"(?<!\d)\d{16}(?!\d)", dump) is None


def test_private_keys_are_readable_by_their_owner_alone(made_office: Path) -> None:
    modes = {path.stat().st_mode & 0o777 for path in (made_office / "keys").rglob("*.pem")}
    assert modes == {0o600}


@pytest.mark.parametrize(
    "today",
    [date(2026, 1, 1), date(2026, 2, 28), date(2024, 2, 29), date(2026, 7, 31), date(2026, 12, 31)],
)
def test_windows_are_open_thirty_days_before_and_sixty_after(today: date, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(demo_policy(today), encoding="utf-8")
    policy = make_policy(read_policy_table(path), number=1, places=())
    for programme in policy.programmes:
        (window,) = programme.windows
        now = (today - date(1970, 1, 1)) // timedelta(seconds=1)
        assert window.opens <= now - 30 * DAY
        assert window.closes >= now + 60 * DAY
    assert f"/{today.year}" in policy.programmes[0].windows[0].name


def test_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ProvisioningError, match="is not empty") as refused:
        make_office(tmp_path)
    assert not isinstance(refused.value, WrongUseError)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_office_that_was_cut_off_leaves_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> Iterator[tuple[object, ...]]:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_member_rows", cut)
    with pytest.raises(KeyboardInterrupt):
        make_office(tmp_path / "office")
    assert list((tmp_path / "office").iterdir()) == []
    monkeypatch.undo()
    make_office(tmp_path / "office")


@pytest.mark.parametrize(
    ("households", "kecamatan", "words"),
    [(1, 2, "--households"), (0, 0, "--kecamatan"), (300, 199, "--kecamatan")],
)
def test_numbers_out_of_bounds_are_wrong_use(
    tmp_path: Path, households: int, kecamatan: int, words: str
) -> None:
    with pytest.raises(WrongUseError, match=words):
        make_demo_office(
            tmp_path / "office", households=households, kecamatan=kecamatan, seed=1, now=NOW
        )
    assert not (tmp_path / "office").exists()


def test_second_command_waits_and_then_says_who_is_at_work(
    office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.office.WAIT_TRIES", 2)
    late = pytest.raises(ProvisioningError, match="another command is at work")
    with open_office(office), late, open_office(office):
        pass
    with open_office(office):
        pass


def test_damaged_roster_is_one_sentence(office: Path) -> None:
    (office / "office.db").write_bytes(b"SQLite format 3\0" + b"rubbish" * 500)
    with pytest.raises(ProvisioningError, match="cannot be used"), open_office(office):
        pass


def test_roster_of_another_version_is_refused(office: Path) -> None:
    db = sqlite3.connect(office / "office.db")
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(WrongUseError, match="version 7"), open_office(office):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "missing required field"),
        ("form = ", "is not TOML"),
        ('form = "khb-office-1"\nissuer = "x"\ncard_years = 5\n', "issuer"),
        ('form = "khb-office-1"\nissuer = "ID-KT"\ncard_years = 5\ncolour = 1\n', "colour"),
    ],
)
def test_wrong_office_file_names_the_key(office: Path, text: str, words: str) -> None:
    (office / "office.toml").write_text(text, encoding="utf-8")
    with pytest.raises(WrongUseError, match=words), open_office(office):
        pass
