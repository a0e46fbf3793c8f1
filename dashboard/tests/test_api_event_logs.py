"""GET /event_logs and GET /event_logs/{id}."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers import definition, firing
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_attempt, make_event
from triggers.vault import MASK

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
        "replay_of": None,
        "outcome": "pending",
        "reason": "",
        "skipped_count": 0,
        "skipped_until": None,
        "skip_cause": None,
        "endpoint": "https://example.org/hook",
        "method": "POST",
        "webhook_id": new.webhook_id,
        "scheduled_for": None,
        "due_at": now.isoformat(timespec="microseconds"),
        "attempt_count": 0,
        "most_attempts": 1,
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
    event = make_event(outcome="succeeded", attempt_count=2, payload={})
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
    assert body.pop("replays") == []
    assert body == program.get("/event_logs").json()["logs"][0]
    assert (first["number"], first["status"], first["error_kind"]) == (1, None, "timeout")
    assert second == {
        "number": 2,
        "started_at": Event.objects.get().triggered_at.isoformat(timespec="microseconds"),
        "duration_seconds": 0.042,
        "status": 200,
        "error_kind": "",
        "error": "",
        "timing_seconds": dict.fromkeys(("dns", "connect", "tls", "first_byte", "body")),
        "remote_address": "192.0.2.1",
        "location": "",
        "checks": [],
        "request_headers": [["Content-Type", "application/json"]],
        "response_headers": [["Server", "x"]],
        "response_body": "fine",
        "response_bytes": 0,
        "is_response_binary": False,
        "is_response_cut": False,
        "curl": "curl '' \\\n  --request POST \\\n  --header 'Content-Type: application/json' \\\n  --data-raw '{}'",
    }


def test_an_attempt_says_all_that_is_on_record(program: Client) -> None:
    trigger = make_api_trigger(
        api_endpoint="https://example.org/hook",
        payload={"name": "Jürgen’s"},
        method="PATCH",
        headers=[["X-Api-Key", "sesame-7719", True]],
        body_template='{"text": "{{payload.name}}, {{attempt}} of {{trigger.name}}"}',
        name="Hello",
    )
    first = make_event(trigger, recipe_id=trigger.recipe_id, outcome="failed", attempt_count=2)
    again = make_event(trigger, replay_of=first, source="replay")
    make_attempt(first, 1, status=None, error_kind="interrupted")
    make_attempt(
        first,
        2,
        status=302,
        location="https://example.org/elsewhere",
        dns_ms=1.5,
        connect_ms=20.0,
        first_byte_ms=10.0,
        checks=[["status", False, "Status 302 is not 200-299"]],
        request_headers=[["Content-Type", "application/json"], ["X-Api-Key", MASK], ["webhook-signature", "v1,c2ln"]],
        response_bytes=5000,
        is_response_binary=True,
        is_response_cut=True,
    )

    body = program.get(f"/event_logs/{first.pk}").json()

    assert (body["method"], body["most_attempts"], body["replay_of"], body["replays"]) == ("PATCH", 7, None, [again.pk])
    assert program.get(f"/event_logs/{again.pk}").json()["replay_of"] == first.pk
    lost, found = body["attempts"]
    assert (lost["curl"], lost["timing_seconds"]["dns"]) == (None, None)
    assert found["timing_seconds"] == {"dns": 0.0015, "connect": 0.02, "tls": None, "first_byte": 0.01, "body": None}
    assert found["location"] == "https://example.org/elsewhere"
    assert found["checks"] == [{"name": "status", "passed": False, "message": "Status 302 is not 200-299"}]
    assert (found["response_bytes"], found["is_response_binary"], found["is_response_cut"]) == (5000, True, True)
    assert found["curl"].splitlines() == [
        "curl https://example.org/hook \\",
        "  --request PATCH \\",
        "  --header 'Content-Type: application/json' \\",
        '  --header "X-Api-Key: $X_API_KEY" \\',
        "  --header 'webhook-signature: v1,c2ln' \\",
        """  --data-raw '{"text": "Jürgen’s, 2 of Hello"}'""",
    ]


def test_tests_of_a_draft_are_of_no_trigger(program: Client) -> None:
    of_a_trigger = make_event()
    draft = definition.draft({"type": "api", "api_endpoint": ""}, timezone.now())
    event = firing.test_draft(draft, timezone.now())

    assert [each["trigger_id"] for each in program.get("/event_logs").json()["logs"]] == [None, of_a_trigger.trigger_id]
    assert program.get(f"/event_logs/{event.pk}").json()["trigger_id"] is None
    found = program.get(f"/event_logs?trigger_id={of_a_trigger.trigger_id}&outcome=pending&state=active").json()["logs"]
    assert [each["id"] for each in found] == [of_a_trigger.pk]
