"""GET /triggers, and GET, PUT and DELETE /triggers/{id}."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db

JSON = "application/json"
READ_ONLY = (
    *("id", "version", "created_at", "updated_at", "next_fire_at", "description", "ledger", "problem"),
    "has_client_key",
)
NOON = datetime(2026, 6, 1, 12, 0, 0, 250, tzinfo=UTC)


def test_it_lists_triggers_by_id(program: Client) -> None:
    first = make_trigger(now=NOON, name="Every minute", payload={"a": 1})
    Trigger.objects.filter(pk=first.pk).update(created_at=NOON, updated_at=NOON)
    second = make_api_trigger(api_endpoint="https://example.org/hook")

    body = program.get("/triggers").json()

    assert body["next"] is None
    assert body["triggers"][0] == {
        "id": first.pk,
        "type": "scheduled",
        "schedule_type": "fixed_interval",
        "schedule_value": "60",
        "is_recurring": True,
        "description": "Every 1 min",
        "weekdays": [],
        "not_before": None,
        "not_after": None,
        "max_fires": None,
        "spread_seconds": 0,
        "missed_policy": "run_once",
        "overlap_policy": "allow",
        "api_endpoint": "",
        "payload": {"a": 1},
        "method": "POST",
        "headers": [],
        "body_template": "",
        "timeout_seconds": None,
        "success": {
            "statuses": "2xx",
            "json_path": "",
            "json_equals": None,
            "contains": "",
            "longest_seconds": None,
        },
        "retries": {
            "preset": "patient",
            "delays": [5, 30, 120, 600, 1800, 3600],
            "statuses": "",
            "no_answer": True,
            "description": "6, after 5 s, 30 s, 2 min, 10 min, 30 min and 1 h. Gives up after about 1 h 43 min",
        },
        "most_at_once": None,
        "rate_per_minute": None,
        "switch_off_after": None,
        "verify_tls": True,
        "client_certificate": "",
        "has_client_key": False,
        "is_test": False,
        "name": "Every minute",
        "enabled": True,
        "time_zone": "UTC",
        "next_fire_at": "2026-06-01T12:01:00.000250+00:00",
        "problem": "",
        "ledger": {
            "since": "2026-06-01T12:00:00.000250+00:00",
            "due": 0,
            "fired": 0,
            "missed": 0,
            "overlapped": 0,
        },
        "version": 1,
        "created_at": "2026-06-01T12:00:00.000250+00:00",
        "updated_at": "2026-06-01T12:00:00.000250+00:00",
    }
    shown = body["triggers"][1]
    assert (shown["id"], shown["type"], shown["schedule_type"], shown["schedule_value"]) == (
        second.pk,
        "api",
        None,
        None,
    )
    assert (shown["api_endpoint"], shown["next_fire_at"]) == ("https://example.org/hook", None)


def test_it_lists_them_in_pages(program: Client) -> None:
    ids = [make_api_trigger().pk for _ in range(5)]
    seen: list[int] = []
    cursor = ""

    for _ in range(3):
        body = program.get(f"/triggers?limit=2{cursor}").json()
        seen += [trigger["id"] for trigger in body["triggers"]]
        cursor = f"&cursor={body['next']}"

    assert (seen, body["next"]) == (ids, None)


@pytest.mark.parametrize("count", [1, 20])
def test_it_lists_them_with_two_queries(program: Client, django_assert_num_queries: Any, count: int) -> None:
    for _ in range(count):
        make_trigger()
    program.get("/triggers")  # the key's first use is noted, once a minute

    with django_assert_num_queries(2):  # the key, the page
        assert len(program.get("/triggers").json()["triggers"]) == count


def test_it_shows_one(program: Client) -> None:
    trigger = make_trigger()

    assert program.get(f"/triggers/{trigger.pk}").json() == program.get("/triggers").json()["triggers"][0]


def test_it_changes_what_is_given_and_leaves_the_rest(program: Client) -> None:
    trigger = make_trigger(name="Mine", payload={"a": 1})

    response = program.put(f"/triggers/{trigger.pk}", {"schedule_value": "300"}, content_type=JSON)

    assert response.status_code == 200
    trigger.refresh_from_db()
    assert trigger.next_fire_at is not None
    assert response.json() == {
        "message": "Trigger updated successfully",
        "id": trigger.pk,
        "next_fire_at": trigger.next_fire_at.isoformat(timespec="microseconds"),
        "version": 2,
        "warnings": [],
    }
    assert (trigger.schedule_value, trigger.name, trigger.payload) == ("300", "Mine", {"a": 1})


def test_it_changes_the_type_both_ways(program: Client) -> None:
    trigger = make_trigger()
    path = f"/triggers/{trigger.pk}"

    assert program.put(path, {"type": "api"}, content_type=JSON).status_code == 200
    shown = program.get(path).json()
    assert (shown["type"], shown["schedule_type"], shown["next_fire_at"]) == ("api", None, None)

    back = {"type": "scheduled", "schedule_type": "fixed_time", "schedule_value": "07:00"}
    assert program.put(path, back, content_type=JSON).status_code == 200
    shown = program.get(path).json()
    assert (shown["schedule_type"], shown["schedule_value"]) == ("fixed_time", "07:00")
    assert shown["next_fire_at"].endswith("T07:00:00.000000+00:00")


def test_it_refuses_to_make_a_trigger_scheduled_without_a_schedule(program: Client) -> None:
    trigger = make_api_trigger()

    response = program.put(f"/triggers/{trigger.pk}", {"type": "scheduled"}, content_type=JSON)

    assert response.status_code == 422
    assert list(response.json()["error"]["fields"]) == ["schedule_type"]


@pytest.mark.parametrize("make", [make_api_trigger, make_trigger])
def test_it_takes_back_what_it_shows(program: Client, make: Callable[[], Trigger]) -> None:
    path = f"/triggers/{make().pk}"
    shown = program.get(path).json()
    for read_only in READ_ONLY:
        del shown[read_only]

    assert program.put(path, shown, content_type=JSON).status_code == 200


def test_it_deletes_one_and_keeps_its_events(program: Client) -> None:
    trigger = make_api_trigger()
    event = make_event(trigger, triggered_at=timezone.now())

    response = program.delete(f"/triggers/{trigger.pk}")

    assert (response.status_code, response.json()["id"]) == (200, trigger.pk)
    assert program.get(f"/triggers/{trigger.pk}").status_code == 404
    assert program.get("/triggers").json()["triggers"] == []
    assert Event.objects.get() == event
    assert program.get(f"/event_logs/{event.pk}").json()["trigger_id"] == trigger.pk
