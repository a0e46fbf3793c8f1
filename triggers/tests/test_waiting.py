"""Somebody steps in while an event waits: sent at once, or given up, and never from under a worker's hands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from triggers import claims, waiting
from triggers.models import Event, HourlyCount
from triggers.tests.factories import make_event

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LATER = NOW + timedelta(minutes=8)


def waiting_event(**fields: Any) -> Event:
    """Between two attempts."""
    fired = {"triggered_at": NOW - timedelta(minutes=2), "due_at": LATER, "hand_over_at": LATER}
    return make_event(**{"attempt_count": 2, "endpoint": "https://crm.example.com/", **fired, **fields})


def test_the_next_attempt_is_due_at_once() -> None:
    event = waiting_event()
    waiting.send_now(event, NOW)
    event.refresh_from_db()
    assert (event.due_at, event.hand_over_at, event.outcome) == (NOW, NOW, "pending")
    assert claims.take([event.pk], "mine", NOW, LATER)[0].attempt == 3


def test_what_has_been_due_for_a_while_keeps_its_time_and_gets_a_new_hint() -> None:
    due = NOW - timedelta(seconds=5)
    event = waiting_event(due_at=due, hand_over_at=LATER)
    waiting.send_now(event, NOW)
    event.refresh_from_db()
    assert (event.due_at, event.hand_over_at) == (due, NOW)


def test_a_scheduled_fire_is_never_sent_before_its_instant() -> None:
    event = waiting_event(source="schedule", scheduled_for=NOW + timedelta(seconds=1), attempt_count=0)
    with pytest.raises(waiting.NotWaiting):
        waiting.send_now(event, NOW)


def test_a_replay_that_was_to_come_later_is_fired_now() -> None:
    event = waiting_event(source="replay", triggered_at=LATER, attempt_count=0)
    waiting.send_now(event, NOW)
    event.refresh_from_db()
    assert event.triggered_at == NOW


def test_who_gave_up_is_on_record_with_what_went_wrong_before() -> None:
    event = waiting_event(reason="Status 503 is not one of 200-299.")
    waiting.give_up(event, "mara", NOW)
    event.refresh_from_db()
    assert (event.outcome, event.finished_at, event.hand_over_at) == ("failed", NOW, None)
    assert event.reason.startswith("Given up by mara after 2 of ")
    assert event.reason.endswith("Before: Status 503 is not one of 200-299.")
    assert HourlyCount.objects.get().outcome == "failed"


def test_one_that_was_never_sent_says_so() -> None:
    event = waiting_event(attempt_count=0)
    waiting.give_up(event, "mara", NOW)
    event.refresh_from_db()
    assert event.reason == "Given up by mara before it was sent."


def test_a_test_that_is_given_up_counts_in_no_figure() -> None:
    waiting.give_up(waiting_event(is_test=True), "mara", NOW)
    assert not HourlyCount.objects.exists()


@pytest.mark.parametrize("outcome", ["delivering", "succeeded", "failed", "logged", "skipped"])
def test_only_what_waits_can_be_sent_or_given_up(outcome: str) -> None:
    event = waiting_event(outcome=outcome)
    before = Event.objects.values().get(pk=event.pk)
    with pytest.raises(waiting.NotWaiting):
        waiting.send_now(event, NOW)
    with pytest.raises(waiting.NotWaiting):
        waiting.give_up(event, "mara", NOW)
    assert Event.objects.values().get(pk=event.pk) == before


def test_a_worker_that_took_it_first_keeps_it() -> None:
    event = waiting_event(due_at=NOW, hand_over_at=NOW)
    assert claims.take([event.pk], "mine", NOW, LATER)
    with pytest.raises(waiting.NotWaiting):  # the page still showed it as pending
        waiting.give_up(event, "mara", NOW)
    assert claims.renew([(event.pk, "mine")], LATER) == {(event.pk, "mine")}


def test_what_was_given_up_is_taken_by_nobody() -> None:
    event = waiting_event(due_at=NOW, hand_over_at=NOW)
    waiting.give_up(event, "mara", NOW)
    assert claims.take([event.pk], "mine", NOW, LATER) == []


def test_a_long_reason_still_fits() -> None:
    event = waiting_event(reason="x" * 500)
    waiting.give_up(event, "m" * 150, NOW)
    event.refresh_from_db()
    assert len(event.reason) == waiting.LONGEST_REASON
