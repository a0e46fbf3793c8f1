"""One event is fired again from its page: the question, and links both ways."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from triggers import definition
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def failed_event(**fields: Any) -> Event:
    trigger = make_api_trigger(api_endpoint="https://today.example.com/")
    return make_event(trigger, **{"outcome": "failed", "endpoint": "https://then.example.com/", **fields})


def question(event: Event) -> str:
    return reverse("event-replay", args=[event.pk])


def page_of(client: Client, event: Event) -> str:
    return client.get(reverse("event-detail", args=[event.pk])).content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_it_asks_where_to(signed_in: Client, headers: dict[str, str]) -> None:
    page = signed_in.get(question(failed_event()), headers=headers).content.decode()

    assert ("<html" in page) is (headers == {})
    for words in ("https://today.example.com/", "https://then.example.com/", "Today’s endpoint and headers"):
        assert words in page


@pytest.mark.parametrize("endpoint", ["today", "then"])
def test_it_fires_again_and_goes_to_the_new_event(signed_in: Client, endpoint: str) -> None:
    event = failed_event()

    response = signed_in.post(question(event), {"endpoint": endpoint})

    replay = event.replays.get()
    assert response["Location"] == reverse("event-detail", args=[replay.pk])
    assert replay.endpoint == f"https://{endpoint}.example.com/"


def test_they_are_linked_both_ways(signed_in: Client) -> None:
    event = failed_event()
    signed_in.post(question(event), {"endpoint": "today"})
    replay = event.replays.get()

    assert f'<a href="{reverse("event-detail", args=[replay.pk])}">event {replay.pk}</a>' in page_of(signed_in, event)
    assert f'<a href="{reverse("event-detail", args=[event.pk])}">event {event.pk}</a>' in page_of(signed_in, replay)
    Event.objects.filter(pk=event.pk)._raw_delete(using="default")
    assert f"event {event.pk}, which has expired" in page_of(signed_in, replay)


def test_of_a_deleted_trigger_only_then_is_offered(signed_in: Client) -> None:
    event = failed_event()
    definition.delete(event.trigger_id or 0, timezone.now())

    page = signed_in.get(question(event)).content.decode()

    assert "was deleted, so there is none" in page
    assert 'id="replay-today" disabled' in page
    refused = signed_in.post(question(event), {"endpoint": "today"}, follow=True).content.decode()
    assert "It can only be sent as it was then." in refused
    assert not event.replays.exists()


def test_what_is_not_finished_is_not_offered(signed_in: Client) -> None:
    event = failed_event(outcome="pending")

    assert question(event) not in page_of(signed_in, event)
    assert "It is not finished yet" in signed_in.get(question(event)).content.decode()
    assert "It is not finished yet" in signed_in.post(question(event), follow=True).content.decode()
    assert not event.replays.exists()


@pytest.mark.parametrize("pk", [7, 10**30])
def test_an_event_that_is_not_there_is_not_found(signed_in: Client, pk: int) -> None:
    assert signed_in.get(f"/dashboard/events/{pk}/replay/").status_code == 404
