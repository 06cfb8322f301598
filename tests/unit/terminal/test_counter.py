"""The counter: what it asks for, what its state says, and several at one journal."""

import threading
from collections import Counter as Tally
from pathlib import Path

import msgspec
import pytest

from card_codec.reason import Reason
from card_codec.refusal import Facts, Refused
from ledger.acknowledgement import Acknowledgement, write_acknowledgement
from ledger.entry import Basis, Refusal, Void
from ledger.errors import FolderError, JournalDamagedError
from ledger.policy import DAY
from ledger.rights_file import MemberRight
from terminal.counter import (
    Counter,
    CounterState,
    Presentation,
    Redeemed,
    Request,
    open_counter,
)
from terminal.decision import Approved, ChooseMember
from terminal.errors import WrongRequestError
from tests.point import Point, make_point, tables
from tests.unit.ledger.journals import tamper
from tests.world import KEC_2, NOW, World


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return make_point(tmp_path)


@pytest.fixture
def far(tmp_path: Path) -> Point:
    """Eight families of the other kecamatan as well."""
    point = make_point(tmp_path)
    for n in range(8):
        point.ids[f"jauh {n}"] = point.world.household(f"jauh {n}", kecamatan=KEC_2)
        point.cards[f"jauh {n}"] = point.world.card(point.ids[f"jauh {n}"])
    point.world.publish()
    point.bring()
    point.take()
    return point


# --- what is asked for ---

WRONG = {
    "an unknown programme": (Request("beras"), "no programme 'beras' in the policy; it names pan"),
    "a programme in capitals": (Request("PANGAN"), "no programme 'PANGAN'"),
    "no programme": (Request(""), "no programme ''"),
    "a person of a household": (Request("pangan", member=1), "leave out member"),
    "person 0": (Request("klinik", member=0), "from 1 to 255"),
    "person 256": (Request("klinik", member=256), "from 1 to 255"),
    "nothing": (Request("pangan", quantity=0), "a whole number from 1 on"),
    "less than nothing": (Request("pangan", quantity=-1), "a whole number from 1 on"),
    "more than an entry can say": (Request("pangan", quantity=2**24), "a whole number from 1 on"),
}


@pytest.mark.parametrize(("request_", "told"), WRONG.values(), ids=WRONG.keys())
def test_request_that_makes_no_sense_is_told_and_not_recorded(
    point: Point, request_: Request, told: str
) -> None:
    before = tables(point.folder.journal)
    presentation = Presentation(point.cards["mawar"])
    for act in (point.counter.look, point.counter.redeem):
        with pytest.raises(WrongRequestError, match=told):
            act(presentation, request_)
    assert tables(point.folder.journal) == before


def test_person_is_chosen_before_anything_is_recorded(point: Point) -> None:
    before = tables(point.folder.journal)
    asked = point.show("anggrek", "klinik")
    assert isinstance(asked, ChooseMember)
    assert asked.members == (2,)
    assert tables(point.folder.journal) == before


def test_household_without_such_persons_is_not_entitled(point: Point) -> None:
    assert point.show("mawar", "klinik") == Refused(Reason.NOT_ENTITLED)


def test_status_only_programme_records_and_takes_nothing(point: Point) -> None:
    household = point.world.household("jkn", members=(MemberRight(1, 5, 1),))
    point.cards["jkn"] = point.world.card(household)
    point.world.publish()
    point.bring()
    point.take()
    for _ in range(3):
        noted = point.show("jkn", "jkn", member=1)
        assert isinstance(noted, Redeemed)
        assert noted.approved.left_after is None


# --- away from home ---


def test_sixth_household_away_from_home_is_refused_and_sent_home(far: Point) -> None:
    for n in range(5):
        given = far.show(f"jauh {n}")
        assert isinstance(given, Redeemed)
        assert (given.approved.basis, given.approved.away_left) == (Basis.AWAY, 4 - n)
    assert far.counter.state().away_left == 0
    sixth = Refused(Reason.AWAY_QUOTA_USED, Facts(point="Balai Dua", count=5))
    assert far.show("jauh 5") == sixth
    again = far.show("jauh 0", "pasar-murah")
    assert isinstance(again, Redeemed)
    assert again.approved.away_left == 0
    assert far.show("jauh 5") == sixth
    assert isinstance(far.show("mawar"), Redeemed)


