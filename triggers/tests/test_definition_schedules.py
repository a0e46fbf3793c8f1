"""A schedule is defined: its kinds, its window, its rhythm, and what is refused because it would never fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from triggers import definition
from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "next_fire_at", "name"),
    [
        (
            {"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": [5, 1, 1]},
            at("2026-06-05 08:00"),
            "Monday and Friday at 08:00",
        ),
        (
            {"schedule_type": "cron", "schedule_value": "*/15 9-17 * * mon-fri", "time_zone": "Europe/Berlin"},
            at("2026-06-01 12:15"),
            "Every 15 min from 09:00 to 17:45, Monday to Friday",
        ),
        ({"schedule_type": "cron", "schedule_value": "@monthly"}, at("2026-07-01 00:00"), "1st of the month at 00:00"),
        (
            {"schedule_type": "date", "schedule_value": "2026-07-01T22:00", "time_zone": "Europe/Berlin"},
            at("2026-07-01 20:00"),
            "Once, Wed 1 Jul 2026 at 22:00",
        ),
        # It begins at its window's begin; an interval counts from there, its first fire is the begin itself.
        (
            {"schedule_type": "fixed_interval", "schedule_value": "60", "not_before": at("2026-06-02 00:00")},
            at("2026-06-02 00:00"),
            "Every 1 min",
        ),
        (
            {"schedule_type": "fixed_interval", "schedule_value": "900", "not_before": at("2026-06-01 00:00")},
            at("2026-06-01 12:15"),
            "Every 15 min",
        ),
        (
            {
                "schedule_type": "fixed_interval",
                "schedule_value": "60",
                "is_recurring": False,
                "not_before": at("2026-06-02 00:00"),
            },
            at("2026-06-02 00:01"),
            "Once, after 1 min",
        ),
        (
            {"schedule_type": "cron", "schedule_value": "0 * * * *", "not_before": at("2026-06-03 00:00")},
            at("2026-06-03 00:00"),
            "Every hour",
        ),
    ],
)
def test_every_kind_has_its_next_fire_and_its_words(fields: dict[str, Any], next_fire_at: datetime, name: str) -> None:
    trigger = make_trigger(now=NOW, **fields)

    assert (trigger.next_fire_at, trigger.name) == (next_fire_at, name)


def test_a_window_may_be_said_by_the_clock_of_the_zone() -> None:
    cron = {"schedule_type": "cron", "schedule_value": "0 * * * *", "time_zone": "Europe/Berlin"}
    trigger = make_trigger(now=NOW, not_before="2026-06-03T08:00", not_after="2026-12-31T23:59:59+00:00", **cron)

    assert (trigger.not_before, trigger.not_after) == (at("2026-06-03 06:00"), at("2026-12-31 23:59:59"))
    assert trigger.next_fire_at == at("2026-06-03 06:00")
    moved = definition.change(trigger.pk, {"not_before": "2026-06-03T08:00", "time_zone": "America/New_York"}, NOW)
    assert moved.not_before == at("2026-06-03 12:00")
    assert definition.change(trigger.pk, {"not_before": None}, NOW).next_fire_at == at("2026-06-01 13:00")


def test_a_date_is_one_time_and_only_a_fixed_time_has_weekdays() -> None:
    date = make_trigger(schedule_type="date", schedule_value="2027-01-01T00:00", weekdays=[1], now=NOW)

    assert (date.is_recurring, date.weekdays) == (False, [])


def test_an_api_trigger_has_no_schedule_whatever_is_sent_along() -> None:
    trigger = make_api_trigger(now=NOW, not_after=NOW - HOUR, max_fires=3, spread_seconds=5, weekdays=[9])

    assert (trigger.not_after, trigger.max_fires, trigger.spread_seconds, trigger.weekdays) == (None, None, 0, [])


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"schedule_type": "cron", "schedule_value": "0 0 30 2 *"}, "schedule_value", "no such day ever comes"),
        ({"schedule_type": "cron", "schedule_value": "*/5 9-25 * * *"}, "schedule_value", "Hour: 25 is out of range"),
        ({"schedule_type": "cron", "schedule_value": "0 " * 60}, "schedule_value", "longer than 100 characters"),
        ({"schedule_type": "date", "schedule_value": "2026-06-01T11:00"}, "schedule_value", "has passed"),
        (
            {"schedule_type": "date", "schedule_value": "2027-03-28T02:30", "time_zone": "Europe/Berlin"},
            "schedule_value",
            "does not exist in Europe/Berlin",
        ),
        ({"not_after": NOW - HOUR}, "not_after", "ends before the next fire"),
        ({"not_after": NOW + timedelta(seconds=59)}, "not_after", "ends before the next fire"),
        ({"not_before": NOW + HOUR, "not_after": NOW}, "not_after", "end lies before the start"),
        ({"not_before": datetime(9999, 12, 31, tzinfo=UTC)}, "not_before", "from 1970 to 8999"),
        ({"not_before": "tomorrow"}, "not_before", "date and time as YYYY-MM-DDTHH:MM"),
        (
            {"not_after": "2027-03-28T02:30", "time_zone": "Europe/Berlin"},
            "not_after",
            "does not exist in Europe/Berlin",
        ),
        ({"max_fires": 0}, "max_fires", "greater than or equal to 1"),
        ({"spread_seconds": 3601}, "spread_seconds", "less than or equal to 3600"),
        ({"missed_policy": "sometimes"}, "missed_policy", "not a valid choice"),
        ({"overlap_policy": "queue"}, "overlap_policy", "not a valid choice"),
        ({"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": [0]}, "weekdays", "1 for Monday"),
        ({"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": 7}, "weekdays", "1 for Monday"),
    ],
)
def test_it_names_the_field_at_fault_and_stores_nothing(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        make_trigger(now=NOW, **fields)

    assert list(caught.value.message_dict) == [field]
    assert not Trigger.objects.exists()


def test_one_that_is_off_may_have_a_date_that_has_passed() -> None:
    trigger = make_trigger(schedule_type="date", schedule_value="2026-06-01T11:00", enabled=False, now=NOW)

    assert definition.change(trigger.pk, {"name": "Other"}, NOW).next_fire_at is None
    with pytest.raises(ValidationError, match="has passed"):
        definition.switch(trigger.pk, on=True, now=NOW)


# --- What moves the next fire ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "next_fire_at"),
    [
        ({"not_after": NOW + HOUR}, NOW + timedelta(seconds=60)),
        ({"max_fires": 5}, NOW + timedelta(seconds=60)),
        ({"missed_policy": "skip", "overlap_policy": "skip"}, NOW + timedelta(seconds=60)),
    ],
)
def test_bounds_and_policies_leave_the_rhythm_alone(fields: dict[str, Any], next_fire_at: datetime) -> None:
    trigger = make_trigger(now=NOW)

    changed = definition.change(trigger.pk, fields, NOW + timedelta(seconds=30))

    assert (changed.next_fire_at, changed.starts_at, changed.counted_since) == (next_fire_at, NOW, NOW)


def test_a_change_of_bounds_drops_no_instant_that_has_come_due() -> None:
    trigger = make_trigger(now=NOW)
    due = NOW + timedelta(seconds=60)

    changed = definition.change(trigger.pk, {"not_after": NOW + HOUR}, due + timedelta(seconds=1))

    assert changed.next_fire_at == due  # the beat has not settled it yet, and will


def test_another_begin_is_another_rhythm() -> None:
    trigger = make_trigger(now=NOW)

    changed = definition.change(trigger.pk, {"not_before": at("2026-06-01 12:30")}, NOW)

    assert changed.next_fire_at == at("2026-06-01 12:30")


def test_a_spread_delays_the_next_fire_by_less_than_it_says() -> None:
    trigger = make_trigger(schedule_type="cron", schedule_value="0 * * * *", now=NOW)

    changed = definition.change(trigger.pk, {"spread_seconds": 300}, NOW)

    assert changed.next_fire_at is not None
    assert at("2026-06-01 13:00") <= changed.next_fire_at < at("2026-06-01 13:05")
    # In the spread of 12:00, whose own instant has passed: 13:00 is next, not 12:00 a second time.
    assert definition.change(trigger.pk, {"spread_seconds": 0}, NOW).next_fire_at == at("2026-06-01 13:00")
    waiting = definition.change(trigger.pk, {"spread_seconds": 3000}, at("2026-06-01 12:59:59"))
    later = at("2026-06-01 13:00:01")
    assert definition.change(trigger.pk, {"max_fires": 7}, later).next_fire_at == waiting.next_fire_at


def test_the_most_fires_may_not_be_fewer_than_there_were() -> None:
    trigger = make_trigger(now=NOW, max_fires=10)
    Trigger.objects.filter(pk=trigger.pk).update(fired_count=4)

    with pytest.raises(ValidationError, match="fired 4 times already") as caught:
        definition.change(trigger.pk, {"max_fires": 4}, NOW)
    assert list(caught.value.message_dict) == ["max_fires"]
    assert definition.change(trigger.pk, {"max_fires": 5}, NOW).next_fire_at == NOW + timedelta(seconds=60)


def test_a_new_schedule_begins_a_new_ledger() -> None:
    trigger = make_trigger(now=NOW)
    Trigger.objects.filter(pk=trigger.pk).update(fired_count=4, missed_count=3, overlap_count=2)

    same = definition.change(trigger.pk, {"name": "Other"}, NOW + HOUR)
    assert (same.ledger.due, same.ledger.since) == (9, NOW)
    new = definition.change(trigger.pk, {"schedule_value": "30"}, NOW + HOUR)
    assert (new.ledger.due, new.ledger.since) == (0, NOW + HOUR)


# --- Drafts ------------------------------------------------------------------------------------------


def test_a_draft_is_what_would_be_made_and_stores_nothing() -> None:
    drafted = definition.draft(
        {"type": "scheduled", "schedule_type": "cron", "schedule_value": "0 9 * * *", "payload": {}}, NOW
    )

    assert drafted.next_fire_at == at("2026-06-02 09:00")
    assert not Trigger.objects.exists()


def test_a_draft_of_a_change_keeps_the_rhythm_of_an_unchanged_schedule() -> None:
    trigger = make_trigger(now=NOW)

    same = definition.draft({"name": "Other", "schedule_value": "60"}, NOW + timedelta(seconds=30), of=trigger)
    other = definition.draft({"schedule_value": "45"}, NOW + timedelta(seconds=30), of=trigger)

    assert (same.next_fire_at, other.next_fire_at) == (trigger.next_fire_at, NOW + timedelta(seconds=75))
    assert Trigger.objects.get().name == trigger.name == "Every 1 min"
