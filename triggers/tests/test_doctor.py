"""The doctor says what might surprise the owner of a schedule, and never stands in its way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from triggers import definition, doctor
from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def findings(**fields: Any) -> dict[str, tuple[str, str]]:
    """Return what is said of a draft: level and words by code."""
    defaults = {"type": "scheduled", "payload": {}}
    draft = definition.draft(defaults | fields, NOW)
    return {finding.code: (finding.level, finding.words) for finding in doctor.examine(draft, NOW)}


def test_a_healthy_schedule_has_nothing_to_say() -> None:
    assert findings(schedule_type="cron", schedule_value="30 2 * * *") == {}
    assert doctor.examine(make_api_trigger(), NOW) == []


@pytest.mark.parametrize(
    ("fields", "is_said"),
    [
        ({"schedule_value": "9"}, True),
        ({"schedule_value": "10"}, False),
        ({"schedule_value": "9", "api_endpoint": ""}, False),  # nothing is delivered
        ({"schedule_value": "9", "overlap_policy": "skip"}, False),  # nothing overlaps
        ({"schedule_value": "9", "is_recurring": False}, False),
        ({"schedule_type": "cron", "schedule_value": "*/5 * * * * *"}, True),
        ({"schedule_type": "cron", "schedule_value": "* * * * *"}, False),
    ],
)
def test_it_fires_more_often_than_a_delivery_may_last(fields: dict[str, Any], is_said: bool) -> None:
    defaults = {"schedule_type": "fixed_interval", "api_endpoint": "https://example.org/hook"}

    assert ("fires_faster_than_timeout" in findings(**defaults | fields)) is is_said


def test_it_says_how_the_log_grows(settings: LazySettings) -> None:
    every_30_s = {"schedule_type": "fixed_interval", "schedule_value": "30"}

    assert findings(**every_30_s)["many_events"] == (
        "warn",
        "About 2,880 events a day. Kept for 48 h, that is 5,760 rows in the log, about 3 MB.",
    )
    assert "8 MB" in findings(**every_30_s, api_endpoint="https://example.org/")["many_events"][1]
    assert "about 0.1 MB" in findings(**every_30_s, max_fires=20)["many_events"][1]
    assert "many_events" not in findings(schedule_type="fixed_interval", schedule_value="61")
    settings.EVENT_RETENTION_HOURS = 720
    assert "86,400 rows" in findings(**every_30_s)["many_events"][1]


def test_it_says_when_the_next_fire_is_more_than_a_year_away() -> None:
    leap_day = findings(schedule_type="cron", schedule_value="30 2 29 2 *", time_zone="Europe/Berlin")

    assert leap_day["next_fire_far_away"] == (
        "warn",
        "Its next fire is more than a year away: Tue 29 Feb 2028 at 02:30.",
    )
    assert "next_fire_far_away" not in findings(schedule_type="date", schedule_value="2027-11-24T06:00")


def test_it_counts_the_others_of_the_same_second() -> None:
    hourly = {"schedule_type": "cron", "schedule_value": "0 * * * *"}
    one = make_trigger(now=NOW, **hourly)
    assert doctor.examine(one, NOW) == []

    assert findings(**hourly)["same_second"] == ("info", "1 other trigger is due at the same second.")

    make_trigger(now=NOW, enabled=False, **hourly)
    make_trigger(now=NOW, **hourly | {"schedule_value": "1 * * * *"})
    for _ in range(9):
        make_trigger(now=NOW, **hourly)
    assert findings(**hourly)["same_second"] == (
        "warn",
        "10 other triggers are due at the same second. A spread keeps them from arriving all at once.",
    )
    Trigger.objects.filter(schedule_value="0 * * * *", enabled=True).update(
        next_fire_at=NOW.replace(hour=7, minute=0) + timedelta(milliseconds=999)
    )
    assert "same_second" in findings(**hourly)


@pytest.mark.parametrize(
    ("value", "zone", "words"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "Sun 28 Mar 2027: Clocks go forward: 02:30 does not exist, so this one fires at 03:00.",
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "Sun 7 Nov 2027: Clocks go back: 01:30 comes twice, this fires at the first.",
        ),
        (
            "*/30 1 * * *",
            "America/New_York",
            "Sun 7 Nov 2027: Clocks go back: 01:00 comes twice and fires twice; this is the first.",
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "Mon 29 Mar 2027: "
            "Clocks go forward from 02:00 to 03:00: the 4 times between do not exist and are left out.",
        ),
        ("30 12 * * *", "Europe/Berlin", None),
        ("30 2 * * *", "UTC", None),
        ("30 2 1 * *", "Europe/Berlin", None),  # clocks change, but not on a 1st
    ],
)
def test_it_says_what_the_next_change_of_clock_does(value: str, zone: str, words: str | None) -> None:
    said = findings(schedule_type="cron", schedule_value=value, time_zone=zone).get("clock_change")

    assert said == (words and ("info", words))


def test_warnings_come_first_and_one_query_is_all_it_costs(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_trigger(now=NOW, schedule_type="cron", schedule_value="* * * * *")
    busy = {"schedule_type": "cron", "schedule_value": "* * * * *", "time_zone": "Europe/Berlin"}
    draft = definition.draft({"type": "scheduled", "payload": {}} | busy, NOW)

    with django_assert_num_queries(1):
        levels = [finding.level for finding in doctor.examine(draft, NOW)]

    assert levels == ["warn", "info", "info"]


def test_one_that_is_off_is_examined_as_if_it_were_on() -> None:
    assert "many_events" in findings(schedule_type="fixed_interval", schedule_value="1", enabled=False)


def test_a_timeout_of_its_own_is_what_fires_are_compared_with() -> None:
    fields: dict[str, Any] = {"schedule_value": "20", "api_endpoint": "https://example.org/hook"}

    assert [each.code for each in doctor.examine(make_trigger(**fields), NOW)] == ["many_events"]
    found = doctor.examine(make_trigger(**fields, timeout_seconds=30), NOW)
    assert found[0].code == "fires_faster_than_timeout"
    assert "up to 30 s" in found[0].words


def test_it_warns_where_certificates_are_not_checked() -> None:
    for trigger in (make_api_trigger(verify_tls=False), make_trigger(verify_tls=False)):
        found = doctor.examine(trigger, NOW)
        assert (found[0].code, found[0].level, found[0].field) == ("tls_not_verified", "warn", "verify_tls")
