"""The figures of System health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from triggers import health, retention, tasks
from triggers.models import Beat, CleanUp, Cluster, Event, HourlyCount, Trigger
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 26, 13, 32, 7, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    cache.clear()


def sent(at: datetime, late_ms: float, trigger: Trigger | None = None, **fields: Any) -> Event:
    """An event that succeeded, sent so late."""
    times = {"triggered_at": at, "first_sent_at": at + timedelta(milliseconds=late_ms)}
    return make_event(trigger, **{"outcome": "succeeded", **times, **fields})


# --- How late ------------------------------------------------------------------------------------------


def test_the_lag_of_an_hour_is_its_median_and_p95() -> None:
    trigger = make_api_trigger()
    for late in range(1, 101):
        sent(NOW - 2 * HOUR, late, trigger)

    hours = health.lag_hours(NOW)

    assert len(hours) == 24
    (lag,) = [hour.lag for hour in hours if hour.lag]
    assert (lag.median, lag.p95) == pytest.approx((0.0505, 0.096))
    assert hours[21].start == datetime(2026, 3, 26, 11, tzinfo=UTC)


def test_of_very_many_events_some_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(health, "SAMPLE", 10)
    trigger = make_api_trigger()
    for number in range(100):
        sent(NOW - 2 * MINUTE, 20, trigger, outcome="succeeded" if number % 2 else "failed")

    with django_assert_max_num_queries(4):
        recent = health.recent(NOW)

    assert recent.lag == health.Lag(0.02, 0.02)
    assert recent.deliveries_per_minute == 100 / 5


def test_what_waits_by_its_own_wish_is_not_late() -> None:
    limited = make_api_trigger(rate_per_minute=6)
    sent(NOW - MINUTE, 20_000, limited, recipe=limited.recipe)
    make_event(outcome="skipped", triggered_at=NOW - MINUTE, first_sent_at=None)
    make_event(triggered_at=NOW - MINUTE)  # not sent yet

    assert health.recent(NOW).lag is None


def test_a_missed_fire_is_as_late_as_it_is() -> None:
    due_at = NOW - 5 * HOUR
    sent(NOW - MINUTE, 0, make_trigger(), scheduled_for=due_at, source="schedule")

    lag = health.recent(NOW).lag
    assert lag
    assert lag.p95 == (5 * HOUR - MINUTE).total_seconds()


def test_an_event_without_an_endpoint_counts_when_it_is_logged() -> None:
    at = NOW - MINUTE
    make_event(outcome="logged", triggered_at=at, first_sent_at=None, finished_at=at + timedelta(seconds=3))

    lag = health.recent(NOW).lag
    assert lag
    assert lag.median == 3
    assert health.recent(NOW).deliveries_per_minute == 0


def test_an_hour_that_is_over_is_looked_at_once(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    sent(NOW - 2 * HOUR, 10)
    sent(NOW - MINUTE, 10)
    health.lag_hours(NOW)
    sent(NOW - MINUTE, 500)

    with django_assert_max_num_queries(4):  # those of the current hour
        hours = health.lag_hours(NOW)

    assert hours[21].lag == health.Lag(0.01, 0.01)
    assert hours[23].lag
    assert hours[23].lag.p95 == 0.5


def test_deliveries_leave_tests_out() -> None:
    sent(NOW - MINUTE, 1)
    sent(NOW - MINUTE, 1, is_test=True, source="test")

    assert health.recent(NOW).deliveries_per_minute == 1 / 5


def test_nothing_measured_is_none() -> None:
    assert health.recent(NOW) == health.Recent(None, 0)
    assert {hour.lag for hour in health.lag_hours(NOW)} == {None}
    assert health.oldest_due(NOW) is None
    assert health.busiest_hour(NOW - HOUR) is None


# --- How much waits ------------------------------------------------------------------------------------


def test_the_queue_by_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    make_event(outcome="delivering")
    make_event(attempt_count=2)
    make_event(attempt_count=1)
    make_event()
    make_event(outcome="succeeded")

    queue = health.queue()
    assert (queue.delivering, queue.retrying, queue.waiting, queue.total) == (1, 2, 1, 4)
    assert not queue.is_capped

    monkeypatch.setattr(health, "QUEUE_CAP", 3)
    assert health.queue().is_capped


def test_the_oldest_due_is_an_event_or_a_trigger_that_has_not_fired() -> None:
    make_event(make_api_trigger(name="Order paid"), triggered_at=NOW - timedelta(seconds=2))
    make_event(triggered_at=NOW + MINUTE)
    due = health.oldest_due(NOW)
    assert due
    assert due.trigger
    assert (due.trigger.name, NOW - due.since) == ("Order paid", timedelta(seconds=2))

    make_trigger(name="Nightly", schedule_value="60", now=NOW - 2 * MINUTE)
    due = health.oldest_due(NOW)
    assert due
    assert due.trigger
    assert due.trigger.name == "Nightly"


def test_the_busiest_hour_counts_what_was_delivered() -> None:
    for back, outcome, count in [(0, "succeeded", 60), (1, "succeeded", 200), (1, "failed", 40), (1, "logged", 900)]:
        HourlyCount.objects.create(hour=NOW.replace(minute=0, second=0) - back * HOUR, outcome=outcome, count=count)

    assert health.busiest_hour(NOW - 5 * HOUR) == 4


# --- Who works -----------------------------------------------------------------------------------------


def make_cluster(name: str, seen_before: float = 1, **fields: Any) -> Cluster:
    times = {"started_at": NOW - HOUR, "seen_at": NOW - timedelta(seconds=seen_before)}
    return Cluster.objects.create(name=name, host="worker-1", pid=7, **{**times, **fields})


def test_the_leader_is_first_and_those_that_are_gone_are_last() -> None:
    for name in ("amber", "north", "south"):
        make_cluster(name)
    make_cluster("still", stopped_at=NOW)
    make_cluster("lost", seen_before=20)
    Beat.objects.create(pk=Beat.ID, cluster="south", seen_at=NOW - timedelta(seconds=1))

    assert [(each.cluster.name, each.state) for each in health.clusters(NOW)] == [
        ("south", "leader"),
        ("amber", "ready"),
        ("north", "ready"),
        ("lost", "silent"),
        ("still", "gone"),
    ]


@pytest.mark.parametrize("seconds", [11, -300])
def test_nobody_leads_when_nothing_beats(seconds: float) -> None:
    make_cluster("south")
    Beat.objects.create(pk=Beat.ID, cluster="south", seen_at=NOW - timedelta(seconds=seconds))

    assert [each.state for each in health.clusters(NOW)] == ["ready"]


def test_who_was_seen_before_the_clock_was_set_back_counts_by_how_far_that_is() -> None:
    make_cluster("amber", seen_before=-5, workers=4)
    make_cluster("south", seen_before=-20, workers=4)
    make_cluster("west", seen_before=-3600, workers=4)

    assert {each.cluster.name: each.state for each in health.clusters(NOW)} == {
        "amber": "ready",
        "south": "silent",
        "west": "gone",
    }
    assert Cluster.objects.living_workers(NOW) == 4


def test_a_cluster_is_forgotten_a_day_after_it_was_seen() -> None:
    make_cluster("old", seen_before=24 * 3600 + 1)
    make_cluster("young", seen_before=23 * 3600)

    assert retention.forget_clusters(NOW) == 1
    assert Cluster.objects.get().name == "young"


# --- How much is kept ----------------------------------------------------------------------------------


def test_what_is_kept_is_counted_and_above_a_number_reckoned(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = make_api_trigger()
    for number in range(20):
        make_event(trigger, outcome="logged", triggered_at=NOW - (HOUR if number >= 13 else 5 * HOUR))
    kept = health.kept(NOW)
    assert (kept.active, kept.archived) == (health.Amount(7, True), health.Amount(13, True))

    monkeypatch.setattr(health, "EXACT_CAP", 5)
    kept = health.kept(NOW)
    assert (kept.active, kept.archived) == (health.Amount(7, False), health.Amount(13, False))


def test_the_clean_up_leaves_word_of_what_it_did(settings: LazySettings) -> None:
    settings.EVENT_RETENTION_HOURS = 2
    tasks.keep_schedules()
    now = timezone.now()
    for _ in range(3):
        make_event(outcome="logged", triggered_at=now - 3 * HOUR)

    tasks.clean_up()
    kept = health.kept(now)
    assert kept.last
    assert kept.last.deleted == 3
    assert kept.next_at

    tasks.clean_up()
    assert CleanUp.objects.get().deleted == 0  # one row, always


def test_the_size_is_that_of_the_database() -> None:
    assert health.store().size > 100_000
