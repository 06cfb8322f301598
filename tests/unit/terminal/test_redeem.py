"""The main path: what is given or refused, and what the journal then holds, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from card_codec.credential import CardKind
from card_codec.keys import PrivateKey
from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.entry import Basis, Entry, Handover, Presented, Redemption, Refusal, Void
from ledger.errors import NotSavedError, RightsError
from ledger.journal import Journal
from ledger.policy import DAY
from ledger.receipt import VerifiedReceipt, verify_receipt
from ledger.rights import Rights
from terminal.counter import Counter, Presentation, Redeemed, Request, open_counter
from terminal.decision import Approved
from tests.point import Point, make_point, tables, taken_elsewhere
from tests.world import KEC_1, NOW


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


def journal(point: Point) -> Journal:
    return point.counter._desk.journal


def entries(point: Point) -> list[Entry]:
    return journal(point).signed_run(1)[0]


def given(point: Point, name: str, programme: str = "pangan", **asked: int | None) -> Redeemed:
    """Show a card that is approved."""
    outcome = point.show(name, programme, **asked)
    assert isinstance(outcome, Redeemed), outcome
    return outcome


# --- given ---


def test_redemption_is_recorded_with_all_that_was_decided(point: Point) -> None:
    outcome = given(point, "mawar", "pasar-murah")
    [entry] = entries(point)
    assert entry.content == Redemption(
        household=point.ids["mawar"], issue=1, member=0, programme=2, window=1, quantity=1,
        paid=15_000, presented=Presented.TEXT, basis=Basis.HOME,
    )  # fmt: skip
    body = entry.body
    assert (body.terminal, body.epoch, body.seq, body.ledger, body.officer) == (1, 1, 1, 1, "UJI")
    assert (body.moment.early, body.moment.wall) == (NOW, NOW)
    assert (outcome.number, outcome.at, outcome.approved.left_after) == ("T001-0001", NOW, 0)
    assert tables(point.folder.journal)["element"] == [
        (point.ids["mawar"], 2, 1, 0, 1, 1, 1, entry.leaf[:8], 1, NOW // 60, 1),
        *[row for row in tables(point.folder.journal)["element"] if row[4] == 2],
    ]


def test_receipt_is_the_entry_that_was_committed(point: Point) -> None:
    outcome = given(point, "mawar")
    trust = Rights(point.folder.rights).full_trust()
    verified = verify_receipt(outcome.receipt, trust)
    assert isinstance(verified, VerifiedReceipt)
    assert [verified.entry] == entries(point)


def test_second_time_is_refused_with_when_where_and_the_receipt_number(point: Point) -> None:
    given(point, "mawar")
    point.world.clock.pass_time(3600)
    before = tables(point.folder.journal)
    refused = point.show("mawar")
    assert refused == Refused(
        Reason.ALREADY_REDEEMED,
        Facts(at=NOW // 60 * 60, point="Balai Satu", terminal="T001", redemption="T001-0001"),
    )
    after = tables(point.folder.journal)
    last = entries(point)[-1].content
    assert last == Refusal("already_redeemed", point.ids["mawar"], 1, 0, 1, Presented.TEXT)
    assert after["element"] == before["element"]


def test_quantity_is_given_in_parts_until_nothing_is_left(point: Point) -> None:
    assert given(point, "mawar", quantity=1).approved.left_after == 1
    assert point.show("mawar", quantity=2) == Refused(Reason.MORE_THAN_LEFT, Facts(count=1))
    assert given(point, "mawar", quantity=1).approved.left_after == 0
    assert isinstance(point.show("mawar", quantity=1), Refused)
    quantities = [e.content.quantity for e in entries(point) if isinstance(e.content, Redemption)]
    assert quantities == [1, 1]


def test_other_programme_and_other_person_are_rights_of_their_own(point: Point) -> None:
    given(point, "anggrek")
    given(point, "anggrek", "pasar-murah")
    assert given(point, "anggrek", "klinik", member=2, quantity=2).approved.left_after == 4
    given(point, "anggrek", "seragam", member=3)
    assert point.show("anggrek", "seragam", member=2) == Refused(Reason.NOT_ENTITLED)
    assert given(point, "anggrek", "klinik", member=2).approved.left_after == 0


def test_redemption_elsewhere_that_came_as_usage_refuses(point: Point) -> None:
    assert point.show("dahlia") == Refused(
        Reason.ALREADY_REDEEMED,
        Facts(at=(NOW // 60 - 60) * 60, point="Balai Dua", terminal="T002", redemption="T002-0017"),
    )


def test_part_taken_elsewhere_leaves_the_rest(point: Point) -> None:
    point.world.add_usage(taken_elsewhere(point.ids["mawar"], seq=18))
    point.world.publish()
    point.bring()
    point.take()
    assert given(point, "mawar").approved.quantity == 1


def test_voided_redemption_may_be_given_again(point: Point) -> None:
    given(point, "mawar")
    desk = point.counter._desk
    with desk.journal.act() as act:
        moment = act.head.moment
        assert moment is not None
        act.append(
            Void(1, "salah ketik", "WK"), moment=moment, ledger=1, officer="UJI", signer=desk.signer
        )
    assert given(point, "mawar").approved.quantity == 2


def test_every_card_of_a_household_meets_the_same_elements(point: Point) -> None:
    """A replaced card changes the number, not what was taken."""
    given(point, "mawar")
    rows = point.world.rows[KEC_1]
    rows[point.ids["mawar"]] = replace(rows[point.ids["mawar"]], issue=2)
    point.world.publish()
    point.bring()
    point.take()
    assert point.show("mawar") == Refused(Reason.REPLACED, Facts(count=2))
    point.cards["baru"] = point.world.card(point.ids["mawar"], issue=2)
    refused = point.show("baru")
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.facts.redemption) == (Reason.ALREADY_REDEEMED, "T001-0001")


def test_new_card_before_the_ledger_knows_it_meets_the_same_elements(point: Point) -> None:
    point.cards["baru"] = point.world.card(point.ids["mawar"], issue=2)
    given(point, "baru", quantity=1)
    assert given(point, "mawar").approved.left_before == 1


# --- refused ---

REFUSED = {
    "kamboja": Reason.REVOKED, "tanjung": Reason.REPLACED, "cempaka": Reason.NOT_ENTITLED,
    "kenanga": Reason.USE_CHIP, "dahlia": Reason.ALREADY_REDEEMED, "contoh": Reason.SAMPLE_CARD,
    "asing": Reason.RIGHT_NOT_HERE, "latihan": Reason.TRAINING_CARD, "lain": Reason.WRONG_AUDIENCE,
    "habis": Reason.EXPIRED, "palsu": Reason.UNKNOWN_ISSUER, "rusak": Reason.BAD_SIGNATURE,
    "kosong": Reason.MALFORMED, "putus": Reason.MALFORMED, "toko": Reason.NOT_OUR_CARD,
    "azerty": Reason.SCANNER_LAYOUT,
}  # fmt: skip


def more_cards(point: Point) -> None:
    """Cards that are not right, and texts that are none."""
    world, mawar = point.world, point.ids["mawar"]
    good = point.cards["mawar"]
    point.cards |= {
        "latihan": world.card(mawar, kind=CardKind.TRAINING),
        "lain": world.card(mawar, audience="LAIN"),
        "habis": world.card(mawar, expires=NOW),
        "palsu": world.card(mawar, signer=PrivateKey.generate()),
        "rusak": good[:-30] + ("A" if good[-30] != "A" else "B") + good[-29:],
        "kosong": "",
        "putus": good[:-4],
        "toko": "https://example.org/",
        "azerty": good.replace("A", "Q", 1)[:60] + "é" + good[61:],
    }


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=REFUSED.keys())
def test_refusal_is_recorded_and_changes_nothing_else(
    point: Point, name: str, reason: Reason
) -> None:
    more_cards(point)
    rights, before = point.held()
    refused = point.show(name)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    after_rights, after = point.held()
    assert after_rights == rights
    [entry] = entries(point)
    assert isinstance(entry.content, Refusal)
    assert (entry.content.reason, entry.content.programme) == (str(reason), 1)
    known = reason not in {Reason.UNKNOWN_ISSUER, Reason.BAD_SIGNATURE, Reason.MALFORMED,
                           Reason.NOT_OUR_CARD, Reason.SCANNER_LAYOUT}  # fmt: skip
    assert (entry.content.household is not None) is known
    assert {k: v for k, v in after.items() if k != "entry"} == {
        k: v for k, v in before.items() if k != "entry"
    }


def test_text_and_name_that_were_shown_are_kept_nowhere(point: Point) -> None:
    more_cards(point)
    for name in point.cards:
        point.show(name)
    assert len(entries(point)) >= len(point.cards)
    held = b"".join(p.read_bytes() for p in point.folder.root.glob("journal.db*"))
    assert b"Ibu Uji" not in held
    for text in filter(None, point.cards.values()):
        for part in (text[4:40], text[-40:]):
            assert part.encode() not in held
    assert b"example.org" not in held


def test_changed_letter_anywhere_is_refused_and_recorded_without_a_household(point: Point) -> None:
    good, alphabet = point.cards["mawar"], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    for at in range(0, len(good), 9):
        other = alphabet[(alphabet.find(good[at]) + 7) % 32]
        point.cards["salah"] = good[:at] + other + good[at + 1 :]
        refused = point.show("salah")
        assert isinstance(refused, Refused)
        assert refused.reason in {Reason.MALFORMED, Reason.UNKNOWN_ISSUER, Reason.BAD_SIGNATURE}
        content = entries(point)[-1].content
        assert isinstance(content, Refusal)
        assert content.household is None


def test_issuer_shut_out_by_a_new_ledger_is_refused_at_once(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was verified a moment ago by the old trust list does not count by the new one."""
    looked = point.counter.look(Presentation(point.cards["mawar"]), Request("pangan"))
    assert isinstance(looked, Approved)
    revoked = TrustedKey(point.world.issuer.public, KeyUse.ISSUER, "ID-KT", 0, None, NOW)
    monkeypatch.setattr(type(point.world), "trust", lambda world: TrustList(2, [revoked]))
    point.world.publish()
    point.bring()
    assert point.take().problem is None
    assert point.show("mawar") == Refused(Reason.UNKNOWN_ISSUER)


