"""The Test button: a real event, and in the button's place what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers.models import Event, Trigger
from triggers.tests.factories import make_attempt, make_event, make_trigger

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def button(client: Client, event: Event) -> str:
    """Return the button as it stands after this event."""
    return client.get(f"/dashboard/triggers/{event.trigger_id}/test/{event.pk}/", headers=HTMX).text


def a_test(trigger: Trigger | None = None, **fields: object) -> Event:
    return make_event(trigger or make_trigger(), source=Event.Source.TEST, is_test=True, **fields)


def test_it_makes_a_test_event_and_leads_to_it_without_javascript(signed_in: Client) -> None:
    trigger = make_trigger(enabled=False)

    answer = signed_in.post(f"/dashboard/triggers/{trigger.pk}/test/")

    event = Event.objects.get()
    assert answer.headers["Location"] == f"/dashboard/events/{event.pk}/"
    assert (event.source, event.is_test, event.outcome) == ("test", True, "pending")


def test_it_says_testing_and_asks_again_soon(signed_in: Client) -> None:
    trigger = make_trigger()

    part = signed_in.post(f"/dashboard/triggers/{trigger.pk}/test/", headers=HTMX).text

    event = Event.objects.get()
    assert "Testing" in part
    assert f'hx-get="/dashboard/triggers/{trigger.pk}/test/{event.pk}/"' in part
    assert "load delay:500ms" in part
    assert "Testing" in button(signed_in, event)


@pytest.mark.parametrize(
    ("outcome", "attempt", "words"),
    [
        (Event.Outcome.SUCCEEDED, {"status": 200, "duration_ms": 184.4}, "200 in 184 ms"),
        (Event.Outcome.FAILED, {"status": 503}, "Failed: 503"),
        (Event.Outcome.FAILED, {"status": None, "error_kind": "timeout"}, "Failed: no answer"),
        (Event.Outcome.FAILED, {"status": None, "error_kind": "blocked"}, "Failed: address not allowed"),
        (Event.Outcome.FAILED, {"status": None, "error_kind": "of a newer version"}, "Failed: no answer"),
    ],
)
def test_it_says_what_came_of_it_and_links_to_the_event(
    signed_in: Client, outcome: str, attempt: dict[str, Any], words: str
) -> None:
    event = a_test(outcome=outcome)
    make_attempt(event, **attempt)

    part = button(signed_in, event)
    assert words in part
    assert f'href="/dashboard/events/{event.pk}/"' in part
    assert f'data-announce="Test of {event.trigger_name}: {words}"' in part
    assert "load delay:10s" in part


def test_it_says_logged_without_an_endpoint(signed_in: Client) -> None:
    assert "Logged" in button(signed_in, a_test(outcome=Event.Outcome.LOGGED))


def test_it_becomes_the_button_again_after_a_while(signed_in: Client) -> None:
    before = timezone.now() - timedelta(seconds=11)
    event = a_test(outcome=Event.Outcome.LOGGED, finished_at=before)

    part = button(signed_in, event)
    assert "load delay" not in part
    assert f'hx-post="/dashboard/triggers/{event.trigger_id}/test/"' in part


def test_it_stops_watching_a_test_that_nobody_takes(signed_in: Client) -> None:
    event = a_test(triggered_at=timezone.now() - timedelta(seconds=14))
    assert "Still waiting" in button(signed_in, event)

    event = a_test(triggered_at=timezone.now() - timedelta(seconds=60))
    assert "load delay" not in button(signed_in, event)


def test_it_shows_only_its_own_events(signed_in: Client) -> None:
    event = a_test()
    other = make_trigger()

    assert signed_in.get(f"/dashboard/triggers/{other.pk}/test/{event.pk}/").status_code == 404
    assert signed_in.get(f"/dashboard/triggers/{other.pk}/test/999/").status_code == 404
