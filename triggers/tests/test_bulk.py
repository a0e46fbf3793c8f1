"""One deed to many triggers: what is done, what is not and why, and that it goes on where it was broken off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import translation

from triggers import bulk, definition, retention
from triggers.models import Author, BulkDeed, Change, Event, Trigger, TriggerQuerySet
from triggers.tests.factories import make_api_trigger, make_trigger

NOW = datetime(2026, 3, 26, 13, 32, 7, tzinfo=UTC)
MARA = Author("user", 7, "Mara Lindqvist")
ON, OFF, TEST, DELETE = BulkDeed.Deed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "SHORTEST_PAUSE_SECONDS", 0)


def some(*triggers: Trigger) -> TriggerQuerySet:
    return Trigger.objects.filter(pk__in=[trigger.pk for trigger in triggers])


def do(deed: BulkDeed.Deed, *triggers: Trigger) -> BulkDeed:
    begun = bulk.begin(deed, some(*triggers), MARA, NOW)
    assert bulk.go_on(lambda: NOW) is False
    begun.refresh_from_db()
    return begun


def test_it_switches_off_those_that_are_on_and_leaves_the_others() -> None:
    on, off, other = make_trigger(now=NOW), make_trigger(now=NOW, enabled=False), make_trigger(now=NOW)

    done = do(OFF, on, off)

    assert (done.is_over, done.done_count, done.settled_count, done.refused_count) == (True, 1, 1, 0)
    assert list(Trigger.objects.enabled()) == [other]
    assert Trigger.objects.get(pk=on.pk).next_fire_at is None
    change = Change.objects.get(kind=Change.Kind.SWITCHED_OFF)
    assert (change.trigger_id, change.by_name) == (on.pk, "Mara Lindqvist")


def test_it_says_which_could_not_be_switched_on_and_why() -> None:
    fine = make_trigger(now=NOW, enabled=False)
    past = make_trigger(
        now=NOW, schedule_type="date", schedule_value="2026-03-26T14:00", time_zone="UTC", is_recurring=False
    )
    definition.switch(past.pk, on=False, now=NOW)

    begun = bulk.begin(ON, some(fine, past), MARA, NOW)
    with translation.override("en"):  # a page of another test may have spoken another language in this thread
        bulk.go_on(lambda: NOW + timedelta(days=1))

    begun.refresh_from_db()
    assert (begun.done_count, begun.refused_count) == (1, 1)
    [[refused, why]] = begun.refusals
    assert refused == past.pk
    assert "has passed" in why
    assert [trigger.pk for trigger in Trigger.objects.enabled()] == [fine.pk]


def test_it_deletes_and_passes_over_what_is_gone_already() -> None:
    first, second = make_api_trigger(), make_api_trigger()
    begun = bulk.begin(DELETE, some(first, second), MARA, NOW)
    definition.delete(first.pk, NOW)

    bulk.go_on(lambda: NOW)

    begun.refresh_from_db()
    assert not Trigger.objects.exists()
    assert (begun.done_count, begun.refusals) == (1, [[first.pk, bulk.GONE]])


def test_it_tests_those_that_are_off_too() -> None:
    done = do(TEST, make_api_trigger(), make_api_trigger(enabled=False))

    assert done.done_count == 2
    assert list(Event.objects.values_list("source", "is_test")) == [("test", True)] * 2


def test_one_whose_recipe_cannot_be_read_does_not_stop_the_others() -> None:
    unreadable, fine = make_api_trigger(headers=[["X-Token", "sesame", True]]), make_api_trigger()
    assert unreadable.recipe is not None
    with_other_key = "v1:other:gAAAAABnothing"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE triggers_recipe SET headers = %s WHERE id = %s", [with_other_key, unreadable.recipe.pk])

    done = do(OFF, unreadable, fine)

    assert (done.done_count, done.refused_count) == (1, 1)
    assert done.refusals[0][0] == unreadable.pk


def test_it_goes_on_where_another_was_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STEP", 2)
    triggers = [make_api_trigger() for _ in range(5)]
    begun = bulk.begin(TEST, some(*triggers), MARA, NOW)

    assert bulk.go_on(lambda: NOW, lasts_seconds=0) is True
    begun.refresh_from_db()
    assert (begun.place, begun.is_over) == (2, False)

    assert bulk.go_on(lambda: NOW) is False
    begun.refresh_from_db()
    assert (begun.done_count, begun.ended_at) == (5, NOW)
    assert sorted(Event.objects.values_list("trigger", flat=True)) == [trigger.pk for trigger in triggers]


def test_a_deed_with_nothing_to_do_is_over_at_once() -> None:
    assert bulk.begin(OFF, Trigger.objects.none(), MARA, NOW).is_over


def test_switching_off_is_undone_once_and_only_of_what_it_switched() -> None:
    on, off = make_trigger(now=NOW), make_trigger(now=NOW, enabled=False)
    done = do(OFF, on, off)

    undoing = bulk.undo(done.pk, MARA, NOW)
    assert undoing is not None
    assert bulk.undo(done.pk, MARA, NOW) is None
    bulk.go_on(lambda: NOW)

    assert list(Trigger.objects.enabled()) == [on]
    assert not Trigger.objects.get(pk=off.pk).enabled


def test_only_switching_off_can_be_undone() -> None:
    assert bulk.undo(do(DELETE, make_api_trigger()).pk, MARA, NOW) is None
    assert bulk.undo(do(ON, make_api_trigger(enabled=False)).pk, MARA, NOW) is None
    assert bulk.undo(999, MARA, NOW) is None


def test_what_was_done_is_forgotten_with_the_events() -> None:
    do(OFF, make_trigger(now=NOW))
    assert retention.forget_deeds(NOW + timedelta(hours=47)) == 0
    assert retention.forget_deeds(NOW + timedelta(hours=49)) == 1
