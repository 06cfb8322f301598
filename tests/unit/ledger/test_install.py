"""Installing what the office signed: what is new is served by, what is old is never taken back."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from card_codec.reason import Reason
from card_codec.refusal import Refused
from ledger import install
from ledger.entry import Presented, Refusal
from ledger.errors import RightsError
from ledger.install import Installed
from ledger.policy import DAY
from ledger.repository import tuf_signer
from ledger.rights import Rights
from ledger.rights_file import MemberRight
from terminal.counter import Presentation, Redeemed, Request
from terminal.decision import Approved
from tests.point import Point, make_point, taken_elsewhere
from tests.world import NOW, World


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


def reason(point: Point, name: str) -> Reason | None:
    """Why a family's card would be refused now, None when it would not."""
    verdict = point.answers()[name, "pangan"]
    return verdict.reason if isinstance(verdict, Refused) else None


def test_first_ledger_is_installed_and_served_by(point: Point) -> None:
    expected = {
        "mawar": None, "melati": None, "anggrek": None, "kamboja": Reason.REVOKED,
        "tanjung": Reason.REPLACED, "cempaka": Reason.NOT_ENTITLED, "kenanga": Reason.USE_CHIP,
        "dahlia": Reason.ALREADY_REDEEMED, "asing": Reason.RIGHT_NOT_HERE,
        "contoh": Reason.SAMPLE_CARD,
    }  # fmt: skip
    assert {name: reason(point, name) for name in point.cards} == expected
    assert point.counter.state().ledger_version == 1


def test_nothing_new_changes_nothing(point: Point) -> None:
    before = point.held()
    assert point.take() == Installed(changed=False, ledger=1)
    shutil.rmtree(point.folder.in_box)
    assert point.take() == Installed(changed=False, ledger=1)
    assert point.held() == before


def test_newer_ledger_replaces_the_old_in_one_step(point: Point) -> None:
    world = point.world
    world.blocked["629901"].append((point.ids["mawar"], 1))
    world.add_usage(taken_elsewhere(point.ids["anggrek"], seq=18))
    new = world.household("baru")
    point.cards["baru"] = world.card(new)
    world.clock.pass_time(DAY)
    world.publish()
    point.bring()
    assert point.take() == Installed(changed=True, ledger=2, usage_new=1)
    assert reason(point, "mawar") is Reason.REVOKED
    assert reason(point, "anggrek") is Reason.ALREADY_REDEEMED
    assert reason(point, "baru") is None
    state = point.counter.state()
    assert (state.ledger_version, state.ledger_time, state.problem) == (2, NOW + DAY, None)


def test_heartbeat_alone_makes_the_rights_younger(point: Point) -> None:
    point.world.clock.pass_time(6 * DAY)
    point.world.repository.publish(tuf_signer(point.world.online), now=point.world.clock.wall)
    point.bring()
    answers = point.answers()
    assert point.take().changed
    assert point.counter.state().age_days == 0
    assert point.answers() == answers


def test_signed_times_become_the_floors(point: Point) -> None:
    floors = point.counter._desk.journal.floors()
    assert (floors.office.time, floors.online.time) == (NOW, NOW)
    point.world.clock.pass_time(DAY)
    point.world.repository.publish(tuf_signer(point.world.online), now=point.world.clock.wall)
    point.bring()
    point.take()
    floors = point.counter._desk.journal.floors()
    assert (floors.office.time, floors.online.time) == (NOW, NOW + DAY)


def test_terminal_the_roll_does_not_list_installs_nothing(point: Point) -> None:
    before, answers = point.held(), point.answers()
    point.world.terminals.pop(0)
    point.world.publish()
    point.bring()
    problem = point.take().problem
    assert problem == "the roll of terminals does not list this terminal; ask the office"
    assert (point.held(), point.answers()) == (before, answers)


def test_counter_serves_by_what_another_process_installed(point: Point) -> None:
    """`redeem` on the command line may be the one that finds a new in-box, not the page."""
    page = point.world.counter(point.folder)
    point.world.blocked["629901"].append((point.ids["mawar"], 1))
    point.world.publish()
    point.bring()
    assert point.take().changed
    assert not page.take_in_box().changed
    point.counter = page
    assert reason(point, "mawar") is Reason.REVOKED


