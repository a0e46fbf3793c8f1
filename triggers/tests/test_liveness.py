"""Signs between the processes of a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from triggers import bulk, liveness, replays, retention
from triggers.models import SERVER, BulkDeed, ReplayBatch, Trigger, TriggerHour
from triggers.tests.factories import make_api_trigger, make_event


def test_a_clock_that_is_set_makes_no_sign_older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(liveness.FOLDER_VARIABLE, str(tmp_path))
    assert liveness.age(tmp_path, "alive") == float("inf")

    liveness.show_life()

    set_forward = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: set_forward)
    assert 0 <= liveness.age(tmp_path, "alive") < 60


@pytest.mark.django_db
@pytest.mark.parametrize(
    "work",
    [
        retention.forget_events,
        retention.forget_hours,
        retention.forget_changes,
        replays.go_on,
        lambda now: bulk.go_on(lambda: now),
    ],
)
def test_a_worker_that_works_for_long_shows_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[datetime], int]
) -> None:
    now = timezone.now()
    long_ago = now - timedelta(days=100)
    trigger = make_api_trigger(now=long_ago)  # a change of then
    make_event(trigger, outcome="logged", triggered_at=long_ago)
    TriggerHour.objects.create(hour=long_ago, trigger=trigger, outcome="logged", latency_band=-1)
    ReplayBatch.objects.create(total=1, last_id=1, next_due_at=now)
    bulk.begin(BulkDeed.Deed.SWITCH_OFF, Trigger.objects.all(), SERVER, now)
    monkeypatch.setenv(liveness.FOLDER_VARIABLE, str(tmp_path))

    work(now)

    assert liveness.age(tmp_path, "alive") < 60
