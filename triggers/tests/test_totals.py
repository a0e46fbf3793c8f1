"""What was counted since the beginning: never less than before, whatever is forgotten."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_httpserver import HTTPServer

from triggers import claims, delivery, dispatch, retention, totals
from triggers.models import Event
from triggers.tests.factories import make_event, make_trigger

pytestmark = pytest.mark.django_db

NOW = timezone.now()
SECOND = timedelta(seconds=1)


def test_nothing_was_counted_yet() -> None:
    found = totals.read()

    assert found.events == {"succeeded": 0, "failed": 0, "logged": 0, "skipped": 0}
    assert found.skipped == {"missed": 0, "overlap": 0}
    assert (found.lateness.count, found.lateness.sum) == (0, 0)
    assert found.duration.buckets[-1] == (float("inf"), 0)


@pytest.mark.django_db(transaction=True)
def test_an_event_counts_with_its_lateness_and_its_duration(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    trigger = make_trigger(api_endpoint=receiver.url_for("/hook"))
    late = make_event(trigger, scheduled_for=timezone.now() - 2 * SECOND, triggered_at=timezone.now())

    delivery.deliver([late.pk])

    found, event = totals.read(), Event.objects.get()
    assert event.lateness
    assert event.duration
    assert found.events["succeeded"] == 1
    assert found.lateness.sum == pytest.approx(event.lateness.total_seconds())
    assert found.duration.sum == pytest.approx(event.duration.total_seconds())
    assert dict(found.lateness.buckets)[1.0] == 0
    assert dict(found.lateness.buckets)[30.0] == 1


@pytest.mark.django_db(transaction=True)
def test_a_retry_counts_from_the_first_attempt(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    trigger = make_trigger(api_endpoint=receiver.url_for("/hook"))
    event = make_event(trigger, attempt_count=1, triggered_at=timezone.now() - 90 * SECOND)
    Event.objects.update(first_sent_at=event.triggered_at + SECOND, due_at=timezone.now())

    delivery.deliver([event.pk])

    found = totals.read()
    assert found.lateness.sum == pytest.approx(1)
    assert found.duration.sum == pytest.approx(89, abs=10)


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_its_turn_is_late_on_purpose_and_not_counted_so(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    trigger = make_trigger(api_endpoint=receiver.url_for("/hook"), rate_per_minute=60)
    event = make_event(trigger, recipe=trigger.recipe, triggered_at=timezone.now() - 60 * SECOND)

    delivery.deliver([event.pk])

    found = totals.read()
    assert (found.events["succeeded"], found.lateness.count, found.duration.count) == (1, 0, 1)


def test_an_event_that_is_only_logged_is_late_until_it_is_on_record() -> None:
    delivery.deliver([make_event(make_trigger(), triggered_at=timezone.now()).pk])

    found = totals.read()
    assert (found.events["logged"], found.lateness.count, found.duration.count) == (1, 1, 0)


def test_test_events_never_count() -> None:
    delivery.deliver([make_event(make_trigger(), is_test=True, triggered_at=timezone.now()).pk])

    assert sum(totals.read().events.values()) == 0


def test_skipped_instants_count_by_their_cause() -> None:
    began = timezone.now() - timedelta(hours=1)
    make_trigger(schedule_value="60", now=began, missed_policy="skip")
    now = timezone.now()
    dispatch.hand_over_due(claims.start_beat("test:1", now), now)

    skipped = Event.objects.get(outcome="skipped")
    assert totals.read().skipped == {"missed": skipped.skipped_count, "overlap": 0}
    assert skipped.skipped_count > 50


def test_they_outlive_events_and_hours() -> None:
    trigger, old = make_trigger(), NOW - timedelta(hours=60)
    claims.count_finished([claims.Finished(trigger.pk, "failed", old, False, None, 0.02, 0.3)] * 3)
    before = totals.read()

    retention.forget_hours(NOW)
    claims.count_finished([claims.Finished(trigger.pk, "failed", NOW, False, None, 0.004, 12.0)])

    after = totals.read()
    assert (before.events["failed"], after.events["failed"]) == (3, 4)
    assert after.lateness.sum == pytest.approx(0.064)
    assert dict(after.lateness.buckets)[0.005] == 1
    assert dict(after.lateness.buckets)[0.025] == 4


def test_buckets_hold_all_that_are_below() -> None:
    trigger = make_trigger()
    times = (-0.5, 0.0, 0.005, 0.0051, 0.7, 90.0, 99_999.0)
    claims.count_finished([claims.Finished(trigger.pk, "succeeded", NOW, False, None, time, time) for time in times])

    found = totals.read().lateness
    assert all(one[0] < other[0] and one[1] <= other[1] for one, other in pairwise(found.buckets))
    assert [dict(found.buckets)[bound] for bound in (0.005, 0.01, 0.5, 1.0, 60.0, 300.0, float("inf"))] == [
        3,
        4,
        4,
        5,
        5,
        6,
        7,
    ]
    assert found.count == len(times)
    assert found.sum == pytest.approx(sum(times) + 0.5)  # none counts below 0


def test_a_herd_costs_one_statement_more(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    trigger = make_trigger()
    with django_assert_num_queries(3):
        claims.count_finished(
            claims.Finished(trigger.pk, "succeeded", NOW, False, 5.0, number / 100, 0.2) for number in range(10_000)
        )
