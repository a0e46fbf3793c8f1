"""The form of a trigger: create, edit, its errors, and the preview of a draft."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
AFAR = datetime(2096, 10, 28, 1, 30, 15, 250_000, tzinfo=UTC)  # Berlin's clock shows 02:30:15 for the second time
HOUR = timedelta(hours=1)
DAILY: dict[str, Any] = {
    "name": "Backup",
    "type": "scheduled",
    "schedule_type": "fixed_time",
    "at": "02:30",
    "weekdays": ["1", "2", "3", "4", "5", "6", "7"],
    "every": "",
    "unit": "60",
    "is_recurring": "true",
    "time_zone": "Europe/Berlin",
    "api_endpoint": "https://backup.example.net/run",
    "payload": '{"keep_days": 14}',
    "enabled": "on",
}
INTERVAL = DAILY | {"schedule_type": "fixed_interval", "at": "", "every": "15"}
CRON = DAILY | {"schedule_type": "cron", "at": "", "cron": "30 2 * * *"}
DATE = DAILY | {"schedule_type": "date", "at": "", "on_date": "2096-04-02", "on_time": "22:00"}
API = DAILY | {"type": "api"}


def as_shown(trigger: Trigger) -> dict[str, Any]:
    """Return what a browser sends of the form as the page shows it."""
    form = TriggerForm(trigger=trigger, now=timezone.now())
    shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {name: value for name, value in shown.items() if value not in (None, False)}


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
    shown = TriggerForm(trigger=trigger, now=timezone.now()).initial
    assert (shown["every"], str(shown["unit"])) == (every, unit)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", "90"), ("5 min", "300"), ("1 h 30 min", "5400"), ("2 days", "172800"), ("45", "2700")],
)
def test_a_unit_that_is_written_wins_over_the_one_that_is_chosen(signed_in: Client, text: str, seconds: str) -> None:
    signed_in.post(NEW, INTERVAL | {"every": text, "unit": "60"})

    assert Trigger.objects.get().schedule_value == seconds


def test_it_creates_a_trigger_on_some_days(signed_in: Client) -> None:
    signed_in.post(NEW, DAILY | {"name": "", "weekdays": ["6", "7"]})

    trigger = Trigger.objects.get()
    assert (trigger.weekdays, trigger.name) == ([6, 7], "Saturday and Sunday at 02:30")


def test_every_day_is_stored_as_no_choice_of_days_and_shown_as_all(signed_in: Client) -> None:
    signed_in.post(NEW, DAILY)

    trigger = Trigger.objects.get()
    assert trigger.weekdays == []
    assert TriggerForm(trigger=trigger, now=timezone.now()).initial["weekdays"] == [1, 2, 3, 4, 5, 6, 7]


def test_it_creates_a_cron_trigger_with_all_that_is_advanced(signed_in: Client) -> None:
    more = {
        "cron": " */5 9-17 * * mon-fri ",
        "not_before": "2096-04-02T08:00",
        "not_after": "2096-10-02T22:00:30",
        "max_fires": "12",
        "spread_seconds": "60",
        "missed_policy": "run_all",
        "overlap_policy": "skip",
        "starting": "2000-01-01T00:00",  # of an interval; it does not count
    }
    signed_in.post(NEW, CRON | more)

    trigger = Trigger.objects.get()
    assert (trigger.schedule_type, trigger.schedule_value) == ("cron", "*/5 9-17 * * mon-fri")
    assert trigger.not_before == datetime(2096, 4, 2, 6, 0, tzinfo=UTC)
    assert trigger.not_after == datetime(2096, 10, 2, 20, 0, 30, tzinfo=UTC)
    assert (trigger.max_fires, trigger.spread_seconds) == (12, 60)
    assert (trigger.missed_policy, trigger.overlap_policy) == ("run_all", "skip")


def test_the_first_fire_of_an_interval_is_its_start(signed_in: Client) -> None:
    signed_in.post(NEW, INTERVAL | {"starting": "2096-04-02T08:00", "not_before": "nonsense"})

    assert Trigger.objects.get().next_fire_at == datetime(2096, 4, 2, 6, 0, tzinfo=UTC)


def test_it_creates_a_trigger_on_a_date(signed_in: Client) -> None:
    signed_in.post(NEW, DATE | {"name": "", "not_after": "nonsense", "max_fires": "many", "weekdays": []})

    trigger = Trigger.objects.get()
    assert (trigger.schedule_value, trigger.is_recurring) == ("2096-04-02T22:00", False)
    assert (trigger.name, trigger.next_fire_at) == (
        "Once, Mon 2 Apr 2096 at 22:00",
        datetime(2096, 4, 2, 20, 0, tzinfo=UTC),
    )


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
        (DAILY | {"schedule_type": "lunar"}, "schedule_type", "Select a valid choice"),
        (DAILY | {"at": ""}, "at", "Use a time as HH:MM"),
        (DAILY | {"at": "24:00"}, "at", "Use a time as HH:MM"),
        (DAILY | {"at": "٠٨:٠٠"}, "at", "Use a time as HH:MM"),
        (DAILY | {"time_zone": "Mars/Phobos"}, "time_zone", "Choose a time zone"),
        (DAILY | {"weekdays": []}, "weekdays", "Choose at least one day"),
        (DAILY | {"weekdays": ["8"]}, "weekdays", "Select a valid choice"),
        (INTERVAL | {"every": ""}, "every", "Use a length such as 90 s"),
        (INTERVAL | {"every": "0"}, "every", "Use 1 to 527,040 minutes"),
        (INTERVAL | {"every": "1.5"}, "every", "Use a length such as 90 s"),
        (INTERVAL | {"every": "٣"}, "every", "Use a length such as 90 s"),
        (INTERVAL | {"every": "9" * 5000}, "every", "at most 40"),
        (INTERVAL | {"every": "367", "unit": "86400"}, "every", "Use 1 to 366 days"),
        (INTERVAL | {"every": "367 days"}, "every", "from 1 s to 366 days"),
        (INTERVAL | {"starting": "next week"}, "starting", "Use a date and time"),
        (INTERVAL | {"starting": "2027-03-28T02:30"}, "starting", "does not exist in Europe/Berlin"),
        (INTERVAL | {"not_after": "2026-01-01T00:00"}, "not_after", "window ends before the next fire"),
        (INTERVAL | {"max_fires": "0"}, "max_fires", "Use a whole number from 1"),
        (INTERVAL | {"max_fires": "9" * 5000}, "max_fires", "Use a whole number from 1"),
        (INTERVAL | {"spread_seconds": "3601"}, "spread_seconds", "from 0 to 3,600"),
        (INTERVAL | {"missed_policy": "sometimes"}, "missed_policy", "Select a valid choice"),
        (INTERVAL | {"overlap_policy": "queue"}, "overlap_policy", "Select a valid choice"),
        (CRON | {"cron": ""}, "cron", "Use five fields"),
        (CRON | {"cron": "*/5 9-25 * * 1-5"}, "cron", "Hour: 25 is out of range. Use 0 to 23."),
        (CRON | {"cron": "0 0 30 2 *"}, "cron", "no such day ever comes"),
        (CRON | {"cron": "0 " * 60}, "cron", "longer than 100 characters"),
        (CRON | {"not_before": "2027-01-01T00:00", "not_after": "2026-12-31T00:00"}, "not_after", "before the start"),
        (DATE | {"on_date": ""}, "on_date", "Choose a date."),
        (DATE | {"on_time": ""}, "on_time", "Choose a time."),
        (DATE | {"on_date": "2096-02-30"}, "on_date", "Use one that the calendar has"),
        (DATE | {"on_date": "9500-01-01"}, "on_date", "from 1970 to 8999"),
        (DATE | {"on_date": "2020-01-01"}, "on_date", "has passed"),
        (DATE | {"on_date": "2027-03-28", "on_time": "02:30"}, "on_time", "does not exist in Europe/Berlin"),
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

    signed_in.post(f"/dashboard/triggers/{trigger.pk}/edit/", as_shown(trigger) | {"name": "Renamed"})

    edited = Trigger.objects.get()
    assert (edited.name, edited.next_fire_at, edited.payload) == ("Renamed", trigger.next_fire_at, trigger.payload)


KEPT = {"name", "updated_at", "version"}  # not compared


@pytest.mark.parametrize(
    "fields",
    [
        # An offset of its own, fractions of a second.
        {"schedule_type": "date", "schedule_value": "2096-04-02T22:00:00.5+05:30", "time_zone": "Europe/Berlin"},
        # The second of two equal hours.
        {"schedule_type": "date", "schedule_value": "2096-10-28T02:30+01:00", "time_zone": "Europe/Berlin"},
        {"schedule_type": "date", "schedule_value": "2096-04-02 22:00", "max_fires": 3, "not_after": AFAR},
        {"schedule_type": "cron", "schedule_value": "0  9 * * MON"},
        {"schedule_type": "fixed_interval", "schedule_value": "0090"},
        {"schedule_type": "fixed_interval", "schedule_value": "90", "not_before": AFAR, "not_after": AFAR + HOUR},
        {"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": [1, 5], "is_recurring": False},
        {"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": [1, 5], "spread_seconds": 3600},
        {"schedule_type": "cron", "schedule_value": "@daily", "not_after": AFAR, "max_fires": 7},
        {"schedule_type": "cron", "schedule_value": "@daily", "missed_policy": "skip", "overlap_policy": "skip"},
    ],
)
def test_editing_the_name_changes_nothing_else(signed_in: Client, fields: dict[str, Any]) -> None:
    trigger = make_trigger(now=timezone.now() - HOUR, **fields)
    before = {each.name: getattr(trigger, each.name) for each in Trigger._meta.concrete_fields}

    answer = signed_in.post(f"/dashboard/triggers/{trigger.pk}/edit/", as_shown(trigger) | {"name": "Renamed"})

    assert answer.status_code == 302, answer.context["form"].errors
    edited = Trigger.objects.get()
    assert edited.name == "Renamed"
    for name in before.keys() - KEPT:
        assert getattr(edited, name) == before[name], name


def test_another_zone_moves_what_is_said_by_its_clock(signed_in: Client) -> None:
    trigger = make_trigger(
        schedule_type="date", schedule_value="2096-04-02T22:00+02:00", time_zone="Europe/Berlin", not_after=AFAR
    )
    sent = as_shown(trigger) | {"time_zone": "Asia/Tokyo"}
    signed_in.post(f"/dashboard/triggers/{trigger.pk}/edit/", sent)

    trigger.refresh_from_db()
    assert (trigger.schedule_value, trigger.next_fire_at) == (
        "2096-04-02T22:00",
        datetime(2096, 4, 2, 13, 0, tzinfo=UTC),
    )


def test_it_shows_a_trigger_whose_zone_is_not_known_here_and_asks_for_another(signed_in: Client) -> None:
    trigger = make_trigger(schedule_type="cron", schedule_value="@daily", not_after=AFAR)
    Trigger.objects.update(time_zone="Mars/Phobos")
    trigger.refresh_from_db()
    address = f"/dashboard/triggers/{trigger.pk}/edit/"

    assert "Mars/Phobos (not known here)" in signed_in.get(address).text
    refused = signed_in.post(address, as_shown(trigger))
    assert "This server does not know Mars/Phobos." in str(refused.context["form"].errors["time_zone"])
    assert signed_in.post(address, as_shown(trigger) | {"time_zone": "UTC"}).status_code == 302


def test_advanced_says_the_values_in_use_and_opens_where_one_is_wrong(signed_in: Client) -> None:
    page = signed_in.get(NEW).text
    assert "fire once when back, overlaps allowed, no end, no spread" in page
    assert '<details class="form-section advanced" id="advanced">' in page

    more = {"missed_policy": "skip", "overlap_policy": "skip", "not_after": "2096-04-02T08:00", "spread_seconds": "60"}
    page = signed_in.post(NEW, CRON | more | {"max_fires": "0"}).text
    assert "skip what was missed, skip overlaps, until 2 Apr 2096, 08:00, at most 0 fires, spread over 60 s" in page
    assert 'id="advanced" open>' in page


def test_all_that_is_wrong_is_said_at_once(signed_in: Client) -> None:
    wrong = {"payload": "[1]", "cron": "0 99 * * *", "spread_seconds": "-1", "not_before": "soon", "time_zone": "Moon"}
    errors = signed_in.post(NEW, CRON | wrong).context["form"].errors

    assert {*errors} == {"payload", "cron", "spread_seconds", "not_before", "time_zone"}


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
