"""When does a trigger fire next? Tables: fixed times over changes of the clock, intervals, and words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings

from triggers import schedules
from triggers.schedules import FixedInterval, Schedule, ScheduleError

VECTORS: Path = settings.BASE_DIR.parent / "shared" / "vectors" / "tz"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not at ../shared/vectors")
START = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def at(instant: str) -> datetime:
    """ "2026-03-29 01:00" in UTC."""
    return datetime.fromisoformat(instant).replace(tzinfo=UTC)


def fires(schedule: Schedule, after: datetime, count: int) -> list[str]:
    """The next fires, each asked for from the one before, in UTC."""
    found = []
    for _ in range(count):
        after = schedule.next_after(after)
        assert after.tzinfo is UTC
        found.append(f"{after:%Y-%m-%d %H:%M}")
    return found


# --- Fixed times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "clock", "after", "expected"),
    [
        # An ordinary day: later today, exactly now (so tomorrow), already over.
        ("UTC", "12:00", "2026-06-01 11:59", ["2026-06-01 12:00", "2026-06-02 12:00"]),
        ("UTC", "12:00", "2026-06-01 12:00", ["2026-06-02 12:00"]),
        ("UTC", "00:00", "2026-12-31 23:59", ["2027-01-01 00:00"]),
        ("UTC", "23:59", "2028-02-28 23:59", ["2028-02-29 23:59", "2028-03-01 23:59"]),
        # The day of the zone is not the day of UTC.
        ("Pacific/Kiritimati", "00:30", "2026-06-01 10:29", ["2026-06-01 10:30"]),
        ("Pacific/Pago_Pago", "23:30", "2026-06-01 10:29", ["2026-06-01 10:30"]),
        ("Asia/Kathmandu", "06:00", "2026-06-01 00:00", ["2026-06-01 00:15"]),
        # Gap 02:00 → 03:00: not at 02:30 nor at 03:30, but at the first instant after it.
        ("Europe/Berlin", "02:30", "2026-03-28 00:00", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        ("Europe/Berlin", "02:00", "2026-03-28 02:00", ["2026-03-29 01:00", "2026-03-30 00:00"]),
        ("Europe/Berlin", "02:59", "2026-03-28 02:00", ["2026-03-29 01:00"]),
        ("Europe/Berlin", "03:00", "2026-03-28 03:00", ["2026-03-29 01:00", "2026-03-30 01:00"]),
        ("Europe/Berlin", "01:59", "2026-03-29 00:00", ["2026-03-29 00:59"]),
        # Fold 03:00 → 02:00: 02:30 comes twice and fires at the first only.
        ("Europe/Berlin", "02:30", "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("Europe/Berlin", "02:30", "2026-10-25 01:00", ["2026-10-26 01:30"]),  # asked between the two
        ("Europe/Berlin", "02:00", "2026-10-24 12:00", ["2026-10-25 00:00", "2026-10-26 01:00"]),
        ("Europe/Berlin", "03:00", "2026-10-24 12:00", ["2026-10-25 02:00"]),
        ("America/New_York", "02:30", "2026-03-07 12:00", ["2026-03-08 07:00", "2026-03-09 06:30"]),
        ("America/New_York", "01:30", "2026-10-31 12:00", ["2026-11-01 05:30", "2026-11-02 06:30"]),
        # Half an hour only: gap 02:00 → 02:30, fold 02:00 → 01:30.
        ("Australia/Lord_Howe", "02:15", "2026-10-03 00:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
        ("Australia/Lord_Howe", "01:45", "2026-04-04 12:00", ["2026-04-04 14:45", "2026-04-05 15:15"]),
        # Gap at midnight: the day begins at 01:00.
        ("America/Havana", "00:00", "2026-03-07 12:00", ["2026-03-08 05:00", "2026-03-09 04:00"]),
        ("America/Havana", "00:30", "2026-03-07 12:00", ["2026-03-08 05:00", "2026-03-09 04:30"]),
        ("Africa/Cairo", "00:00", "2026-04-23 12:00", ["2026-04-23 22:00", "2026-04-24 21:00"]),
        ("Asia/Beirut", "00:59", "2026-03-28 12:00", ["2026-03-28 22:00", "2026-03-29 21:59"]),
        # Fold at midnight: 23:30 comes twice on the same day.
        ("Africa/Cairo", "23:30", "2026-10-28 22:00", ["2026-10-29 20:30", "2026-10-30 21:30"]),
        # A day that was left out altogether (Samoa crossed the date line): its fire falls on the next morning.
        ("Pacific/Apia", "12:00", "2011-12-29 12:00", ["2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00"]),
    ],
)
def test_a_fixed_time_fires_once_a_day_by_the_clock_of_its_zone(
    zone: str, clock: str, after: str, expected: list[str]
) -> None:
    schedule = schedules.read("fixed_time", clock, zone, START)

    assert fires(schedule, at(after), len(expected)) == expected


@needs_vectors
def test_it_knows_every_public_zone_name() -> None:
    names = (VECTORS / "zones.txt").read_text().split()

    assert [name for name in names if schedules.zone(name).key != name] == []


@pytest.mark.parametrize(
    "name",
    ["", "utc", "europe/berlin", "Berlin", "CEST", "+02:00", "localtime", "../etc/passwd", "/etc/localtime", "a\0b"],
)
def test_it_refuses_what_is_no_zone_name(name: str) -> None:
    with pytest.raises(ScheduleError, match="Use an IANA time zone name") as caught:
        schedules.read("fixed_time", "12:00", name, START)

    assert caught.value.field == "time_zone"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "24:00",
        "12:60",
        "1:00",
        "12:0",
        "12:00:00",
        " 12:00",
        "12:00\n",
        "12.00",
        "noon",
        "-1:00",
        "１２:００",
        "60",
    ],
)
def test_it_refuses_what_is_no_time_of_day(value: str) -> None:
    with pytest.raises(ScheduleError, match="HH:MM, from 00:00 to 23:59") as caught:
        schedules.read("fixed_time", value, "UTC", START)

    assert caught.value.field == "schedule_value"


# --- Intervals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "after", "expected"),
    [
        (60, 0.0, 60),  # the first, a whole interval after the start
        (60, 59.999999, 60),
        (60, 60.0, 120),  # exactly at a fire: the one after
        (60, 3601.5, 3660),
        (60, -500.0, 60),  # the clock was set back before the start: never before start + every
        (1, 86_400.5, 86_401),
        (7, 700_000.0, 700_007),
        (31_622_400, 1.0, 31_622_400),
    ],
)
def test_an_interval_counts_from_its_start(seconds: int, after: float, expected: int) -> None:
    schedule = schedules.read("fixed_interval", str(seconds), "UTC", START)

    assert schedule.next_after(START + timedelta(seconds=after)) == START + timedelta(seconds=expected)


def test_an_interval_does_not_drift_however_late_it_is_asked() -> None:
    schedule = FixedInterval(timedelta(seconds=3), START)
    now = START

    for number in range(1, 10_001):
        now = schedule.next_after(now)
        assert now == START + number * timedelta(seconds=3)
        now += timedelta(microseconds=number * 299)  # up to 2.99 s late


def test_an_interval_follows_real_time_over_a_change_of_the_clock() -> None:
    start = at("2026-03-28 23:00").astimezone(ZoneInfo("Europe/Berlin"))
    schedule = schedules.read("fixed_interval", "3600", "Europe/Berlin", start)

    assert fires(schedule, start, 4) == [
        *("2026-03-29 00:00", "2026-03-29 01:00"),
        *("2026-03-29 02:00", "2026-03-29 03:00"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-1",
        "+1",
        "1.5",
        "1e3",
        " 60",
        "60 ",
        "60\n",
        "0x10",
        "٦٠",
        "²",
        "31622401",
        "9" * 5000,
        "PT1M",
        "12:00",
    ],
)
def test_it_refuses_what_is_no_number_of_seconds(value: str) -> None:
    with pytest.raises(ScheduleError, match="whole number of seconds, from 1 to 31622400") as caught:
        schedules.read("fixed_interval", value, "UTC", START)

    assert caught.value.field == "schedule_value"


@pytest.mark.parametrize("schedule_type", ["", "hourly", "FIXED_TIME", "fixed time"])
def test_it_refuses_an_unknown_kind_of_schedule(schedule_type: str) -> None:
    with pytest.raises(ScheduleError, match="Use fixed_time, fixed_interval, cron or date") as caught:
        schedules.read(schedule_type, "12:00", "UTC", START)

    assert caught.value.field == "schedule_type"
