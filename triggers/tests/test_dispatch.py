"""The beat: one event per instant, downtime on record, the lease, and what a dead worker left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.signing import SignedPackage

from triggers import claims, delivery, dispatch, firing
from triggers.models import Attempt, Beat, Cluster, Event
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2026-03-26T13:32:07.25+00:00")
SECOND = timedelta(seconds=1)


def beat(now: datetime) -> bool:
    return dispatch.hand_over_due(claims.start_beat("test:1", now), now)


def test_it_claims_a_second_ahead_and_no_further() -> None:
    soon = make_trigger(schedule_value="60", now=NOW - 59 * SECOND)
    later = make_trigger(schedule_value="60", now=NOW - 58 * SECOND)

    beat(NOW)

    assert soon.events.get().triggered_at == NOW + SECOND
    assert not later.events.exists()


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process runs in another zone than UTC, as Django makes it do where TIME_ZONE says so."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_zone_of_the_server_moves_no_instant(in_berlin: None) -> None:
    trigger = make_trigger(schedule_value="60", now=NOW - 59 * SECOND)

    beat(NOW)

    trigger.refresh_from_db()
    assert [event.scheduled_for for event in trigger.events.all()] == [NOW + SECOND]
    assert trigger.next_fire_at == NOW + 61 * SECOND


def test_it_writes_no_second_event_for_an_instant() -> None:
    trigger = make_trigger(schedule_value="60", now=NOW - 60 * SECOND)
    beat(NOW)
    # A clock that was set back, or a row restored from a backup: the instant comes again.
    type(trigger).objects.filter(pk=trigger.pk).update(next_fire_at=NOW)

    beat(NOW)

    assert trigger.events.count() == 1


def test_it_fires_every_instant_of_a_short_silence() -> None:
    trigger = make_trigger(schedule_value="1", now=NOW - 30 * SECOND)

    beat(NOW)

    assert trigger.events.filter(outcome="pending").count() == 31  # 30 of the silence, one that is due in a second
    assert not trigger.events.filter(outcome="skipped").exists()


def test_it_fires_once_for_a_long_silence_and_counts_the_rest() -> None:
    trigger = make_trigger(schedule_value="3600", now=NOW - timedelta(hours=5, minutes=2))

    beat(NOW)

    fired = trigger.events.get(outcome="pending")
    assert fired.scheduled_for == NOW - timedelta(minutes=2)
    assert fired.triggered_at == NOW
    skipped = trigger.events.get(outcome="skipped")
    assert (skipped.skipped_count, skipped.hand_over_at) == (4, None)
    assert skipped.reason == "4 fires were missed while the server was down"
    assert (skipped.skip_cause, skipped.skipped_until) == ("missed", NOW - timedelta(hours=1, minutes=2))
    trigger.refresh_from_db()
    assert trigger.next_fire_at == NOW + timedelta(minutes=58)


def test_it_writes_one_row_for_ten_hours_of_a_one_second_trigger() -> None:
    trigger = make_trigger(schedule_value="1", now=NOW - timedelta(hours=10))

    beat(NOW)

    assert trigger.events.get(outcome="skipped").skipped_count == 35_938
    assert trigger.events.filter(outcome="pending").count() == 63  # the latest missed, a minute's, one to come


@pytest.mark.parametrize(("chunk", "seconds", "in_the_first"), [(10, 60, 2), (3000, -1, 1)])
def test_after_a_downtime_a_transaction_ends_early_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch, chunk: int, seconds: float, in_the_first: int
) -> None:
    monkeypatch.setattr(dispatch, "CHUNK", chunk)  # events, of which each trigger gives seven
    monkeypatch.setattr(dispatch, "SETTLE_SECONDS", seconds)
    monkeypatch.setattr(dispatch, "CHUNKS", 1)
    for _ in range(4):
        make_trigger(missed_policy="run_all", now=NOW - timedelta(minutes=7))

    assert beat(NOW)
    assert Event.objects.count() == 7 * in_the_first
    while beat(NOW):
        pass

    assert Event.objects.filter(outcome="pending").count() == 28


def handed_over() -> list[list[int]]:
    """Return the batches of event ids that are on the queue."""
    broker, batches = get_broker(), []
    while broker.queue_size():
        tasks = [SignedPackage.loads(package) for _, package in broker.dequeue() or []]
        batches += [task["args"][0] for task in tasks if task["func"] == dispatch.DELIVER]
    return batches


def test_it_hands_ids_to_the_queue_in_batches() -> None:
    broker = get_broker()
    broker.purge_queue()
    trigger = make_api_trigger()
    for _ in range(dispatch.SMALLEST_BATCH + 1):
        make_event(trigger, triggered_at=NOW)

    beat(NOW)

    batches = handed_over()
    assert [len(batch) for batch in batches] == [dispatch.SMALLEST_BATCH, 1]
    assert sorted(pk for batch in batches for pk in batch) == sorted(Event.objects.values_list("pk", flat=True))


def test_the_workers_of_all_clusters_that_live_have_an_equal_share() -> None:
    get_broker().purge_queue()
    here = {"host": "here", "pid": 1, "started_at": NOW}
    for name, seen_at, stopped_at in (("one", NOW, None), ("two", NOW, None), ("silent", NOW - 60 * SECOND, None)):
        Cluster.objects.create(name=name, seen_at=seen_at, stopped_at=stopped_at, workers=3, **here)
    trigger = make_api_trigger()
    for _ in range(10 * dispatch.SMALLEST_BATCH):
        make_event(trigger, triggered_at=NOW)

    beat(NOW)

    assert [len(batch) for batch in handed_over()] == [200] * 5  # the sixth worker is the beat's


def test_it_does_not_hand_over_twice_while_the_hint_is_fresh() -> None:
    event = make_event(triggered_at=NOW)
    beat(NOW)
    event.refresh_from_db()
    assert event.hand_over_at == NOW + dispatch.LOOKAHEAD + dispatch.HINT_LOST_AFTER

    beat(NOW + SECOND)
    event.refresh_from_db()
    assert event.hand_over_at == NOW + dispatch.LOOKAHEAD + dispatch.HINT_LOST_AFTER

    beat(NOW + 40 * SECOND)  # the hint is lost
    event.refresh_from_db()
    assert event.hand_over_at == NOW + 40 * SECOND + dispatch.LOOKAHEAD + dispatch.HINT_LOST_AFTER


def test_it_takes_back_what_a_dead_worker_held() -> None:
    event = make_event(make_api_trigger(api_endpoint="https://example.org/"), triggered_at=NOW)
    assert claims.take([event.pk], "dead", NOW, NOW + delivery.LEASE)

    beat(NOW + delivery.LEASE + SECOND)

    event.refresh_from_db()
    assert (event.outcome, event.token, event.attempt_count) == ("pending", "", 1)
    attempt = event.attempts.get()
    assert (attempt.error_kind, attempt.number) == ("interrupted", 1)
    # The old worker wakes up: its result is refused, and leaves no attempt.
    late = claims.Result(event.pk, "dead", "succeeded", NOW, number=1, started_at=NOW, status=200)
    assert claims.write_results([late]) == (set(), [])
    assert Attempt.objects.count() == 1
    event.refresh_from_db()
    assert event.outcome == "pending"


def test_two_workers_with_one_hint_take_an_event_once() -> None:
    event = make_event(triggered_at=NOW)

    first = claims.take([event.pk], "one", NOW, NOW + delivery.LEASE)
    second = claims.take([event.pk], "two", NOW, NOW + delivery.LEASE)

    assert ([taken.id for taken in first], second) == ([event.pk], [])


def test_a_worker_that_slept_past_its_lease_cannot_lengthen_it() -> None:
    event = make_event(triggered_at=NOW)
    claims.take([event.pk], "sleeper", NOW, NOW + delivery.LEASE)
    assert claims.renew([(event.pk, "sleeper")], NOW + delivery.LEASE) == {(event.pk, "sleeper")}

    beat(NOW + delivery.LEASE)

    assert claims.renew([(event.pk, "sleeper")], NOW + 2 * delivery.LEASE) == set()


def test_an_old_hint_does_not_take_an_event_that_waits_for_its_retry() -> None:
    event = make_event(triggered_at=NOW, due_at=NOW + 30 * SECOND)

    assert claims.take([event.pk], "one", NOW + delivery.HOLD_AT_MOST, NOW + delivery.LEASE) == []


def test_an_older_beat_writes_nothing_more() -> None:
    trigger = make_trigger(schedule_value="60", now=NOW - 60 * SECOND)
    old = claims.start_beat("old:1", NOW)
    claims.start_beat("new:1", NOW)

    with pytest.raises(dispatch.Superseded):
        dispatch.hand_over_due(old, NOW)

    assert not trigger.events.exists()


def test_what_it_claimed_before_it_was_superseded_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "CHUNK", 2)
    broker = get_broker()
    broker.purge_queue()
    for _ in range(3):
        make_event(triggered_at=NOW)
    generation = claims.start_beat("old:1", NOW)

    def supersede_after_a_chunk(now: datetime) -> tuple[bool, claims.Held]:
        claimed = dispatch._hold_due_events(now)
        claims.start_beat("new:1", now)
        return claimed

    with pytest.raises(dispatch.Superseded):
        dispatch._claim(supersede_after_a_chunk, generation, NOW)

    held = Event.objects.filter(hand_over_at__gt=NOW).values_list("pk", flat=True)
    hinted = []
    while broker.queue_size():
        tasks = [SignedPackage.loads(package) for _, package in broker.dequeue() or []]
        hinted += [pk for task in tasks if task["func"] == dispatch.DELIVER for pk in task["args"][0]]
    assert len(hinted) == 2
    assert hinted == sorted(held)


def test_an_idle_pass_writes_nothing() -> None:
    generation = claims.start_beat("test:1", NOW)
    make_trigger(schedule_value="60", now=NOW)

    with connection.execute_wrapper(_refuse_writes):
        assert dispatch.hand_over_due(generation, NOW) is False


def _refuse_writes(execute: object, sql: str, params: object, many: bool, context: object) -> object:
    assert sql.lstrip().startswith("SELECT"), sql
    return execute(sql, params, many, context)  # type: ignore[operator]


def test_silence_is_noticed() -> None:
    now = timezone.now()
    assert dispatch.is_silent(now)

    claims.start_beat(dispatch.holder(), now)
    assert not dispatch.is_silent(now)
    assert dispatch.is_silent(now + dispatch.SILENT_AFTER + SECOND)
    assert dispatch.is_silent(now - timedelta(hours=1))  # the clock was set back, and nothing has beaten since

    Beat.objects.update(holder=f"{dispatch.holder().partition(':')[0]}:4194305")  # above the highest pid of Linux
    assert dispatch.is_silent(now)

    # In containers two clusters may call their host the same, and neither sees the processes of the other.
    Beat.objects.update(cluster="south")
    assert not dispatch.is_silent(now)


def test_a_fire_by_api_is_due_at_once() -> None:
    event = firing.fire(make_api_trigger(), NOW).event

    beat(NOW)

    event.refresh_from_db()
    assert event.hand_over_at == NOW + dispatch.LOOKAHEAD + dispatch.HINT_LOST_AFTER
