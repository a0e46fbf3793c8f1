"""POST /api/triggers and POST /scheduled/triggers."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from triggers.models import Trigger

pytestmark = pytest.mark.django_db

JSON = "application/json"


def test_it_creates_an_api_trigger(program: Client) -> None:
    fields = {"api_endpoint": "https://example.org/hook", "payload": {"a": [1, 2.5, None]}, "is_test": False}

    response = program.post("/api/triggers", fields, content_type=JSON)

    trigger = Trigger.objects.get()
    assert response.status_code == 201
    assert trigger.recipe is not None
    assert response.json() == {
        "message": "API trigger created successfully",
        "id": trigger.pk,
        "next_fire_at": None,
        "version": 1,
        "warnings": [],
        "signing_secret": trigger.recipe.signing_secret,
    }
    assert (trigger.type, trigger.api_endpoint, trigger.payload) == (
        "api",
        "https://example.org/hook",
        {"a": [1, 2.5, None]},
    )
    assert trigger.next_fire_at is None


@pytest.mark.parametrize(("schedule_type", "schedule_value"), [("fixed_time", "09:30"), ("fixed_interval", "60")])
def test_it_creates_a_scheduled_trigger(program: Client, schedule_type: str, schedule_value: str) -> None:
    fields = {
        "schedule_type": schedule_type,
        "schedule_value": schedule_value,
        "is_recurring": False,
        "payload": {},
        "is_test": True,
    }

    response = program.post("/scheduled/triggers", fields, content_type=JSON)

    trigger = Trigger.objects.get()
    assert response.status_code == 201
    body = response.json()
    assert (body["message"], body["id"]) == ("Scheduled trigger created successfully", trigger.pk)
    assert (trigger.type, trigger.schedule_type, trigger.schedule_value) == ("scheduled", schedule_type, schedule_value)
    assert (trigger.is_recurring, trigger.is_test, trigger.payload) == (False, True, {})
    assert trigger.next_fire_at is not None
    assert body["next_fire_at"] == trigger.next_fire_at.isoformat(timespec="microseconds")


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/api/triggers", {"api_endpoint": ""}),
        ("/scheduled/triggers", {"schedule_type": "fixed_interval", "schedule_value": "1"}),
    ],
)
def test_it_takes_the_servers_time_zone_and_a_name_of_its_own(
    program: Client, settings: LazySettings, path: str, needed: dict[str, Any]
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    program.post(path, needed, content_type=JSON)
    program.post(path, {**needed, "name": "Mine", "time_zone": "Asia/Tokyo", "enabled": False}, content_type=JSON)

    first, second = Trigger.objects.order_by("pk")
    assert (first.time_zone, first.enabled, bool(first.name)) == ("Europe/Berlin", True, True)
    assert (second.name, second.time_zone, second.enabled) == ("Mine", "Asia/Tokyo", False)
    assert second.next_fire_at is None


def test_a_scheduled_trigger_may_have_an_endpoint(program: Client) -> None:
    fields = {"schedule_type": "fixed_time", "schedule_value": "00:00", "api_endpoint": "https://example.org/"}

    assert program.post("/scheduled/triggers", fields, content_type=JSON).status_code == 201
    assert Trigger.objects.get().api_endpoint == "https://example.org/"
