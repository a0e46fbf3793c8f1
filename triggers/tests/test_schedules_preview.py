"""The fires to come, and what changes of the clock do to them, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from triggers import schedules
from triggers.schedules import ScheduleError, Timetable, Window


def previewed(kind: str, value: str, zone: str, after: str, count: int) -> list[tuple[str, str | None]]:
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    timetable = Timetable(schedules.read(kind, value, zone, start))
    return [
        (f"{fire.at:%a %d %H:%M%z}", fire.note) for fire in schedules.preview(timetable, ZoneInfo(zone), start, count)
    ]


def test_a_fire_in_the_gap_says_why_it_comes_later() -> None:
    expected = [
        ("Sat 28 02:30+0100", None),
        ("Sun 29 03:00+0200", "Clocks go forward: 02:30 does not exist, so this one fires at 03:00."),
        ("Mon 30 02:30+0200", None),
    ]

    assert previewed("cron", "30 2 * * *", "Europe/Berlin", "2026-03-27 12:00", 3) == expected
    assert previewed("fixed_time", "02:30", "Europe/Berlin", "2026-03-27 12:00", 3) == expected


def test_a_fire_in_the_fold_says_that_it_is_the_first_of_two() -> None:
    expected = [
        ("Sun 25 02:30+0200", "Clocks go back: 02:30 comes twice, this fires at the first."),
        ("Mon 26 02:30+0100", None),
    ]

    assert previewed("cron", "30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", 2) == expected
    assert previewed("fixed_time", "02:30", "Europe/Berlin", "2026-10-24 12:00", 2) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Several in one gap are one fire; one that falls on the gap's end is one with it.
        (
            "0,30 2 * * *",
            "Europe/Berlin",
            "2026-03-28 12:00",
            (
                "Sun 29 03:00+0200",
                "Clocks go forward from 02:00 to 03:00: the 2 times between do not exist, "
                "so they fire as one at 03:00.",
            ),
        ),
        (
            "0 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28 12:00",
            ("Sun 29 03:00+0200", "Clocks go forward: 02:00 does not exist, so it falls together with 03:00."),
        ),
        (
            "0,30 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28 12:00",
            (
                "Sun 29 03:00+0200",
                "Clocks go forward from 02:00 to 03:00: the 2 times between do not exist, "
                "so they fall together with 03:00.",
            ),
        ),
        # Real time: left out, said at the next that fires; doubled, said at both.
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-29 00:31",
            ("Sun 29 03:30+0200", "Clocks go forward: 02:30 does not exist and is left out."),
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "2026-03-28 12:00",
            (
                "Mon 30 02:00+0200",
                "Clocks go forward from 02:00 to 03:00: the 4 times between do not exist and are left out.",
            ),
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "2026-10-24 12:00",
            ("Sun 25 02:00+0200", "Clocks go back: 02:00 comes twice and fires twice; this is the first."),
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "2026-10-25 00:45",
            ("Sun 25 02:00+0100", "Clocks go back: 02:00 comes twice and fires twice; this is the second."),
        ),
        # The gap is half an hour, two hours, at midnight, a whole day.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03 00:00",
            ("Sun 04 02:30+1100", "Clocks go forward: 02:15 does not exist, so this one fires at 02:30."),
        ),
        (
            "0 1 * * *",
            "Antarctica/Troll",
            "2026-03-28 12:00",
            ("Sun 29 03:00+0200", "Clocks go forward: 01:00 does not exist, so this one fires at 03:00."),
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            "2026-04-23 12:00",
            ("Fri 24 01:00+0300", "Clocks go forward: 00:00 does not exist, so this one fires at 01:00."),
        ),
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29 23:00",
            ("Sat 31 00:00+1400", "Clocks go forward: 2011-12-30 12:00 does not exist, so this one fires at 00:00."),
        ),
        # A change that leaves the fires alone is no matter.
        ("0 12 * * *", "Europe/Berlin", "2026-03-28 12:00", ("Sun 29 12:00+0200", None)),
        ("0 3 * * *", "Europe/Berlin", "2026-03-28 12:00", ("Sun 29 03:00+0200", None)),
    ],
)
def test_it_says_what_the_rule_does_to_a_fire(
    expression: str, zone: str, after: str, expected: tuple[str, str | None]
) -> None:
    fires = previewed("cron", expression, zone, after, 2)

    if expected[0].startswith("Sat 31"):
        fires = fires[:1]
    assert expected in fires


def test_a_date_that_comes_twice_says_which_it_means() -> None:
    first = previewed("date", "2026-10-25T02:30", "Europe/Berlin", "2026-01-01 00:00", 5)
    second = previewed("date", "2026-10-25T01:30Z", "Europe/Berlin", "2026-01-01 00:00", 5)

    assert first == [("Sun 25 02:30+0200", "Clocks go back: 02:30 comes twice, this fires at the first.")]
    assert second == [("Sun 25 02:30+0100", "Clocks go back: 02:30 comes twice, this fires at the second.")]


def test_an_interval_needs_no_notes() -> None:
    fires = previewed("fixed_interval", "1800", "Europe/Berlin", "2026-03-29 00:00", 4)

    assert fires == [
        (at, None) for at in ("Sun 29 01:30+0100", "Sun 29 03:00+0200", "Sun 29 03:30+0200", "Sun 29 04:00+0200")
    ]


def test_the_preview_ends_with_the_window() -> None:
    schedule = schedules.read("cron", "0 12 * * *", "UTC", datetime(2026, 1, 1, tzinfo=UTC))
    window = Window(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, 12, tzinfo=UTC))

    fires = schedules.preview(Timetable(schedule, window), ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC), 5)

    assert [f"{fire.at:%d %H}" for fire in fires] == ["01 12", "02 12"]


def test_a_change_of_clock_before_the_window_is_no_matter() -> None:
    schedule = schedules.read("cron", "30 2 * * *", "Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC))
    window = Window(not_before=datetime(2026, 5, 1, tzinfo=UTC))

    fires = schedules.preview(Timetable(schedule, window), ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC), 1)

    assert [fire.note for fire in fires] == [None]


@pytest.mark.parametrize("year", [1, 1969, 9000, 9999])
def test_it_refuses_to_look_beyond_the_calendar(year: int) -> None:
    schedule = schedules.read("cron", "0 12 * * *", "Pacific/Kiritimati", datetime(2026, 1, 1, tzinfo=UTC))

    with pytest.raises(ScheduleError, match="from 1970 to 8999") as caught:
        schedules.preview(Timetable(schedule), ZoneInfo("UTC"), datetime(year, 12, 31, tzinfo=UTC), 5)

    assert caught.value.field == "from"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("cron", "0 0 29 2 MON#5"), ("cron", "* * 29 2 *"), ("fixed_time", "12:00"), ("fixed_interval", "31622400")],
)
def test_at_the_calendars_end_it_lists_what_is_left(kind: str, value: str) -> None:
    at_the_end = datetime(8999, 12, 31, tzinfo=UTC)
    schedule = schedules.read(kind, value, "Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC))

    assert len(schedules.preview(Timetable(schedule), ZoneInfo("Pacific/Kiritimati"), at_the_end, 3)) <= 3
