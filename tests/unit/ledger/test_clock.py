"""Time without a network: the two floors, and the two readings of now that follow from them."""

from dataclasses import replace
from itertools import product

import pytest

from ledger.clock import WALL_TRUST, Floor, Floors, Moment, Reading, SystemClock, judge_time
from ledger.policy import DAY

T = 1_790_000_000
BOOT, NEXT_BOOT = b"boot-one", b"boot-two"
HOUR, YEAR = 3600, 365 * DAY
NO_FLOOR = Floor()
SIGNED = Floor(T, 1000, BOOT)


def judged(
    *,
    wall: int,
    uptime: int = 1000,
    boot: bytes = BOOT,
    office: Floor = SIGNED,
    online: Floor = NO_FLOOR,
    last: Moment | None = None,
) -> Moment:
    """The moment judged; the office's time was learned at uptime 1,000 of the first boot."""
    return judge_time(Reading(wall, uptime, boot), Floors(office, online), last)


def after(moment: Moment, *, seconds: int, wall: int | None = None, **floors: Floor) -> Moment:
    """The moment some seconds later in the same boot; the wall runs on unless it is set."""
    return judged(
        wall=moment.wall + seconds if wall is None else wall, uptime=moment.boottime + seconds,
        boot=moment.boot_id, last=moment, **floors,
    )  # fmt: skip


def test_wall_that_runs_on_is_believed() -> None:
    moment = judged(wall=T + DAY, uptime=1000 + DAY)
    assert (moment.early, moment.late, moment.clock_wrong) == (T + DAY, T + DAY, False)


@pytest.mark.parametrize("behind", [HOUR, 30 * DAY, T])
def test_wall_behind_the_floor_leaves_service_at_floor_time_and_flags_it(behind: int) -> None:
    moment = judged(wall=T - behind)
    assert (moment.early, moment.late, moment.clock_wrong) == (T, T, True)


def test_wall_a_little_behind_is_not_called_wrong() -> None:
    assert not judged(wall=T - 120).clock_wrong
    assert judged(wall=T - 121).clock_wrong


def test_time_elapsed_in_one_boot_counts_whatever_the_wall_says() -> None:
    moment = judged(wall=0, uptime=1000 + 3 * DAY)
    assert (moment.early, moment.late) == (T + 3 * DAY, T + 3 * DAY)


def test_after_a_reboot_only_the_floor_itself_is_certain() -> None:
    moment = judged(wall=0, uptime=9 * DAY, boot=NEXT_BOOT)
    assert (moment.early, moment.late) == (T, T)


def test_last_entry_is_a_floor_across_a_reboot() -> None:
    last = judged(wall=T + 5 * DAY)
    moment = judged(wall=T - YEAR, uptime=3, boot=NEXT_BOOT, last=last)
    assert (moment.early, moment.office, moment.clock_wrong) == (T + 5 * DAY, T + 5 * DAY, True)


@pytest.mark.parametrize("ahead", [WALL_TRUST + 1, YEAR, 40 * YEAR])
def test_wall_far_ahead_opens_windows_by_45_days_at_most(ahead: int) -> None:
    moment = judged(wall=T + ahead)
    assert (moment.early, moment.late) == (T + WALL_TRUST, T + ahead)


def test_wall_far_ahead_gains_nothing_by_writing_more_entries() -> None:
    """The cap is past what was signed, not past what the terminal itself wrote before."""
    moment = judged(wall=T + YEAR)
    for _ in range(5):
        moment = after(moment, seconds=10 * HOUR)
        assert moment.early == T + WALL_TRUST
    rebooted = judged(wall=T + YEAR, uptime=1, boot=NEXT_BOOT, last=moment)
    assert rebooted.early == T + WALL_TRUST


def test_newly_signed_time_moves_the_cap_on() -> None:
    moment = judged(wall=T + YEAR)
    signed = Floor(T + 10 * DAY, 1000, BOOT)
    assert after(moment, seconds=0, office=signed).early == T + 10 * DAY + WALL_TRUST


def test_online_time_alone_never_moves_early() -> None:
    online = Floor(T + YEAR, 1000, BOOT)
    moment = judged(wall=T, online=online)
    assert (moment.early, moment.late, moment.online) == (T, T + YEAR, T + YEAR)
    assert after(moment, seconds=HOUR, online=online).early == T + HOUR


def test_wall_far_ahead_counts_as_far_as_the_online_time_reaches() -> None:
    online = Floor(T + 60 * DAY, 1000, BOOT)
    assert judged(wall=T + 59 * DAY, online=online).early == T + 59 * DAY
    assert judged(wall=T + YEAR, online=online).early == T + 60 * DAY
    assert judged(wall=T + YEAR, online=Floor(T + DAY)).early == T + WALL_TRUST


def test_what_the_online_time_let_in_is_carried_on_by_no_more_than_45_days() -> None:
    """Were that key stolen and the wall wrong once, the terminal would stay ahead for good."""
    ahead = judged(wall=T + 60 * DAY, online=Floor(T + 60 * DAY, 1000, BOOT))
    assert ahead.early == T + 60 * DAY
    after_it = judged(wall=T, uptime=1, boot=NEXT_BOOT, last=ahead)
    assert (after_it.early, after_it.office) == (T + WALL_TRUST, T + WALL_TRUST)


def test_late_counts_on_from_the_online_time_in_the_same_boot() -> None:
    online = Floor(T + DAY, 1000, BOOT)
    assert judged(wall=T, uptime=1000 + HOUR, online=online).late == T + DAY + HOUR
    rebooted = judged(wall=T, uptime=1000 + HOUR, boot=NEXT_BOOT, online=online)
    assert rebooted.late == T + DAY


def test_late_is_never_before_the_wall_or_early() -> None:
    for wall, online in product((0, T, T + YEAR), (0, T - DAY, T + YEAR)):
        moment = judged(wall=wall, online=Floor(online, 1000, BOOT))
        assert moment.late >= max(moment.early, wall, online)


def test_boot_time_that_runs_backwards_is_not_counted() -> None:
    moment = judged(wall=T, uptime=10)
    assert moment.early == T


def test_wall_before_1970_is_recorded_as_zero() -> None:
    moment = judged(wall=-5)
    assert (moment.wall, moment.early) == (0, T)


def test_terminal_that_never_saw_a_signed_time_stands_near_1970() -> None:
    moment = judged(wall=T, office=NO_FLOOR)
    assert (moment.early, moment.late) == (WALL_TRUST, T)
    assert judged(wall=T, office=NO_FLOOR, last=moment).early == WALL_TRUST


def test_entry_carries_the_readings_and_both_floors() -> None:
    online = Floor(T + HOUR, 1000, BOOT)
    moment = judged(wall=T + 60, uptime=1060, online=online)
    assert moment == Moment(
        wall=T + 60, early=T + 60, late=T + HOUR + 60, office=T, online=T + HOUR, boottime=1060,
        boot_id=BOOT,
    )  # fmt: skip


def test_machine_clock_reads_one_boot_and_a_time_that_runs() -> None:
    clock = SystemClock()
    first, second = clock.read(), clock.read()
    assert first.boot_id == second.boot_id == SystemClock().read().boot_id
    assert len(first.boot_id) == 8
    assert second.boottime >= first.boottime > 0
    assert replace(second, wall=0) != second
