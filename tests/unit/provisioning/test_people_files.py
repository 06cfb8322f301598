"""People files the office seals: what stands in them, for whom, and the tags that lead to them."""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Targets

from card_codec.refusal import Refused
from ledger.locked_key import unlock_key
from ledger.look_up import has_date, make_tag, read_number, stretch
from ledger.people_file import PeopleFile, people_path, read_people
from ledger.policy import LookUpRules
from ledger.repository import Repository
from ledger.sealing import SealingKey, sealing_key, unseal
from provisioning import look_up_tags
from provisioning.enrol import seal_to
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.look_up_tags import Numbered, demo_numbers, read_numbers, tag_numbers
from provisioning.numbers import invent_number
from provisioning.office import open_office
from terminal.init import add_sealing_key, make_keys
from tests.unit.provisioning.played import (
    KEC_1,
    KEC_2,
    NOW,
    Province,
    enrol_terminal,
    publish_office,
)
from tests.world import CHEAP_PIN, PIN


@pytest.fixture(autouse=True)
def cheap(office: Path) -> None:
    """A price of look-up that tests can pay."""
    table = office / "policy.toml"
    table.write_text(table.read_text() + "\n[look_up]\nmemory_kib = 64\npasses = 1\n")


@pytest.fixture
def terminal(office: Path, province: Province, tmp_path: Path) -> Path:
    """Counter 1 of the first kecamatan, with a sealing key, at an office that published once."""
    publish_office(office, province)
    return enrolled(office, tmp_path / "counter1", home=KEC_1)


def enrolled(office: Path, terminal: Path, *, home: str, sealing: bool = True) -> Path:
    make_keys(terminal)
    if sealing:
        add_sealing_key(terminal, PIN, randomness=secrets.token_bytes, cost=CHEAP_PIN)
    enrol_terminal(office, terminal, home=home)
    return terminal


def key_of(terminal: Path) -> SealingKey:
    return sealing_key(unlock_key((terminal / "keys" / "sealing.locked").read_bytes(), PIN))


def sealed_files(office: Path) -> dict[str, bytes]:
    """The sealed people files of the newest decree, by desa."""
    repository = Repository(office / "release")
    found = {}
    for path, info in repository.load("targets", Targets).targets.items():
        if path.startswith("people/"):
            directory, _, name = path.rpartition("/")
            data = (repository.targets / directory / f"{info.hashes['sha256']}.{name}").read_bytes()
            assert people_path(name.removesuffix(".age")) == path
            found[name.removesuffix(".age")] = data
    return found


def opened(office: Path, terminal: Path) -> dict[str, PeopleFile]:
    key = key_of(terminal)
    return {desa: read_people(unseal(data, key)) for desa, data in sealed_files(office).items()}


