"""One event: its attempts, what was sent and what came back, and how the page follows it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

HTMX = {"HX-Request": "true"}
A_WHILE_AGO = timedelta(minutes=10, seconds=30)  # so that no minute passes during a test


def address(event: Event) -> str:
    return reverse("event-detail", args=[event.pk])


def old_event(**fields: Any) -> Event:
    return make_event(triggered_at=timezone.now() - A_WHILE_AGO, **fields)


def without_tokens(page: str) -> str:
    """Every answer hides the CSRF token of its forms in another way."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)


def test_it_shows_every_attempt_with_the_waits_between(signed_in: Client) -> None:
    event = old_event(outcome="failed", attempt_count=2, endpoint="https://crm.example.com/")
    make_attempt(event, 1, status=503, duration_ms=1000.0)
    make_attempt(
        event, 2, status=None, error="No answer within 10 s.", started_at=event.triggered_at + timedelta(seconds=31)
    )
    page = signed_in.get(address(event)).content.decode()
    for words in (
        "2 attempts in",
        "503 Service Unavailable",
        "No answer within 10 s.",
        "waited 30.0 s",
        "No more retries",
    ):
        assert words in page
    assert page.index("Attempt 2") < page.index("Attempt 1")


def test_a_hostile_payload_answer_and_name_stay_text(signed_in: Client) -> None:
    hostile = "</pre><script>alert(1)</script>"
    trigger = make_api_trigger(name=hostile, payload={hostile: hostile})
    event = make_event(trigger, outcome="succeeded", attempt_count=1)
    make_attempt(
        event,
        request_headers=[[hostile, hostile]],
        response_headers=[["x", hostile]],
        response_body=f'{{"{hostile}": ["{hostile}", 1.5, true]}}',
    )
    make_attempt(event, 2, response_body=hostile, error=hostile)
    page = signed_in.get(address(event)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("body", ["not json", "[" * 5000, '{"a": NaN}', "\u202e right to left", "1e999", '"'])
def test_it_shows_an_answer_of_any_kind(signed_in: Client, body: str) -> None:
    event = make_event(outcome="succeeded", attempt_count=1)
    make_attempt(event, response_body=body, is_response_cut=True)
    page = signed_in.get(address(event))
    assert page.status_code == 200
    assert b"only its beginning is kept" in page.content


def test_a_skipped_event_says_why(signed_in: Client) -> None:
    event = make_event(outcome="skipped", reason="The server was down.", skipped_count=12)
    page = signed_in.get(address(event)).content.decode()
    assert "The server was down." in page
    assert "It stands for 12 fires." in page


def test_a_skipped_event_says_from_when_to_when_it_stands_for(signed_in: Client) -> None:
    first = datetime(2026, 3, 26, 13, 0, tzinfo=UTC)
    event = make_event(
        outcome="skipped",
        source="schedule",
        reason="12 fires were missed while the server was down",
        scheduled_for=first,
        skipped_until=first + timedelta(seconds=110),
        skipped_count=12,
        skip_cause="missed",
    )

    page = signed_in.get(address(event)).text
    assert (
        "12 fires were missed while the server was down. It stands for 12 fires, "
        "from Thu 26 Mar 2026, 13:00:00 UTC to Thu 26 Mar 2026, 13:01:50 UTC." in page
    )
    assert "12 fires, Thu 26 Mar, 13:00:00 to 13:01:50" in signed_in.get("/dashboard/events/").text


def test_it_shows_its_neighbours_of_the_same_trigger(signed_in: Client) -> None:
    trigger = make_api_trigger()
    events = [make_event(trigger, outcome="logged") for _ in range(9)]
    stranger = make_event(outcome="logged")
    page = signed_in.get(address(events[4])).content.decode()
    around = [event.pk for event in events if f'href="{address(event)}"' in page]
    assert around == [event.pk for event in [*events[1:4], *events[5:8]]]
    assert address(stranger) not in page


def test_it_follows_an_event_until_it_is_final(signed_in: Client) -> None:
    event = old_event(outcome="delivering", attempt_count=1)
    assert "tick2" in signed_in.get(address(event)).content.decode()
    question = f"{address(event)}?v=delivering-1"
    assert signed_in.get(question, headers=HTMX).status_code == 204

    Event.objects.filter(pk=event.pk).update(outcome="pending")
    waits = signed_in.get(question, headers=HTMX)
    assert waits.status_code == 200
    assert without_tokens(waits.text).strip() in without_tokens(signed_in.get(address(event)).text)

    make_attempt(event)
    Event.objects.filter(pk=event.pk).update(outcome="succeeded", finished_at=event.triggered_at)
    final = signed_in.get(question, headers=HTMX)
    assert final.status_code == 286
    assert "tick2" not in final.content.decode()
    assert final.content.decode().strip() in signed_in.get(address(event)).content.decode()
    assert "HX-Request" in final["Vary"]


@pytest.mark.parametrize("pk", [1, 10**18, 10**30])
def test_an_event_that_is_not_there_may_have_expired(signed_in: Client, pk: int) -> None:
    response = signed_in.get(f"/dashboard/events/{pk}/")
    assert response.status_code == 404
    assert "48 h" in response.content.decode()


def test_an_event_of_a_deleted_trigger_does_not_lead_to_it(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Gone")
    event = make_event(trigger, outcome="logged")
    trigger.deleted_at = timezone.now()
    trigger.save()
    page = signed_in.get(address(event)).content.decode()
    assert "Gone, deleted" in page
    assert reverse("trigger-detail", args=[trigger.pk]) not in page


def test_more_attempts_cost_no_more_queries(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    event = make_event(outcome="failed", attempt_count=4)
    for number in range(1, 5):
        make_attempt(event, number)
    # Session, person, event, attempts, payload as sent, replays, newer and older of the trigger and of the filter;
    # the shell takes four.
    with django_assert_max_num_queries(18):
        signed_in.get(address(event))


def page_with(client: Client, **fields: Any) -> str:
    event = make_event(outcome="failed", attempt_count=1, endpoint="https://crm.example.com/hook")
    make_attempt(event, **fields)
    return client.get(address(event)).content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"response_bytes": 2100, "is_response_binary": True}, "Binary, 2.1 kB, not shown."),
        (
            {"response_bytes": 4096, "is_response_binary": True, "is_response_cut": True},
            "Binary, at least 4.1 kB, not shown.",
        ),
        ({"response_body": "x" * 4096, "is_response_cut": True}, "Cut at 4 KiB:"),
        ({"response_body": ""}, "The answer had no body."),
        ({"status": 302, "location": "https://elsewhere.example.com/"}, "https://elsewhere.example.com/"),
        ({"dns_ms": 4.0, "body_ms": 2.0}, "<dt>DNS</dt>"),
        ({"checks": [["status", True, "Status 200"], ["json", False, "$.ok is 1"]]}, "200 OK, but $.ok is 1"),
        ({"status": None, "error": "No answer within 10 s. Let it answer at once."}, "Let it answer at once."),
        ({"remote_address": "192.0.2.7"}, "192.0.2.7"),
    ],
)
def test_it_says_what_came_of_an_attempt(signed_in: Client, fields: dict[str, Any], words: str) -> None:
    assert words in page_with(signed_in, **fields)


def test_it_leaves_out_what_was_not_measured(signed_in: Client) -> None:
    page = page_with(signed_in, body_ms=2.0)

    assert "<dt>DNS</dt>" not in page
    assert "<dt>Download</dt>" in page


def test_a_long_request_is_shown_up_to_a_size_and_copied_whole(signed_in: Client) -> None:
    event = make_event(
        outcome="succeeded", attempt_count=1, endpoint="https://crm.example.com/", payload={"a": "b" * 70_000 + "end"}
    )
    make_attempt(event, request_headers=[["X-Plain", "seen"]])
    shown = signed_in.get(address(event)).text
    command = signed_in.get(reverse("event-curl", args=[event.pk, 1]))

    assert "Shown up to 64 KiB of 70.0 kB." in shown
    assert command.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert command.text.startswith("curl https://crm.example.com/ \\\n  --request POST")
    assert 'end"}' in command.text
