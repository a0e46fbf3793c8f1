"""What people write: weekdays, lengths, dates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from triggers import schedules
from triggers.schedules import OnDate, Over, ScheduleError

NOW = datetime(2026, 3, 26, 14, 32, tzinfo=UTC)


# --- Weekdays ----------------------------------------------------------------------------------------


def test_a_fixed_time_fires_on_its_weekdays_only() -> None:
    schedule = schedules.read("fixed_time", "08:00", "America/New_York", NOW, weekdays=[1, 5])

    found, now = [], NOW
    for _ in range(4):
        now = schedule.next_after(now)
        found.append(f"{now:%a %Y-%m-%d %H:%M}")

    assert found == ["Fri 2026-03-27 12:00", "Mon 2026-03-30 12:00", "Fri 2026-04-03 12:00", "Mon 2026-04-06 12:00"]


def test_the_weekday_is_that_of_the_zone() -> None:
    schedule = schedules.read("fixed_time", "00:30", "Pacific/Auckland", NOW, weekdays=[1])

    assert schedule.next_after(NOW) == datetime(2026, 3, 29, 11, 30, tzinfo=UTC)  # Monday there, Sunday in UTC


def test_a_weekday_in_the_gap_fires_after_it_and_one_in_the_fold_once() -> None:
    sundays = schedules.read("fixed_time", "02:30", "Europe/Berlin", NOW, weekdays=[7])

    assert sundays.next_after(NOW) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert sundays.next_after(datetime(2026, 10, 25, tzinfo=UTC)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert sundays.next_after(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "read"), [((), ()), ((5, 1, 5), (1, 5)), (range(1, 8), ()), ([7], (7,)), ((6, 7), (6, 7))]
)
def test_it_orders_weekdays_and_takes_all_for_none(given: list[int], read: tuple[int, ...]) -> None:
    assert schedules.read_weekdays(given) == read


@pytest.mark.parametrize("weekdays", [[0], [8], ["mon"], [True], [1.0], [None], [-1]])
def test_it_refuses_what_is_no_weekday(weekdays: list[int]) -> None:
    with pytest.raises(ScheduleError, match="1 for Monday to 7 for Sunday") as caught:
        schedules.read("fixed_time", "08:00", "UTC", NOW, weekdays)

    assert caught.value.field == "weekdays"


# --- Lengths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("90 s", 90),
        ("5 min", 300),
        ("5min", 300),
        ("5 m", 300),
        ("1 h 30 min", 5400),
        ("1h30m", 5400),
        ("1 hour and 30 minutes", 5400),
        ("1 hour, 30 minutes", 5400),
        ("30 min 1 h", 5400),
        ("2 days", 172_800),
        (" 1 Day ", 86_400),
        ("1 week", 604_800),
        ("1d 2h 3m 4s", 93_784),
        ("366 days", 31_622_400),
        ("31622400", 31_622_400),
    ],
)
def test_it_reads_a_length(text: str, seconds: int) -> None:
    assert schedules.seconds_of(text) == seconds


@pytest.mark.parametrize("seconds", [1, 59, 60, 3661, 86_400, 90_061, 31_622_400])
def test_it_reads_back_its_own_words(seconds: int) -> None:
    assert schedules.seconds_of(schedules.duration_in_words(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0 s", "-5 min", "1.5 h", "5 fortnights", "min", "5 min min", "1 h 2 h", "1 h and", "1,,2"),
        *("367 days", "31622401", "9" * 5000, "1e3", "٦٠", "PT1M", "12:00", "5 mın", "1 h; 2 min", "1 h\0"),
    ],
)
def test_it_refuses_what_is_no_length(text: str) -> None:
    with pytest.raises(ScheduleError, match="Use a length such as 90 s, 5 min, 1 h 30 min or 2 days") as caught:
        schedules.seconds_of(text)

    assert caught.value.field == "schedule_value"


# --- Dates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-04-02T22:00", "Europe/Berlin", "2026-04-02 20:00:00"),
        ("2026-04-02 22:00", "Europe/Berlin", "2026-04-02 20:00:00"),
        ("2026-04-02T22:00:30", "UTC", "2026-04-02 22:00:30"),
        ("2026-04-02T20:00:00.000Z", "Europe/Berlin", "2026-04-02 20:00:00"),
        ("2026-04-02T22:00+02:00", "America/New_York", "2026-04-02 20:00:00"),
        ("2026-04-02T22:00-0430", "UTC", "2026-04-03 02:30:00"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25 00:30:00"),  # comes twice: the first
        ("2026-10-25T02:30+01:00", "Europe/Berlin", "2026-10-25 01:30:00"),  # the second, said outright
        ("2026-03-29T02:30+01:00", "Europe/Berlin", "2026-03-29 01:30:00"),  # an offset knows no gap
        ("2026-03-29T03:00", "Europe/Berlin", "2026-03-29 01:00:00"),  # the first after the gap
        ("2020-01-01T00:00", "UTC", "2020-01-01 00:00:00"),  # has passed; that is for `next_after` to say
    ],
)
def test_it_reads_a_date_by_the_clock_of_its_zone(value: str, zone: str, expected: str) -> None:
    schedule = schedules.read("date", value, zone, NOW)

    assert isinstance(schedule, OnDate)
    assert f"{schedule.at:%Y-%m-%d %H:%M:%S}" == expected
    assert schedule.at.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "zone", "words"),
    [
        (
            "2026-03-29T02:30",
            "Europe/Berlin",
            "This time does not exist in Europe/Berlin: clocks go forward from 02:00 on 2026-03-29 to 03:00 on "
            "2026-03-29. Use an earlier or a later time.",
        ),
        ("2026-03-29T02:00", "Europe/Berlin", "does not exist"),
        ("2026-04-24T00:00", "Africa/Cairo", "from 00:00 on 2026-04-24 to 01:00"),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "from 02:00 on 2026-10-04 to 02:30"),
        ("2011-12-30T12:00", "Pacific/Apia", "from 00:00 on 2011-12-30 to 00:00 on 2011-12-31"),
    ],
)
def test_it_refuses_a_date_in_a_gap_and_says_which(value: str, zone: str, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedules.read("date", value, zone, NOW)

    assert words in str(caught.value)
    assert caught.value.field == "schedule_value"


@pytest.mark.parametrize(
    "value",
    [
        *("", "2026-04-02", "22:00", "2026-04-02T22", "tomorrow", "02/04/2026 22:00", "2026-W14-4T22:00"),
        *("20260402T220000", " 2026-04-02T22:00", "2026-04-02T22:00\n", "２０26-04-02T22:00", "2026-04-02T22:00 CET"),
        "1775167200",
    ],
)
def test_it_refuses_what_is_no_date_and_time(value: str) -> None:
    with pytest.raises(ScheduleError, match="YYYY-MM-DDTHH:MM, such as 2026-04-02T22:00"):
        schedules.read("date", value, "UTC", NOW)


@pytest.mark.parametrize(
    "value",
    ["2026-02-30T12:00", "2027-02-29T12:00", "2026-04-02T24:00", "2026-04-02T22:60", "2026-04-02T22:00+25:00"],
)
def test_it_refuses_what_the_calendar_has_not(value: str) -> None:
    with pytest.raises(ScheduleError, match="There is no such date and time"):
        schedules.read("date", value, "UTC", NOW)


@pytest.mark.parametrize(
    "value", ["0000-01-01T00:00", "0001-01-01T00:00", "1969-12-31T23:59Z", "9999-12-31T23:59-05:00"]
)
def test_it_refuses_a_date_near_the_ends_of_the_calendar(value: str) -> None:
    with pytest.raises(ScheduleError, match="Use a date from 1970 to 8999"):
        schedules.read("date", value, "Pacific/Pago_Pago", NOW)


def test_a_date_fires_once_and_says_when_it_has_passed() -> None:
    schedule = schedules.read("date", "2026-04-02T22:00", "Europe/Berlin", NOW)

    at = schedule.next_after(NOW)
    assert at == datetime(2026, 4, 2, 20, tzinfo=UTC)
    with pytest.raises(Over, match="2026-04-02 22:00 in Europe/Berlin has passed") as caught:
        schedule.next_after(at)
    assert caught.value.field == "schedule_value"
    assert (schedule.count(NOW, at), schedule.count(at, at)) == (1, 0)
