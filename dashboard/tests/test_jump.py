"""Jump to: pages, triggers by name, events by id."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from triggers.tests.factories import make_api_trigger, make_event


def _found(client: Client, question: str) -> str:
    return client.get(reverse("jump"), {"q": question}, headers={"HX-Request": "true"}).text


@pytest.mark.django_db
def test_it_offers_the_pages_before_anything_is_asked(signed_in: Client) -> None:
    found = _found(signed_in, "")
    assert reverse("event-log") in found
    assert reverse("trigger-create") in found


@pytest.mark.django_db
def test_it_finds_a_page_by_other_words_for_it(signed_in: Client) -> None:
    assert reverse("event-log") in _found(signed_in, "log")
    assert reverse("event-log") not in _found(signed_in, "password")


@pytest.mark.django_db
def test_it_finds_a_trigger_by_a_part_of_its_name_those_that_begin_so_first(signed_in: Client) -> None:
    later, first = make_api_trigger(name="Order paid"), make_api_trigger(name="Paid orders")
    found = _found(signed_in, "paid")
    places = [found.index(reverse("trigger-detail", args=[trigger.pk])) for trigger in (first, later)]
    assert places == sorted(places)


@pytest.mark.django_db
def test_it_finds_an_event_by_its_id_or_the_one_its_receiver_saw(signed_in: Client) -> None:
    event = make_event()
    address = reverse("event-detail", args=[event.pk])
    assert address in _found(signed_in, str(event.pk))
    assert address in _found(signed_in, f"#{event.pk}")
    assert address in _found(signed_in, event.webhook_id)
    assert address not in _found(signed_in, f"evt_{event.pk}_0")


@pytest.mark.django_db
@pytest.mark.parametrize("question", ["9" * 30, "evt_", "<b>x</b>", "%", "_", "²", "no\x00thing", "x" * 5000])
def test_whatever_is_asked_gets_an_answer(signed_in: Client, question: str) -> None:
    found = _found(signed_in, question)
    assert "<b>x</b>" not in found
    assert 'class="jump-place"' not in found


@pytest.mark.django_db
def test_without_javascript_it_is_a_page(signed_in: Client) -> None:
    page = signed_in.get(reverse("jump"), {"q": "trigger"}).text
    assert "<h1>Jump to</h1>" in page
    assert reverse("trigger-list") in page
    assert _found(signed_in, "trigger").strip().splitlines()[0] in page
