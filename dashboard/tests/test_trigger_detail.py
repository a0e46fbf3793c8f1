"""One trigger: what its page says, and what is done to it from there: switch, fire, delete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from triggers.models import Event, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def page_of(trigger: Trigger, verb: str = "") -> str:
    return f"/dashboard/triggers/{trigger.pk}/{verb}"


def test_it_says_what_the_trigger_does_and_when(signed_in: Client) -> None:
    trigger = make_trigger(name="Probe", schedule_value="900", api_endpoint="https://crm.example.com/hooks")

    page = signed_in.get(page_of(trigger)).text

    assert "<h1>Probe</h1>" in page
    assert "Every 15 min" in page
    assert "https://crm.example.com/hooks" in page
    assert "in 14 min" in page
    assert "Listening" in page


def test_it_shows_how_to_call_it_with_the_key_as_a_variable(signed_in: Client) -> None:
    trigger = make_api_trigger(payload={"it's": "<b>"})

    page = signed_in.get(page_of(trigger)).text

    assert f"http://testserver/triggers/{trigger.pk}/fire" in page
    assert "Bearer $ETP_KEY" in page
    assert "it&#x27;\\&#x27;&#x27;s" in page  # a quote that ends no argument of the shell
    assert "<b>" not in page


def test_it_says_since_when_it_fails_and_leads_there(signed_in: Client) -> None:
    trigger = make_trigger()
    make_event(trigger, outcome=Event.Outcome.SUCCEEDED)
    make_event(trigger, outcome=Event.Outcome.FAILED)
    last = make_event(trigger, outcome=Event.Outcome.FAILED, reason="No answer within 10 s.")

    page = signed_in.get(page_of(trigger)).text

    assert "The last 2 fires failed" in page
    assert "No answer within 10 s." in page
    assert f'href="/dashboard/events/{last.pk}/"' in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"enabled": False}, "It fires again when you switch it on."),
        ({"enabled": False, "is_recurring": False}, "Switching it on arms it again."),
    ],
)
def test_it_says_why_nothing_fires(signed_in: Client, fields: dict[str, Any], words: str) -> None:
    assert words in signed_in.get(page_of(make_trigger(**fields))).text


def test_it_says_due_when_the_next_fire_is_overdue(signed_in: Client) -> None:
    trigger = make_trigger(now=timezone.now() - timedelta(hours=1))

    page = signed_in.get(page_of(trigger)).text
    assert ">due</time>" in page
    assert page.count("in 1 min") + page.count("s</time>") > 0  # and the ones that are still to come


def test_it_refreshes_by_the_part_that_the_page_holds(signed_in: Client) -> None:
    trigger = make_trigger()
    make_event(trigger, outcome=Event.Outcome.LOGGED)

    page, part = signed_in.get(page_of(trigger)), signed_in.get(page_of(trigger), headers=HTMX)

    assert 'id="trigger-state"' in part.text
    assert "<html" not in part.text
    assert 'hx-swap-oob="true"' in part.text  # a one-time trigger switches itself off
    assert "HX-Request" in page.headers["Vary"]


@pytest.mark.parametrize("verb", ["", "edit/", "fire/", "delete/"])
def test_it_is_not_found_once_deleted(signed_in: Client, verb: str) -> None:
    trigger = make_trigger()
    signed_in.post(page_of(trigger, "delete/"))

    answer = signed_in.get(page_of(trigger, verb))
    assert answer.status_code == 404
    assert "This trigger may have been deleted" in answer.text


def test_it_switches_to_what_was_asked_however_often_one_presses(signed_in: Client) -> None:
    trigger = make_trigger()

    for _ in range(2):
        assert signed_in.post(page_of(trigger, "switch/"), {"on": "0"}).headers["Location"] == page_of(trigger)
    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.next_fire_at) == (False, None)

    signed_in.post(page_of(trigger, "switch/"), {"on": "1"})
    trigger.refresh_from_db()
    assert trigger.enabled
    assert trigger.next_fire_at is not None


def test_it_answers_htmx_with_the_switch_and_the_rows_next_fire(signed_in: Client) -> None:
    trigger = make_trigger()

    part = signed_in.post(page_of(trigger, "switch/"), {"on": "0", "in": "list"}, headers=HTMX)
    assert 'aria-checked="false"' in part.text
    assert f'id="next-{trigger.pk}" hx-swap-oob="true"' in part.text
    assert "Not scheduled" in part.text

    part = signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, headers=HTMX)
    assert 'aria-checked="true"' in part.text
    assert f"next-{trigger.pk}" not in part.text
    assert "trigger-changed" in part.headers["HX-Trigger"]


def test_it_says_so_when_someone_deleted_it_meanwhile(signed_in: Client) -> None:
    trigger = make_trigger()
    signed_in.post(page_of(trigger, "delete/"))

    assert "Someone deleted this trigger." in signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, follow=True).text
    answer = signed_in.post(page_of(trigger, "switch/"), {"on": "1"}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == "/dashboard/triggers/"


def test_it_asks_before_it_fires_and_then_fires_an_event_that_counts(signed_in: Client) -> None:
    trigger = make_trigger(name="Probe")

    assert "Fire “Probe” now?" in signed_in.get(page_of(trigger, "fire/")).text
    assert "<dialog" in signed_in.get(page_of(trigger, "fire/"), headers=HTMX).text
    assert not Event.objects.exists()

    answer = signed_in.post(page_of(trigger, "fire/"))
    event = Event.objects.get()
    assert answer.headers["Location"] == f"/dashboard/events/{event.pk}/"
    assert (event.source, event.is_test) == (Event.Source.API, False)


def test_it_does_not_fire_while_it_is_off(signed_in: Client) -> None:
    trigger = make_trigger(enabled=False)

    assert "Fire now</button>" not in signed_in.get(page_of(trigger, "fire/")).text
    assert "It is switched off" in signed_in.post(page_of(trigger, "fire/"), follow=True).text
    assert not Event.objects.exists()


def test_it_asks_before_it_deletes_and_keeps_the_events(signed_in: Client) -> None:
    trigger = make_api_trigger(name="Order paid")
    event = make_event(trigger)

    page = signed_in.get(page_of(trigger, "delete/")).text
    assert "Delete “Order paid”?" in page
    assert "It has 1 event on record" in page
    assert "Callers get 404 from now on." in page
    assert "Keep it" in page

    assert "“Order paid” is deleted" in signed_in.post(page_of(trigger, "delete/"), follow=True).text
    assert not Trigger.objects.exists()
    assert Event.objects.filter(pk=event.pk).exists()


@pytest.mark.parametrize("verb", ["switch/", "test/"])
def test_what_changes_something_wants_a_post(signed_in: Client, verb: str) -> None:
    assert signed_in.get(page_of(make_trigger(), verb)).status_code == 405


@pytest.mark.parametrize("verb", ["", "edit/", "switch/", "test/", "fire/", "delete/"])
def test_a_stranger_gets_nothing_and_does_nothing(client: Client, person: object, verb: str) -> None:
    trigger = make_trigger()

    for answer in (client.get(page_of(trigger, verb)), client.post(page_of(trigger, verb))):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login?next=")
    assert Trigger.objects.get().enabled
    assert not Event.objects.exists()


def test_a_stranger_whose_page_is_still_open_is_asked_to_sign_in(client: Client, person: object) -> None:
    answer = client.post(page_of(make_trigger(), "switch/"), {"on": "0"}, headers=HTMX)

    assert answer.status_code == 401
    assert Trigger.objects.get().enabled
