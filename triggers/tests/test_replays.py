"""Many events are fired again: the forecast, the rate, the place after a crash, two who step at once, cancelling."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ
from pytest_httpserver import HTTPServer

from triggers import claims, definition, dispatch, firing, replays
from triggers.models import Event, HourlyCount, ReplayBatch, Trigger
from triggers.replays import Forecast, How, Selection
from triggers.tests.factories import make_api_trigger, make_event

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
ALL = Selection()
MINUTE = timedelta(minutes=1)


def fail(count: int = 1, trigger: Trigger | None = None, **fields: object) -> list[Event]:
    trigger = trigger or make_api_trigger(api_endpoint="https://example.com/")
    given = {"outcome": "failed", "triggered_at": NOW - 5 * MINUTE, **fields}
    return [make_event(trigger, **given) for _ in range(count)]


def dues(batch: ReplayBatch) -> list[float]:
    """The seconds from NOW on at which its replays are due."""
    return [(due_at - NOW).total_seconds() for due_at in batch.events.order_by("pk").values_list("due_at", flat=True)]


# --- Which, and how many ----------------------------------------------------------------------------------


def test_the_selection_is_by_trigger_and_time() -> None:
    trigger = make_api_trigger()
    early, late = fail(trigger=trigger, triggered_at=NOW - 30 * MINUTE) + fail(trigger=trigger)
    (other,) = fail()

    def chosen(selection: Selection) -> list[Event]:
        return list(selection.events().order_by("pk"))

    assert chosen(ALL) == [early, late, other]
    assert chosen(Selection(trigger_id=trigger.pk)) == [early, late]
    assert chosen(Selection(fired_from=NOW - 10 * MINUTE)) == [late, other]
    assert chosen(Selection(fired_until=NOW - 10 * MINUTE)) == [early]
    assert chosen(Selection(last_id=late.pk)) == [early, late]


def make_history(words: str) -> Trigger:
    """A trigger with an event for every letter, oldest first: failed, succeeded, a Test and a Replay that succeeded."""
    trigger = make_api_trigger(api_endpoint="https://example.com/")
    for letter in words:
        if letter == "f":
            fail(trigger=trigger)
        else:
            source = {"s": "api", "T": "test", "R": "replay"}[letter]
            make_event(trigger, outcome="succeeded", source=source, is_test=letter == "T")
    return trigger


@pytest.mark.parametrize(
    ("histories", "forecast"),
    [
        ([], Forecast(0)),
        (["fff"], Forecast(3)),
        (["ffs"], Forecast(2, superseded=2)),
        (["sff"], Forecast(2)),
        (["ffsf"], Forecast(3, superseded=2)),
        (["fT"], Forecast(1)),  # a test says nothing about real events
        (["fR"], Forecast(1)),  # a replay repeats an older one
        (["ffs", "ff", "fsf"], Forecast(6, superseded=3)),
    ],
)
def test_the_forecast_is_what_happens(histories: list[str], forecast: Forecast) -> None:
    for history in histories:
        make_history(history)

    assert replays.count(ALL, How()) == forecast
    assert replays.count(ALL, How(skips_superseded=False)) == Forecast(forecast.failed)
    batch = replays.begin(ALL, How(), "mara", NOW)

    assert (batch.total, batch.replayed_count, batch.skipped_count) == (
        forecast.failed,
        forecast.replayed,
        forecast.superseded,
    )
    assert batch.events.count() == forecast.replayed
    assert batch.state == ReplayBatch.State.DONE


def test_of_a_deleted_trigger_events_go_only_to_the_endpoint_of_then() -> None:
    trigger = make_history("ff")
    definition.delete(trigger.pk, NOW)
    then = How(uses_todays_endpoint=False)

    assert replays.count(ALL, How()) == Forecast(2, homeless=2)
    assert replays.begin(ALL, How(), "mara", NOW).skipped_count == 2
    assert replays.count(ALL, then) == Forecast(2)
    assert replays.begin(ALL, then, "mara", NOW).replayed_count == 2


def test_what_fails_later_is_not_of_the_batch() -> None:
    fail(3)
    batch = replays.begin(ALL, How(rate_per_minute=1), "mara", NOW)
    fail(2)

    replays.go_on(NOW + 2 * MINUTE)

    assert (batch.total, batch.events.count()) == (3, 3)


@pytest.mark.parametrize(
    ("rate", "count", "length"), [(60, 61, MINUTE), (60, 1, 0 * MINUTE), (60, 0, 0 * MINUTE), (600, 61, MINUTE / 10)]
)
def test_it_says_how_long_it_takes(rate: int, count: int, length: timedelta) -> None:
    assert How(rate_per_minute=rate).lasts(count) == length


# --- How fast ---------------------------------------------------------------------------------------------


def test_replays_are_due_one_after_the_other() -> None:
    fail(4)

    batch = replays.begin(ALL, How(rate_per_minute=30), "mara", NOW)

    assert dues(batch) == [0, 2, 4, 6]


def test_they_are_made_a_little_ahead_and_the_rate_holds_over_steps() -> None:
    fail(8)
    batch = replays.begin(ALL, How(rate_per_minute=1), "mara", NOW)
    assert dues(batch) == [0, 60, 120]
    assert not replays.go_on(NOW)
    assert dues(batch) == [0, 60, 120]

    replays.go_on(NOW + MINUTE)
    assert dues(batch) == [0, 60, 120, 180]
    replays.go_on(NOW + 60 * MINUTE)  # after a silence from now on, and no faster
    assert dues(batch) == [0, 60, 120, 180, 3600, 3660, 3720]


def test_what_succeeds_while_it_runs_is_left_out() -> None:
    trigger = make_history("ffff")
    batch = replays.begin(ALL, How(rate_per_minute=1), "mara", NOW)
    make_event(trigger, outcome="succeeded")

    replays.go_on(NOW + 2 * MINUTE)

    batch.refresh_from_db()
    assert (batch.state, batch.replayed_count, batch.skipped_count) == (ReplayBatch.State.DONE, 3, 1)


def test_what_was_replayed_otherwise_meanwhile_is_left_alone() -> None:
    events = fail(5)
    batch = replays.begin(ALL, How(rate_per_minute=1), "mara", NOW)
    firing.replay(events[4], NOW, uses_todays_endpoint=True)

    replays.go_on(NOW + 5 * MINUTE)

    batch.refresh_from_db()
    assert (batch.state, batch.total, batch.replayed_count, batch.skipped_count) == (ReplayBatch.State.DONE, 5, 4, 0)
    assert events[4].replays.count() == 1


def test_a_batch_that_fails_again_does_not_go_round_in_circles() -> None:
    fail(3)
    first = replays.begin(ALL, How(), "mara", NOW)
    Event.objects.unfinished().update(outcome="failed", hand_over_at=None)

    second = replays.begin(ALL, How(), "mara", NOW)

    assert [event.replay_of for event in second.events.order_by("pk")] == list(first.events.order_by("pk"))
    assert replays.count(ALL, How()) == Forecast(0)


# --- In steps, by anybody ---------------------------------------------------------------------------------


def test_the_caller_takes_the_first_step_and_the_cluster_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "STEP", 2)
    fail(5)

    batch = replays.begin(ALL, How(rate_per_minute=6000), "mara", NOW)

    assert batch.replayed_count == 2
    if not settings.REDIS_URL:  # that queue is one for all tests that run side by side
        assert OrmQ.objects.count() == 1
    assert not replays.go_on(NOW)
    batch.refresh_from_db()
    assert (batch.replayed_count, batch.state) == (5, ReplayBatch.State.DONE)


def test_a_task_that_runs_out_of_time_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "STEP", 1)
    fail(5)
    replays.begin(ALL, How(rate_per_minute=6000), "mara", NOW)

    assert replays.go_on(NOW, lasts_seconds=0)
    assert not replays.go_on(NOW)


def test_a_short_batch_does_not_wait_for_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "STEP", 1)
    long, short = make_history("f" * 6), make_history("ff")
    fast = How(rate_per_minute=6000)
    first = replays.begin(Selection(long.pk), fast, "mara", NOW)
    second = replays.begin(Selection(short.pk), fast, "mara", NOW)

    replays.go_on(NOW)

    in_order = Event.objects.filter(source="replay").order_by("pk").values_list("batch", flat=True)
    assert list(in_order)[:4] == [first.pk, second.pk, first.pk, second.pk]


class Crash(Exception):
    """The process is killed here."""


def test_a_crash_within_a_step_neither_doubles_nor_loses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "STEP", 3)
    events = fail(10)
    fast = How(rate_per_minute=6000)
    batch = replays.begin(ALL, fast, "mara", NOW)
    save = ReplayBatch.save

    def crash(self: ReplayBatch) -> None:
        raise Crash

    # After the replays are written, before the place is: the transaction of both is never committed.
    monkeypatch.setattr(ReplayBatch, "save", crash)
    with pytest.raises(Crash), transaction.atomic():
        replays.go_on(NOW)
    monkeypatch.setattr(ReplayBatch, "save", save)
    replays.go_on(NOW)

    assert [event.replays.count() for event in events] == [1] * 10
    assert dues(batch) == pytest.approx([number / 100 for number in range(10)])


@pytest.mark.django_db(transaction=True)
def test_two_who_step_at_once_make_no_event_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "STEP", 5)
    fail(60)
    fast = How(rate_per_minute=60_000)
    one = replays.begin(ALL, fast, "mara", NOW)
    two = replays.begin(ALL, fast, "mara", NOW)  # the same events, wished for a second time

    def work(_: int) -> None:
        try:
            replays.go_on(NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    replayed = Counter(Event.objects.filter(source="replay").values_list("replay_of", flat=True))
    assert set(replayed.values()) == {1}
    assert len(replayed) == 60
    for batch in (one, two):
        batch.refresh_from_db()
        assert batch.state == ReplayBatch.State.DONE
        assert len(set(dues(batch))) == batch.replayed_count  # the rate holds, whoever steps
    assert one.replayed_count + two.replayed_count == 60


# --- Cancelled --------------------------------------------------------------------------------------------


def test_cancelling_skips_what_nobody_has_in_hand() -> None:
    fail(10)
    batch = replays.begin(ALL, How(rate_per_minute=2), "mara", NOW)
    under_way, done, *waiting = batch.events.order_by("pk")
    Event.objects.filter(pk=under_way.pk).update(outcome="delivering", token="theirs")
    Event.objects.filter(pk=done.pk).update(outcome="succeeded", hand_over_at=None, finished_at=NOW)

    batch = replays.cancel(batch.pk, "mara", NOW)

    assert batch.state == ReplayBatch.State.CANCELLED
    progress = replays.progress(batch)
    assert progress.outcomes == {"delivering": 1, "succeeded": 1, "skipped": len(waiting)}
    assert (progress.left, progress.is_over) == (0, False)
    for event in Event.objects.filter(pk__in=[event.pk for event in waiting]):
        assert (event.reason, event.hand_over_at, event.finished_at) == ("Cancelled by mara", None, NOW)
        assert event.triggered_at <= NOW
    assert HourlyCount.objects.get(outcome="skipped").count == len(waiting)
    replays.go_on(NOW + 10 * MINUTE)
    assert batch.events.count() == 2 + len(waiting)
    # What was not replayed is failed for good, as before.
    assert Event.objects.failed_for_good().count() == 8


def test_what_was_under_way_and_failed_is_not_tried_again() -> None:
    fail(2)
    batch = replays.begin(ALL, How(), "mara", NOW)
    under_way = batch.events.order_by("pk")[0]
    Event.objects.filter(pk=under_way.pk).update(outcome="delivering")
    replays.cancel(batch.pk, "mara", NOW)
    Event.objects.filter(pk=under_way.pk).update(outcome="pending", hand_over_at=NOW + MINUTE)  # waits for its retry

    replays.go_on(NOW)

    under_way.refresh_from_db()
    assert (under_way.outcome, under_way.reason) == (Event.Outcome.SKIPPED, "Cancelled by mara")


def test_what_is_over_cannot_be_cancelled() -> None:
    fail(1)
    batch = replays.begin(ALL, How(), "mara", NOW)
    batch.events.update(outcome="succeeded", hand_over_at=None)

    assert replays.cancel(batch.pk, "mara", NOW).state == ReplayBatch.State.DONE


# --- The road ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sync_queue")
def test_a_batch_is_delivered_and_its_progress_is_in_the_rows(receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    started: datetime = timezone.now()
    fail(5, make_api_trigger(api_endpoint=receiver.url_for("/hook")))
    batch = replays.begin(ALL, How(rate_per_minute=60_000), "mara", started)
    assert not replays.progress(batch).is_over

    dispatch.hand_over_due(claims.start_beat("test:1", started), started)

    batch.refresh_from_db()
    progress = replays.progress(batch)
    assert (progress.outcomes, progress.finished, progress.is_over) == ({"succeeded": 5}, 5, True)
    assert len({request.headers["webhook-id"] for request, _ in receiver.log}) == 5
    assert HourlyCount.objects.get(outcome="succeeded").count == 5


def test_an_overlap_is_not_judged_by_replays() -> None:
    trigger = make_history("f")
    definition.change(
        trigger.pk,
        {"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "60", "overlap_policy": "skip"},
        NOW,
    )
    replays.begin(ALL, How(), "mara", NOW + MINUTE)

    dispatch.hand_over_due(claims.start_beat("test:1", NOW), NOW + MINUTE)

    assert trigger.events.filter(source="schedule").exclude(outcome="skipped").count() == 1
