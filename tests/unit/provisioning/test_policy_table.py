from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ledger.chip_keys import ChipKeys, oldest_generations
from ledger.policy import Limit, Place, Scope
from provisioning.demo import demo_policy
from provisioning.errors import WrongUseError
from provisioning.policy_table import make_policy, read_policy_table

TABLE = demo_policy(date(2026, 9, 21))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def test_table_becomes_the_policy_the_decree_signs(path: Path) -> None:
    path.write_text(
        TABLE + '\n[[home]]\ndesa = "6299012001"\nprogramme = "pasar-murah"\nterminal = 7\n',
        encoding="utf-8",
    )
    places = [Place("6299012002", "Dua", 1), Place("6299012001", "Satu", 1)]
    policy = make_policy(read_policy_table(path), number=4, places=places)
    assert (policy.number, policy.audience, policy.quiet_days) == (4, "KHB26", 30)
    assert [(p.number, p.id, p.scope, p.limit, p.price, p.worth) for p in policy.programmes] == [
        (1, "pangan", Scope.HOUSEHOLD, Limit.QUANTITY, 0, 150_000),
        (2, "pasar-murah", Scope.HOUSEHOLD, Limit.QUANTITY, 15_000, 140_000),
        (3, "klinik", Scope.PERSON, Limit.VISITS, 0, 25_000),
        (4, "seragam", Scope.PERSON, Limit.ONCE, 0, 250_000),
    ]
    assert [[(q.programme, q.quantity) for q in c.quantities] for c in policy.classes] == [
        [(1, 1), (2, 1)],
        [(1, 2), (2, 1)],
        [(2, 1)],
    ]
    assert [(s.days, s.away_percent) for s in policy.freshness] == [(7, 100), (14, 50), (30, 0)]
    assert [place.desa for place in policy.places] == ["6299012001", "6299012002"]
    assert policy.home_terminal("6299012001", 2) == 7
    assert policy.home_terminal("6299012001", 1) == 1


RETIRED = '\n[[chip_keys]]\nkecamatan = "{}"\noldest = {}\n'


def test_retired_generations_of_chip_keys_are_signed_in_order(path: Path) -> None:
    path.write_text(TABLE + RETIRED.format("629902", 3) + RETIRED.format("629901", 2), "utf-8")
    policy = make_policy(read_policy_table(path), number=1, places=())
    assert policy.chip_keys == (ChipKeys("629901", 2), ChipKeys("629902", 3))
    assert oldest_generations(policy.chip_keys) == {"629901": 2, "629902": 3}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (RETIRED.format("629901", 2) * 2, "two rows have the kecamatan 629901"),
        (RETIRED.format("629901", 0), "oldest"),
        (RETIRED.format("62990", 2), "kecamatan"),
    ],
)
def test_wrong_retirement_names_its_line(path: Path, rows: str, words: str) -> None:
    path.write_text(TABLE + rows, encoding="utf-8")
    with pytest.raises(WrongUseError, match=words):
        read_policy_table(path)


def test_window_is_open_from_the_first_minute_to_the_last_second_in_wib(path: Path) -> None:
    path.write_text(TABLE, encoding="utf-8")
    (window,) = make_policy(read_policy_table(path), number=1, places=()).programmes[0].windows
    assert datetime.fromtimestamp(window.opens, UTC) == datetime(2026, 7, 31, 17, 0, tzinfo=UTC)
    assert datetime.fromtimestamp(window.closes, UTC) == datetime(
        2026, 11, 30, 16, 59, 59, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("quiet_days = 30", 'quiet_days = "30"', r"quiet_days: expected `int`, got `str`"),
        ("quiet_days = 30", "", r"missing required field `quiet_days`"),
        ("quiet_days = 30", "quiet_days = 30\nrice = 1", r"unknown field `rice`"),
        ("quiet_days = 30", "quiet_days = 70000", r"quiet_days: expected `int` <= 65535"),
        ("price = 15000", "price = 15000.5", r"programme 2, price: expected `int`, got `float`"),
        ("price = 15000", "price = -1", r"programme 2, price: expected `int` >= 0"),
        ("price = 15000", "price = true", r"programme 2, price: expected `int`, got `bool`"),
        ('limit = "visits"', 'limit = "often"', r"programme 3, limit: invalid enum value 'often'"),
        ("opens = 2026-08-01", 'opens = "soon"', r"programme 1, window 1, opens: invalid"),
        ("opens = 2026-08-01", "opens = 2026-08-01T07:00:00", r"window 1, opens: expected `date`"),
        ("opens = 2026-08-01", "opens = 2027-08-01", r"pangan, window 1, key closes: it closes be"),
        ("closes = 2026-11-30", "closes = 9999-12-31", r"a year is not from 2000 to 2199"),
        ('id = "pangan"', 'id = "Pangan!"', r"programme 1, id: expected `str` matching"),
        ('id = "klinik"', 'id = "pangan"', r"programme: two rows have the id pangan"),
        ("number = 3\nid", "number = 1\nid", r"programme: two rows have the number 1"),
        ("number = 3\nquant", "number = 2\nquant", r"class: two rows have the number 2"),
        ("pangan = 2", "kapal = 2", r"class 2, key quantities: 'kapal' is not a programme of hou"),
        ("pangan = 2", "klinik = 2", r"class 2, key quantities: 'klinik' is not a programme of h"),
        ("pangan = 2", "pangan = 0", r"class 2, quantities, every value: expected `int` >= 1"),
        ("\ndays = 14", "\ndays = 7", r"freshness, key days: the steps do not rise"),
        (
            "away_percent = 50",
            "away_percent = 101",
            r"freshness 2, away_percent: expected `int` <=",
        ),
        ("away_percent = 0", "away_percent = 60", r"freshness, key away_percent: an older step"),
        ('audience = "KHB26"', 'audience = "khb 26"', r"audience: expected `str` matching"),
        ('form = "khb-policy-table-2"', 'form = "x"', r"form: invalid enum value 'x'"),
    ],
)
def test_fault_names_row_key_and_remedy(path: Path, old: str, new: str, words: str) -> None:
    assert old in TABLE
    path.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(WrongUseError, match=words) as refused:
        read_policy_table(path)
    assert str(path) in refused.value.detail
    assert "\n" not in refused.value.detail


def test_visits_are_never_on_the_card(path: Path) -> None:
    before, at, after = TABLE.partition('id = "klinik"')
    path.write_text(
        before + at + after.replace("on_card = false", "on_card = true", 1), encoding="utf-8"
    )
    with pytest.raises(WrongUseError, match="klinik, key on_card: visits is never written"):
        read_policy_table(path)


def test_home_exception_of_an_unknown_programme_is_refused(path: Path) -> None:
    home = '\n[[home]]\ndesa = "6299012001"\nprogramme = "kapal"\nterminal = 1\n'
    path.write_text(TABLE + home, encoding="utf-8")
    with pytest.raises(WrongUseError, match="home 6299012001, key programme: 'kapal'"):
        read_policy_table(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"form = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"#" * 2_000_000, "more than 1 MB"),
    ],
)
def test_file_that_is_no_table_is_refused(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(WrongUseError, match=words):
        read_policy_table(path)


def test_missing_table_is_refused(path: Path) -> None:
    with pytest.raises(WrongUseError, match="cannot be read"):
        read_policy_table(path)