# --- looked at ---


def test_look_that_would_approve_records_nothing(point: Point) -> None:
    before = tables(point.folder.journal)
    verdict = point.counter.look(Presentation(point.cards["mawar"]), Request("pangan"))
    assert isinstance(verdict, Approved)
    assert tables(point.folder.journal) == before
    assert given(point, "mawar").approved == verdict


def test_look_that_refuses_records_the_refusal(point: Point) -> None:
    verdict = point.counter.look(Presentation(point.cards["kamboja"]), Request("pangan"))
    assert verdict == Refused(Reason.REVOKED)
    assert [e.content for e in entries(point)] == [
        Refusal("revoked", point.ids["kamboja"], 1, 0, 1, Presented.TEXT)
    ]


# --- hand-over ---


def test_next_act_records_that_the_goods_before_it_were_handed_over(point: Point) -> None:
    given(point, "mawar", quantity=1)
    given(point, "mawar")
    point.show("kamboja")
    point.show("kamboja")
    kinds = [type(e.content) for e in entries(point)]
    assert kinds == [Redemption, Handover, Redemption, Handover, Refusal, Refusal]
    assert [e.content.seq for e in entries(point) if isinstance(e.content, Handover)] == [1, 3]


def test_after_a_restart_of_a_serving_counter_no_hand_over_is_assumed(point: Point) -> None:
    """The plug may have been pulled between the green and the goods: a person must say."""
    given(point, "mawar", quantity=1)
    point.counter.close()
    point.counter = open_serving(point)
    assert point.counter.state().asks_handover
    point.show("kamboja")
    given(point, "mawar")
    point.show("kamboja")
    kinds = [type(e.content) for e in entries(point)]
    assert kinds == [Redemption, Refusal, Redemption, Handover, Refusal]
    assert [e.content.seq for e in entries(point) if isinstance(e.content, Handover)] == [3]