def test_household_that_took_away_and_was_voided_frees_its_place(far: Point) -> None:
    for n in range(5):
        far.show(f"jauh {n}")
    desk = far.counter._desk
    with desk.journal.act() as act:
        assert act.head.moment is not None
        act.append(
            Void(1, "salah", "WK"), moment=act.head.moment, ledger=1, officer="UJI",
            signer=desk.signer,
        )  # fmt: skip
    assert far.counter.state().away_left == 1
    assert isinstance(far.show("jauh 5"), Redeemed)


def test_quota_counts_again_when_the_window_is_over(far: Point) -> None:
    for n in range(5):
        far.show(f"jauh {n}")
    far.world.clock.pass_time(61 * DAY)
    assert far.counter.state().away_left == 5


def test_quota_is_that_of_the_newest_roll(far: Point) -> None:
    far.world.terminals[0] = msgspec.structs.replace(far.world.terminals[0], away_households=0)
    far.world.publish()
    far.bring()
    far.take()
    assert far.show("jauh 0") == Refused(Reason.NOT_SERVED_AWAY, Facts(point="Balai Dua"))


def test_what_could_be_given_twice_is_told_in_rupiah_until_the_province_knows(far: Point) -> None:
    far.show("jauh 0")
    far.show("jauh 1", "pasar-murah")
    far.show("mawar")
    assert far.counter.state().twice_rupiah == 150_000 + 140_000
    leaf = far.counter._desk.journal.leaf(1)
    assert leaf is not None
    word = Acknowledgement("khb-ack-2", 1, 1, 1, leaf, NOW)
    folder = far.folder.in_box / "acknowledgements"
    folder.mkdir()
    (folder / "one.cose").write_bytes(write_acknowledgement(word, far.world.log))
    assert far.take().changed
    assert far.counter.state().twice_rupiah == 140_000


# --- state ---


def test_state_says_where_the_counter_stands(point: Point) -> None:
    point.show("mawar")
    point.show("kamboja")
    point.show("cempaka")
    head = point.counter._desk.journal.head()
    state = point.counter.state()
    assert state == CounterState(
        served_today=1, refused_today=2, waiting=4, ledger_version=1, ledger_time=NOW, age_days=0,
        last=state.last, head=head.leaf.hex(), seq=4, away_left=5, twice_rupiah=0,
        clock_wrong=False, at=NOW, asks_handover=False, last_refusal="not_entitled", problem=None,
    )  # fmt: skip
    assert state.last is not None
    assert (state.last.number, state.last.at, state.last.handed_over) == ("T001-0001", NOW, True)


def test_counts_of_a_day_begin_anew_at_midnight_in_western_indonesia(point: Point) -> None:
    point.show("kamboja")
    midnight = (NOW + 7 * 3600) // DAY * DAY - 7 * 3600 + DAY
    point.world.clock.pass_time(midnight - NOW - 1)
    assert point.counter.state().refused_today == 1
    point.world.clock.pass_time(1)
    assert point.counter.state().refused_today == 0
    point.show("kamboja")
    assert point.counter.state().refused_today == 1


def test_counts_are_those_of_the_journal_after_a_restart(point: Point) -> None:
    point.show("mawar")
    point.show("kamboja")
    before = point.counter.state()
    point.restart()
    after = point.counter.state()
    assert (after.served_today, after.refused_today) == (1, 1)
    assert (after.head, after.last_refusal) == (before.head, "revoked")


def test_state_of_an_empty_counter(tmp_path: Path) -> None:
    world = World(tmp_path)
    state = world.counter(world.terminal("Satu")).state()
    assert (state.seq, state.head, state.last, state.ledger_version) == (0, "", None, None)
    assert (state.away_left, state.age_days, state.waiting) == (None, None, 0)


