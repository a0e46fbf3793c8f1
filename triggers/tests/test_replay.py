"""One event is fired again: what the new event takes from then and from today, and how it is delivered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers import claims, definition, dispatch, firing, retention
from triggers.models import Event, HourlyCount, Recipe
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = pytest.mark.django_db

NOW = timezone.now()
THEN = "https://then.example.com/"
TODAY = "https://today.example.com/"


def failed_event(**fields: object) -> Event:
    """An event that failed at an endpoint, with a payload, that its trigger has no longer."""
    trigger = make_api_trigger(api_endpoint=TODAY, payload={"of": "today"})
    of_then = Recipe.objects.create(method="PUT", superseded_at=NOW - timedelta(hours=30))
    return make_event(
        trigger, **{"outcome": "failed", "endpoint": THEN, "payload": {"of": "then"}, "recipe": of_then, **fields}
    )


def test_it_is_an_event_like_any_other_with_the_payload_of_then() -> None:
    event = failed_event()

    replay = firing.replay(event, NOW, uses_todays_endpoint=True).event

    replay.refresh_from_db()
    assert (replay.outcome, replay.source, replay.replay_of, replay.trigger) == (
        Event.Outcome.PENDING,
        Event.Source.REPLAY,
        event,
        event.trigger,
    )
    assert (replay.payload, replay.is_test) == ({"of": "then"}, False)
    assert replay.triggered_at == replay.due_at == replay.hand_over_at == NOW
    assert replay.webhook_id != event.webhook_id
    assert (replay.scheduled_for, replay.idempotency_key) == (None, None)


def test_it_goes_to_the_endpoint_and_by_the_recipe_of_today_or_of_then() -> None:
    event = failed_event()
    assert event.trigger

    today = firing.replay(event, NOW, uses_todays_endpoint=True).event
    then = firing.replay(event, NOW, uses_todays_endpoint=False).event

    assert (today.endpoint, today.recipe_id) == (TODAY, event.trigger.recipe_id)
    assert (then.endpoint, then.recipe_id) == (THEN, event.recipe_id)


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "logged", "skipped"])
def test_whatever_is_finished_can_be_replayed(outcome: str) -> None:
    replay = firing.replay(make_event(outcome=outcome), NOW, uses_todays_endpoint=True).event

    assert replay.outcome == Event.Outcome.PENDING


@pytest.mark.parametrize("outcome", ["pending", "delivering"])
def test_what_is_not_finished_cannot(outcome: str) -> None:
    with pytest.raises(firing.NotFinished):
        firing.replay(make_event(outcome=outcome), NOW, uses_todays_endpoint=True)
    assert Event.objects.count() == 1


def test_of_a_deleted_trigger_and_of_none_only_the_endpoint_of_then_is_left() -> None:
    of_deleted = failed_event()
    definition.delete(of_deleted.trigger_id or 0, NOW)
    of_draft = failed_event(is_test=True)
    Event.objects.filter(pk=of_draft.pk).update(trigger=None)

    for event in Event.objects.select_related("trigger"):
        with pytest.raises(firing.NoEndpointOfToday):
            firing.replay(event, NOW, uses_todays_endpoint=True)
        replay = firing.replay(event, NOW, uses_todays_endpoint=False).event
        assert (replay.endpoint, replay.trigger_id, replay.is_test) == (THEN, event.trigger_id, event.is_test)


def test_a_recipe_that_is_gone_gives_way_to_the_standard_one() -> None:
    event = failed_event()
    Recipe.objects.filter(pk=event.recipe_id or 0).delete()

    assert firing.replay(event, NOW, uses_todays_endpoint=False).event.recipe_id is None


def test_the_recipe_of_then_is_kept_for_as_long_as_the_replay() -> None:
    event = failed_event()
    replay = firing.replay(event, NOW, uses_todays_endpoint=False).event
    Event.objects.filter(pk=replay.pk).update(outcome="failed", hand_over_at=None)

    retention.forget_recipes(NOW + timedelta(hours=48))
    assert Recipe.objects.filter(pk=event.recipe_id or 0).exists()
    retention.forget_recipes(NOW + timedelta(hours=49))
    assert not Recipe.objects.filter(pk=event.recipe_id or 0).exists()


def test_the_recipe_that_is_in_use_is_not_marked_as_replaced() -> None:
    trigger = make_api_trigger(api_endpoint=TODAY)
    event = make_event(trigger, outcome="failed", recipe=trigger.recipe)

    firing.replay(event, NOW, uses_todays_endpoint=False)

    trigger.recipe.refresh_from_db()  # type: ignore[union-attr]
    assert trigger.recipe.superseded_at is None  # type: ignore[union-attr]


@pytest.mark.usefixtures("sync_queue")
def test_the_road_of_a_replay(receiver: HTTPServer) -> None:
    receiver.expect_oneshot_request("/mended", method="POST", json={"n": 1}).respond_with_data("ok")
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/mended"))
    event = make_event(trigger, outcome="failed", endpoint=receiver.url_for("/broken"), payload={"n": 1})
    test = make_event(trigger, outcome="failed", payload={"n": 2}, is_test=True, endpoint="")

    replay = firing.replay(event, timezone.now(), uses_todays_endpoint=True).event
    replay_of_test = firing.replay(test, timezone.now(), uses_todays_endpoint=False).event
    dispatch.hand_over_due(claims.start_beat("test:1", timezone.now()), timezone.now())

    replay.refresh_from_db()
    replay_of_test.refresh_from_db()
    assert (replay.outcome, replay_of_test.outcome) == (Event.Outcome.SUCCEEDED, Event.Outcome.LOGGED)
    assert receiver.log[0][0].headers["webhook-id"] == replay.webhook_id
    # It counts in figures, the replay of a test does not.
    assert dict(HourlyCount.objects.values_list("outcome", "count")) == {"succeeded": 1}


# --- Failed for good --------------------------------------------------------------------------------------


def for_good() -> list[Event]:
    return list(Event.objects.failed_for_good().order_by("pk"))


def test_failed_for_good_is_what_failed_and_is_no_test() -> None:
    event = make_event(outcome="failed")
    make_event(outcome="failed", is_test=True)
    make_event(outcome="succeeded")
    make_event()

    assert for_good() == [event]


@pytest.mark.parametrize("outcome", ["pending", "delivering", "succeeded", "logged"])
def test_a_replay_takes_its_event_off_the_list(outcome: str) -> None:
    make_event(outcome=outcome, source="replay", replay_of=make_event(outcome="failed"))

    assert for_good() == []


def test_a_replay_that_was_cancelled_leaves_its_event_there() -> None:
    event = make_event(outcome="failed")
    make_event(outcome="skipped", source="replay", replay_of=event)

    assert for_good() == [event]


def test_a_replay_that_failed_too_stands_there_in_place_of_its_event() -> None:
    event = make_event(outcome="failed")
    replay = make_event(outcome="failed", source="replay", replay_of=event)
    assert for_good() == [replay]

    again = make_event(outcome="failed", source="replay", replay_of=event)
    assert for_good() == [again]  # two replays of one event: the last
    make_event(outcome="succeeded", source="replay", replay_of=again)
    assert for_good() == []
