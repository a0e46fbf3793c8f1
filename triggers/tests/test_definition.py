"""A trigger is defined, changed, switched and deleted; its next fire moves only when its schedule does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from triggers import definition
from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


# --- Created -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "next_fire_at", "name"),
    [
        ({"schedule_type": "fixed_interval", "schedule_value": "60"}, after(60), "Every 1 min"),
        ({"schedule_type": "fixed_interval", "schedule_value": "1"}, after(1), "Every 1 s"),
        (
            {"schedule_type": "fixed_interval", "schedule_value": "60", "is_recurring": False},
            after(60),
            "Once, after 1 min",
        ),
        (
            {"schedule_type": "fixed_time", "schedule_value": "14:30"},
            datetime(2026, 6, 1, 14, 30, tzinfo=UTC),
            "Every day at 14:30",
        ),
        (
            {"schedule_type": "fixed_time", "schedule_value": "14:30", "time_zone": "Europe/Berlin"},
            datetime(2026, 6, 1, 12, 30, tzinfo=UTC),
            "Every day at 14:30",
        ),
        ({"schedule_type": "fixed_interval", "schedule_value": "60", "enabled": False}, None, "Every 1 min"),
        ({"type": "api"}, None, "API trigger"),
        # An API trigger has no schedule, whatever is sent along.
        ({"type": "api", "schedule_type": "fixed_interval", "schedule_value": "60"}, None, "API trigger"),
    ],
)
def test_a_new_trigger_gets_its_next_fire_and_a_name(
    fields: dict[str, Any], next_fire_at: datetime | None, name: str
) -> None:
    trigger = definition.create({"type": "scheduled", "payload": {}} | fields, NOW)

    stored = Trigger.objects.get()
    assert stored == trigger
    assert (stored.next_fire_at, stored.name, stored.starts_at) == (next_fire_at, name, NOW)
    assert bool(stored.schedule_type) == stored.is_scheduled


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"schedule_value": "0"}, "schedule_value", "whole number of seconds"),
        ({"schedule_value": ""}, "schedule_value", "whole number of seconds"),
        ({"schedule_type": "fixed_time", "schedule_value": "25:00"}, "schedule_value", "HH:MM"),
        ({"schedule_type": "hourly"}, "schedule_type", "fixed_time, fixed_interval, cron or date"),
        ({"schedule_type": ""}, "schedule_type", "fixed_time, fixed_interval, cron or date"),
        ({"type": "other"}, "type", "not a valid choice"),
        ({"time_zone": "Mars"}, "time_zone", "IANA time zone name"),
        ({"type": "api", "time_zone": ""}, "time_zone", "IANA time zone name"),
        ({"api_endpoint": "ftp://example.com"}, "api_endpoint", "http:// or https://"),
        ({"api_endpoint": "https://example.com/" + "a" * 2000}, "api_endpoint", "2000 characters"),
        ({"payload": [1]}, "payload", "JSON object"),
        ({"payload": None}, "payload", "JSON object"),
        ({"payload": {"a": "\x00"}}, "payload", r"U\+0000"),
        ({"payload": {"a": "x" * 300_000}}, "payload", "256 KiB"),
        ({"payload": {"a": float("nan")}}, "payload", "too large"),
        ({"name": "a\x00b"}, "name", r"U\+0000"),
        ({"name": "\ud800"}, "name", "surrogate"),
        ({"name": "x" * 121}, "name", "120 characters"),
    ],
)
def test_it_names_the_field_at_fault_and_stores_nothing(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        make_trigger(now=NOW, **fields)

    assert list(caught.value.message_dict) == [field]
    assert not Trigger.objects.exists()


def test_it_names_all_fields_at_fault_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        make_trigger(schedule_value="x", api_endpoint="x", payload=[], name="\x00")

    assert set(caught.value.message_dict) == {"schedule_value", "api_endpoint", "payload", "name"}


# --- Changed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Other"},
        {"payload": {"b": 2}},
        {"payload": {}},
        {"api_endpoint": "https://example.com/hook"},
        {"is_test": True},
        {"schedule_value": "60"},  # as it was
        {"enabled": True, "time_zone": "UTC"},  # as they were
        {},
    ],
)
def test_other_changes_do_not_move_the_next_fire(fields: dict[str, Any]) -> None:
    trigger = make_trigger(now=NOW)

    definition.change(trigger.pk, fields, LATER)

    stored = Trigger.objects.get()
    assert (stored.next_fire_at, stored.starts_at) == (after(60), NOW)
    assert all(getattr(stored, name) == value for name, value in fields.items())


@pytest.mark.parametrize(
    ("fields", "next_fire_at"),
    [
        ({"schedule_value": "30"}, LATER + timedelta(seconds=30)),
        ({"is_recurring": False}, LATER + timedelta(seconds=60)),
        ({"schedule_type": "fixed_time", "schedule_value": "12:00"}, datetime(2026, 6, 2, 12, tzinfo=UTC)),
        ({"type": "api"}, None),
        ({"schedule_value": "30", "enabled": False}, None),
    ],
)
def test_a_change_of_the_schedule_counts_from_now(fields: dict[str, Any], next_fire_at: datetime | None) -> None:
    trigger = make_trigger(now=NOW)

    definition.change(trigger.pk, fields, LATER)

    stored = Trigger.objects.get()
    assert (stored.next_fire_at, stored.starts_at) == (next_fire_at, LATER)


def test_an_api_trigger_becomes_a_scheduled_one_and_back() -> None:
    trigger = make_api_trigger(now=NOW)

    with pytest.raises(ValidationError, match="fixed_time, fixed_interval, cron or date"):
        definition.change(trigger.pk, {"type": "scheduled"}, NOW)
    to_scheduled = {"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "5"}
    assert definition.change(trigger.pk, to_scheduled, NOW).next_fire_at == after(5)
    back = definition.change(trigger.pk, {"type": "api"}, NOW)
    assert (back.next_fire_at, back.schedule_type, back.schedule_value) == (None, "", "")


def test_a_change_that_is_refused_changes_nothing() -> None:
    trigger = make_trigger(now=NOW, name="Orders")

    with pytest.raises(ValidationError):
        definition.change(trigger.pk, {"name": "Other", "schedule_value": "0"}, LATER)

    stored = Trigger.objects.get()
    assert (stored.name, stored.schedule_value, stored.next_fire_at) == ("Orders", "60", after(60))


# --- Switched ----------------------------------------------------------------------------------------


def test_a_trigger_that_is_off_has_no_next_fire_and_keeps_its_rhythm() -> None:
    trigger = make_trigger(now=NOW)

    assert definition.switch(trigger.pk, on=False, now=after(10)).next_fire_at is None
    assert Trigger.objects.get().next_fire_at is None
    assert definition.switch(trigger.pk, on=True, now=LATER).next_fire_at == after(120)


def test_switching_on_what_is_on_does_not_move_the_next_fire() -> None:
    trigger = make_trigger(now=NOW, is_recurring=False)

    assert definition.switch(trigger.pk, on=True, now=after(30)).next_fire_at == after(60)


def test_a_one_time_trigger_that_is_switched_on_again_fires_once_more() -> None:
    trigger = make_trigger(now=NOW, is_recurring=False)
    # As the beat leaves it after its fire.
    Trigger.objects.filter(pk=trigger.pk).update(enabled=False, next_fire_at=None)

    assert definition.change(trigger.pk, {"name": "Other"}, LATER).next_fire_at is None
    assert definition.switch(trigger.pk, on=True, now=LATER).next_fire_at == LATER + timedelta(seconds=60)


def test_a_payload_that_the_database_gives_back_larger_does_not_hinder_switching_off() -> None:
    trigger = make_trigger(now=NOW)
    Trigger.objects.filter(pk=trigger.pk).update(payload={"mass": 10**20})  # so PostgreSQL gives 1e20 back

    assert definition.switch(trigger.pk, on=False, now=LATER).next_fire_at is None

    with pytest.raises(ValidationError):
        definition.change(trigger.pk, {"payload": {"mass": 10**21}}, LATER)


def test_an_api_trigger_is_switched_without_a_next_fire() -> None:
    trigger = make_api_trigger(now=NOW)

    assert not definition.switch(trigger.pk, on=False, now=LATER).enabled
    switched_on = definition.switch(trigger.pk, on=True, now=LATER)
    assert (switched_on.enabled, switched_on.next_fire_at) == (True, None)


# --- Deleted -----------------------------------------------------------------------------------------


def test_a_deleted_trigger_fires_no_more_and_leaves_its_events() -> None:
    trigger = make_trigger(now=NOW)
    event = make_event(trigger)

    definition.delete(trigger.pk, LATER)

    assert not Trigger.objects.exists()
    kept = Trigger.with_deleted.get()
    assert (kept.enabled, kept.next_fire_at, kept.deleted_at) == (False, None, LATER)
    assert Event.objects.get().trigger == event.trigger


def test_a_deleted_trigger_is_not_found_again() -> None:
    trigger = make_trigger(now=NOW)
    definition.delete(trigger.pk, LATER)

    with pytest.raises(Trigger.DoesNotExist):
        definition.delete(trigger.pk, LATER)
    with pytest.raises(Trigger.DoesNotExist):
        definition.change(trigger.pk, {"name": "Other"}, LATER)
    with pytest.raises(Trigger.DoesNotExist):
        definition.switch(trigger.pk, on=True, now=LATER)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Every 1 min"),
        ({"is_recurring": False}, "Once, after 1 min"),
        ({"type": "api"}, "When called"),
    ],
)
def test_it_says_the_schedule_in_words(fields: dict[str, Any], words: str) -> None:
    assert definition.schedule_in_words(make_trigger(**fields)) == words


def test_switching_on_again_begins_to_count_failures_anew() -> None:
    trigger = make_api_trigger(switch_off_after=2)
    Trigger.objects.filter(pk=trigger.pk).update(enabled=False, failures_in_a_row=2, problem="Switched off.")

    trigger = definition.switch(trigger.pk, on=True, now=LATER)

    assert (trigger.enabled, trigger.failures_in_a_row, trigger.problem) == (True, 0, "")
