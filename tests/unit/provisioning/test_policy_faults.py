"""Each fault of a policy table names its line, its row, its key and what to do."""

from datetime import date
from pathlib import Path

import pytest

from card_codec.reason import Reason
from ledger.policy import (
    EXCEPTABLE,
    AwayCap,
    ChangeBounds,
    CounterFlag,
    ExceptionQuota,
    MemberRole,
    MemberRule,
    OneOf,
    Split,
)
from provisioning.demo import demo_policy
from provisioning.errors import WrongUseError
from provisioning.policy_table import make_policy, read_policy_table
from provisioning.toml_lines import Lines

TABLE = demo_policy(date(2026, 9, 21))
PANGAN = """on_card = true
flags = ["counts_stock"]
"""
MORE_WINDOWS = """
[[programme.window]]
number = 2
name = "Tahap 4/2026"
opens = 2026-12-01
closes = 2027-01-31
"""
ONE_OF = """
[[one_of]]
programmes = ["pangan", "pasar-murah"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def changed(path: Path, *, old: str, new: str) -> int:
    """Write the demo's table with a change; the line of the last thing that is new."""
    at = TABLE.index(old)
    path.write_text(TABLE[:at] + new + TABLE[at + len(old) :], encoding="utf-8")
    return TABLE[:at].count("\n") + new.rstrip("\n").count("\n") + 1


FAULTS = [
    # flags that do not follow from the programme
    ('flags = ["counts_stock"]', 'flags = ["counts_stock", "counts_stock"]', "a flag stands twice"),
    ('flags = ["counts_stock"]', 'flags = ["asks_member"]', "'asks_member' stands there, but not: "
     "the right is one person's; take it out"),
    ('flags = ["counts_stock"]', 'flags = ["asks_payment"]', "but not: families pay for it"),
    ('flags = ["asks_payment", "counts_stock"]', 'flags = ["counts_stock"]',
     "families pay for it; add 'asks_payment'"),
    ('flags = ["asks_member", "emergency"]', 'flags = ["emergency"]',
     "the right is one person's; add 'asks_member'"),
    ('flags = ["asks_member", "emergency"]', 'flags = ["asks_member", "counts_stock"]',
     "there is no stock of visits"),
    ('flags = ["asks_member", "emergency"]', 'flags = ["asks_items", "asks_member"]',
     "'asks_items' needs contents"),
    ('flags = ["counts_stock"]', 'flags = ["cheap"]', "invalid enum value 'cheap'"),
    (PANGAN, "on_card = true\nuntil_stock_ends = true", "nobody counts its stock"),
    # persons
    (PANGAN, PANGAN + "members = { age_min = 5 }", "the right is the household's; take it out"),
    ("members = { age_min = 5, age_max = 18,", "members = { age_min = 19, age_max = 18,",
     "age_min is above age_max"),
    ('roles = ["child"]', 'roles = ["child", "child"]', "a role stands twice"),
    # times
    (PANGAN, PANGAN + "days_between = 70000", "expected `int` <= 65535"),
    ("closes = 2026-11-30\n", "closes = 2026-11-30\ncarries_into = 2", "there is no window 2"),
    ("closes = 2026-11-30\n", "closes = 2026-11-30\ncarries_into = 1",
     "window 1 is not a later one"),
    ("closes = 2026-11-30\n", "closes = 2026-11-30\nrest_until = 2026-11-30",
     "may be fetched until then anyhow"),
    # classes
    ("quantities = { pangan = 1, pasar-murah = 1 }\n",
     "quantities = { pangan = 1, pasar-murah = 1 }\nprices = { klinik = 0 }",
     "class 1, key prices: the class gets nothing of 'klinik'"),
    # one of several, exceptions
    ('reason = "use_chip"', 'reason = "revoked"', "two officers cannot set 'revoked' aside; name"),
    ('reason = "use_chip"', 'reason = "rain"', "two officers cannot set 'rain' aside"),
    ("removed_percent = 5", "removed_percent = 101", "changes, removed_percent: expected `int` <="),
    ("removed_percent = 5", "removed = 5", "object contains unknown field `removed`"),
    ('household_split = "next_decree"', 'household_split = "never"', "invalid enum value 'never'"),
    ("proxy_households = 3", "proxy_households = 300", "proxy_households: expected `int` <= 255"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), FAULTS)
def test_fault_names_its_line_and_its_remedy(path: Path, old: str, new: str, words: str) -> None:
    line = changed(path, old=old, new=new)
    with pytest.raises(WrongUseError) as refused:
        read_policy_table(path)
    assert words in refused.value.detail
    assert f"{path}, line {line}: " in refused.value.detail
    assert "\n" not in refused.value.detail


