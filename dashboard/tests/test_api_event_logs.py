"""GET /event_logs and GET /event_logs/{id}."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=3)


def test_it_lists_events_newest_first(program: Client) -> None:
    now = timezone.now()
    trigger = make_api_trigger(payload={"a": 1}, api_endpoint="https://example.org/hook")
    old = make_event(trigger, triggered_at=now - LONG_AGO, outcome="failed", reason="No answer.", last_status=503)
    new = make_event(trigger, triggered_at=now, is_test=True, source="test")

    body = program.get("/event_logs").json()

    assert body["next"] is None
    assert [event["id"] for event in body["logs"]] == [new.pk, old.pk]
    assert body["logs"][0] == {
        "id": new.pk,
        "trigger_id": trigger.pk,
        "triggered_at": now.isoformat(timespec="microseconds"),
        "payload": {"a": 1},
        "is_test": True,
        "state": "active",
        "source": "test",
        "outcome": "pending",
        "reason": "",
        "skipped_count": 0,
        "skipped_until": None,
        "skip_cause": None,
        "endpoint": "https://example.org/hook",
        "webhook_id": new.webhook_id,
        "scheduled_for": None,
        "due_at": now.isoformat(timespec="microseconds"),
        "attempt_count": 0,
        "last_status": None,
        "first_sent_at": None,
        "finished_at": None,
        "lateness_seconds": None,
        "duration_seconds": None,
    }
    shown = body["logs"][1]
    assert (shown["state"], shown["outcome"], shown["reason"]) == ("archived", "failed", "No answer.")
    assert (shown["last_status"], shown["lateness_seconds"]) == (503, 0.0)


def test_it_lists_them_in_pages(program: Client) -> None:
    trigger = make_api_trigger()
    ids = [make_event(trigger).pk for _ in range(5)]
    seen: list[int] = []
    cursor = ""

    for _ in range(3):
        body = program.get(f"/event_logs?limit=2{cursor}").json()
        seen += [event["id"] for event in body["logs"]]
        cursor = f"&cursor={body['next']}"

    assert (seen, body["next"]) == (ids[::-1], None)


def test_a_page_of_large_events_is_shorter(program: Client) -> None:
    trigger = make_api_trigger(payload={"text": "x" * 250_000})
    ids = [make_event(trigger).pk for _ in range(40)]
    first = program.get("/event_logs").json()
    second = program.get(f"/event_logs?cursor={first['next']}").json()

    assert 30 < len(first["logs"]) < 40
    assert [event["id"] for event in first["logs"] + second["logs"]] == ids[::-1]
    assert second["next"] is None


def test_it_filters(program: Client) -> None:
    trigger = make_api_trigger()
    old = make_event(trigger, triggered_at=timezone.now() - LONG_AGO, outcome="logged")
    failed = make_event(trigger, outcome="failed")
    other = make_event(outcome="logged")

    def shown(query: str) -> list[int]:
        return [event["id"] for event in program.get(f"/event_logs?{query}").json()["logs"]]

    assert shown(f"trigger_id={trigger.pk}") == [failed.pk, old.pk]
    assert shown("outcome=logged") == [other.pk, old.pk]
    assert shown("state=active") == [other.pk, failed.pk]
    assert shown("state=archived") == [old.pk]
    assert shown(f"trigger_id={trigger.pk}&outcome=logged&state=active") == []
    assert shown("trigger_id=9223372036854775807") == []


@pytest.mark.parametrize("count", [1, 20])
def test_it_lists_them_with_two_queries(program: Client, django_assert_num_queries: Any, count: int) -> None:
    for _ in range(count):
        make_event()
    program.get("/event_logs")  # the key's first use is noted, once a minute

    with django_assert_num_queries(2):  # the key, the page
        assert len(program.get("/event_logs").json()["logs"]) == count


def test_it_shows_one_with_its_attempts(program: Client) -> None:
    event = make_event(outcome="succeeded", attempt_count=2)
    make_attempt(event, 1, status=None, error_kind="timeout", error="No answer within 10 s.")
    make_attempt(
        event,
        2,
        remote_address="192.0.2.1",
        request_headers=[["Content-Type", "application/json"]],
        response_headers=[["Server", "x"]],
        response_body="fine",
    )

    body = program.get(f"/event_logs/{event.pk}").json()

    first, second = body.pop("attempts")
    assert body == program.get("/event_logs").json()["logs"][0]
    assert (first["number"], first["status"], first["error_kind"]) == (1, None, "timeout")
    assert second == {
        "number": 2,
        "started_at": Event.objects.get().triggered_at.isoformat(timespec="microseconds"),
        "duration_seconds": 0.042,
        "status": 200,
        "error_kind": "",
        "error": "",
        "remote_address": "192.0.2.1",
        "request_headers": [["Content-Type", "application/json"]],
        "response_headers": [["Server", "x"]],
        "response_body": "fine",
        "is_response_cut": False,
    }
