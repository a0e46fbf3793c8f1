"""Windows, the spread of a herd, and how many fires a downtime missed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from triggers import schedules
from triggers.schedules import ScheduleError, Timetable, Window

NOW = datetime(2026, 3, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("window", "after", "expected"),
    [
        (Window(), NOW, NOW + HOUR),
        (Window(not_before=NOW + 5 * HOUR), NOW, NOW + 5 * HOUR),  # its first instant is inside
        (Window(not_before=NOW + 5 * HOUR), NOW + 5 * HOUR, NOW + 6 * HOUR),
        (Window(not_before=NOW + 5 * HOUR + timedelta(seconds=1)), NOW, NOW + 6 * HOUR),
        (Window(not_before=NOW - 5 * HOUR), NOW, NOW + HOUR),
        (Window(not_after=NOW + HOUR), NOW, NOW + HOUR),  # so is its last
        (Window(not_after=NOW + HOUR), NOW + HOUR, None),
        (Window(NOW + 2 * HOUR, NOW + 2 * HOUR), NOW, NOW + 2 * HOUR),
        (Window(NOW + HOUR / 2, NOW + HOUR / 2), NOW, None),
    ],
)
def test_a_window_bounds_a_schedule(window: Window, after: datetime, expected: datetime | None) -> None:
    timetable = Timetable(schedules.read("cron", "0 * * * *", "UTC", NOW), window)

    assert timetable.next_after(after) == expected
    assert timetable.count(after, expected or after + 9 * HOUR) == (1 if expected else 0)


def test_a_date_that_has_passed_has_no_next_fire() -> None:
    schedule = schedules.read("date", "2026-03-26T13:00", "UTC", NOW)

    assert Timetable(schedule).next_after(NOW) == NOW + HOUR
    assert Timetable(schedule).next_after(NOW + HOUR) is None


def test_it_refuses_a_window_that_ends_before_it_begins() -> None:
    with pytest.raises(ScheduleError, match="end lies before the start") as caught:
        Window(NOW, NOW - HOUR)

    assert caught.value.field == "not_after"


@pytest.mark.parametrize("first_id", [1, 90_001])
def test_a_spread_is_stable_and_even(first_id: int) -> None:
    ids = range(first_id, first_id + 1000)
    delays = [schedules.spread_delay(pk, 60) for pk in ids]

    assert delays == [schedules.spread_delay(pk, 60) for pk in ids]
    assert all(timedelta() <= delay < timedelta(seconds=60) for delay in delays)
    a_second = Counter(delay.seconds for delay in delays)
    assert len(a_second) == 60
    assert max(a_second.values()) <= 20  # 16.7 would be perfectly even


def test_a_delay_moves_every_fire_and_nothing_else() -> None:
    delay = timedelta(seconds=7.5)
    timetable = Timetable(schedules.read("cron", "0 * * * *", "UTC", NOW), Window(NOW + HOUR, NOW + 3 * HOUR), delay)

    # The window bounds the schedule's own instants: the last one fires although its delay ends after it.
    assert timetable.newest(NOW, NOW + 9 * HOUR, 9) == [NOW + hours * HOUR + delay for hours in (1, 2, 3)]
    assert timetable.next_after(NOW + HOUR) == NOW + HOUR + delay
    assert timetable.next_after(NOW + HOUR + delay) == NOW + 2 * HOUR + delay
    assert timetable.next_after(NOW + 3 * HOUR + delay) is None
    assert timetable.count(NOW + HOUR, NOW + HOUR + delay) == 1
    assert timetable.count(NOW + HOUR + delay, NOW + 2 * HOUR) == 0


# --- Long spans --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "zone", "days", "count", "latest"),
    [
        ("fixed_interval", "1", "UTC", 3650, 3650 * 86_400, "2036-03-23 12:00:00"),
        ("cron", "* * * * * *", "UTC", 3650, 3650 * 86_400, "2036-03-23 12:00:00"),
        ("cron", "* * * * *", "Europe/Berlin", 3650, 3650 * 1440, "2036-03-23 12:00:00"),
        ("cron", "0 0 L * *", "UTC", 3650, 120, "2036-02-29 00:00:00"),
        ("fixed_time", "02:30", "Europe/Berlin", 3650, 3650, "2036-03-23 01:30:00"),
        # Over a gap: the two times in it are one; over a fold: each once.
        ("cron", "0,30 2 * * *", "Europe/Berlin", 4, 7, "2026-03-30 00:30:00"),
    ],
)
def test_a_downtime_of_any_length_is_counted_not_walked_through(
    kind: str, value: str, zone: str, days: int, count: int, latest: str
) -> None:
    timetable = Timetable(schedules.read(kind, value, zone, NOW))
    until = NOW + timedelta(days=days)

    assert timetable.count(NOW, until) == count
    assert [f"{last:%Y-%m-%d %H:%M:%S}" for last in timetable.newest(NOW, until, 1)] == [latest]


def test_the_newest_are_found_without_the_others() -> None:
    timetable = Timetable(schedules.read("fixed_interval", "1", "UTC", NOW))
    until = NOW + timedelta(days=10, milliseconds=300)

    newest = timetable.newest(NOW, until, 100)

    assert newest == [NOW + timedelta(days=10, seconds=-second) for second in range(99, -1, -1)]
    assert timetable.newest(NOW, NOW + timedelta(seconds=3), 100) == [
        NOW + timedelta(seconds=second) for second in (1, 2, 3)
    ]
    assert timetable.newest(NOW, NOW, 100) == []
    assert timetable.newest(NOW, until, 0) == []
