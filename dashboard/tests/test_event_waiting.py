"""A pending event's page: retry now, give up; and the way to its neighbours within a filter."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.models import User
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def pending(**fields: Any) -> Event:
    due = timezone.now() + timedelta(minutes=8)
    return make_event(**{"attempt_count": 2, "due_at": due, "hand_over_at": due, **fields})


def page_of(client: Client, event: Event, query: str = "") -> str:
    return client.get(f"{reverse('event-detail', args=[event.pk])}{query}").text


def address(name: str, event: Event) -> str:
    return reverse(name, args=[event.pk])


def test_retry_now_makes_it_due_and_comes_back(signed_in: Client) -> None:
    event = pending()
    assert "Retry now" in page_of(signed_in, event)
    answer = signed_in.post(f"{address('event-retry', event)}?outcome=pending")
    assert answer["Location"] == f"{address('event-detail', event)}?outcome=pending"
    event.refresh_from_db()
    assert event.due_at <= timezone.now()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_giving_up_asks_first(signed_in: Client, headers: dict[str, str]) -> None:
    event = pending()
    page = signed_in.get(address("event-give-up", event), headers=headers).text
    assert ("<html" in page) is (headers == {})
    assert "tried 2 of at most" in page
    event.refresh_from_db()
    assert event.outcome == "pending"


def test_giving_up_names_the_person(signed_in: Client) -> None:
    event = pending()
    signed_in.post(address("event-give-up", event))
    event.refresh_from_db()
    assert (event.outcome, event.reason.partition(" after")[0]) == ("failed", "Given up by mara")
    page = page_of(signed_in, event)
    assert "Given up by mara" in page
    assert "Retry now" not in page


@pytest.mark.parametrize("name", ["event-retry", "event-give-up"])
def test_one_that_was_taken_meanwhile_is_left_as_it_is(signed_in: Client, name: str) -> None:
    event = pending(outcome="delivering")
    page = signed_in.post(address(name, event), follow=True).text
    assert "does not wait any more" in page
    event.refresh_from_db()
    assert event.outcome == "delivering"


def test_a_fire_that_is_yet_to_come_can_only_be_given_up(signed_in: Client) -> None:
    event = pending(source="schedule", scheduled_for=timezone.now() + timedelta(seconds=30), attempt_count=0)
    page = page_of(signed_in, event)
    assert "Send now" not in page
    assert "Give up…" in page


def test_a_viewer_sees_neither_and_may_neither(client: Client, person: User) -> None:
    person.role = "viewer"
    person.save()
    client.force_login(person)
    event = pending()
    page = page_of(client, event)
    assert "Retry now" not in page
    assert "Give up" not in page
    for name in ("event-retry", "event-give-up"):
        assert client.post(address(name, event)).status_code == 403


def test_a_program_sends_it_at_once_or_gives_it_up(program: Client) -> None:
    event = pending()
    answer = program.post(f"/event_logs/{event.pk}/retry")
    assert (answer.status_code, answer.json()["id"]) == (200, event.pk)
    assert "payload" not in answer.json()  # a key that may fire need not be one that may read
    answer = program.post(f"/event_logs/{event.pk}/give_up")
    assert (answer.status_code, answer.json()["id"]) == (200, event.pk)
    event.refresh_from_db()
    assert event.outcome == "failed"
    assert event.reason.startswith("Given up by API key tests after 2 of ")
    assert program.post(f"/event_logs/{event.pk}/give_up").status_code == 409
    assert program.post(f"/event_logs/{event.pk}/retry").status_code == 409
    assert program.post("/event_logs/99999/retry").status_code == 404


# --- Neighbours ------------------------------------------------------------------------------------------


def ways(page: str) -> dict[str, str]:
    found = re.findall(r'rel="(prev|next)"\s+href="([^"]+)"', page)
    return {rel: href.replace("&amp;", "&") for rel, href in found}


def test_the_neighbours_are_those_of_the_filter_that_it_was_opened_from(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Backup & more")
    older = make_event(trigger, outcome="failed")
    make_event(trigger, outcome="logged")
    event = make_event(trigger, outcome="failed")
    make_event(outcome="failed")
    newer = make_event(trigger, outcome="failed")
    query = f"?outcome=failed&trigger={trigger.pk}"
    link = re.search(
        rf'href="({address("event-detail", event)}\?[^"]+)"', signed_in.get(reverse("event-log") + query).text
    )
    assert link, "The log's rows lead to the page within the filter."
    page = signed_in.get(link[1].replace("&amp;", "&")).text
    assert ways(page) == {
        "prev": f"{address('event-detail', newer)}{query}",
        "next": f"{address('event-detail', older)}{query}",
    }
    assert f'href="{reverse("event-log")}?outcome=failed&amp;trigger={trigger.pk}"' in page


def test_without_a_filter_they_are_those_of_the_whole_log(signed_in: Client) -> None:
    older, event = make_event(outcome="failed"), make_event(outcome="logged")
    assert ways(page_of(signed_in, event)) == {"next": address("event-detail", older)}


def test_the_page_keeps_its_filter_while_it_follows_the_event(signed_in: Client) -> None:
    assert "&amp;outcome=pending" in page_of(signed_in, pending(), "?outcome=pending")


# --- What is kept of it ------------------------------------------------------------------------------------


def test_an_archived_event_says_when_it_is_deleted(signed_in: Client) -> None:
    event = make_event(outcome="logged", triggered_at=timezone.now() - timedelta(hours=5))
    assert "Archived, and deleted on" in page_of(signed_in, event)
    assert "Archived, and" not in page_of(signed_in, make_event(outcome="logged"))


def test_a_body_that_is_shown_in_part_can_be_saved_whole(signed_in: Client) -> None:
    payload = {"text": "x" * 100_000}
    event = make_event(make_api_trigger(payload=payload), outcome="succeeded", endpoint="https://a.example.com/")
    make_attempt(event)
    whole = reverse("event-request-body", args=[event.pk, 1])
    assert whole in page_of(signed_in, event)
    answer = signed_in.get(whole)
    assert json.loads(answer.content) == payload
    assert answer["Content-Disposition"] == f'attachment; filename="event-{event.pk}-attempt-1.txt"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    small = make_event(outcome="succeeded", endpoint="https://a.example.com/")
    make_attempt(small)
    assert "Download all of it" not in page_of(signed_in, small)
