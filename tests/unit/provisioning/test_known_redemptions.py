"""What a family took already, out of the province's list."""

import json
from pathlib import Path
from typing import Any

import pytest

from card_codec.chip.record import CardRecord, RecordKind, day_of
from ledger.policy import Policy
from provisioning.errors import WrongUseError
from provisioning.known_redemptions import read_known
from provisioning.office import open_office
from provisioning.policy_table import make_policy, read_policy_table
from tests.unit.provisioning.played import NOW

HOUSEHOLD = "6299000011223344"


@pytest.fixture
def policy(office: Path) -> Policy:
    with open_office(office) as opened:
        return make_policy(read_policy_table(opened.policy_table), number=0, places=())


def listed(**changed: Any) -> dict[str, Any]:
    row = {
        "number": "T001-0017",
        "at": NOW,
        "terminal": "Loket 1",
        "right": f"{HOUSEHOLD}/0/1/1",
        "quantity": 1,
        "unit": "paket",
        "void": False,
    }
    return row | changed


def known(tmp_path: Path, policy: Policy, *rows: object) -> dict[bytes, tuple[CardRecord, ...]]:
    path = tmp_path / "redemptions.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return read_known(path, policy, now=NOW)


def test_redemption_becomes_the_record_of_its_own_id(tmp_path: Path, policy: Policy) -> None:
    found = known(tmp_path, policy, listed(number="T002.3-12345", quantity=2))
    assert found == {
        bytes.fromhex(HOUSEHOLD): (
            CardRecord(RecordKind.OPENING, 2, 3, 12345, 1, 1, 0, 2, day_of(NOW)),
        )
    }


def test_what_does_not_count_any_more_is_left_out(tmp_path: Path, policy: Policy) -> None:
    visits = next(p for p in policy.programmes if not p.on_card)
    assert known(tmp_path, policy, listed(void=True)) == {}
    assert known(tmp_path, policy, listed(right=f"{HOUSEHOLD}/1/{visits.number}/1")) == {}
    assert known(tmp_path, policy, listed(right=f"{HOUSEHOLD}/0/1/99")) == {}
    assert known(tmp_path, policy, listed(right=f"{HOUSEHOLD}/0/99/1")) == {}
    path = tmp_path / "redemptions.json"
    path.write_text(json.dumps([listed()]), encoding="utf-8")
    assert read_known(path, policy, now=NOW + 400 * 86_400) == {}


def test_records_are_in_the_order_of_their_days(tmp_path: Path, policy: Policy) -> None:
    later, earlier = listed(number="T001-0009", at=NOW), listed(number="T002-0020", at=NOW - 86_400)
    (records,) = known(tmp_path, policy, later, earlier).values()
    assert [record.terminal for record in records] == [2, 1]


@pytest.mark.parametrize(
    "row",
    [
        listed(number="17"),
        listed(number="T001-99999999"),
        listed(right="x/0/1/1"),
        listed(quantity=0),
        listed(quantity="1"),
        listed(number="T٠٠١-٠٠١٧"),
        {"number": "T001-0017"},
        7,
    ],
)
def test_list_that_is_none_is_refused(tmp_path: Path, policy: Policy, row: object) -> None:
    with pytest.raises(WrongUseError, match="check --known"):
        known(tmp_path, policy, row)


def test_missing_list_is_refused(tmp_path: Path, policy: Policy) -> None:
    with pytest.raises(WrongUseError, match="check --known"):
        read_known(tmp_path / "none.json", policy, now=NOW)
