"""A kecamatan's changes, from the office's list to the counter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tuf.api.metadata import Targets

from card_codec.reason import Reason
from ledger.changes_file import read_changes
from ledger.errors import RightsError
from ledger.policy import DAY
from ledger.repository import Repository, signed_time
from provisioning.cards import Order, issue_card
from provisioning.changes import Change, ChangeKind
from provisioning.errors import ProvisioningError
from provisioning.office import open_office
from provisioning.publish import publish_changes
from tests.unit.provisioning.played import KEC_1, KEC_2, NOW, Province, publish_office
from tests.unit.provisioning.served import Served, make_served
from tests.unit.provisioning.test_publish import files_of


@pytest.fixture
def served(office: Path, province: Province) -> Iterator[Served]:
    made = make_served(office, province)
    yield made
    made.counter.close()


def pending(office: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(office / "office.db")) as db:
        return db.execute("SELECT kind, value, published FROM change ORDER BY id").fetchall()


def named(office: Path, kecamatan: str = KEC_1) -> list[str]:
    return [*Repository(office / "release").load(f"changes-{kecamatan}", Targets).targets]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("moved", Reason.HOUSEHOLD_MOVED),
        ("deceased", Reason.HOUSEHOLD_DECEASED),
        ("ended", Reason.NOT_ENTITLED),
    ],
)
def test_household_that_is_removed_gets_nothing_more(
    served: Served, state: str, reason: Reason
) -> None:
    home, other = served.households()[:2]
    card, others = served.card(home), served.card(other)
    served.change(home, ChangeKind.STATE, state)
    assert served.bring().changed
    assert (served.asked(card), served.asked(others)) == (reason, None)
    assert served.installed().changes() == {KEC_1: 1, KEC_2: 0}


def test_removal_by_mistake_is_taken_back(served: Served) -> None:
    home = served.households()[0]
    card = served.card(home)
    served.change(home, ChangeKind.STATE, "deceased")
    served.change(home, ChangeKind.STATE, "listed")
    served.bring()
    assert served.asked(card) is None
    assert named(served.office) == [f"changes/{KEC_1}/2.cbor.zst"]


def test_card_replaced_at_the_station_is_in_force_with_the_next_changes(served: Served) -> None:
    home = served.households()[0]
    old = served.card(home)
    with open_office(served.office) as opened:
        order = Order(household=home, replace=True)
        new = issue_card(opened, order, served.office.parent, now=NOW, randomness=bytes)
        assert (new.issue, pending(served.office)) == (2, [("replace", "2", None)])
        publish_changes(opened, KEC_1, [], now=NOW)
    served.take()
    served.bring()
    assert (served.asked(old), served.asked(new.text)) == (Reason.REPLACED, None)


def test_moved_household_is_listed_in_its_new_desa(served: Served) -> None:
    home = served.households()[0]
    with closing(sqlite3.connect(served.office / "office.db")) as db:
        (desa,) = db.execute(
            "SELECT code FROM desa WHERE kecamatan = ? AND code !="
            " (SELECT desa FROM household WHERE id = ?) LIMIT 1", (KEC_1, home),
        ).fetchone()  # fmt: skip
    served.change(home, ChangeKind.MOVE, desa)
    served.bring()
    household = served.installed().household(home)
    assert household is not None
    assert household.row.desa == desa


def test_changes_add_up_until_the_decree_takes_them_up(served: Served) -> None:
    one, two, three = served.households()[:3]
    cards = [served.card(id) for id in (one, two, three)]
    served.change(one, ChangeKind.STATE, "ended")
    served.change(two, ChangeKind.STATE, "ended")
    release = Repository(served.office / "release")
    role = release.load(f"changes-{KEC_1}", Targets)
    file = read_changes(release.target_bytes(role, f"changes/{KEC_1}/2.cbor.zst"))
    assert (file.number, len(file.removed)) == (2, 2)
    assert len(files_of(served.office / "release" / "targets")) == 6
    served.publish()
    served.change(three, ChangeKind.STATE, "ended")
    served.bring()
    role = release.load(f"changes-{KEC_1}", Targets)
    file = read_changes(release.target_bytes(role, f"changes/{KEC_1}/3.cbor.zst"))
    assert (file.number, len(file.removed)) == (3, 1)
    assert {served.asked(card) for card in cards} == {Reason.NOT_ENTITLED}


def test_decree_takes_up_what_was_entered_and_never_published(served: Served) -> None:
    home = served.households()[0]
    with open_office(served.office) as opened:
        issue_card(
            opened, Order(household=home, replace=True), served.office.parent, now=NOW,
            randomness=bytes,
        )  # fmt: skip
    assert pending(served.office) == [("replace", "2", None)]
    served.publish()
    assert pending(served.office) == [("replace", "2", 0)]
    assert named(served.office) == []
    served.bring()
    household = served.installed().household(home)
    assert household is not None
    assert household.row.issue == 2


def test_block_taken_off_and_not_published_rides_beside_the_decree(served: Served) -> None:
    home = served.households()[0]
    with open_office(served.office) as opened:
        opened.roster.note_change(home, kecamatan=KEC_1, kind="clear", value="1", now=NOW)
    served.publish()
    assert named(served.office) == [f"changes/{KEC_1}/1.cbor.zst"]
    assert pending(served.office) == [("clear", "1", 1)]
    served.bring()
    assert {(c.household, c.issue, c.number) for c in served.installed().cleared()} == {
        (home, 1, 1)
    }


def test_role_signed_anew_without_a_change_names_the_same_file(served: Served) -> None:
    served.change(served.households()[0], ChangeKind.STATE, "ended")
    before = files_of(served.office / "release" / "targets")
    served.clock.pass_time(40 * DAY)
    with open_office(served.office) as opened:
        done = publish_changes(opened, KEC_1, [], now=served.now)
    assert (done.number, done.version) == (1, 4)
    assert files_of(served.office / "release" / "targets") == before
    role = Repository(served.office / "release").load(f"changes-{KEC_1}", Targets)
    assert signed_time(role) == served.now


def test_only_the_kecamatans_own_role_is_signed(served: Served) -> None:
    metadata = served.office / "release" / "metadata"
    before = files_of(metadata)
    served.change(served.households()[0], ChangeKind.STATE, "ended")
    after = files_of(metadata)
    assert before.keys() - after.keys() == {f"2.changes-{KEC_1}.json"}
    assert after.keys() - before.keys() == {f"3.changes-{KEC_1}.json"}
    assert {k: v for k, v in after.items() if k in before} == {
        k: v for k, v in before.items() if k in after
    }


def test_same_changes_entered_in_another_order_give_the_same_file(
    served: Served, tmp_path: Path
) -> None:
    one, two = served.households()[:2]
    wanted = [Change(one, ChangeKind.STATE, "ended"), Change(two, ChangeKind.REPLACE)]
    found = []
    for changes in (wanted, wanted[::-1]):
        with open_office(served.office) as opened:
            publish_changes(opened, KEC_1, changes, now=NOW)
        release = Repository(served.office / "release")
        role = release.load(f"changes-{KEC_1}", Targets)
        (path,) = role.targets
        found.append(read_changes(release.target_bytes(role, path)).removed)
    assert found[0] == found[1]


# --- what is refused changes nothing ---


def refused(served: Served, change: Change, words: str) -> None:
    before = files_of(served.office / "release"), pending(served.office), roster(served.office)
    with (
        open_office(served.office) as opened,
        pytest.raises((ProvisioningError, RightsError), match=words),
    ):
        publish_changes(opened, KEC_1, [change], now=served.now)
    after = files_of(served.office / "release"), pending(served.office), roster(served.office)
    assert after == before


def roster(office: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(office / "office.db")) as db:
        return db.execute("SELECT * FROM household ORDER BY id").fetchall()


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (ChangeKind.STATE, "gone", "'gone' is no state; say listed, moved, deceased, ended"),
        (ChangeKind.MOVE, "6299022001", "is no desa of 629901; who leaves the kecamatan"),
        (ChangeKind.LOWER, "0", "class '0' is no number from 1 to 255"),
        (ChangeKind.LOWER, "9", "a class that gives more"),
        (ChangeKind.LOWER, "²", "is no number"),
        (ChangeKind.CLEAR, "2", "card '2' is no number from 1 to 1"),
    ],
)  # fmt: skip
def test_change_that_fits_nothing_is_refused(
    served: Served, kind: ChangeKind, value: str, words: str
) -> None:
    refused(served, Change(served.households()[0], kind, value), words)


def test_class_that_gives_more_is_refused(served: Served) -> None:
    with closing(sqlite3.connect(served.office / "office.db")) as db:
        (low,) = db.execute(
            "SELECT h.id FROM household h JOIN desa d ON d.code = h.desa"
            " WHERE d.kecamatan = ? AND h.class = 1", (KEC_1,),
        ).fetchone()  # fmt: skip
    refused(served, Change(low, ChangeKind.LOWER, "2"), "a class that gives more")


def test_household_of_another_kecamatan_is_refused(served: Served) -> None:
    (elsewhere, *_) = served.households(KEC_2)
    refused(served, Change(elsewhere, ChangeKind.REPLACE), "is not in the roster of 629901")
    refused(served, Change(b"unlisted", ChangeKind.REPLACE), "is not in the roster of 629901")


def test_household_the_decree_does_not_list_yet_is_refused(served: Served) -> None:
    with closing(sqlite3.connect(served.office / "office.db")) as db, db:
        (desa,) = db.execute("SELECT min(code) FROM desa").fetchone()
        db.execute("INSERT INTO household VALUES (?, ?, 1, 1, 0, 'listed')", (b"newcomer", desa))
        db.execute("INSERT INTO member VALUES (?, 1, 'Ibu Uji', 'head', NULL)", (b"newcomer",))
    refused(served, Change(b"newcomer", ChangeKind.REPLACE), "only it can add one")


def test_more_than_the_policy_allows_is_refused(served: Served) -> None:
    homes = served.households()
    for home in homes[:5]:
        served.change(home, ChangeKind.STATE, "ended")
    refused(
        served,
        Change(homes[5], ChangeKind.STATE, "ended"),
        "remove 6 of 20 households; the policy allows 5 until the next decree",
    )


def test_missing_key_changes_nothing(served: Served) -> None:
    (served.office / "keys" / "kecamatan" / KEC_1 / "camat.pem").unlink()
    refused(
        served,
        Change(served.households()[0], ChangeKind.STATE, "ended"),
        "role changes-629901 needs 2 of its 2 keys and 1 lie",
    )


def test_clock_before_the_last_signature_is_refused(served: Served) -> None:
    served.clock.wall -= 60
    refused(
        served, Change(served.households()[0], ChangeKind.REPLACE), "clock of this computer stands"
    )


def test_office_that_has_published_nothing_has_nothing_to_change(
    office: Path, province: Province
) -> None:
    with open_office(office) as opened, pytest.raises(ProvisioningError, match="nothing yet"):
        publish_changes(opened, KEC_1, [], now=NOW)
    publish_office(office, province)
    with open_office(office) as opened, pytest.raises(ProvisioningError, match="does not serve"):
        publish_changes(opened, "629903", [], now=NOW)