def test_two_processes_that_see_it_at_once_install_it_once_each_whole(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = [point.counter, point.world.counter(point.folder)]
    point.world.publish()
    point.bring()
    inside, together = 0, []
    verify = install._verify

    def alone(*args: object) -> object:
        nonlocal inside
        inside += 1
        together.append(inside)
        try:
            return verify(*args)  # type: ignore[arg-type]
        finally:
            inside -= 1

    monkeypatch.setattr(install, "_verify", alone)
    found: list[Installed] = []
    threads = [threading.Thread(target=lambda c=c: found.append(c.take_in_box())) for c in counters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [i.problem for i in found] == [None, None]
    assert {i.ledger for i in found} == {2}
    assert max(together) == 1
    for point.counter in counters:
        assert reason(point, "mawar") is None
        assert point.counter.state().ledger_version == 2


# --- what is damaged is mended by the next look ---

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "not a database": lambda data: b"garbage" * 900,
    "a page overwritten": lambda data: data[:4096] + bytes(4096) + data[8192:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_ledger_is_told_refused_and_installed_again(
    point: Point, damage: Callable[[bytes], bytes]
) -> None:
    answers = point.answers()
    point.folder.rights.write_bytes(damage(point.folder.rights.read_bytes()))
    point.restart()
    problem = point.counter.state().problem
    assert problem is not None
    assert "damaged" in problem
    assert "\n" not in problem
    assert point.show("mawar") == Refused(Reason.NO_LEDGER)
    assert point.take().changed
    assert point.answers() == answers
    assert point.counter.state().problem is None


@pytest.mark.parametrize("part", ["versions", "policy", "roll", "trust"])
def test_damaged_part_of_the_ledger_is_an_error_of_ours(point: Point, part: str) -> None:
    for value in (b"", b"\xff\xff", None):
        with closing(sqlite3.connect(point.folder.rights)) as db:
            db.execute("PRAGMA writable_schema=ON")
            db.execute("DELETE FROM part WHERE name = ?", (part,))
            if value is not None:
                db.execute("INSERT INTO part VALUES (?, ?)", (part, value))
            db.commit()
        with pytest.raises(RightsError, match="damaged"):
            Rights(point.folder.rights)


def test_missing_ledger_is_installed_again(point: Point) -> None:
    answers = point.answers()
    point.folder.rights.unlink()
    point.restart()
    assert point.show("mawar") == Refused(Reason.NO_LEDGER)
    assert point.take().changed
    assert point.answers() == answers


def test_ledger_that_is_gone_is_not_taken_for_installed_by_whoever_looks(point: Point) -> None:
    journal, reading = point.counter._desk.journal, point.world.clock.read()
    assert not install.take_in_box(point.folder, journal, reading).changed
    point.folder.rights.unlink()
    assert install.take_in_box(point.folder, journal, reading) == Installed(True, 1)


# --- before the first ledger ---


def test_counter_without_a_ledger_refuses_and_records_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    folder = world.terminal("Satu")
    counter = world.counter(folder)
    told = counter.redeem(Presentation("KHB1" + "A" * 100), Request("pangan"))
    assert told == Refused(Reason.NO_LEDGER)
    [entry], _ = counter._desk.journal.signed_run(1)
    assert entry.content == Refusal("no_ledger", None, 0, 0, 0, Presented.TEXT)
    assert counter.state().problem == ("no ledger is installed yet; sync once or bring a USB stick")


# --- rights of persons ---


def test_person_listed_with_nothing_is_not_entitled(point: Point) -> None:
    """Not "already taken": nothing was ever owed."""
    row = point.world.household("nol", members=(MemberRight(2, 3, 0),))
    point.cards["nol"] = point.world.card(row)
    point.world.publish()
    point.bring()
    point.take()
    assert point.answers()["nol", "klinik"] == Refused(Reason.NOT_ENTITLED)
    assert point.show("nol", "klinik") == Refused(Reason.NOT_ENTITLED)


def test_person_is_served_by_number(point: Point) -> None:
    served = point.show("anggrek", "klinik", member=2, quantity=1)
    assert isinstance(served, Redeemed)
    assert served.approved.left_after == 5
    assert isinstance(point.answers()["anggrek", "klinik"], Approved)
