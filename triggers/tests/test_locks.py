"""Who wants several rows waits for the lowest id while it holds none, or for none at all: no circle, no deadlock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from triggers import claims, definition, retention
from triggers.models import Event, Trigger
from triggers.tests.clusters import wait
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = timezone.now()


@pytest.fixture
def another() -> Iterator[psycopg.Connection]:
    """A connection past Django, in the place of another process."""
    given = connection.settings_dict
    with psycopg.connect(
        host=given["HOST"], port=given["PORT"], user=given["USER"], password=given["PASSWORD"], dbname=given["NAME"]
    ) as held:
        yield held


@contextmanager
def under_way(act: Callable[[], object]) -> Iterator[None]:
    """Run it in a thread until it waits for a lock; when it is left, it has ended, and well."""
    errors: list[Exception] = []

    def run() -> None:
        try:
            with transaction.atomic():
                act()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait(_somebody_waits, 30)
    yield
    thread.join(30)
    assert errors == []


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def lock(another: psycopg.Connection, table: str, pk: int) -> None:
    """Lock a row, or raise when somebody holds it."""
    query = sql.SQL("SELECT 1 FROM {} WHERE id = %s FOR UPDATE NOWAIT").format(sql.Identifier(table))
    another.execute(query, [pk])


def test_workers_count_failures_in_the_order_of_triggers(another: psycopg.Connection) -> None:
    first, second = make_api_trigger(), make_api_trigger()
    Trigger.objects.filter(pk=first.pk).update(name="lies behind the second in the table now")
    streaks = [claims.Streak(trigger.pk, 1, True, 9) for trigger in (first, second)]

    lock(another, "triggers_trigger", first.pk)
    with under_way(lambda: claims.lock_failing(streaks)):
        lock(another, "triggers_trigger", second.pk)
        another.rollback()


def test_workers_take_events_in_their_order(another: psycopg.Connection) -> None:
    first, second = make_event(triggered_at=NOW), make_event(triggered_at=NOW)
    Event.objects.filter(pk=first.pk).update(reason="lies behind the second in the table now")
    taken: list[claims.TakenEvent] = []

    lock(another, "triggers_event", first.pk)
    with under_way(lambda: taken.extend(claims.take([second.pk, first.pk], "token", NOW, NOW))):
        lock(another, "triggers_event", second.pk)
        another.rollback()

    assert {event.id for event in taken} == {first.pk, second.pk}


def test_the_clean_up_waits_for_nobody(another: psycopg.Connection) -> None:
    long_ago = NOW - timedelta(days=30)
    held, free = (make_event(triggered_at=long_ago, outcome="failed") for _ in range(2))

    lock(another, "triggers_event", held.pk)  # it is about to be replayed
    assert retention.forget_events(NOW) == 1
    assert list(Event.objects.all()) == [held]
    assert free not in Event.objects.all()

    another.rollback()
    assert retention.forget_events(NOW) == 1


def test_a_new_secret_waits_for_no_worker_and_reaches_what_waits(
    another: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = make_api_trigger()
    held, free = (make_event(trigger, recipe_id=trigger.recipe_id) for _ in range(2))
    lock(another, "triggers_event", held.pk)
    threading.Timer(0.2, another.rollback).start()

    definition.rotate_signing_secret(trigger.pk, NOW)

    trigger.refresh_from_db()
    assert set(Event.objects.values_list("recipe", flat=True)) == {trigger.recipe_id}
    assert free.pk != held.pk


def test_a_fire_by_api_waits_for_no_claim_of_its_trigger(another: psycopg.Connection) -> None:
    trigger = make_api_trigger()
    another.execute("SELECT 1 FROM triggers_trigger FOR NO KEY UPDATE")  # as the beat does, and an edit

    make_event(trigger)

    assert Event.objects.count() == 1
