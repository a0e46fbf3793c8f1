"""The fires to come of all triggers, in one order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from triggers import definition, upcoming
from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger, make_trigger
from triggers.upcoming import Place

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 28, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def listed(hours: float = 24, limit: int = 1000, after: Place | None = None, folded: bool = False) -> list[str]:
    """Return "name day time" of the fires, with "+n" where others stand behind."""
    found = upcoming.fires(NOW + timedelta(hours=hours), limit, after, is_folded=folded)
    return [
        f"{each.trigger.name} {each.at.astimezone(UTC):%d %H:%M}" + (f" +{each.more}" if each.more else "")
        for each in found
    ]


def test_all_fires_come_in_their_order() -> None:
    make_trigger(name="six-hourly", schedule_value=str(6 * 3600), now=NOW)
    make_trigger(name="nightly", schedule_type="cron", schedule_value="30 2 * * *", now=NOW)
    make_trigger(name="once", schedule_value="3600", is_recurring=False, now=NOW)
    make_trigger(name="far", schedule_value=str(48 * 3600), now=NOW)
    make_trigger(name="off", enabled=False, now=NOW)
    make_api_trigger(name="on call")

    assert listed() == [
        "once 28 13:00",
        "six-hourly 28 18:00",
        "six-hourly 29 00:00",
        "nightly 29 02:30",
        "six-hourly 29 06:00",
        "six-hourly 29 12:00",
    ]
    assert listed(hours=7) == ["once 28 13:00", "six-hourly 28 18:00"]
    assert listed(limit=2) == ["once 28 13:00", "six-hourly 28 18:00"]


def test_a_list_goes_on_where_it_ended_even_within_one_instant() -> None:
    for name in ("a", "b", "c"):
        make_trigger(name=name, schedule_value="3600", now=NOW)
    whole = upcoming.fires(NOW + 3 * timedelta(hours=1), 1000)
    assert len(whole) == 9

    place, pages = None, []
    for _ in range(5):
        page = upcoming.fires(NOW + 3 * timedelta(hours=1), 2, place)
        pages += page
        place = Place(page[-1].at, page[-1].trigger.pk)

    assert [(each.at, each.trigger.pk) for each in pages] == [(each.at, each.trigger.pk) for each in whole]


def test_a_frequent_trigger_is_one_line_where_lines_are_few() -> None:
    make_trigger(name="busy", schedule_value="10", now=NOW)
    make_trigger(name="hourly", schedule_value="3600", now=NOW)

    folded = listed(folded=True)

    assert folded[0] == "busy 28 12:00 +8639"
    assert folded[1:] == [f"hourly {(NOW + timedelta(hours=hour)):%d %H:%M}" for hour in range(1, 25)]


def test_the_most_fires_end_it() -> None:
    trigger = make_trigger(name="three", schedule_value="3600", max_fires=5, now=NOW)
    Trigger.objects.update(fired_count=2)

    assert listed() == ["three 28 13:00", "three 28 14:00", "three 28 15:00"]
    assert listed(after=Place(NOW + timedelta(hours=1), trigger.pk)) == ["three 28 14:00", "three 28 15:00"]
    definition.change(trigger.pk, {"max_fires": 100}, NOW)
    assert listed(hours=200, folded=True) == ["three 28 13:00 +97"]


def test_a_fire_that_a_change_of_clock_moves_says_so() -> None:
    make_trigger(schedule_type="cron", schedule_value="30 2 * * *", time_zone="Europe/Berlin", now=NOW)
    make_trigger(
        schedule_type="fixed_time", schedule_value="02:45", is_recurring=False, time_zone="Europe/Berlin", now=NOW
    )

    found = upcoming.fires(NOW + DAY, 10)

    assert [f"{each.at:%d %H:%M%z}" for each in found] == ["29 03:00+0200", "29 03:00+0200"]
    assert [each.note for each in found] == [
        "Clocks go forward: 02:30 does not exist, so this one fires at 03:00.",
        "Clocks go forward: 02:45 does not exist, so this one fires at 03:00.",
    ]


def test_a_row_that_cannot_be_read_stands_with_what_is_stored() -> None:
    make_trigger(name="bad", schedule_value="3600", now=NOW)
    Trigger.objects.update(time_zone="Mars/Olympus")

    assert listed() == ["bad 28 13:00"]


def test_it_costs_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(5):
        make_trigger(schedule_value=str(600 + number), now=NOW)

    with django_assert_num_queries(1):
        assert len(upcoming.fires(NOW + DAY, 100)) == 100