# The fault is told of another line than the last one written.
ELSEWHERE = [
    ("members = { age_min", "days_between = 3\nmembers = { age_min", "days_between = 3",
     "what is given once has no next time"),
    ("closes = 2026-11-30\n", "closes = 2026-11-30\nrest_until = 2200-01-01\n",
     "[[programme.window]]", "a year is not from 2000 to 2199"),
    ("[[class]]\nnumber = 1", ONE_OF.replace('"pangan"', '"kapal"') + "\n[[class]]\nnumber = 1",
     'programmes = ["kapal"', "'kapal' is not in the table"),
    ("[[class]]\nnumber = 1", ONE_OF.replace("pasar-murah", "klinik") + "\n[[class]]\nnumber = 1",
     'programmes = ["pangan", "klinik"', "households and of persons do not shut each other"),
    ("[[class]]\nnumber = 1", ONE_OF.replace("pasar-murah", "pangan") + "\n[[class]]\nnumber = 1",
     'programmes = ["pangan", "pangan"', "a programme stands twice"),
    ('reason = "right_not_here"', 'reason = "use_chip"', None, "two rows have the reason use_chip"),
    ('reason = "card_history_incomplete"', 'reason = "ledger_stale"', "on_card = true",
     "a family whose chip was replaced could not be served; add an [[exception]] with the reason"),
    ("quiet_days = 30\n", "", None, "missing required field `quiet_days`"),
    ("worth = 150000\n", "", "[[programme]]", "programme 1: object missing required field `worth`"),
    ("pangan = 2,", "pangan = 2, seragam = 1,", "quantities = { pangan = 2", "'seragam' is not a"),
    ("away_percent = 50", "away_percent = 101", "away_percent = 101", "freshness 2, away_percent"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "stands", "words"), ELSEWHERE)
def test_fault_of_a_row_names_the_line_it_stands_on(
    path: Path, old: str, new: str, stands: str | None, words: str
) -> None:
    changed(path, old=old, new=new)
    lines = path.read_text(encoding="utf-8").split("\n")
    with pytest.raises(WrongUseError) as refused:
        read_policy_table(path)
    assert words in refused.value.detail
    told = int(refused.value.detail.partition(", line ")[2].partition(":")[0])
    if stands is not None:
        assert lines[told - 1].startswith(stands)


def test_table_that_is_no_toml_names_the_line(path: Path) -> None:
    path.write_text(TABLE.replace("price = 15000", "price = = 15000"), encoding="utf-8")
    with pytest.raises(WrongUseError, match=r"is not TOML: .* line 42, .*; correct that line"):
        read_policy_table(path)


def test_everything_a_table_can_say_stands_in_the_policy(path: Path) -> None:
    text = TABLE.replace(
        PANGAN,
        """on_card = true
flags = ["counts_stock", "asks_ktp"]
days_between = 14
until_stock_ends = true
away = { households = 20, quantity = 1 }
""",
    )
    text = text.replace("closes = 2026-11-30\n", "closes = 2026-11-30\ncarries_into = 2\n"
                        f"rest_until = 2026-12-07\n{MORE_WINDOWS}", 1)  # fmt: skip
    text = text.replace(
        "pasar-murah = 1 }\n", "pasar-murah = 1 }\nprices = { pasar-murah = 0 }\n", 1
    )
    path.write_text(text + ONE_OF, encoding="utf-8")
    policy = make_policy(read_policy_table(path), number=1, places=())
    food, market, clinic, uniform = policy.programmes
    assert food.flags == (CounterFlag.ASKS_KTP, CounterFlag.COUNTS_STOCK)
    assert (food.days_between, food.until_stock_ends, food.away) == (14, True, AwayCap(20, 1))
    first, second = food.windows
    assert food.carried(first) == second
    assert first.rest_until - first.closes == 7 * 86_400
    assert food.ends(first) == second.closes
    assert (clinic.members, uniform.members) == (None, MemberRule(5, 18, (MemberRole.CHILD,)))
    assert [policy.classes[n].price(market.number) for n in (0, 1)] == [0, None]
    assert policy.one_of == (OneOf((1, 2)),)
    assert policy.shut_by(food) == (market,)
    assert policy.shut_by(clinic) == ()
    assert policy.exceptions[1] == ExceptionQuota(Reason.LEDGER_TOO_OLD, 10)
    assert {quota.reason for quota in policy.exceptions} <= EXCEPTABLE
    assert policy.changes == ChangeBounds()
    assert (policy.proxy_households, policy.split, policy.settle_days) == (3, Split.NEXT_DECREE, 14)


# --- lines ---


def test_line_of_every_key_is_found() -> None:
    text = """a = 1
b.c = [
  1, # ]
  "]",
]
"quoted key" = 2

[t]
x = { y = "[", z = 'a]' }
text = '''
z = 3
[no.table]
'''
last = true
[[rows]]
n = 1
[[rows]]
n = 2
[[rows.inner]]
deep = 1
[rows.sub]
k = 1
"""
    lines = Lines(text)
    assert {
        path: lines.of(path)
        for path in (
            ("a",), ("b", "c"), ("quoted key",), ("t",), ("t", "x", "y"), ("t", "last"),
            ("rows", 0, "n"), ("rows", 1, "n"), ("rows", 1, "inner", 0, "deep"),
            ("rows", 1, "sub", "k"), ("rows", 1, "none"), ("none",),
        )
    } == {
        ("a",): 1, ("b", "c"): 2, ("quoted key",): 6, ("t",): 8, ("t", "x", "y"): 9,
        ("t", "last"): 14, ("rows", 0, "n"): 16, ("rows", 1, "n"): 18,
        ("rows", 1, "inner", 0, "deep"): 20, ("rows", 1, "sub", "k"): 22, ("rows", 1, "none"): 17,
        ("none",): 1,
    }  # fmt: skip
