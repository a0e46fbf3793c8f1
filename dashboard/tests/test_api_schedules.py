"""Schedules by API: every kind created, changed, previewed and listed, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from triggers.models import Trigger
from triggers.tests.factories import make_trigger

pytestmark = pytest.mark.django_db

JSON = "application/json"
PREVIEW = "/schedule/preview"
NIGHTLY = {"schedule_type": "cron", "schedule_value": "30 2 * * *", "time_zone": "Europe/Berlin"}


def previewed(program: Client, **fields: Any) -> dict[str, Any]:
    response = program.post(PREVIEW, fields, content_type=JSON)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


# --- Created and changed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"schedule_type": "cron", "schedule_value": "@hourly"}, "Every hour"),
        ({"schedule_type": "cron", "schedule_value": "0 9 * * 1#2"}, "Second Monday of the month at 09:00"),
        ({"schedule_type": "date", "schedule_value": "2030-04-02T22:00"}, "Once, Tue 2 Apr 2030 at 22:00"),
        (
            {"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": [1, 2, 3, 4, 5]},
            "Monday to Friday at 08:00",
        ),
    ],
)
def test_it_creates_every_kind(program: Client, fields: dict[str, Any], description: str) -> None:
    response = program.post("/scheduled/triggers", fields, content_type=JSON)

    assert response.status_code == 201
    shown = program.get(f"/triggers/{response.json()['id']}").json()
    assert shown["description"] == description
    assert {name: shown[name] for name in fields} == fields
    assert shown["next_fire_at"]
    assert shown["next_fire_at"] == response.json()["next_fire_at"]


def test_it_keeps_bounds_and_policies(program: Client) -> None:
    fields = {
        **NIGHTLY,
        "not_before": "2030-01-01T00:00",
        "not_after": "2030-12-31T23:59:59+00:00",
        "max_fires": 10,
        "spread_seconds": 60,
        "missed_policy": "run_all",
        "overlap_policy": "skip",
    }

    pk = program.post("/scheduled/triggers", fields, content_type=JSON).json()["id"]

    shown = program.get(f"/triggers/{pk}").json()
    assert shown["not_before"] == "2029-12-31T23:00:00.000000+00:00"
    assert shown["not_after"] == "2030-12-31T23:59:59.000000+00:00"
    assert {name: shown[name] for name in ("max_fires", "spread_seconds", "missed_policy", "overlap_policy")} == {
        "max_fires": 10,
        "spread_seconds": 60,
        "missed_policy": "run_all",
        "overlap_policy": "skip",
    }
    program.put(f"/triggers/{pk}", {"not_before": None, "max_fires": None}, content_type=JSON)
    shown = program.get(f"/triggers/{pk}").json()
    assert (shown["not_before"], shown["max_fires"]) == (None, None)


def test_it_warns_and_saves_all_the_same(program: Client) -> None:
    fields = {
        "schedule_type": "fixed_interval",
        "schedule_value": "1",
        "api_endpoint": "https://example.org/hook",
    }

    body = program.post("/scheduled/triggers", fields, content_type=JSON).json()

    assert Trigger.objects.filter(pk=body["id"]).exists()
    assert [(each["code"], each["level"], each["field"]) for each in body["warnings"]] == [
        ("fires_faster_than_timeout", "warn", "overlap_policy"),
        ("many_events", "warn", "schedule_value"),
    ]
    again = program.put(f"/triggers/{body['id']}", {"schedule_value": "3600"}, content_type=JSON).json()
    assert again["warnings"] == []


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"schedule_value": "0 0 30 2 *"}, "schedule_value", "no such day ever comes"),
        ({"schedule_value": "*/5 9-25 * * *"}, "schedule_value", "Hour: 25 is out of range. Use 0 to 23."),
        ({"schedule_type": "date", "schedule_value": "2020-01-01T00:00"}, "schedule_value", "has passed"),
        ({"time_zone": "Berlin"}, "time_zone", "IANA time zone name"),
        ({"weekdays": [8], "schedule_type": "fixed_time", "schedule_value": "08:00"}, "weekdays", "7 for Sunday"),
        ({"weekdays": ["1"]}, "weekdays", "integer"),
        ({"not_before": 5}, "not_before", "Use a string"),
        ({"not_after": "2020-01-01T00:00"}, "not_after", "ends before the next fire"),
        ({"max_fires": 0}, "max_fires", "from 1 on"),
        ({"spread_seconds": 3601}, "spread_seconds", "up to 3600"),
        ({"missed_policy": "all"}, "missed_policy", "'run_once', 'run_all' or 'skip'"),
        ({"overlap_policy": "queue"}, "overlap_policy", "'allow' or 'skip'"),
    ],
)
@pytest.mark.parametrize("path", ["/scheduled/triggers", PREVIEW])
def test_it_names_the_field_at_fault(
    program: Client, path: str, fields: dict[str, Any], field: str, words: str
) -> None:
    if path == PREVIEW and field in ("max_fires", "spread_seconds", "missed_policy", "overlap_policy"):
        words = "There is no such field"

    response = program.post(path, NIGHTLY | fields, content_type=JSON)

    assert response.status_code == 422
    errors = response.json()["error"]["fields"]
    assert list(errors) == [field]
    assert words in errors[field][0]
    assert not Trigger.objects.exists()


# --- Preview -----------------------------------------------------------------------------------------


def test_it_previews_over_a_change_of_clock(program: Client) -> None:
    body = previewed(program, **NIGHTLY, **{"from": "2026-03-28T12:00", "count": 2})

    assert body["description"] == "Every day at 02:30"
    assert body["next"] == [
        {
            "at": "2026-03-29T03:00:00+02:00",
            "note": "Clocks go forward: 02:30 does not exist, so this one fires at 03:00.",
        },
        {"at": "2026-03-30T02:30:00+02:00", "note": None},
    ]
    assert [each["code"] for each in body["warnings"]] == ["clock_change"]
    assert not Trigger.objects.exists()


def test_it_previews_from_now_five_fires_in_the_servers_zone(program: Client, settings: LazySettings) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"

    body = previewed(program, schedule_type="fixed_time", schedule_value="09:30")

    assert len(body["next"]) == 5
    assert all(fire["at"].endswith("T09:30:00+05:30") for fire in body["next"])
    assert datetime.fromisoformat(body["next"][0]["at"]) - timezone.now() < timedelta(hours=24)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"schedule_type": "fixed_interval", "schedule_value": "90", "count": 2},
            ["2026-06-01T12:01:30+00:00", "2026-06-01T12:03:00+00:00"],
        ),
        (
            {"schedule_type": "fixed_interval", "schedule_value": "90", "is_recurring": False},
            ["2026-06-01T12:01:30+00:00"],
        ),
        (
            {
                "schedule_type": "fixed_interval",
                "schedule_value": "900",
                "not_before": "2026-06-01T13:00",
                "not_after": "2026-06-01T13:20",
            },
            ["2026-06-01T13:00:00+00:00", "2026-06-01T13:15:00+00:00"],
        ),
        ({"schedule_type": "date", "schedule_value": "2026-06-02T00:00"}, ["2026-06-02T00:00:00+00:00"]),
        (
            {"schedule_type": "fixed_time", "schedule_value": "08:00", "weekdays": [6], "count": 1},
            ["2026-06-06T08:00:00+00:00"],
        ),
    ],
)
def test_it_previews_every_kind(program: Client, fields: dict[str, Any], expected: list[str]) -> None:
    body = previewed(program, **fields, **{"from": "2026-06-01T12:00:00Z"})

    assert [fire["at"] for fire in body["next"]] == expected


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 101}, "count"),
        ({"count": "5"}, "count"),
        ({"from": "yesterday"}, "from"),
        ({"from": "0001-01-01T00:00"}, "from"),
        ({"from": "9999-12-31T23:59"}, "from"),
        ({"from": "2026-03-29T02:30"}, "from"),  # in the gap
        ({"name": "Nightly"}, "name"),
    ],
)
def test_it_refuses_to_preview(program: Client, fields: dict[str, Any], field: str) -> None:
    response = program.post(PREVIEW, NIGHTLY | fields, content_type=JSON)

    assert response.status_code == 422
    assert list(response.json()["error"]["fields"]) == [field]


# --- Upcoming ----------------------------------------------------------------------------------------


def test_it_lists_what_fires_in_the_hours_to_come(program: Client) -> None:
    trigger = make_trigger(name="Half-daily", schedule_value="43200")
    make_trigger(schedule_value="90000")
    make_trigger(enabled=False)

    body = program.get("/upcoming").json()

    assert body["next"] is None
    assert [(fire["trigger_id"], fire["name"], fire["note"]) for fire in body["upcoming"]] == [
        (trigger.pk, "Half-daily", None)
    ] * 2
    assert datetime.fromisoformat(body["upcoming"][0]["at"]) == trigger.next_fire_at
    assert len(program.get("/upcoming?hours=6").json()["upcoming"]) == 0
    assert len(program.get("/upcoming?hours=48").json()["upcoming"]) == 5


def test_it_lists_them_in_pages(program: Client) -> None:
    now = timezone.now()
    for _ in range(3):
        make_trigger(schedule_value="36000", now=now)
    seen: list[tuple[str, int]] = []
    cursor = ""

    for _ in range(3):
        body = program.get(f"/upcoming?limit=2{cursor}").json()
        seen += [(fire["at"], fire["trigger_id"]) for fire in body["upcoming"]]
        cursor = f"&cursor={body['next']}"

    assert len(set(seen)) == 6
    assert seen == sorted(seen)
    assert body["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("hours=0", "hours"),
        ("hours=8785", "hours"),
        ("hours=1.5", "hours"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=", "cursor"),
        ("cursor=soon", "cursor"),
        ("cursor=99999999999999999.0-1", "cursor"),
        ("cursor=1.5-99999999999999999999", "cursor"),
    ],
)
def test_it_refuses_to_list(program: Client, query: str, field: str) -> None:
    response = program.get(f"/upcoming?{query}")

    assert response.status_code == 422
    assert list(response.json()["error"]["fields"]) == [field]


@pytest.mark.parametrize(("method", "path"), [("post", PREVIEW), ("get", "/upcoming")])
def test_they_need_a_key(client: Client, method: str, path: str) -> None:
    assert getattr(client, method)(path).status_code == 401
