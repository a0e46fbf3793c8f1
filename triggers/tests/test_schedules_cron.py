"""Cron expressions: the public vectors, what is accepted and what is refused, field by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from cronsim import CronSim, CronSimError
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triggers import schedules
from triggers.schedules import ScheduleError, cron

VECTORS: Path = settings.BASE_DIR.parent / "shared" / "vectors" / "cron"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not at ../shared/vectors")
NOW = datetime(2026, 3, 26, 14, 32, tzinfo=UTC)


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def is_refused_here(expression: str) -> bool:
    """Seconds are accepted only where minute or hour begins with *: elsewhere the vectors know no Debian rule."""
    fields = expression.split()
    return len(fields) == 6 and not fields[1].startswith("*") and not fields[2].startswith("*")


@needs_vectors
def test_it_fires_as_the_public_vectors_say() -> None:
    checked = 0
    for row in rows("cronsim_next.jsonl"):
        if row["reverse"] or is_refused_here(row["expr"]):
            continue
        start = datetime.fromisoformat(row["start"]).replace(fold=row["fold"])
        if start.tzinfo is None:
            start = start.replace(tzinfo=UTC)
        checked += 1
        if None in row["expect"]:
            with pytest.raises(ScheduleError, match="no such day ever comes"):
                cron.parse(row["expr"])
            continue
        schedule = schedules.read("cron", row["expr"], row["tz"] or "UTC", start)
        expected = [datetime.fromisoformat(at) for at in row["expect"]]
        expected = [(at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC) for at in expected]
        found, now = [], start
        for _ in expected:
            now = schedule.next_after(now)
            found.append(now)
        assert found == expected, row
    assert checked > 150


@needs_vectors
def test_it_accepts_what_the_public_vectors_accept() -> None:
    never = {row["expr"] for row in rows("cronsim_next.jsonl") if None in row["expect"]}
    for row in rows("cronsim_valid.jsonl"):
        if row["expr"] in never:
            continue
        if is_refused_here(row["expr"]):
            with pytest.raises(ScheduleError, match=r"Second: seconds go with"):
                cron.parse(row["expr"])
        else:
            assert cron.parse(row["expr"]).wall_from(datetime(2026, 1, 1)), row  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        (" @Daily ", "0 0 * * *"),
        ("  0\t0  * *  *", "0 0 * * *"),
        ("0 9 * jan-mar mon-fri", "0 9 * 1-3 1-5"),
        ("0 0 l * *", "0 0 L * *"),
        ("0 9-9/2 * * *", "0 9 * * *"),  # a range of one has nothing to step over
    ],
)
def test_it_knows_names_and_small_letters(name: str, fields: str) -> None:
    named, plain = (schedules.read("cron", text, "UTC", NOW) for text in (name, fields))

    now = NOW
    for _ in range(10):
        assert named.next_after(now) == plain.next_after(now)
        now = plain.next_after(now)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 18 L * *", ["2026-03-31 18:00", "2026-04-30 18:00", "2026-05-31 18:00"]),
        ("0 0 L 2 *", ["2027-02-28 00:00", "2028-02-29 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 31 * *", ["2026-03-31 00:00", "2026-05-31 00:00"]),
        ("0 9 LW * *", ["2026-03-31 09:00", "2026-04-30 09:00", "2026-05-29 09:00"]),
        ("0 9 * * 5L", ["2026-03-27 09:00", "2026-04-24 09:00"]),
        ("0 9 * * 1#2", ["2026-04-13 09:00", "2026-05-11 09:00"]),
        ("0 9 13 * FRI", ["2026-03-27 09:00", "2026-04-03 09:00", "2026-04-10 09:00", "2026-04-13 09:00"]),  # either
        ("0 9 */13 * FRI", ["2026-03-27 09:00", "2026-05-01 09:00"]),  # both: one begins with *
        ("0 0 * 2 MON#5", ["2044-02-29 00:00", "2072-02-29 00:00"]),
        ("0 0 29 2 */7", ["2032-02-29 00:00", "2060-02-29 00:00"]),
        ("0 0 29 2 */7", ["2032-02-29 00:00"]),
    ],
)
def test_it_finds_rare_days(expression: str, expected: list[str]) -> None:
    schedule, now, found = schedules.read("cron", expression, "UTC", NOW), NOW, []
    for _ in expected:
        now = schedule.next_after(now)
        found.append(f"{now:%Y-%m-%d %H:%M}")

    assert found == expected


def test_a_rare_day_is_found_over_the_century_without_a_leap_day() -> None:
    schedule = schedules.read("cron", "0 0 29 2 *", "UTC", NOW)

    assert schedule.next_after(datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)
    assert schedule.count(datetime(2096, 1, 1, tzinfo=UTC), datetime(2105, 1, 1, tzinfo=UTC)) == 2


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("60 * * * *", "Minute: 60 is out of range. Use 0 to 59."),
        ("*/5 9-25 * * 1-5", "Hour: 25 is out of range. Use 0 to 23."),
        ("* * 0 * *", "Day of month: 0 is out of range. Use 1 to 31, or L and LW for the last."),
        ("* * * 13 *", "Month: 13 is out of range. Use 1 to 12, or JAN to DEC."),
        ("* * * * 8", "Weekday: 8 is out of range. Use 0 to 7, or SUN to SAT, 5L for the last Friday, "),
        ("* * * FOO *", "Month: FOO cannot be read. Use 1 to 12"),
        ("MON * * * *", "Minute: MON cannot be read."),
        ("0 0 * * SAT-SUN", "Weekday: SAT-SUN runs backwards; write it as two, with a comma."),
        ("0 22-2 * * *", "Hour: 22-2 runs backwards"),
        ("*/0 * * * *", "Minute: */0 has no step after the slash."),
        ("*/ * * * *", "Minute: */ has no step after the slash."),
        ("1,,2 * * * *", "Minute: there is nothing before or after a comma."),
        ("1-2-3 * * * *", "Minute: 1-2-3 cannot be read."),
        ("0 0 ? * MON", r"Day of month: ? is not known here, * says the same."),
        ("0 0 15W * *", "Day of month: 15W cannot be read."),
        ("0 0 * * 1#6", "Weekday: 1#6 cannot be read."),
        ("0 0 * * L", "Weekday: L cannot be read."),
        ("1.5 * * * *", "Minute: 1.5 cannot be read."),
        ("-5 * * * *", "Minute: -5 cannot be read."),
        ("", "There are none here."),
        ("* * * *", "Use five fields: minute, hour, day of month, month and weekday. There are 4 here."),
        ("0 0 0 * * * *", "There are 7 here."),
        ("@reboot", "@reboot is not known here. Use @yearly"),
        ("@every 5m", "@every 5m is not known here."),
        ("61 * * * * *", "Second: 61 is out of range."),
        ("0 30 2 * * *", "For fixed times leave them out: 30 2 * * *"),
        ("*/15 30 2 * * *", "Second: seconds go with a minute or an hour that begins with *."),
        ("0 0 30 2 *", "Day of month: no such day ever comes (day 30, month 2)."),
        ("0 0 31 2,4,6,9,11 *", "no such day ever comes"),
        ("0 0 30 2 */2", "no such day ever comes"),
        ("0 0 */50 * MON#5", "no such day ever comes (day */50, weekday MON#5)."),  # cronsim itself only gives up on it
        ("0 0 */50 2 MON#2", "no such day ever comes"),
        ("* " * 51, "longer than 100 characters"),
        ("1," * 50 + "1 * * * *", "longer than 100 characters"),
        ("9" * 90 + " * * * *", "is out of range"),
        ("１ * * * *", "Use plain letters, digits and the signs"),
        ("* * * * ſun", "Use plain letters"),
        ("* * * *\n*", "Use plain letters"),
        ("* * * *\0*", "Use plain letters"),
    ],
)
def test_it_says_which_field_is_wrong_and_why(expression: str, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedules.read("cron", expression, "UTC", NOW)

    assert words in str(caught.value)
    assert caught.value.field == "schedule_value"


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 */50 * MON#5", "0 0 */50 2 MON#5"])
def test_it_looks_at_14_years_at_most_to_see_that_nothing_ever_fires(expression: str) -> None:
    """Refusing is quick because it is little work: a table for each kind of year, kept for the next time."""
    cron._days.cache_clear()

    with pytest.raises(ScheduleError):
        cron.parse(expression)

    assert cron._days.cache_info().misses <= 14


@hypothesis_settings(max_examples=300, deadline=None)
@given(text=st.text("0123456789*/,-#LWlw? monMONjan@", max_size=30) | st.text(max_size=12))
def test_any_text_is_either_refused_or_fires(text: str) -> None:
    try:
        expression = cron.parse(text)
    except ScheduleError:
        return
    wall = expression.wall_from(datetime(2026, 1, 1))  # noqa: DTZ001
    assert expression.count(wall, wall + timedelta(seconds=1)) == 1


FIELDS_TO_DRAW = (
    ("0", "*", "*/7", "5-20/5", "1,31,59", "10/20"),
    ("0", "*", "*/5", "9-17", "0,23", "6/6"),
    ("*", "1", "L", "LW", "*/10", "13,31", "1-7", "L,15"),
    ("*", "2", "FEB,JUN", "*/5", "3-10/3"),
    ("*", "0", "MON-FRI", "5L", "1#2", "*/3", "MON#1,FRI", "7"),
)


@hypothesis_settings(max_examples=80, deadline=None, derandomize=True)
@given(
    fields=st.tuples(*(st.sampled_from(field) for field in FIELDS_TO_DRAW)),
    start=st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001
)
def test_in_a_zone_without_changes_it_agrees_with_cronsim(fields: tuple[str, ...], start: datetime) -> None:
    """With L, LW, # and lists of them, which the walk through the minutes leaves out."""
    text, now = " ".join(fields), start.replace(tzinfo=UTC)
    try:
        expected = list(islice(CronSim(text, now), 5))
    except CronSimError:
        expected = []
    if not expected:
        with pytest.raises(ScheduleError, match="no such day"):
            cron.parse(text)
        return
    schedule, found = schedules.read("cron", text, "UTC", now), [now]
    for _ in expected:
        found.append(schedule.next_after(found[-1]))

    assert found[1:] == expected
    assert all(one < following for one, following in pairwise(found))
    assert schedule.count(now, expected[-1]) == 5
    assert schedules.Timetable(schedule).newest(now, expected[-1], 2) == expected[-2:]
