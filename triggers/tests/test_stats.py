"""The figures behind the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from triggers import bands, stats
from triggers.models import Beat, Event, HourlyCount, Trigger, TriggerHour
from triggers.tests.factories import make_api_trigger, make_attempt, make_event, make_trigger

NOW = datetime(2026, 3, 26, 13, 32, 7, tzinfo=UTC)
HOUR = NOW.replace(minute=0, second=0)

pytestmark = pytest.mark.django_db


def beat_seen(ago: timedelta) -> None:
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": NOW - ago})


def test_an_idle_dispatcher_runs_without_lag() -> None:
    beat_seen(timedelta(seconds=1))
    make_trigger(now=NOW)
    found = stats.dispatcher(NOW)
    assert (found.state, found.lag, found.waiting) == ("running", timedelta(0), 0)


def test_the_lag_is_that_of_the_longest_waiting() -> None:
    beat_seen(timedelta(seconds=1))
    make_event(triggered_at=NOW - timedelta(seconds=12))
    make_event(triggered_at=NOW - timedelta(seconds=40))
    make_event(triggered_at=NOW + timedelta(seconds=5))
    found = stats.dispatcher(NOW)
    assert (found.state, found.lag, found.waiting) == ("lagging", timedelta(seconds=40), 2)


def test_a_trigger_that_is_due_counts_as_lag_too() -> None:
    beat_seen(timedelta(seconds=1))
    trigger = make_trigger(now=NOW)
    Trigger.objects.filter(pk=trigger.pk).update(next_fire_at=NOW - timedelta(seconds=31))
    assert stats.dispatcher(NOW).state == "lagging"


# The last one: seen before the clock was set back.
@pytest.mark.parametrize("ago", [None, timedelta(seconds=11), timedelta(minutes=-5)])
def test_without_a_beat_it_has_stopped(ago: timedelta | None) -> None:
    Beat.objects.all().delete()
    if ago:
        beat_seen(ago)
    assert stats.dispatcher(NOW).state == "stopped"


def test_hours_without_events_are_there_and_empty() -> None:
    HourlyCount.objects.create(hour=HOUR, outcome="failed", count=2)
    HourlyCount.objects.create(hour=HOUR - timedelta(hours=48), outcome="failed", count=9)
    hours = stats.hours(NOW)
    assert len(hours) == 48
    assert (hours[-1].start, hours[-1].total) == (HOUR, 2)
    assert sum(hour.total for hour in hours) == 2
    assert stats.sums(hours)["succeeded"] == 0


def test_the_success_rate_leaves_out_what_was_not_sent() -> None:
    totals = stats.sums([stats.Hour(HOUR, {"succeeded": 3, "failed": 1, "logged": 50, "skipped": 7})])
    assert stats.success_rate(totals) == 0.75
    assert stats.success_rate(stats.sums([stats.Hour(HOUR, {"logged": 50})])) is None


def ended(trigger: Trigger, outcome: str, count: int, hours_ago: int = 0, milliseconds: float | None = None) -> None:
    hour, band = HOUR - timedelta(hours=hours_ago), bands.band_of(milliseconds)
    TriggerHour.objects.create(trigger=trigger, hour=hour, outcome=outcome, latency_band=band, count=count)


def test_the_success_of_triggers_is_that_of_a_day(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sync, marker, new = make_trigger(), make_trigger(), make_trigger()
    ended(sync, "succeeded", 3, 0, 40.0)
    ended(sync, "succeeded", 2, 23, 3000.0)
    ended(sync, "succeeded", 900, 24)  # too long ago
    ended(sync, "failed", 1)
    ended(sync, "skipped", 4)  # was not fired
    ended(marker, "logged", 311)

    with django_assert_num_queries(1):
        found = stats.successes([sync.pk, marker.pk, new.pk], NOW)

    assert found == {
        sync.pk: stats.Success(6, 5 / 6),
        marker.pk: stats.Success(311, None),
        new.pk: stats.Success(0, None),
    }


def test_the_hours_of_a_trigger_say_outcomes_and_latencies(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sync = make_trigger()
    ended(sync, "succeeded", 90, 1, 100.0)
    ended(sync, "succeeded", 10, 1, 3000.0)
    ended(sync, "failed", 5, 1)
    ended(make_trigger(), "failed", 7, 1)

    with django_assert_num_queries(1):
        hours = stats.hours_of(sync.pk, NOW)

    assert (len(hours), hours[-2].start) == (48, HOUR - timedelta(hours=1))
    assert (hours[-2].counts, hours[-2].total) == ({"succeeded": 100, "failed": 5}, 105)
    latency = hours[-2].latency
    assert latency is not None
    assert 90 < latency.median < 128
    assert 2800 < latency.p95 < 4100
    assert (hours[-1].counts, hours[-1].latency) == ({}, None)


def test_latency_is_measured_over_answers_that_were_no_tests() -> None:
    assert stats.latency() is None
    event = make_event(outcome="succeeded")
    for number in range(1, 101):
        make_attempt(event, number, duration_ms=float(number))
    make_attempt(event, 101, status=None, duration_ms=10_000.0)
    make_attempt(make_event(outcome="succeeded", is_test=True), duration_ms=90_000.0)
    found = stats.latency()
    assert found is not None
    assert (found.median, found.p95) == (50.5, 96.0)


def test_last_outcomes_are_the_newest_of_each_trigger_oldest_first(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    busy, quiet, new = (make_api_trigger() for _ in range(3))
    for _ in range(25):
        make_event(busy, outcome="succeeded")
    make_event(quiet, outcome="logged")
    make_event(busy, outcome="failed", is_test=True)
    make_event(busy, outcome="failed")
    with django_assert_num_queries(2):
        outcomes = stats.last_outcomes([busy.pk, quiet.pk, new.pk])
    assert outcomes == {busy.pk: ["succeeded"] * 19 + ["failed"], quiet.pk: ["logged"], new.pk: []}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], 0),
        (["failed", "succeeded"], 0),
        (["succeeded", "failed", "failed"], 2),
        (["failed", "failed", "pending", "delivering"], 2),  # what is not finished says nothing yet
        (["failed", "skipped"], 0),
    ],
)
def test_failures_in_a_row(outcomes: list[str], expected: int) -> None:
    assert stats.failures_in_a_row(outcomes) == expected


def test_failing_triggers_come_worst_first_and_only_while_they_fail() -> None:
    once, often, well, gone = (make_api_trigger() for _ in range(4))
    for trigger in (often, often, once, well, gone):
        make_event(trigger, outcome="failed")
    make_event(well, outcome="succeeded")
    Trigger.objects.filter(pk=gone.pk).update(deleted_at=NOW)
    failing = stats.failing()
    assert [(each.trigger.pk, each.in_a_row) for each in failing] == [(often.pk, 2), (once.pk, 1)]
    assert failing[0].event == often.events.latest("pk")


# --- Well below the usual --------------------------------------------------------------------------------


def delivered(trigger: Trigger, outcomes: str) -> None:
    """Events in this order, oldest first: "." succeeded, "x" failed."""
    named = {".": Event.Outcome.SUCCEEDED, "x": Event.Outcome.FAILED}
    times = {"triggered_at": NOW, "due_at": NOW, "source": "api"}
    Event.objects.bulk_create(Event(trigger=trigger, outcome=named[each], **times) for each in outcomes)


def test_a_trigger_that_fails_far_more_than_usual_is_told_with_both_rates() -> None:
    trigger = make_api_trigger()
    delivered(trigger, ("." * 99 + "x") * 4 + ("." * 19 + "x") * 10)
    (found,) = stats.declining()
    assert (found.trigger.pk, found.of, found.failed) == (trigger.pk, 200, 10)
    assert (found.rate, found.usual) == (0.95, 0.99)
    assert len(found.outcomes) == stats.STRIP_LENGTH


@pytest.mark.parametrize(
    "outcomes",
    [
        "x" * 30,  # nothing before to hold it against
        "." * 400 + "xxxx",  # too few to say
        ("." * 9 + "x") * 100,  # that is how it always is
    ],
)
def test_no_trigger_is_told_without_reason(outcomes: str) -> None:
    delivered(make_api_trigger(), outcomes)
    assert stats.declining() == []


def test_a_trigger_that_is_known_to_be_bad_is_not_told_again() -> None:
    trigger = make_api_trigger()
    delivered(trigger, "." * 400 + ("." * 19 + "x") * 10)
    assert stats.declining({trigger.pk}) == []


def test_what_waits_is_counted_by_the_hour_it_was_fired_in() -> None:
    for ago, is_test in ((timedelta(), False), (timedelta(hours=1), False), (timedelta(), True)):
        make_event(triggered_at=NOW - ago, is_test=is_test)
    make_event(outcome="delivering", triggered_at=NOW)
    make_event(outcome="failed", triggered_at=NOW)
    assert stats.pending_by_hour() == {HOUR: 2, HOUR - timedelta(hours=1): 1}
