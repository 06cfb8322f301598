"""One family, one card, two counters, one province: the whole road by its command lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.prepared import Prepared, betang, copy, prepare, report_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_report_has_the_shape_of_the_interface(prepared: Prepared) -> None:
    report = prepared.report
    assert set(report) == {"cards", "chips", "terminals", "province", "office", "trust"}
    assert [set(t) for t in report["terminals"]] == [{"id", "config"}] * 2
    assert set(report["province"]) == {"config", "url"}
    wanted = {"household", "card", "image", "text", "kind", "status", "programmes"}
    assert all(set(card) == wanted for card in report["cards"])
    assert {c["status"] for c in report["cards"]} == {"ok", "revoked", "replaced", "not_here"}
    for card in report["cards"]:
        for programme in card["programmes"]:
            assert set(programme) == {"id", "window", "member", "unit", "left"}
    of_households = [c for c in prepared.cards("ok") if any(
        p["member"] is None for p in c["programmes"])]  # fmt: skip
    assert len(of_households) >= 4


def test_every_listed_programme_is_approved_at_either_counter(prepared: Prepared) -> None:
    for number in (1, 2):
        fresh = copy(prepared, prepared.folder.with_name(f"at{number}"))
        for card in fresh.cards("ok"):
            for programme in card["programmes"]:
                member = programme["member"]
                words = () if member is None else ("--member", str(member))
                code, said = fresh.redeem(number, card, programme["id"], *words)
                assert (code, said["outcome"]) == (0, "approved"), (card, programme, said)
                assert said["left"] == 0
                assert said["unit"] == programme["unit"]
        assert fresh.fsck(number)["ok"]


def test_second_time_is_refused_with_when_and_where(prepared: Prepared) -> None:
    card = prepared.cards("ok")[0]
    code, first = prepared.redeem(1, card)
    assert code == 0
    code, second = prepared.redeem(1, card)
    assert (code, second["outcome"], second["reason"]) == (1, "refused", "already_redeemed")
    detail = second["detail"]
    assert detail["terminal"] == "T001"
    assert detail["redemption"] == first["receipt"]["number"]
    assert detail["point"]
    assert detail["at"].endswith("+07:00")
    assert prepared.fsck(1)["entries"] == 3  # redemption, its hand-over, refusal


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("ok", "sample", "sample_card"),
        ("revoked", "card", "revoked"),
        ("replaced", "card", "replaced"),
        ("not_here", "card", "right_not_here"),
    ],
)
def test_card_that_does_not_count_is_refused(
    prepared: Prepared, status: str, kind: str, reason: str
) -> None:
    card = prepared.cards(status, kind)[0]
    for number in (1, 2):
        code, said = prepared.redeem(number, card)
        assert (code, said["outcome"], said["reason"]) == (1, "refused", reason)
        assert said["receipt"] is None
        assert prepared.fsck(number) == {**prepared.fsck(number), "ok": True, "entries": 1}


def test_new_card_of_a_household_that_took_is_refused(prepared: Prepared) -> None:
    old = prepared.cards("replaced")[0]
    new = next(c for c in prepared.cards("ok") if c["household"] == old["household"])
    assert prepared.redeem(1, new)[0] == 0
    assert prepared.redeem(1, new)[1]["reason"] == "already_redeemed"
    assert prepared.redeem(1, old)[1]["reason"] == "replaced"


def test_picture_is_heard_like_its_text(prepared: Prepared) -> None:
    card = prepared.cards("ok")[0]
    config, image = prepared.counter(1), prepared.folder / "cards" / card["image"].split("/")[-1]
    shown = ("--image", image, "--programme", "pangan", "--json")
    done = betang("betang-terminal", "redeem", "--config", config, *shown)
    assert done.returncode == 0, done.stderr
    scanned = betang("betang-card", "scan", "--json", image)
    assert report_of(scanned) == {"path": str(image), "texts": [card["text"]]}


def test_slip_and_card_verify_with_the_trust_list(prepared: Prepared) -> None:
    card = prepared.cards("ok")[0]
    slip = prepared.redeem(1, card)[1]["receipt"]["text"]
    words = ("--trust", prepared.trust, "--json")
    verified = betang("betang-ledger", "verify-receipt", slip, *words)
    assert verified.returncode == 0
    assert {"ok": True, "reason": None}.items() <= report_of(verified).items()
    changed = slip[:60] + ("A" if slip[60] != "A" else "B") + slip[61:]
    refused = betang("betang-ledger", "verify-receipt", changed, *words)
    assert refused.returncode == 1
    assert report_of(refused)["ok"] is False
    assert report_of(betang("betang-card", "verify", card["text"], *words))["ok"] is True


def test_second_counter_refuses_after_sync(prepared: Prepared) -> None:
    card = prepared.cards("ok")[0]
    number = prepared.redeem(1, card)[1]["receipt"]["number"]
    with prepared.open_province() as url:
        assert prepared.sync(1, url)["accepted"] == 1
        assert prepared.sync(2, url)["usage_new"] == 1
    code, said = prepared.redeem(2, card)
    assert (code, said["reason"]) == (1, "already_redeemed")
    assert said["detail"]["redemption"] == number
    assert said["detail"]["terminal"] == "T001"
    assert said["detail"]["at"] is not None


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_double_has_one_case_and_the_same_winner_in_any_order(
    prepared: Prepared, order: tuple[int, int]
) -> None:
    card = prepared.cards("ok")[0]
    for number in (2, 1):
        assert prepared.redeem(number, card)[0] == 0
    with prepared.open_province() as url:
        for number in order:
            prepared.sync(number, url)
            prepared.sync(number, url)
    right = f"{card['household']}/0/1/1"
    case = {
        "kind": "double", "right": right, "winner": "T001-0001", "losers": ["T002-0001"],
        "settled": False, "why": "home",
    }  # fmt: skip
    (found,) = prepared.cases()
    records = found.pop("records")
    assert found == case
    told = [(r["number"], r["counts"], r["at_home"], r["acknowledged"]) for r in records]
    assert told == [
        ("T001-0001", True, True, "T001-0001"),
        ("T002-0001", False, False, "T002-0001"),
    ]
    assert all((r["road"], r["ledger"] > 0) == ("http", True) for r in records)
    words = ("province", "redemptions", "--config", prepared.province, "--json")
    kept = report_of(betang("betang-sync", *words))
    assert {"T001-0001", "T002-0001"} <= {one["number"] for one in kept}


def test_stick_carries_what_the_cable_would(prepared: Prepared) -> None:
    stick = prepared.folder / "courier"
    stick.mkdir()
    card = prepared.cards("ok")[0]
    prepared.redeem(1, card)
    prepared.sync(1, str(stick))
    words = ("province", "once", "--config", prepared.province, "--with", stick, "--json")
    assert betang("betang-sync", *words).returncode == 0
    for number in (1, 2):
        prepared.sync(number, str(stick))
    assert prepared.redeem(2, card)[1]["reason"] == "already_redeemed"
    assert report_of(betang("betang-terminal", "state", "--config", prepared.counter(1), "--json"))[
        "waiting"
    ] == 0  # fmt: skip


def test_same_seed_makes_the_same_people_and_rights(
    made: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = prepare(tmp_path_factory.mktemp("again") / "demo", seed=3)
    without_keys = [
        [{k: c[k] for k in ("household", "card", "kind", "status", "programmes")} for c in cards]
        for cards in (made.report["cards"], again.report["cards"])
    ]
    assert without_keys[0] == without_keys[1]
    assert made.report["cards"][0]["text"] != again.report["cards"][0]["text"]


def test_redemption_needs_no_network(prepared: Prepared) -> None:
    card = prepared.cards("ok")[0]
    config = prepared.counter(1)
    inside = ["betang-terminal", "redeem", "--config", str(config), "--text", card["text"]]
    command = ["unshare", "--net", "--map-root-user", "env", *_here(inside)]
    done = subprocess.run(
        [*command, "--programme", "pangan", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _here(words: list[str]) -> list[str]:
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]
