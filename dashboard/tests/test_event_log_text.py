"""Searching the log for a text in payloads and answers: back through it, in bounded steps."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard.views import events as views
from dashboard.views.events import PER_PAGE
from triggers import search
from triggers.models import Event
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

LOG = reverse("event-log")


def page_of(client: Client, query: str) -> str:
    answer = client.get(f"{LOG}?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def ids(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-id="(\d+)"', page)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("order-4711", ["payload"]),
        ("ORDER-4711", ["payload"]),
        ("pool is full", ["answer"]),
        ("No answer within", ["reason"]),
        ("Grüße", ["umlaut"]),
        ('say "hi"', ["umlaut"]),
        ("100%", ["umlaut"]),
        ("Order paid", []),  # a name, which is looked for in names
        ("no such text", []),
    ],
)
def test_it_looks_into_payloads_answers_and_reasons(signed_in: Client, words: str, expected: list[str]) -> None:
    trigger = make_api_trigger(name="Order paid")
    pks = {
        "payload": make_event(trigger, outcome="logged", payload={"ref": "order-4711"}).pk,
        "answer": make_event(trigger, outcome="failed").pk,
        "reason": make_event(trigger, outcome="failed", reason="No answer within 10 s.").pk,
        "umlaut": make_event(trigger, outcome="logged", payload={"text": 'Viele Grüße, say "hi", 100%'}).pk,
    }
    make_attempt(Event.objects.get(pk=pks["answer"]), response_body='{"detail": "worker pool is full"}')
    answer = signed_in.get(LOG, {"q": words, "in": "bodies"})
    assert ids(answer.content.decode()) == [pks[name] for name in expected]


def test_it_goes_together_with_the_other_filters(signed_in: Client) -> None:
    trigger = make_api_trigger(payload={"ref": "needle"})
    make_event(trigger, outcome="logged", triggered_at=timezone.now() - timedelta(hours=5))
    failed = make_event(trigger, outcome="failed")
    make_event(trigger, outcome="logged")
    assert ids(page_of(signed_in, "q=needle&in=bodies&outcome=failed&last=2h")) == [failed.pk]


def test_an_event_that_was_tried_often_is_found_once(signed_in: Client) -> None:
    event = make_event(make_api_trigger(payload={"ref": "needle"}), outcome="failed")
    for number in (1, 2, 3):
        make_attempt(event, number, response_body="needle")
    assert ids(page_of(signed_in, "q=needle&in=bodies")) == [event.pk]


def test_it_says_that_it_looked_through_all(signed_in: Client) -> None:
    make_event(outcome="logged")
    page = page_of(signed_in, "q=needle&in=bodies")
    assert "Looked through all events" in page
    assert "Search further back" not in page


def test_it_stops_when_its_time_is_up_and_says_how_far_it_came(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SEARCH_SECONDS", 0)
    monkeypatch.setattr(search, "SMALLEST_PART", 1)
    trigger = make_api_trigger()
    needle = make_event(trigger, outcome="logged", payload={"ref": "needle"})
    for _ in range(10):
        make_event(trigger, outcome="logged")
    query, pages = "q=needle&in=bodies", 0
    while not ids(page := page_of(signed_in, query)):
        pages += 1
        further = re.search(rf'href="{LOG}\?([^"]*older=\d+)"', page)
        assert further, "It goes on until it is found."
        assert "Looked through the newest" in page
        query = further[1].replace("&amp;", "&")
    assert ids(page) == [needle.pk]
    assert pages == 10  # one at a time


def test_pages_of_many_matches_meet_without_gap_or_double(signed_in: Client) -> None:
    trigger, now = make_api_trigger(), timezone.now()
    Event.objects.bulk_create(
        Event(trigger=trigger, source="api", outcome="logged", triggered_at=now, due_at=now, payload={"ref": "needle"})
        for _ in range(2 * PER_PAGE + 3)
    )
    query, found = "q=needle&in=bodies", []
    while True:
        page = page_of(signed_in, query)
        found += ids(page)
        older = re.search(r'rel="next"\s+href="[^"?]*\?([^"]+)"', page)
        if not older:
            break
        query = older[1].replace("&amp;", "&")
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found) == 2 * PER_PAGE + 3


def test_a_search_does_not_update_itself(signed_in: Client) -> None:
    make_event(make_api_trigger(payload={"ref": "needle"}), outcome="logged")
    page = page_of(signed_in, "q=needle&in=bodies")
    assert "log-live" not in page
    assert "does not update itself" in page
    assert "log-live" in page_of(signed_in, "in=bodies")  # nothing is looked for


def test_what_is_found_is_shown_as_text(signed_in: Client) -> None:
    assert "<script>needle" not in page_of(signed_in, "q=<script>needle&in=bodies")


def test_a_search_without_an_event_in_its_time_says_so(signed_in: Client) -> None:
    assert "no event in this time" in page_of(signed_in, "q=needle&in=bodies")


def test_a_page_of_found_events_costs_few_queries(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    trigger = make_api_trigger(payload={"ref": "needle"})
    for _ in range(20):
        make_event(trigger, outcome="logged")
    # As the log, and the ends of the time, and three for the one part that there is.
    with django_assert_max_num_queries(15):
        page_of(signed_in, "q=needle&in=bodies")
