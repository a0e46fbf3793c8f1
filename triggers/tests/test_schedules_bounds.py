"""Windows, the spread of a herd, and how many fires a downtime missed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from triggers import schedules
from triggers.schedules import ScheduleError, Window

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
    assert window.next_after(schedules.read("cron", "0 * * * *", "UTC", NOW), after) == expected


def test_a_date_that_has_passed_has_no_next_fire() -> None:
    schedule = schedules.read("date", "2026-03-26T13:00", "UTC", NOW)

    assert Window().next_after(schedule, NOW) == NOW + HOUR
    assert Window().next_after(schedule, NOW + HOUR) is None


def test_it_refuses_a_window_that_ends_before_it_begins() -> None:
    with pytest.raises(ScheduleError, match="end lies before the start") as caught:
        Window(NOW, NOW - HOUR)

    assert caught.value.field == "not_after"


@pytest.mark.parametrize("first_id", [1, 90_001])
def test_a_spread_is_stable_and_even(first_id: int) -> None:
    ids = range(first_id, first_id + 1000)
    delays = [schedules.spread_seconds(pk, 60) for pk in ids]

    assert delays == [schedules.spread_seconds(pk, 60) for pk in ids]
    assert all(0 <= delay < 60 for delay in delays)
    a_second = Counter(int(delay) for delay in delays)
    assert len(a_second) == 60
    assert max(a_second.values()) <= 20  # 16.7 would be perfectly even


def test_no_spread_is_no_delay() -> None:
    assert schedules.spread_seconds(7, 0) == 0


# --- Missed fires ------------------------------------------------------------------------------------


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
    schedule = schedules.read(kind, value, zone, NOW)
    first, until = schedule.next_after(NOW), NOW + timedelta(days=days)

    missed, last = schedules.missed(schedule, first, until)

    assert (missed, f"{last:%Y-%m-%d %H:%M:%S}") == (count, latest)
    assert schedule.count(NOW, until) == count


def test_the_newest_are_found_without_the_others() -> None:
    schedule = schedules.read("fixed_interval", "1", "UTC", NOW)
    until = NOW + timedelta(days=10, milliseconds=300)

    newest = schedules.newest(schedule, NOW, until, 100)

    assert newest == [NOW + timedelta(days=10, seconds=-second) for second in range(99, -1, -1)]
    assert schedules.newest(schedule, NOW, NOW + timedelta(seconds=3), 100) == [
        NOW + timedelta(seconds=second) for second in (1, 2, 3)
    ]
    assert schedules.newest(schedule, NOW, NOW, 100) == []


def test_one_fire_alone_is_missed_once() -> None:
    schedule = schedules.read("cron", "0 12 * * *", "UTC", NOW)

    assert schedules.missed(schedule, NOW, NOW) == (1, NOW)
    assert schedules.missed(schedule, NOW, NOW + 23 * HOUR) == (1, NOW)
    assert schedules.missed(schedule, NOW, NOW + 24 * HOUR) == (2, NOW + 24 * HOUR)