def open_serving(point: Point) -> Counter:
    return open_counter(point.folder, clock=point.world.clock, serving=True)


# --- nothing given that is not on the disk ---


def test_disk_that_is_full_gives_nothing(point: Point) -> None:
    db = journal(point)._db
    db.execute("PRAGMA max_page_count=1")  # no page more than there are

    def shows_until_full(*names: str) -> None:
        for name in names * 100:
            point.show(name, quantity=1)

    for names in (("kamboja",), ("mawar", "melati", "anggrek")):
        with pytest.raises(NotSavedError, match="do not hand over"):
            shows_until_full(*names)
        held, numbers = tables(point.folder.journal), [e.body.seq for e in entries(point)]
        assert numbers == list(range(1, len(held["entry"]) + 1))
        assert point.counter.state().seq == len(numbers)
    db.execute("PRAGMA max_page_count=100000")
    full = point.counter.state().seq
    assert isinstance(point.show("mawar", "pasar-murah"), Redeemed)
    assert point.counter.state().seq > full


def test_journal_that_cannot_be_written_gives_nothing(point: Point) -> None:
    before = tables(point.folder.journal)
    journal(point)._db.execute("PRAGMA query_only=ON")
    for name in ("mawar", "kamboja"):
        with pytest.raises(NotSavedError, match="do not hand over"):
            point.show(name)
    assert tables(point.folder.journal) == before
    journal(point)._db.execute("PRAGMA query_only=OFF")
    assert given(point, "mawar").number == "T001-0001"