def rows(office: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(office / "office.db")
    found = db.execute(sql, values).fetchall()
    db.close()
    return found


def test_every_desa_that_is_served_has_a_file_and_no_other(office: Path, terminal: Path) -> None:
    assert sealed_files(office) == {}  # nobody to seal to when it was published
    publish_office(office)
    desa = {code for (code,) in rows(office, "SELECT code FROM desa WHERE kecamatan = ?", KEC_1)}
    assert set(sealed_files(office)) == desa


def test_terminal_without_a_sealing_key_gets_no_people(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    enrolled(office, tmp_path / "counter1", home=KEC_1, sealing=False)
    assert publish_office(office).terminals == 1
    assert sealed_files(office) == {}


def test_file_opens_for_the_terminal_of_its_desa_alone(
    office: Path, terminal: Path, tmp_path: Path
) -> None:
    other = enrolled(office, tmp_path / "counter2", home=KEC_2)
    publish_office(office)
    for desa, data in sealed_files(office).items():
        mine, others = (terminal, other) if desa.startswith(KEC_1) else (other, terminal)
        assert read_people(unseal(data, key_of(mine))).desa == desa
        with pytest.raises(Exception, match="another terminal"):
            unseal(data, key_of(others))


def test_households_are_named_and_only_members_a_counter_may_meet(
    office: Path, terminal: Path
) -> None:
    publish_office(office)
    heads = dict(rows(office, "SELECT household, name FROM member WHERE number = 1"))
    persons = {
        (household, member): (name, born)
        for household, member, name, born in rows(
            office,
            "SELECT DISTINCT m.household, m.number, m.name, m.born FROM member m"
            " JOIN person_right p ON p.household = m.household AND p.member = m.number",
        )
    }
    families = [f for file in opened(office, terminal).values() for f in file.families]
    listed = rows(
        office,
        "SELECT count(*) FROM household h JOIN desa d ON d.code = h.desa WHERE d.kecamatan = ?",
        KEC_1,
    )
    assert len(families) == listed[0][0]
    assert len(families) > 5
    assert all(family.name == heads[family.household] for family in families)
    assert all(not family.tags for family in families)
    said = {(f.household, m.number): (m.name, m.born) for f in families for m in f.members}
    mine = {f.household for f in families}
    assert said == {key: value for key, value in persons.items() if key[0] in mine}
    assert said


def test_numbers_lead_to_their_families_and_are_nowhere_in_the_office(
    office: Path, terminal: Path
) -> None:
    with open_office(office) as place:
        numbers = list(demo_numbers(place))
        done = tag_numbers(place, numbers)
    assert done.tags == len(numbers) > 80
    publish_office(office)
    found: Counter[str] = Counter()
    for file in opened(office, terminal).values():
        key = unseal(file.look_up_key, key_of(terminal))
        rules = _rules(office)
        by_tag = {
            make_tag(key, stretch(one.number, rules)): (one.household, one.member)
            for one in numbers
        }
        for family in file.families:
            tagged = {by_tag[tag.tag] for tag in family.tags}
            assert tagged == {(family.household, tag.member) for tag in family.tags}
            assert {m.number for m in family.members} >= {t.member for t in family.tags} - {0}
            found[file.desa] += len(tagged)
    assert all(found.values())
    kept = b"".join(p.read_bytes() for p in office.rglob("*") if p.is_file())
    assert [one for one in numbers if one.number.encode() in kept] == []


def _rules(office: Path) -> LookUpRules:
    from ledger.policy import read_policy

    repository = Repository(office / "release")
    info = repository.load("targets", Targets).targets["policy/policy.cbor"]
    name = f"{info.hashes['sha256']}.policy.cbor"
    return read_policy((repository.targets / "policy" / name).read_bytes()).look_up


def test_child_without_a_right_and_age_of_others_stand_in_no_file(
    office: Path, terminal: Path
) -> None:
    with open_office(office) as place:
        tag_numbers(place, demo_numbers(place))
    publish_office(office)
    entitled = set(rows(office, "SELECT household, member FROM person_right"))
    for file in opened(office, terminal).values():
        for family in file.families:
            for member in family.members:
                has_right = (family.household, member.number) in entitled
                assert has_right or member.role != "child"
                assert has_right or member.born is None


def test_same_people_are_published_as_the_same_bytes(office: Path, terminal: Path) -> None:
    publish_office(office)
    before = sealed_files(office)
    publish_office(office, now=NOW + 60)
    assert sealed_files(office) == before
    (household,) = rows(office, "SELECT household FROM member WHERE number = 1 LIMIT 1")[0]
    db = sqlite3.connect(office / "office.db")
    desa = db.execute(
        "SELECT h.desa FROM household h JOIN desa d ON d.code = h.desa WHERE d.kecamatan = ?"
        " LIMIT 1",
        (KEC_1,),
    ).fetchone()[0]
    db.execute(
        "UPDATE member SET name = 'Nama Baru' WHERE number = 1 AND household ="
        " (SELECT id FROM household WHERE desa = ? LIMIT 1)",
        (desa,),
    )
    db.commit()
    db.close()
    assert household
    publish_office(office, now=NOW + 120)
    after = sealed_files(office)
    assert [code for code in before if before[code] != after[code]] == [desa]
    assert opened(office, terminal)[desa].number == 2


def test_new_sealing_key_is_sealed_to_from_the_next_publication_on(
    office: Path, terminal: Path
) -> None:
    publish_office(office)
    old = key_of(terminal)
    add_sealing_key(terminal, PIN, randomness=secrets.token_bytes, cost=CHEAP_PIN, anew=True)
    with open_office(office) as place:
        assert seal_to(place, terminal) == 1
    publish_office(office, now=NOW + 60)
    for data in sealed_files(office).values():
        unseal(data, key_of(terminal))
        with pytest.raises(Exception, match="another terminal"):
            unseal(data, old)


def test_terminal_that_is_shut_out_is_sealed_to_no_more(office: Path, terminal: Path) -> None:
    publish_office(office)
    assert sealed_files(office)
    db = sqlite3.connect(office / "office.db")
    db.execute("UPDATE terminal SET shut_out = ?", (NOW,))
    db.commit()
    db.close()
    publish_office(office, now=NOW + 60)
    assert sealed_files(office) == {}
    assert rows(office, "SELECT path FROM sealed") == []


def test_sealing_key_that_is_none_is_refused_and_nothing_enrolled(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    make_keys(tmp_path / "c")
    for data in (b"", b"age1x", b"\xff", b"AGE-SECRET-KEY-1", b"x" * 100_000):
        (tmp_path / "c" / "keys" / "sealing.pub").write_bytes(data)
        with pytest.raises(ProvisioningError, match="not the public half"):
            enrol_terminal(office, tmp_path / "c")
    assert rows(office, "SELECT * FROM terminal") == []
    (tmp_path / "c" / "keys" / "sealing.pub").unlink()
    with open_office(office) as place, pytest.raises(ProvisioningError, match="no sealing key"):
        seal_to(place, tmp_path / "c")


def test_sealing_key_of_a_terminal_that_is_not_enrolled_is_refused(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    make_keys(tmp_path / "c")
    add_sealing_key(tmp_path / "c", PIN, randomness=secrets.token_bytes, cost=CHEAP_PIN)
    with open_office(office) as place, pytest.raises(ProvisioningError, match="not enrolled"):
        seal_to(place, tmp_path / "c")


# --- numbers and tags ---


def test_invented_numbers_are_numbers_of_the_unassigned_region(office: Path) -> None:
    with open_office(office) as place:
        numbers = list(demo_numbers(place))
    assert all(one.number.startswith("6299") for one in numbers)
    assert all(not isinstance(read_number(one.number), Refused) for one in numbers)
    assert all(has_date(one.number) for one in numbers)
    assert len({one.number for one in numbers}) == len(numbers)
    assert {one.member for one in numbers} >= {0, 1, 2}
    again = invent_number(1, numbers[0].household, 0, kecamatan=numbers[0].number[:6])
    assert again == numbers[0].number
    assert invent_number(2, numbers[0].household, 0, kecamatan="629901") != again


def test_number_of_a_person_is_not_in_what_is_printed_of_one() -> None:
    assert "6299010101900001" not in repr(Numbered(bytes(8), 1, "6299010101900001"))


def test_list_of_numbers_is_read_line_by_line(tmp_path: Path, office: Path) -> None:
    with open_office(office) as place:
        first = next(iter(demo_numbers(place)))
        path = tmp_path / "numbers.csv"
        path.write_text(f"{first.household.hex()},0,6299 0101 0190 0001\n")
        (read,) = read_numbers(path)
        assert (read.household, read.member, read.number) == (
            first.household, 0, "6299010101900001",
        )  # fmt: skip
        assert tag_numbers(place, read_numbers(path)).tags == 1


@pytest.mark.parametrize(
    "line",
    [
        "", "x", "0011223344556677", "0011223344556677,1", "0011223344556677,1,629901010190000",
        "0011223344556677,256,6299010101900001", "0011223344556677,-1,6299010101900001",
        "00112233445566,1,6299010101900001", "0011223344556677,1,6299010101900001,x",
        "0011223344556677,١,6299010101900001",
    ],
)  # fmt: skip
def test_line_that_is_no_number_is_told_by_its_place_alone(tmp_path: Path, line: str) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text(f"0011223344556677,0,6299010101900001\n{line}\n", encoding="utf-8")
    with pytest.raises(WrongUseError) as told:
        list(read_numbers(path))
    assert "62990" not in told.value.detail
    assert "line 2" in told.value.detail or "not a list" in told.value.detail


def test_number_of_a_household_or_member_not_listed_is_refused(office: Path) -> None:
    with open_office(office) as place:
        first = next(iter(demo_numbers(place)))
        for wrong in (
            Numbered(bytes(8), 0, first.number),
            Numbered(first.household, 99, first.number),
        ):
            with pytest.raises(ProvisioningError, match="does not list member"):
                tag_numbers(place, [wrong])
        assert rows(office, "SELECT * FROM look_up_tag") == []


def test_number_in_two_families_is_told(office: Path) -> None:
    with open_office(office) as place:
        first, *rest = list(demo_numbers(place))
        other = next(one for one in rest if one.household != first.household)
        doubled = Numbered(other.household, other.member, first.number)
        done = tag_numbers(place, [first, doubled])
    assert done.doubled == tuple(sorted((first.household.hex(), other.household.hex())))


def test_tags_of_another_period_or_desa_are_not_handed_out(office: Path, terminal: Path) -> None:
    with open_office(office) as place:
        tag_numbers(place, demo_numbers(place))
    table = office / "policy.toml"
    table.write_text(table.read_text().replace('period = "Tahap', 'period = "Lain'))
    publish_office(office)
    tags = [f.tags for file in opened(office, terminal).values() for f in file.families]
    assert tags
    assert not any(tags)
    assert rows(office, "SELECT * FROM look_up_tag") == []  # nor kept


def test_real_office_invents_no_numbers(office: Path) -> None:
    config = office / "office.toml"
    config.write_text(
        "".join(x for x in config.read_text().splitlines(True) if "demo_seed" not in x)
    )
    with open_office(office) as place, pytest.raises(WrongUseError, match="no inventions"):
        list(demo_numbers(place))


def test_keys_of_two_desa_or_periods_have_nothing_in_common(office: Path) -> None:
    with open_office(office) as place:
        master = look_up_tags.look_up_master(place)
        assert look_up_tags.look_up_master(place) == master
    assert (office / "keys" / "look-up.key").stat().st_mode & 0o777 == 0o600
    keys = {
        look_up_tags.look_up_key(master, period, desa)
        for period in ("1", "2")
        for desa in ("6299012001", "6299012002")
    }
    salts = {look_up_tags.look_up_salt(master, period) for period in ("1", "2")}
    assert len(keys) == 4
    assert len(salts) == 2
    assert {len(key) for key in keys} == {32}
    assert {len(salt) for salt in salts} == {16}
    (office / "keys" / "look-up.key").write_text("zz")
    with open_office(office) as place, pytest.raises(ProvisioningError, match="damaged"):
        look_up_tags.look_up_master(place)
