"""The next fires of a draft: the schedule's own rule, in words, with what the change of clocks does."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from dashboard import previews
from dashboard.forms import TriggerForm
from dashboard.tests.test_trigger_form import CRON, DAILY, DATE, INTERVAL, as_shown
from triggers import definition
from triggers.models import Trigger
from triggers.schedules import FixedInterval, FixedTime, Timetable, timetable_of
from triggers.tests.factories import make_trigger

PREVIEW = "/dashboard/triggers/preview/"
LORD_HOWE_BACK = ["Sun 5 Apr, 01:45 UTC+11", "Mon 6 Apr, 01:45 UTC+10:30"]
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
    assert "About 8,640 events a day" in part


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
        (INTERVAL | {"every": "no"}, "Use a length such as 90 s"),
        (INTERVAL | {"every": "367", "unit": "86400"}, "Use 1 to 366 days"),
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


def draft(now: datetime, **fields: Any) -> Trigger:
    return definition.draft({"type": "scheduled", "payload": {}} | fields, now)


@pytest.mark.parametrize(
    ("zone", "time_of_day", "after", "expected"),
    [
        # Forward: what does not exist fires at the first instant after the gap.
        ("Europe/Berlin", "02:30", "2026-03-28T12:00Z", ["Sun 29 Mar, 03:00 UTC+2", "Mon 30 Mar, 02:30 UTC+2"]),
        ("America/New_York", "02:30", "2026-03-07T12:00Z", ["Sun 8 Mar, 03:00 UTC−4", "Mon 9 Mar, 02:30 UTC−4"]),
        ("Australia/Lord_Howe", "02:15", "2026-10-03T02:00Z", ["Sun 4 Oct, 02:30 UTC+11", "Mon 5 Oct, 02:15 UTC+11"]),
        # Back: what comes twice fires at the first.
        ("Europe/Berlin", "02:30", "2026-10-24T12:00Z", ["Sun 25 Oct, 02:30 UTC+2", "Mon 26 Oct, 02:30 UTC+1"]),
        ("America/New_York", "01:30", "2026-10-31T12:00Z", ["Sun 1 Nov, 01:30 UTC−4", "Mon 2 Nov, 01:30 UTC−5"]),
        (
            "Australia/Lord_Howe",
            "01:45",
            "2026-04-04T02:00Z",
            ["Sun 5 Apr, 01:45 UTC+11", "Mon 6 Apr, 01:45 UTC+10:30"],
        ),
    ],
)
@pytest.mark.parametrize("kind", ["fixed_time", "cron"])
def test_it_notes_what_a_change_of_clocks_does(
    zone: str, time_of_day: str, after: str, expected: list[str], kind: str
) -> None:
    now = datetime.fromisoformat(after)
    hour, minute = time_of_day.split(":")
    value = time_of_day if kind == "fixed_time" else f"{minute} {hour} * * *"
    shown = previews.outlook(draft(now, schedule_type=kind, schedule_value=value, time_zone=zone), now, 2)

    assert [f"{fire.words} {fire.offset}" for fire in shown.fires] == expected
    assert [bool(fire.note) for fire in shown.fires] == [True, False]


def test_the_note_of_what_is_left_out_is_at_the_next_fire() -> None:
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    shown = previews.outlook(
        draft(now, schedule_type="cron", schedule_value="*/30 2 * * *", time_zone="Europe/Berlin"), now, 1
    )

    assert "the 2 times between do not exist and are left out" in shown.fires[0].note


@pytest.mark.parametrize(
    ("fields", "count", "end"),
    [
        ({"max_fires": 1}, 1, "This is the last; the trigger then switches itself off."),
        ({"max_fires": 5}, 5, "The last of these is the last; the trigger then switches itself off."),
        ({"max_fires": 6}, 5, ""),
        ({"not_after": datetime(2026, 6, 1, 14, 30, tzinfo=UTC)}, 2, "The last of these is the last; the trigger then"),
        ({"is_recurring": False}, 1, "The trigger switches itself off afterwards."),
    ],
)
def test_it_says_where_it_ends(fields: dict[str, Any], count: int, end: str) -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    shown = previews.outlook(draft(now, schedule_type="fixed_interval", schedule_value="3600", **fields), now, 5)

    assert len(shown.fires) == count
    assert shown.end.startswith(end)
    assert bool(shown.end) == bool(end)


def test_it_says_what_bounds_it_by_the_clock_of_its_zone() -> None:
    now = datetime(2026, 3, 26, 13, 32, tzinfo=UTC)
    fields = {"schedule_type": "fixed_interval", "schedule_value": "30", "time_zone": "Europe/Berlin"}
    begin, end = datetime(2026, 3, 26, 14, 0, tzinfo=UTC), datetime(2027, 1, 1, 8, 0, 30, tzinfo=UTC)
    shown = previews.outlook(draft(now, **fields, not_before=begin, not_after=end, max_fires=9), now, 1)

    assert shown.bounds == "From today, 15:00. Until Fri 1 Jan 2027, 09:00:30. At most 9 fires."
    assert (shown.zone, shown.fires[0].words) == ("Europe/Berlin", "Today, 15:00:00")


@pytest.mark.django_db
def test_the_preview_is_what_the_beat_will_fire(signed_in: Client) -> None:
    """Also of a trigger that was there before, with its rhythm and its share of a spread."""
    now = timezone.now()
    trigger = make_trigger(
        now=now - timedelta(seconds=61), schedule_value="50", spread_seconds=20, max_fires=4, time_zone="UTC"
    )
    shown = previews.outlook(trigger, now, 5)

    timetable = timetable_of(trigger)
    expected = [timetable.next_after(now)]
    while len(expected) < 4 and expected[-1]:
        expected.append(timetable.next_after(expected[-1]))
    assert [fire.at for fire in shown.fires] == expected
    assert "after its time" in shown.delay

    part = signed_in.post(f"{PREVIEW}?trigger={trigger.pk}", as_shown(trigger)).text
    assert all(fire.at.isoformat() in part for fire in shown.fires)
    assert part.count("fire-time") == 4


@pytest.mark.django_db
def test_a_new_spread_leaves_out_what_lies_before_it() -> None:
    now = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
    trigger = make_trigger(now=now, schedule_type="cron", schedule_value="* * * * *", spread_seconds=0)
    changed = definition.draft({"spread_seconds": 3600}, now, trigger)

    assert previews.outlook(changed, now, 1).fires[0].at == changed.next_fire_at


@pytest.mark.django_db
def test_a_draft_with_a_spread_has_no_share_yet(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, CRON | {"spread_seconds": "60"}).text

    assert "every fire comes up to 60 s later, by a share that is fixed when you save." in part


@pytest.mark.django_db
def test_while_it_is_wrong_it_says_why_at_the_field_and_keeps_the_last_sentence(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, CRON | {"cron": "*/5 9-17 * * 1-5"}).text
    sentence = "Every 5 min from 09:00 to 17:55, Monday to Friday"
    assert f'<input type="hidden" name="last_valid" value="{sentence}">' in part

    part = signed_in.post(PREVIEW, CRON | {"cron": "*/5 9-25 * * 1-5", "last_valid": sentence}).text
    assert "Cron expression: Hour: 25 is out of range. Use 0 to 23." in part
    assert f"The last valid one was: {sentence}" in part
    at_field = part.split('id="id_cron_error"')[1].split("</div>")[0]
    assert "Hour: 25 is out of range" in at_field
    assert part.count('class="is-bad"') == 1


@pytest.mark.django_db
def test_what_is_carried_along_is_bounded_and_escaped(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, CRON | {"cron": "no", "last_valid": "<b>" + "x" * 9000}).text

    assert "<b>" not in part
    assert len(part) < 12_000


@pytest.mark.django_db
def test_nothing_is_wrong_with_what_is_not_written_yet_unless_it_was_refused(signed_in: Client) -> None:
    assert "field-error" not in signed_in.post(PREVIEW, CRON | {"cron": ""}).text.replace("field-errors", "")
    part = signed_in.post(PREVIEW, CRON | {"cron": "", "refused": "1"}).text.replace("field-errors", "")
    assert "Use five fields" in part


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cron", "cells"),
    [
        ("30 2 * * *", ["at :30", "at 02", "every day", "every month", "every weekday"]),
        ("30 2", ["at :30", "at 02", "", "", ""]),
        ("*/15 * * * * *", ["every 15th", "every minute", "every hour", "every day", "every month", "every weekday"]),
        ("@daily", ["at :00", "at 00", "every day", "every month", "every weekday"]),
        ("@daily 3", ["", "", "", "", ""]),
        ("", ["", "", "", "", ""]),
        ("99 x 32 13 8", ["not valid"] * 5),
    ],
)
def test_it_reads_the_expression_field_by_field(cron: str, cells: list[str]) -> None:
    form = TriggerForm(CRON | {"cron": cron}, now=timezone.now())

    assert [part.words for part in form.guide] == cells


@pytest.mark.django_db
def test_it_says_what_might_surprise(signed_in: Client) -> None:
    part = signed_in.post(PREVIEW, CRON | {"cron": "* * * * *"}).text
    assert 'class="note note-warn"' in part
    assert "About 1,440 events a day." in part

    part = signed_in.post(PREVIEW, DATE).text
    assert "Its next fire is more than a year away" in part


@pytest.mark.django_db
def test_a_date_that_has_passed_may_be_saved_switched_off(signed_in: Client) -> None:
    passed = {name: value for name, value in DATE.items() if name != "enabled"} | {"on_date": "2020-01-01"}
    part = signed_in.post(PREVIEW, passed).text

    assert "No preview yet" in part
    assert "has passed" in part
    assert "has passed" not in part.split('id="id_on_date_error"')[1].split("</div>")[0]