def test_ledger_that_breaks_under_service_is_not_called_a_damaged_journal(point: Point) -> None:
    """It can be brought again; the journal cannot."""
    before = tables(point.folder.journal)
    data = point.folder.rights.read_bytes()
    with point.folder.rights.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(len(data) - 4096))
    rights = point.counter._desk.rights
    assert rights is not None
    rights._db.execute("PRAGMA shrink_memory")  # what SQLite still held of it
    with pytest.raises(RightsError, match="installed ledger is damaged"):
        point.show("mawar")
    assert tables(point.folder.journal) == before
    point.restart()
    assert point.take().changed
    given(point, "mawar")


# --- age of the ledger, in days of a real counter without news ---

AGES = [(7 * DAY, None, None), (7 * DAY + 1, None, None), (14 * DAY, None, None),
        (14 * DAY + 1, Reason.LEDGER_STALE, None), (30 * DAY, Reason.LEDGER_STALE, None),
        (30 * DAY + 1, Reason.LEDGER_TOO_OLD, Reason.LEDGER_TOO_OLD)]  # fmt: skip


@pytest.mark.parametrize(("age", "away", "home"), AGES, ids=[str(a[0]) for a in AGES])
def test_older_ledger_gives_less(
    point: Point, age: int, away: Reason | None, home: Reason | None
) -> None:
    point.world.clock.pass_time(age)
    for name, reason in (("melati", away), ("mawar", home)):
        outcome = point.show(name, quantity=1)
        assert (outcome.reason if isinstance(outcome, Refused) else None) is reason, name


def test_half_of_the_away_quota_is_left_in_the_second_week(point: Point) -> None:
    for n in range(6):
        household = point.world.household(f"jauh {n}", kecamatan="629902")
        point.cards[f"jauh {n}"] = point.world.card(household)
    point.world.publish()
    point.bring()
    point.take()
    point.world.clock.pass_time(8 * DAY)
    outcomes = [point.show(f"jauh {n}") for n in range(4)]
    assert [isinstance(o, Redeemed) for o in outcomes] == [True, True, False, False]
    assert outcomes[2] == Refused(Reason.LEDGER_STALE, Facts(point="Balai Dua"))
