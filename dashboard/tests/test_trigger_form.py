"""The form of a trigger: create, edit, its errors, and the preview of a draft."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.forms import TriggerForm
from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = pytest.mark.django_db
NEW = "/dashboard/triggers/new/"
HTMX = {"HX-Request": "true"}
DAILY = {
    "name": "Backup",
    "type": "scheduled",
    "schedule_type": "fixed_time",
    "at": "02:30",
    "every": "",
    "unit": "60",
    "is_recurring": "true",
    "time_zone": "Europe/Berlin",
    "api_endpoint": "https://backup.example.net/run",
    "payload": '{"keep_days": 14}',
    "enabled": "on",
}
INTERVAL = DAILY | {"schedule_type": "fixed_interval", "at": "", "every": "15"}
API = DAILY | {"type": "api"}


def test_it_creates_a_daily_trigger(signed_in: Client) -> None:
    answer = signed_in.post(NEW, DAILY)

    trigger = Trigger.objects.get()
    assert answer.headers["Location"] == f"/dashboard/triggers/{trigger.pk}/"
    assert (trigger.name, trigger.type, trigger.schedule_type) == ("Backup", "scheduled", "fixed_time")
    assert (trigger.schedule_value, trigger.time_zone, trigger.is_recurring) == ("02:30", "Europe/Berlin", True)
    assert (trigger.payload, trigger.enabled, trigger.is_test) == ({"keep_days": 14}, True, False)
    assert trigger.next_fire_at is not None


@pytest.mark.parametrize(
    ("every", "unit", "seconds"),
    [("1", "1", "1"), ("15", "60", "900"), ("2", "3600", "7200"), ("7", "86400", "604800")],
)
def test_it_turns_a_number_and_a_unit_into_seconds_and_back(
    signed_in: Client, every: str, unit: str, seconds: str
) -> None:
    signed_in.post(NEW, INTERVAL | {"every": every, "unit": unit})

    trigger = Trigger.objects.get()
    assert trigger.schedule_value == seconds
    shown = TriggerForm.initial_of(trigger)
    assert (shown["every"], str(shown["unit"])) == (every, unit)


def test_it_creates_a_one_time_trigger_that_is_off(signed_in: Client) -> None:
    fields = {name: value for name, value in INTERVAL.items() if name != "enabled"}
    signed_in.post(NEW, fields | {"is_recurring": "false", "is_test": "on"})

    trigger = Trigger.objects.get()
    assert (trigger.is_recurring, trigger.enabled, trigger.is_test, trigger.next_fire_at) == (False, False, True, None)


def test_it_ignores_the_fields_that_do_not_count(signed_in: Client) -> None:
    signed_in.post(NEW, API | {"at": "nonsense", "every": "many"})
    assert Trigger.objects.get().schedule_value == ""

    signed_in.post(NEW, DAILY | {"every": "many"})
    assert Trigger.objects.count() == 2


def test_it_calls_a_trigger_without_a_name_by_its_schedule(signed_in: Client) -> None:
    signed_in.post(NEW, DAILY | {"name": " ", "payload": "", "at": "8:05"})

    trigger = Trigger.objects.get()
    assert (trigger.name, trigger.payload, trigger.schedule_value) == ("Every day at 08:05", {}, "08:05")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        (DAILY | {"name": "x" * 121}, "name", "at most 120"),
        (DAILY | {"name": "x\x00"}, "name", "Null characters"),
        (DAILY | {"type": ""}, "type", "Choose what starts it"),
        (DAILY | {"type": "cron"}, "type", "Select a valid choice"),
        (DAILY | {"schedule_type": ""}, "schedule_type", "Choose a kind of schedule"),
        (DAILY | {"schedule_type": "cron"}, "schedule_type", "Select a valid choice"),
        (DAILY | {"at": ""}, "at", "Use a time as HH:MM"),
        (DAILY | {"at": "24:00"}, "at", "Use a time as HH:MM"),
        (DAILY | {"at": "٠٨:٠٠"}, "at", "Use a time as HH:MM"),
        (DAILY | {"time_zone": "Mars/Phobos"}, "time_zone", "Choose a time zone"),
        (INTERVAL | {"every": ""}, "every", "Use a whole number, from 1"),
        (INTERVAL | {"every": "0"}, "every", "Use a whole number, from 1"),
        (INTERVAL | {"every": "1.5"}, "every", "Use a whole number, from 1"),
        (INTERVAL | {"every": "٣"}, "every", "Use a whole number, from 1"),
        (INTERVAL | {"every": "9" * 5000}, "every", "at most 8"),
        (INTERVAL | {"every": "367", "unit": "86400"}, "every", "At most 366 days"),
        (INTERVAL | {"unit": "7"}, "unit", "Select a valid choice"),
        (DAILY | {"is_recurring": "maybe"}, "is_recurring", "Select a valid choice"),
        (DAILY | {"api_endpoint": "ftp://example.com"}, "api_endpoint", "http:// or https://"),
        (DAILY | {"api_endpoint": "https://" + "x" * 2000}, "api_endpoint", "at most 2000"),
        (DAILY | {"payload": '{\n  "a": 1\n  "b": 2\n}'}, "payload", "line 3, column 3"),
        (DAILY | {"payload": "[1]"}, "payload", "Use a JSON object"),
        (DAILY | {"payload": '{"a": NaN}'}, "payload", "NaN is not JSON"),
        (DAILY | {"payload": '{"a": "' + "x" * 262_144 + '"}'}, "payload", "at most 256 KiB"),
    ],
)
def test_it_names_the_field_and_the_rule_and_creates_nothing(
    signed_in: Client, fields: dict[str, Any], field: str, words: str
) -> None:
    answer = signed_in.post(NEW, fields)

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert words in str(answer.context["form"].errors[field])
    assert "<title>Error: New trigger" in answer.text
    assert "change before this can be saved" in answer.text
    assert f'id="div_id_{field}"' in answer.text or f'id="id_{field}"' in answer.text  # where the note's link leads
    assert not Trigger.objects.exists()


def test_it_keeps_what_was_typed(signed_in: Client) -> None:
    page = signed_in.post(NEW, DAILY | {"at": "25:00", "payload": '{"<b>": 1'}).text

    assert 'value="25:00"' in page
    assert "{&quot;&lt;b&gt;&quot;: 1" in page
    assert 'value="https://backup.example.net/run"' in page


def test_it_answers_htmx_with_the_form_alone_or_the_way_on(signed_in: Client) -> None:
    refused = signed_in.post(NEW, DAILY | {"at": ""}, headers=HTMX)
    assert refused.status_code == 422
    assert "<html" not in refused.text
    assert 'id="trigger-form"' in refused.text

    saved = signed_in.post(NEW, DAILY, headers=HTMX)
    assert saved.headers["HX-Redirect"] == f"/dashboard/triggers/{Trigger.objects.get().pk}/"


def test_it_edits_without_moving_the_next_fire_of_an_unchanged_schedule(signed_in: Client) -> None:
    trigger = make_trigger(now=timezone.now() - timedelta(seconds=30), name="Probe")
    form = TriggerForm(initial=TriggerForm.initial_of(trigger), now=timezone.now())
    shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: value for name, value in shown.items() if value not in (None, False)}

    signed_in.post(f"/dashboard/triggers/{trigger.pk}/edit/", sent | {"name": "Renamed"})

    edited = Trigger.objects.get()
    assert (edited.name, edited.next_fire_at, edited.payload) == ("Renamed", trigger.next_fire_at, trigger.payload)


def test_it_edits_a_trigger_into_another_type(signed_in: Client) -> None:
    trigger = make_api_trigger()

    signed_in.post(f"/dashboard/triggers/{trigger.pk}/edit/", INTERVAL)

    trigger.refresh_from_db()
    assert (trigger.type, trigger.schedule_value) == ("scheduled", "900")
    assert trigger.next_fire_at is not None


def test_it_has_no_form_for_a_trigger_that_is_not_there(signed_in: Client) -> None:
    assert signed_in.get("/dashboard/triggers/999/edit/").status_code == 404
    assert signed_in.get(f"/dashboard/triggers/{'9' * 30}/edit/").status_code == 404


def test_it_begins_with_the_type_that_was_asked_for(signed_in: Client) -> None:
    assert signed_in.get(f"{NEW}?type=api").context["form"]["type"].value() == "api"
    assert signed_in.get(f"{NEW}?type=bogus").context["form"]["type"].value() == "scheduled"
