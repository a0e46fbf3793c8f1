"""Forgotten after 48 h: events with their attempts, then deleted triggers; what still waits is never deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from triggers import definition, retention
from triggers.models import Attempt, Event, HourlyCount, Recipe, ReplayBatch, Trigger, TriggerHour
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OLD = NOW - timedelta(hours=48, seconds=1)
YOUNG = NOW - timedelta(hours=47, minutes=59)


def test_it_deletes_what_is_older_than_the_window_with_its_attempts() -> None:
    old = make_event(outcome="succeeded", triggered_at=OLD)
    young = make_event(outcome="failed", triggered_at=YOUNG)
    make_attempt(old)
    kept = make_attempt(young)

    assert retention.forget_events(NOW) == 1

    assert list(Event.objects.all()) == [young]
    assert list(Attempt.objects.all()) == [kept]


def test_it_never_deletes_what_still_waits() -> None:
    make_event(outcome="pending", triggered_at=OLD)
    make_event(outcome="delivering", triggered_at=OLD)

    assert retention.forget_events(NOW) == 0


def test_it_deletes_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SMALLEST_CHUNK", 3)
    trigger = make_api_trigger()
    for _ in range(7):
        make_event(trigger, outcome="logged", triggered_at=OLD)

    assert retention.forget_events(NOW) == 7


def test_a_clean_up_leaves_what_takes_too_long_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SMALLEST_CHUNK", 1)
    for _ in range(2):
        make_event(outcome="logged", triggered_at=OLD)

    assert retention.forget_events(NOW, lasts_seconds=0) == 0
    assert retention.forget_events(NOW) == 2


@pytest.mark.parametrize(("workers", "seconds"), [(2, 5), (3, 40)])
def test_it_is_brief_where_all_hints_wait_for_the_same_worker(
    settings: LazySettings, workers: int, seconds: float
) -> None:
    settings.CLUSTER_WORKERS = workers
    assert retention.lasts_seconds() == seconds


def test_what_waits_does_not_keep_the_rest() -> None:
    for outcome in ("pending", "logged", "pending", "logged"):
        make_event(outcome=outcome, triggered_at=OLD)

    assert retention.forget_events(NOW) == 2
    assert Event.objects.count() == 2


def test_the_window_is_a_setting(settings: LazySettings) -> None:
    settings.EVENT_RETENTION_HOURS = 1
    make_event(outcome="logged", triggered_at=NOW - timedelta(minutes=61))

    assert retention.forget_events(NOW) == 1


def test_a_deleted_trigger_goes_with_its_last_event() -> None:
    trigger = make_api_trigger(name="Gone")
    event = make_event(trigger, outcome="logged", triggered_at=YOUNG)
    definition.delete(trigger.pk, NOW)

    assert retention.forget_triggers(NOW + retention.LET_GO_AFTER) == 0
    assert event.trigger_name == "Gone"  # its last events still say who fired

    event.delete()
    assert retention.forget_triggers(NOW) == 0  # a call under way may still write an event of it
    assert retention.forget_triggers(NOW + retention.LET_GO_AFTER) == 1
    assert not Trigger.with_deleted.exists()


def test_sums_of_old_hours_go() -> None:
    HourlyCount.objects.create(hour=NOW - timedelta(hours=50), outcome="logged", count=1)
    HourlyCount.objects.create(hour=NOW - timedelta(hours=47), outcome="logged", count=1)

    of_trigger = {"trigger": make_api_trigger(), "outcome": "logged", "latency_band": -1}
    TriggerHour.objects.create(hour=NOW - timedelta(hours=50), **of_trigger)
    kept = TriggerHour.objects.create(hour=NOW - timedelta(hours=47), **of_trigger)

    assert retention.forget_hours(NOW) == 2
    assert list(TriggerHour.objects.all()) == [kept]


def test_a_short_window_leaves_the_day_before_to_compare_with(settings: LazySettings) -> None:
    settings.EVENT_RETENTION_HOURS = 2
    HourlyCount.objects.create(hour=NOW - timedelta(hours=47), outcome="logged", count=1)

    assert retention.forget_hours(NOW) == 0


def test_the_secrets_of_a_deleted_trigger_go_a_while_after_it() -> None:
    now = timezone.now()
    gone, kept = make_api_trigger(headers=[["X-Token", "sesame-7719", True]]), make_api_trigger()
    definition.delete(gone.pk, now - timedelta(hours=1))

    assert retention.forget_triggers(now) == 1
    assert retention.forget_recipes(now) == 0  # an event may still be written with it
    assert retention.forget_recipes(now + timedelta(hours=49)) == 1
    assert Recipe.objects.get() == kept.recipe


def test_it_deletes_a_batch_of_replays_once_its_events_are_gone() -> None:
    of_old = {"total": 1, "last_id": 1, "next_due_at": OLD, "ended_at": OLD}
    gone = ReplayBatch.objects.create(**of_old)
    kept = ReplayBatch.objects.create(**of_old)
    running = ReplayBatch.objects.create(**of_old | {"ended_at": None})
    make_event(outcome="succeeded", batch=kept)

    assert retention.forget_batches(NOW) == 1

    assert set(ReplayBatch.objects.all()) == {kept, running}
    assert gone not in ReplayBatch.objects.all()