def test_clock_behind_is_flagged_and_service_goes_on_at_floor_time(point: Point) -> None:
    point.show("kamboja")
    point.world.clock.reboot(wall=NOW - 30 * DAY)
    state = point.counter.state()
    assert (state.clock_wrong, state.at) == (True, NOW)
    given = point.show("mawar")
    assert isinstance(given, Redeemed)
    assert given.at == NOW


def test_clock_a_year_ahead_gives_nothing_it_should_not(point: Point) -> None:
    point.world.clock.wall = NOW + 365 * DAY
    for name in ("mawar", "melati"):
        refused = point.show(name)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.WINDOW_CLOSED
    assert point.counter.state().at == NOW + 45 * DAY


def test_entry_written_by_a_clock_far_ahead_leaves_time_45_days_on(point: Point) -> None:
    """So that a clock set back opens nothing again; until then the ledger counts as too old."""
    point.world.clock.wall = NOW + 365 * DAY
    point.show("mawar")
    point.world.clock.wall = NOW
    assert point.counter.state().at == NOW + 45 * DAY
    assert point.show("mawar") == Refused(Reason.LEDGER_TOO_OLD)
    assert point.counter.state().clock_wrong


# --- several at once ---


def test_two_windows_of_one_counter_give_a_right_once(point: Point) -> None:
    found = race([point.counter] * 4, point.cards["mawar"])
    assert found == {"given": 1, Reason.ALREADY_REDEEMED: 3}


def test_two_counters_on_one_journal_give_a_right_once(point: Point) -> None:
    counters = [point.world.counter(point.folder) for _ in range(4)]
    assert race(counters, point.cards["mawar"]) == {"given": 1, Reason.ALREADY_REDEEMED: 3}
    for counter in counters:
        counter.close()


def race(counters: list[Counter], text: str) -> Tally[str]:
    """All show the same card at the same moment."""
    start, found = threading.Barrier(len(counters)), Tally[str]()

    def show(counter: Counter) -> None:
        start.wait(5)
        outcome = counter.redeem(Presentation(text), Request("pangan"))
        found["given" if isinstance(outcome, Redeemed) else outcome.reason] += 1  # type: ignore[union-attr]

    threads = [threading.Thread(target=show, args=(counter,)) for counter in counters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def test_away_quota_is_not_overrun_by_two_counters(far: Point) -> None:
    """The quota is read in the same transaction that spends it."""
    counters = [far.counter, far.world.counter(far.folder)]
    start = threading.Barrier(2)

    def serve(counter: Counter, numbers: range) -> None:
        start.wait(5)
        for n in numbers:
            counter.redeem(Presentation(far.cards[f"jauh {n}"]), Request("pangan"))

    threads = [
        threading.Thread(target=serve, args=(counters[0], range(4))),
        threading.Thread(target=serve, args=(counters[1], range(4, 8))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    away = {row[0] for row in tables(far.folder.journal)["element"] if row[10] == Basis.AWAY}
    assert len(away) == 5


# --- opening ---


def test_counter_is_not_opened_without_its_key_or_with_no_key(point: Point) -> None:
    point.counter.close()
    key = point.folder.signing_key
    whole = key.read_bytes()
    for data in (b"", b"garbage", whole[:60]):
        key.write_bytes(data)
        with pytest.raises(FolderError, match="is not a signing key"):
            open_counter(point.folder)
    key.unlink()
    with pytest.raises(FolderError, match="no signing key"):
        open_counter(point.folder)


def test_counter_is_not_opened_on_a_damaged_journal(point: Point) -> None:
    point.show("mawar")
    point.counter.close()
    tamper(point.folder.journal, "UPDATE entry SET signature = zeroblob(64)")
    with pytest.raises(JournalDamagedError, match="newest head signature"):
        open_counter(point.folder)


def test_refusal_before_any_ledger_is_recorded_by_look_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    counter = world.counter(world.terminal("Satu"))
    told = counter.look(Presentation("anything"), Request("pangan", member=900))
    assert told == Refused(Reason.NO_LEDGER)
    [entry], _ = counter._desk.journal.signed_run(1)
    assert isinstance(entry.content, Refusal)
    assert entry.content.reason == "no_ledger"
    assert not isinstance(told, Approved)
