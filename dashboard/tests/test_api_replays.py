"""POST /event_logs/{id}/replay, POST /replays, GET /replays/{id}, POST /replays/{id}/cancel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers import definition
from triggers.models import Event, ReplayBatch
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = pytest.mark.django_db


def post(program: Client, address: str, body: Any = None) -> Any:
    return program.post(address, b"" if body is None else body, content_type="application/json")


# --- One ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "endpoint"),
    [
        (None, "https://today.example.com/"),
        ({}, "https://today.example.com/"),
        ({"endpoint": "today"}, "https://today.example.com/"),
        ({"endpoint": "then"}, "https://then.example.com/"),
    ],
)
def test_it_replays_one_event(program: Client, body: Any, endpoint: str) -> None:
    trigger = make_api_trigger(api_endpoint="https://today.example.com/")
    event = make_event(trigger, outcome="failed", endpoint="https://then.example.com/")

    response = post(program, f"/event_logs/{event.pk}/replay", body)

    replay = Event.objects.get(source="replay")
    assert response.status_code == 202
    assert response.json() == {"message": "Event replayed", "id": replay.pk, "replay_of": event.pk}
    assert replay.endpoint == endpoint
    assert program.get(f"/event_logs/{event.pk}").json()["replays"] == [replay.pk]
    assert program.get(f"/event_logs/{replay.pk}").json()["replay_of"] == event.pk


def test_what_cannot_be_replayed_is_refused_with_the_reason(program: Client) -> None:
    waiting, of_deleted = make_event(), make_event(outcome="failed")
    definition.delete(of_deleted.trigger_id or 0, timezone.now())

    for address, body, status, words in [
        (f"/event_logs/{of_deleted.pk + 1}/replay", None, 404, "no such event"),
        (f"/event_logs/{2**63}/replay", None, 404, "no such event"),
        (f"/event_logs/{waiting.pk}/replay", None, 409, "not finished"),
        (f"/event_logs/{of_deleted.pk}/replay", None, 409, "“then”"),
        (f"/event_logs/{of_deleted.pk}/replay", {"endpoint": "tomorrow"}, 422, "'today' or 'then'"),
        (f"/event_logs/{of_deleted.pk}/replay", {"endpoint": ["then"]}, 422, "'today' or 'then'"),
        (f"/event_logs/{of_deleted.pk}/replay", {"to": "then"}, 422, "to: There is no such field"),
    ]:
        response = post(program, address, body)
        assert response.status_code == status
        assert words in response.json()["message"]
    assert not Event.objects.filter(source="replay").exists()
    assert post(program, f"/event_logs/{of_deleted.pk}/replay", {"endpoint": "then"}).status_code == 202


# --- Many ---------------------------------------------------------------------------------------------------


def fail(count: int, **fields: Any) -> list[Event]:
    trigger = make_api_trigger(api_endpoint="https://example.com/")
    return [make_event(trigger, outcome="failed", **fields) for _ in range(count)]


def test_a_dry_run_only_counts(program: Client) -> None:
    events = fail(3)
    make_event(events[0].trigger, outcome="succeeded")
    fail(61)

    response = post(program, "/replays", {"dry_run": True})

    assert response.status_code == 200
    assert response.json() == {
        "total": 64,
        "replayed": 61,
        "superseded": 3,
        "without_trigger": 0,
        "lasts_seconds": 60.0,
    }
    assert not ReplayBatch.objects.exists()


def test_it_begins_shows_and_cancels_many(program: Client) -> None:
    fail(5)

    begun = post(program, "/replays", {"rate_per_minute": 1, "endpoint": "then", "skip_superseded": False})

    answer = begun.json()
    assert begun.status_code == 202
    assert (answer["state"], answer["is_over"], answer["total"], answer["replayed"], answer["left"]) == (
        "running",
        False,
        5,
        3,
        2,
    )
    assert (answer["endpoint"], answer["skip_superseded"], answer["begun_by"]) == ("then", False, "API key tests")
    assert answer["outcomes"]["pending"] == 3
    assert program.get(f"/replays/{answer['id']}").json() == answer

    cancelled = post(program, f"/replays/{answer['id']}/cancel").json()
    assert (cancelled["state"], cancelled["is_over"], cancelled["left"]) == ("cancelled", True, 0)
    assert cancelled["outcomes"]["skipped"] == 3
    assert post(program, f"/replays/{answer['id']}/cancel").json() == cancelled


def test_it_takes_only_what_is_selected(program: Client) -> None:
    now = timezone.now()
    old = fail(2, triggered_at=now - timedelta(hours=3))
    fail(2)

    by_time = post(program, "/replays", {"fired_until": (now - timedelta(hours=1)).isoformat(), "dry_run": True})
    by_trigger = post(program, "/replays", {"trigger_id": old[0].trigger_id, "dry_run": True})

    assert by_time.json()["total"] == by_trigger.json()["total"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trigger_id": 12345}, "trigger_id"),
        ({"trigger_id": "1"}, "trigger_id"),
        ({"fired_from": "yesterday"}, "fired_from"),
        ({"fired_until": "2026-13-01T00:00"}, "fired_until"),
        ({"endpoint": "tomorrow"}, "endpoint"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"rate_per_minute": 60_001}, "rate_per_minute"),
        ({"dry_run": 1}, "dry_run"),
        ({"dryrun": True}, "dryrun"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_begins(program: Client, body: Any, field: str) -> None:
    fail(1)

    response = post(program, "/replays", body)

    assert response.status_code == 422
    assert list(response.json()["error"]["fields"]) == [field]
    assert not ReplayBatch.objects.exists()


def test_replays_that_are_not_known_are_not_found(program: Client) -> None:
    assert program.get("/replays/7").status_code == 404
    assert post(program, "/replays/7/cancel").status_code == 404
    assert program.get("/replays/seven").status_code == 404


def test_a_person_who_is_signed_in_is_named(signed_in: Client) -> None:
    fail(1)

    assert post(signed_in, "/replays", {}).json()["begun_by"] == "mara"
