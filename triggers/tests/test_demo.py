"""Demo data: believable, the same for one seed, and never on top of real data unasked."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F

from triggers import demo, stats
from triggers.models import Attempt, Event, HourlyCount, Trigger, TriggerHour
from triggers.tests.factories import make_trigger

NOW = datetime(2026, 3, 26, 13, 32, 7, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def outcomes() -> Counter[str]:
    return Counter(Event.objects.values_list("outcome", flat=True))


def test_the_small_server_has_all_that_a_picture_wants() -> None:
    written = demo.write(demo.small(), NOW, random.Random(1))
    assert written.triggers == Trigger.objects.count() == 27
    assert written.events == Event.objects.count()
    assert set(outcomes()) == set(Event.Outcome.values)
    assert set(Event.objects.values_list("source", flat=True)) == set(Event.Source.values)
    worst = stats.failing()[0]
    assert (worst.trigger.name, worst.in_a_row >= 3) == ("Sync CRM contacts", True)
    assert Trigger.objects.exclude(problem="").get().name == "Weekly usage report"


def test_the_rows_are_as_the_server_itself_would_have_written_them() -> None:
    demo.write(demo.small(), NOW, random.Random(1))
    kept = Event.objects.filter(triggered_at__gt=NOW - timedelta(hours=48), triggered_at__lte=NOW)
    assert kept.count() == Event.objects.count()
    assert not Event.objects.finished().filter(hand_over_at__isnull=False).exists()
    assert not Event.objects.unfinished().filter(hand_over_at__isnull=True).exists()
    made = Event.objects.finished().annotate(made=Count("attempts")).values_list("attempt_count", "made")
    assert all(said == found for said, found in made)
    assert not Attempt.objects.filter(started_at__gt=NOW).exists()
    assert not Trigger.objects.next_fires().filter(next_fire_at__lte=NOW).exists()
    for sums in (HourlyCount, TriggerHour):
        counted = sum(sums.objects.values_list("count", flat=True))
        assert counted == Event.objects.finished().counted().count()
    pks = list(Event.objects.order_by("triggered_at", "pk").values_list("pk", flat=True))
    assert pks == sorted(pks)


@pytest.mark.postgres  # rows are multiplied by PostgreSQL alone
def test_triggers_that_are_alike_have_rows_of_their_own() -> None:
    written = demo.write(demo.large(60, 9000, random.Random(3), alike=3), NOW, random.Random(3), alike=3)
    assert written.triggers == Trigger.objects.count() == 60
    assert (written.events, written.attempts) == (Event.objects.count(), Attempt.objects.count())
    assert written.events == 3 * Event.objects.filter(trigger__name__endswith=".2").count()
    counted = sum(TriggerHour.objects.values_list("count", flat=True))
    assert counted == Event.objects.finished().counted().count()
    assert not Event.objects.exclude(recipe=None).exclude(recipe=F("trigger__recipe")).exists()
    assert not Event.objects.exclude(replay_of=None).exclude(replay_of__trigger=F("trigger")).exists()
    for attempt in Attempt.objects.select_related("event")[:6]:
        assert ["webhook-id", attempt.event.webhook_id] in attempt.request_headers


def test_one_seed_makes_the_same_data_again() -> None:
    def told(seed: int) -> list[Any]:
        Event.objects.all().delete()
        Trigger.with_deleted.all().delete()
        demo.write(demo.large(30, 500, random.Random(seed)), NOW, random.Random(seed))
        return list(Event.objects.order_by("pk").values_list("triggered_at", "outcome", "trigger__name"))

    first = told(7)
    assert first == told(7)
    assert first != told(8)


def test_the_large_server_is_about_as_large_as_it_is_asked_to_be() -> None:
    demo.write(demo.large(50, 2000, random.Random(3)), NOW, random.Random(3))
    assert Trigger.objects.count() == 50
    assert 1000 < Event.objects.count() < 4000


def test_new_events_get_ids_behind_the_demo_data() -> None:
    demo.write(demo.large(5, 50, random.Random(1)), NOW, random.Random(1))
    last = Event.objects.latest("pk").pk
    trigger = Trigger.objects.all()[0]
    assert Event.objects.create(trigger=trigger, source="api", triggered_at=NOW, due_at=NOW).pk > last


def test_the_command_refuses_a_database_that_has_triggers_unless_told_to_add() -> None:
    make_trigger()
    with pytest.raises(CommandError, match="--add"):
        call_command("demo_data", preset="large", triggers=3, events=10)
    call_command("demo_data", "--add", preset="large", triggers=3, events=10)
    assert Trigger.objects.count() == 4


def test_the_large_server_has_replays_and_batches_of_them() -> None:
    demo.write(demo.large(40, 20_000, random.Random(3)), NOW, random.Random(3))
    replays = Event.objects.filter(source="replay")
    assert replays.filter(batch=None).exists()
    assert replays.exclude(batch=None).exists()
    assert all(event.replay_of and event.replay_of.outcome == "failed" for event in replays)
