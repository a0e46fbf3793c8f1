"""The road of an event, read first: fired, handed over by the beat, delivered to a real receiver, on record."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone
from pytest_httpserver import HTTPServer

from triggers import claims, definition, dispatch, firing
from triggers.models import Event, HourlyCount, Trigger, TriggerHour
from triggers.tests.factories import make_api_trigger, make_trigger

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sync_queue")]


def beat(now: datetime | None = None) -> bool:
    """One pass of the beat; the queue is sync, so what it hands over is delivered when this returns."""
    now = now or timezone.now()
    return dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def test_a_scheduled_trigger_fires_at_its_instant_and_is_delivered(receiver: HTTPServer) -> None:
    receiver.expect_oneshot_request("/hook", method="POST", json={"n": 1}).respond_with_data('{"ok": true}')
    started = timezone.now() - timedelta(seconds=59.8)
    trigger = make_trigger(api_endpoint=receiver.url_for("/hook"), payload={"n": 1}, now=started)

    beat()

    event = trigger.events.get()
    assert (event.outcome, event.source) == (Event.Outcome.SUCCEEDED, Event.Source.SCHEDULE)
    assert event.scheduled_for == event.triggered_at == started + timedelta(seconds=60)
    assert event.lateness is not None
    assert event.lateness >= timedelta(0)  # never early
    attempt = event.attempts.get()
    assert (attempt.number, attempt.status, attempt.response_body) == (1, 200, '{"ok": true}')
    assert attempt.remote_address == "127.0.0.1"
    trigger.refresh_from_db()
    assert trigger.next_fire_at == started + timedelta(seconds=120)


def test_the_receiver_can_tell_events_apart(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/hook"))
    event = firing.fire(trigger, timezone.now()).event

    beat()

    request, _ = receiver.log[0]
    assert request.headers["webhook-id"] == event.webhook_id
    assert request.headers["content-type"] == "application/json"
    assert request.headers["event-attempt"] == "1"
    assert request.headers["user-agent"].startswith("EventTriggerPlatform/")


def test_an_event_without_endpoint_is_logged() -> None:
    event = firing.fire(make_api_trigger(), timezone.now()).event

    beat()

    event.refresh_from_db()
    assert (event.outcome, event.attempt_count) == (Event.Outcome.LOGGED, 0)
    assert event.finished_at is not None
    assert not event.attempts.exists()


def test_a_refusing_receiver_leaves_the_event_waiting_for_its_retry(receiver: HTTPServer) -> None:
    receiver.expect_oneshot_request("/hook").respond_with_data("down", status=503)
    receiver.expect_oneshot_request("/hook").respond_with_data("up")
    event = firing.fire(make_api_trigger(api_endpoint=receiver.url_for("/hook")), timezone.now()).event

    beat()

    event.refresh_from_db()
    assert (event.outcome, event.last_status, event.attempt_count) == (Event.Outcome.PENDING, 503, 1)
    assert event.due_at > timezone.now() + timedelta(seconds=4)

    Event.objects.update(due_at=timezone.now(), hand_over_at=timezone.now())  # five seconds later
    beat()

    event.refresh_from_db()
    assert (event.outcome, event.attempt_count) == (Event.Outcome.SUCCEEDED, 2)
    assert [attempt.status for attempt in event.attempts.all()] == [503, 200]
    first, second = (request.headers["webhook-id"] for request, _ in receiver.log)
    assert first == second


def test_an_event_fails_for_good_after_the_last_retry(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("no", status=500)
    event = firing.fire(make_api_trigger(api_endpoint=receiver.url_for("/hook")), timezone.now()).event

    for _ in range(7):
        beat()
        Event.objects.unfinished().update(due_at=timezone.now(), hand_over_at=timezone.now())

    event.refresh_from_db()
    assert (event.outcome, event.attempt_count, event.hand_over_at) == (Event.Outcome.FAILED, 7, None)
    beat()
    assert len(receiver.log) == 7


def test_a_test_press_is_tried_once(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("no", status=500)
    event = firing.test(make_api_trigger(api_endpoint=receiver.url_for("/hook")), timezone.now())

    beat()

    event.refresh_from_db()
    assert event.outcome == Event.Outcome.FAILED
    assert not HourlyCount.objects.exists()  # and never counts


def test_a_private_address_is_refused_unless_it_is_allowed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("secret")
    event = firing.fire(make_api_trigger(api_endpoint=httpserver.url_for("/hook")), timezone.now()).event

    beat()

    event.refresh_from_db()
    assert event.outcome == Event.Outcome.FAILED  # at once: waiting would not help
    attempt = event.attempts.get()
    assert attempt.error_kind == "blocked"
    assert "DELIVERY_ALLOWED_NETWORKS" in attempt.error
    assert not httpserver.log


def test_a_redirect_is_a_failure_and_not_followed(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("", status=302, headers={"Location": "/elsewhere"})
    event = firing.test(make_api_trigger(api_endpoint=receiver.url_for("/hook")), timezone.now())

    beat()

    event.refresh_from_db()
    assert (event.outcome, event.last_status, len(receiver.log)) == (Event.Outcome.FAILED, 302, 1)


def test_as_much_of_the_answer_is_kept_as_the_settings_say(receiver: HTTPServer, settings: LazySettings) -> None:
    settings.RESPONSE_BODY_BYTES = 3
    receiver.expect_oneshot_request("/hook").respond_with_data("hello", content_type="text/plain")
    receiver.expect_oneshot_request("/hook").respond_with_data(b"\x89PN", content_type="image/png")
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/hook"))
    text, image = firing.test(trigger, timezone.now()), firing.test(trigger, timezone.now())

    beat()

    kept = {event: event.attempts.get() for event in (text, image)}
    assert {each.response_body for each in kept.values()} == {"hel", ""}  # not a mangled image
    assert sorted(each.is_response_cut for each in kept.values()) == [False, True]


def test_a_one_time_trigger_switches_itself_off() -> None:
    trigger = make_trigger(is_recurring=False, now=timezone.now() - timedelta(seconds=60))

    beat()
    beat()

    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.next_fire_at, trigger.events.count()) == (False, None, 1)


def test_a_trigger_that_is_off_does_not_fire() -> None:
    trigger = make_trigger(now=timezone.now() - timedelta(seconds=60))
    definition.switch(trigger.pk, on=False, now=timezone.now())

    beat()

    assert not trigger.events.exists()


def test_finished_events_count_by_hour(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    trigger = make_api_trigger(api_endpoint=receiver.url_for("/hook"))
    for _ in range(3):
        firing.fire(trigger, timezone.now())
    firing.fire(make_api_trigger(), timezone.now())

    beat()

    assert dict(HourlyCount.objects.values_list("outcome", "count")) == {"succeeded": 3, "logged": 1}


def test_finished_events_count_by_trigger_with_their_latency(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("")
    delivered, logged = make_api_trigger(api_endpoint=receiver.url_for("/hook")), make_api_trigger()
    silent = make_api_trigger(api_endpoint="http://127.0.0.1:9/", retry_delays=[])
    for trigger in (delivered, delivered, logged, silent):
        firing.fire(trigger, timezone.now())
    firing.test(delivered, timezone.now())

    beat()

    found = {
        trigger.pk: [
            (hour.outcome, hour.count, hour.latency_band >= 0) for hour in TriggerHour.objects.filter(trigger=trigger)
        ]
        for trigger in (delivered, logged, silent)
    }
    assert sum(count for _, count, _ in found[delivered.pk]) == 2
    assert {(outcome, is_measured) for outcome, _, is_measured in found[delivered.pk]} == {("succeeded", True)}
    assert found[logged.pk] == [("logged", 1, False)]
    assert found[silent.pk] == [("failed", 1, False)]


def test_one_bad_row_never_stops_the_others() -> None:
    started = timezone.now() - timedelta(seconds=60)
    bad, good = make_trigger(now=started), make_trigger(now=started)
    Trigger.objects.filter(pk=bad.pk).update(time_zone="Moon/Base", schedule_type="fixed_time", schedule_value="10:00")

    beat()

    assert good.events.get().outcome == Event.Outcome.LOGGED
    bad.refresh_from_db()
    assert (bad.enabled, bad.next_fire_at) == (False, None)
    assert "Europe/Berlin" in bad.events.get().reason  # the words say what a zone name looks like
