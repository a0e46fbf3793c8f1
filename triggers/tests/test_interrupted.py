"""An event that ends every worker that takes it: it goes alone, and then no more; the others do not go with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.signing import SignedPackage

from triggers import claims, dispatch
from triggers.models import Event, HourlyCount
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
LONG_AGO = NOW - timedelta(minutes=5)


def lost(before: list[str]) -> Event:
    """An event whose worker is gone, with attempts before that ended so; "" was answered."""
    trigger = make_api_trigger(api_endpoint="https://example.org/hook")
    number = len(before) + 1
    event = make_event(trigger, triggered_at=LONG_AGO, outcome="delivering", token="dead", attempt_count=number)
    for number, error_kind in enumerate(before, 1):
        make_attempt(event, number, error_kind=error_kind, status=None if error_kind else 503)
    return event


def hand_over() -> list[list[int]]:
    """Let the beat look, and return the events of each message that it sends."""
    broker = get_broker()
    broker.purge_queue()
    dispatch.hand_over_due(claims.start_beat("test:1", NOW), NOW)
    sent = []
    while broker.queue_size():
        tasks = [SignedPackage.loads(package) for _, package in broker.dequeue() or []]
        sent += [task["args"][0] for task in tasks if task["func"] == dispatch.DELIVER]
    return sent


@pytest.mark.parametrize(
    ("before", "outcome"),
    [
        ([], "pending"),
        (["interrupted"] * 3, "pending"),
        (["interrupted"] * 4, "failed"),
        (["interrupted", "interrupted", "", "interrupted", "interrupted"], "pending"),  # not in a row
        (["", "timeout", *["interrupted"] * 4], "failed"),
    ],
)
def test_after_five_interruptions_in_a_row_it_has_failed(before: list[str], outcome: str) -> None:
    event = lost(before)

    hand_over()

    event.refresh_from_db()
    assert event.outcome == outcome
    assert event.attempts.filter(error_kind="interrupted").count() == before.count("interrupted") + 1


def test_it_says_why_and_counts_in_the_figures() -> None:
    event = lost(["interrupted"] * 4)

    assert hand_over() == []

    event.refresh_from_db()
    assert event.reason.startswith("The server stopped in 5 attempts one after another.")
    assert (event.hand_over_at, event.token, event.finished_at) == (None, "", NOW)
    assert HourlyCount.objects.get(outcome="failed").count == 1


def test_what_was_interrupted_twice_goes_in_a_message_of_its_own() -> None:
    others = [lost([]).pk for _ in range(3)]
    suspects = [lost(["interrupted"]).pk for _ in range(2)]

    assert sorted(hand_over(), key=len, reverse=True) == [others, *([pk] for pk in suspects)]
