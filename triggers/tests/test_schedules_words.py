"""Schedules in words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triggers import schedules
from triggers.schedules import ScheduleError, cron


@pytest.mark.parametrize(
    ("schedule_type", "value", "is_recurring", "words"),
    [
        ("fixed_time", "02:30", True, "Every day at 02:30"),
        ("fixed_time", "02:30", False, "Once, at 02:30"),
        ("fixed_interval", "1", True, "Every 1 s"),
        ("fixed_interval", "900", True, "Every 15 min"),
        ("fixed_interval", "5400", True, "Every 1 h 30 min"),
        ("fixed_interval", "90000", False, "Once, after 1 day 1 h"),
        ("fixed_interval", "31622400", True, "Every 366 days"),
        ("cron", "30 2 * * *", True, "Every day at 02:30"),
        ("cron", "0 9 * * 1-5", False, "Once, at the next of: Monday to Friday at 09:00"),
        ("cron", "30 2 * * *", False, "Once, at the next of: every day at 02:30"),
        ("date", "2026-04-02T22:00", False, "Once, Thu 2 Apr 2026 at 22:00"),
        ("date", "2026-04-02T22:00:30+02:00", False, "Once, Thu 2 Apr 2026 at 22:00:30 (UTC+02:00)"),
        ("", "", True, "When called"),
        # A row that can no longer be read is shown as it is.
        ("cron", "what ever", True, "what ever"),
        ("fixed_interval", "often", True, "often"),
        ("date", "soon", False, "soon"),
    ],
)
def test_it_says_a_schedule_in_words(schedule_type: str, value: str, is_recurring: bool, words: str) -> None:
    assert schedules.in_words(schedule_type, value, is_recurring) == words


def test_it_leaves_out_this_year() -> None:
    words = schedules.in_words("date", "2026-04-02T22:00", False, today=date(2026, 3, 26))

    assert words == "Once, Thu 2 Apr at 22:00"


@pytest.mark.parametrize(
    ("weekdays", "words"),
    [
        ((), "Every day at 08:00"),
        ((1, 2, 3, 4, 5, 6, 7), "Every day at 08:00"),
        ((1, 2, 3, 4, 5), "Monday to Friday at 08:00"),
        ((6, 7), "Saturday and Sunday at 08:00"),
        ((1, 3, 5), "Monday, Wednesday and Friday at 08:00"),
        ((1, 5, 6, 7), "Friday to Monday at 08:00"),
        ((4,), "Thursday at 08:00"),
    ],
)
def test_it_says_the_weekdays_of_a_fixed_time(weekdays: tuple[int, ...], words: str) -> None:
    assert schedules.in_words("fixed_time", "08:00", True, weekdays) == words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 min"),
        ("0,15,30,45 * * * *", "Every 15 min"),
        ("0 * * * *", "Every hour"),
        ("30 * * * *", "Every hour at :30"),
        ("0 */2 * * *", "Every 2 h"),
        ("15 */2 * * *", "Every 2 h at :15"),
        ("*/10 * * * * *", "Every 10 s"),
        ("* * * * * *", "Every second"),
        ("0 */5 * * * *", "Every 5 min"),
        ("*/5 9-17 * * 1-5", "Every 5 min from 09:00 to 17:55, Monday to Friday"),
        ("* 9 * * *", "Every minute from 09:00 to 09:59"),
        ("15 9-17 * * *", "Every hour from 09:15 to 17:15"),
        ("*/15 * L * *", "Every 15 min, last day of the month"),
        ("0 9,17 * * *", "Every day at 09:00 and 17:00"),
        ("0,30 9,17 * * *", "Every day at 09:00, 09:30, 17:00 and 17:30"),
        ("0 9 * * MON-FRI", "Monday to Friday at 09:00"),
        ("0 0 * * 0,6", "Saturday and Sunday at 00:00"),
        ("0 0 * * 0-7", "Every day at 00:00"),
        ("0 18 L * *", "Last day of the month at 18:00"),
        ("0 18 LW * *", "Last weekday of the month at 18:00"),
        ("0 0 1 * *", "1st of the month at 00:00"),
        ("0 0 1,15,22 * *", "1st, 15th and 22nd of the month at 00:00"),
        ("0 0 1-7 * *", "1st to 7th of the month at 00:00"),
        ("0 0 1 1 *", "1st of January at 00:00"),
        ("0 0 1 jan,jul *", "1st of January and July at 00:00"),
        ("0 0 * 6-8 *", "Every day in June to August at 00:00"),
        ("0 0 * 3 MON", "Monday in March at 00:00"),
        ("0 0 * * 5L", "Last Friday of the month at 00:00"),
        ("0 0 * * 1#2", "Second Monday of the month at 00:00"),
        ("0 0 1 * MON", "1st of the month or Monday at 00:00"),
        ("@weekly", "Sunday at 00:00"),
        ("@yearly", "1st of January at 00:00"),
        # Odd ones are cronsim's to explain.
        ("*/7 * * * *", "Every seventh minute of every hour"),
        ("5,35 8-10 * * *", "At minutes 5 and 35 past every hour from 8 through 10"),
        ("* 2,4 * * *", "Every minute past hours 2 and 4"),
    ],
)
def test_it_says_a_cron_expression_in_words(expression: str, words: str) -> None:
    assert schedules.in_words("cron", expression, True) == words


@pytest.mark.parametrize(
    ("expression", "guide"),
    [
        (
            "30 2 * * *",
            [
                ("30", "Minute", "at :30"),
                ("2", "Hour", "at 02"),
                ("*", "Day of month", "every day"),
                ("*", "Month", "every month"),
                ("*", "Weekday", "every weekday"),
            ],
        ),
        (
            "*/5 9-25 * * 1-5",
            [
                ("*/5", "Minute", "every 5th"),
                ("9-25", "Hour", "not valid"),
                ("*", "Day of month", "every day"),
                ("*", "Month", "every month"),
                ("1-5", "Weekday", "Mon to Fri"),
            ],
        ),
        (
            "0 0 1 jan,jul *",
            [
                ("0", "Minute", "at :00"),
                ("0", "Hour", "at 00"),
                ("1", "Day of month", "1"),
                ("JAN,JUL", "Month", "Jan and Jul"),
                ("*", "Weekday", "every weekday"),
            ],
        ),
        (
            "0,30 0-20/2 L,15 jan-mar 1#2,5L",
            [
                ("0,30", "Minute", "at :00 and :30"),
                ("0-20/2", "Hour", "every 2nd from 00 to 20"),
                ("L,15", "Day of month", "last day and 15"),
                ("JAN-MAR", "Month", "Jan to Mar"),
                ("1#2,5L", "Weekday", "second Monday and last Friday"),
            ],
        ),
    ],
)
def test_it_guides_through_the_fields(expression: str, guide: list[tuple[str, str, str]]) -> None:
    fields = schedules.field_guide(expression)

    assert [field[:3] for field in fields] == guide
    assert [field.raw for field in fields if not field.is_valid] == [raw for raw, _, words in guide if "not" in words]


def test_the_guide_has_seconds_first_and_reads_names() -> None:
    assert [field.name for field in schedules.field_guide("*/10 * * * * *")][:2] == ["Second", "Minute"]
    assert [field.raw for field in schedules.field_guide("@daily")] == ["0", "0", "*", "*", "*"]


@pytest.mark.parametrize("expression", ["", "* * *", "* " * 60, "@reboot", "1\0 * * * *"])
def test_there_is_no_guide_without_fields(expression: str) -> None:
    assert schedules.field_guide(expression) == []


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    fields=st.lists(
        st.sampled_from(
            ["*", "*/2", "1", "1,2", "1-5", "1-5/2", "3/4", "L", "LW", "L/2", "5L", "1#2", "MON", "JAN", "JUL", "0"]
        ),
        min_size=5,
        max_size=6,
    )
)
def test_whatever_fires_has_words(fields: list[str]) -> None:
    text = " ".join(fields)
    schedules.field_guide(text)
    try:
        cron.parse(text)
    except ScheduleError:
        return

    words = schedules.in_words("cron", text, True)
    assert words != text
    assert words[0].isupper() or words[0].isdigit()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3661, "1 h 1 min 1 s"),
        (86_400, "1 day"),
        (176_400, "2 days 1 h"),
    ],
)
def test_it_says_a_duration_in_words(seconds: int, words: str) -> None:
    assert schedules.duration_in_words(seconds) == words
