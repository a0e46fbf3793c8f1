"""Accepted means stored; the same key is the same event."""

from __future__ import annotations

import pytest
from django.utils import timezone

from triggers import definition, firing
from triggers.models import Event, Recipe, Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db


def test_it_writes_a_pending_event_that_is_due_at_once() -> None:
    now = timezone.now()
    trigger = make_api_trigger(api_endpoint="https://example.org/hook", payload={"a": 1})

    event = firing.fire(trigger, now).event

    assert (event.outcome, event.source, event.due_at) == (
        Event.Outcome.PENDING,
        Event.Source.API,
        now,
    )
    assert (event.payload, event.endpoint, event.is_test) == (
        {"a": 1},
        "https://example.org/hook",
        False,
    )


def test_it_takes_the_callers_payload_for_this_event_only() -> None:
    trigger = make_api_trigger(payload={"a": 1})

    assert firing.fire(trigger, timezone.now(), payload={"b": 2}).event.payload == {"b": 2}
    assert firing.fire(trigger, timezone.now(), payload={}).event.payload == {}
    assert firing.fire(trigger, timezone.now()).event.payload == {"a": 1}


def test_it_answers_the_same_key_with_the_first_event() -> None:
    trigger = make_api_trigger()

    first = firing.fire(trigger, timezone.now(), payload={"a": 1, "b": 2}, key="k")
    again = firing.fire(trigger, timezone.now(), payload={"b": 2, "a": 1}, key="k")

    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert again.event == first.event
    assert Event.objects.count() == 1


def test_it_refuses_the_same_key_with_another_body() -> None:
    trigger = make_api_trigger()
    firing.fire(trigger, timezone.now(), payload={"a": 1}, key="k")

    with pytest.raises(firing.KeyUsedDifferently):
        firing.fire(trigger, timezone.now(), payload={"a": 2}, key="k")


def test_it_keeps_the_keys_of_two_triggers_apart() -> None:
    first = firing.fire(make_api_trigger(), timezone.now(), key="k")
    second = firing.fire(make_api_trigger(), timezone.now(), key="k")

    assert first.event != second.event


def test_it_refuses_a_trigger_that_is_off_but_tests_it() -> None:
    trigger = make_api_trigger(enabled=False)

    with pytest.raises(firing.TriggerIsOff):
        firing.fire(trigger, timezone.now())
    event = firing.test(trigger, timezone.now())
    assert (event.source, event.is_test) == (Event.Source.TEST, True)


def test_all_events_of_a_test_trigger_are_test_events() -> None:
    assert firing.fire(make_api_trigger(is_test=True), timezone.now()).event.is_test


def test_a_draft_is_tested_as_an_event_of_no_trigger_by_a_recipe_of_its_own() -> None:
    now = timezone.now()
    draft = definition.draft({"type": "api", "api_endpoint": "https://example.org/hook", "method": "PUT"}, now)

    event = Event.objects.select_related("recipe").get(pk=firing.test_draft(draft, now).pk)

    assert (event.trigger, event.source, event.is_test, event.endpoint) == (None, "test", True, draft.api_endpoint)
    assert event.recipe is not None
    assert (event.recipe.method, event.recipe.superseded_at) == ("PUT", now)
    assert not Trigger.objects.exists()


def test_a_draft_that_changes_nothing_of_the_delivery_uses_the_triggers_recipe() -> None:
    trigger = make_api_trigger(api_endpoint="https://example.org/hook")
    draft = definition.draft({"name": "Other"}, timezone.now(), trigger)

    assert firing.test_draft(draft, timezone.now()).recipe_id == trigger.recipe_id
    assert not Recipe.objects.filter(superseded_at__isnull=False).exists()
