"""The next fires of a draft: the schedule's own rule, in words, with what the change of clocks does."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import previews
from dashboard.tests.test_trigger_form import DAILY, INTERVAL
from triggers.schedules import FixedInterval, FixedTime, Timetable
from triggers.tests.factories import make_trigger

PREVIEW = "/dashboard/triggers/preview/"
BERLIN = ZoneInfo("Europe/Berlin")


def test_it_says_why_a_fire_in_the_gap_comes_later() -> None:
    now = datetime(2026, 3, 26, 13, 32, tzinfo=UTC)
    fires = previews.next_fires(Timetable(FixedTime(time(2, 30), BERLIN)), BERLIN, now, 5, now)

    assert [fire.words for fire in fires[:3]] == ["Fri 27 Mar, 02:30", "Sat 28 Mar, 02:30", "Sun 29 Mar, 03:00"]
    assert [fire.offset for fire in fires] == ["UTC+1", "UTC+1", "UTC+2", "UTC+2", "UTC+2"]
    assert fires[2].note == "Clocks go forward: 02:30 does not exist, so this one fires at 03:00."
    assert [fire.note for fire in fires if fire != fires[2]] == [""] * 4


def test_it_says_that_a_time_that_comes_twice_fires_once() -> None:
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    fires = previews.next_fires(Timetable(FixedTime(time(2, 30), BERLIN)), BERLIN, now, 2, now)

    assert fires[0].note == "Clocks go back: 02:30 comes twice, this fires at the first."
    assert [fire.offset for fire in fires] == ["UTC+2", "UTC+1"]


def test_it_says_the_display_zones_clock_where_it_differs() -> None:
    now = datetime(2026, 3, 26, 13, 32, tzinfo=UTC)
    new_york = ZoneInfo("America/New_York")

    with timezone.override(BERLIN):
        (there,) = previews.next_fires(Timetable(FixedTime(time(8), new_york)), new_york, now, 1, now)
        (here,) = previews.next_fires(Timetable(FixedTime(time(8), BERLIN)), BERLIN, now, 1, now)

    assert (there.elsewhere, here.elsewhere) == ("Fri 27 Mar, 13:00", "")


def test_it_shows_intervals_to_the_second_and_years_that_are_not_this_one() -> None:
    now = datetime(2026, 12, 31, 22, 59, 30, tzinfo=UTC)
    fires = previews.next_fires(Timetable(FixedInterval(timedelta(seconds=20), now)), BERLIN, now, 2, now)

    assert [fire.words for fire in fires] == ["Today, 23:59:50", "Fri 1 Jan 2027, 00:00:10"]


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        ("Europe/Berlin", datetime(2026, 3, 1, tzinfo=UTC), date(2026, 3, 29)),
        ("Australia/Lord_Howe", datetime(2026, 3, 1, tzinfo=UTC), date(2026, 4, 5)),  # half an hour
        ("Europe/Berlin", datetime(2026, 5, 1, tzinfo=UTC), None),
        ("UTC", datetime(2026, 3, 1, tzinfo=UTC), None),
    ],
)
def test_it_finds_the_next_change_of_clocks(zone: str, after: datetime, expected: date | None) -> None:
    assert previews.next_clock_change(ZoneInfo(zone), after) == expected


@pytest.mark.parametrize(
    ("zone", "words"),
    [("UTC", "UTC"), ("Asia/Kolkata", "UTC+5:30"), ("America/St_Johns", "UTC−3:30"), ("Pacific/Kiritimati", "UTC+14")],
)
def test_it_says_offsets(zone: str, words: str) -> None:
    assert previews.offset_in_words(datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))) == words


@pytest.mark.django_db
def test_it_previews_a_draft_that_is_not_saved(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, DAILY | {"payload": "{ not yet", "name": "x" * 500}).text

    assert "Every day at 02:30" in part
    assert part.count("UTC+") == 5
    assert "<html" not in part


@pytest.mark.django_db
def test_it_says_how_much_a_short_interval_makes(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, INTERVAL | {"every": "10", "unit": "1"}).text

    assert "Every 10 s" in part
    assert "About 8,640 events a day." in part


@pytest.mark.django_db
def test_it_previews_one_fire_of_a_one_time_trigger(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, DAILY | {"is_recurring": "false"}).text

    assert "Once, at 02:30" in part
    assert part.count("fire-time") == 1
    assert "switches itself off afterwards" in part


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (DAILY | {"at": ""}, "Fill in the schedule"),
        (DAILY | {"at": "24:00"}, "Use a time as HH:MM"),
        (INTERVAL | {"every": "no"}, "Use a whole number, from 1."),
        (INTERVAL | {"every": "367", "unit": "86400"}, "At most 366 days"),
        (INTERVAL | {"unit": "7"}, "No preview yet"),
        (DAILY | {"time_zone": "Mars/Phobos"}, "Choose a time zone"),
        (DAILY | {"type": "api"}, "When called"),
        ({}, "No preview yet"),
    ],
)
def test_it_says_why_there_is_no_preview(signed_in: Client, fields: dict[str, str], words: str) -> None:
    answer = signed_in.post(PREVIEW, fields)

    assert answer.status_code == 200
    assert words in answer.text


@pytest.mark.django_db
def test_it_keeps_the_rhythm_of_an_interval_that_is_not_changed(signed_in: Client) -> None:
    trigger = make_trigger(schedule_value="3600", now=timezone.now() - timedelta(minutes=30))
    fields = INTERVAL | {"every": "1", "unit": "3600", "time_zone": "UTC"}

    assert "in 29 min" in signed_in.post(f"{PREVIEW}?trigger={trigger.pk}", fields).text
    assert "in 1 h<" in signed_in.post(f"{PREVIEW}?trigger=bogus", fields).text
