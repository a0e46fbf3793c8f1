"""What django-q2 calls by dotted path: a few lines each. A task never raises: it catches, records and returns."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Schedule

from triggers import bulk, delivery, dispatch, faults, liveness, replays, retention, sqlite_file

logger = logging.getLogger(__name__)
P = ParamSpec("P")

# The engine's own; settings.FURTHER_SCHEDULES has others of the same form, for those who stand above it.
# Each with its dotted path, minutes between two runs, and the seconds after which django-q2 gives it up.
SCHEDULES = (
    ("The beat", "triggers.tasks.beat", 1, dispatch.LASTS_SECONDS + 30),
    ("Replays", "triggers.tasks.go_on_with_replays", 1, 120),
    ("Bulk deeds", "triggers.tasks.go_on_with_bulk_deeds", 1, 120),
    ("Clean-up", "triggers.tasks.clean_up", 1, 600),
)


def never_raises(task: Callable[P, None]) -> Callable[P, None]:
    @functools.wraps(task)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            task(*args, **kwargs)
        except Exception as error:
            faults.log(logger, f"The task {task.__name__} failed", error)

    return guarded


@never_raises
def beat() -> None:
    """Be the beat for a while (dispatch.run_beat)."""
    dispatch.run_beat()


@never_raises
def deliver(pks: list[int]) -> None:
    """Deliver a batch of events: in a worker in the background, so that the next batch need not wait for endpoints."""
    if Conf.SYNC:
        delivery.deliver(pks)
    else:
        delivery.take_on(pks)


@never_raises
def go_on_with_replays() -> None:
    """Make the replays that batches of them are due to make, and ask for another turn when there are more."""
    if replays.go_on(timezone.now()):
        replays.ask_to_go_on()


@never_raises
def go_on_with_bulk_deeds() -> None:
    """Go on with what is done to many triggers, and ask for another turn when there is more."""
    if bulk.go_on():
        bulk.ask_to_go_on()


@never_raises
def clean_up() -> None:
    """Delete what is older than the retention window."""
    now = timezone.now()
    events = retention.forget_events(now, retention.lasts_seconds())
    triggers = retention.forget_triggers(now)
    retention.forget_recipes(now)
    retention.forget_hours(now)
    retention.forget_batches(now)
    retention.forget_deeds(now)
    retention.forget_changes(now)
    retention.forget_clusters(now)
    sqlite_file.fold_log(larger_than=sqlite_file.LARGE_LOG_BYTES)
    sqlite_file.keep_reserve()
    retention.record(now, events)
    if events or triggers:
        logger.info("Deleted %d expired events and %d deleted triggers", events, triggers)


@never_raises
def show_life() -> None:
    """A probe of this cluster's own: a worker that runs it shows that the queue to the workers still moves."""
    liveness.show_life()


def keep_schedules() -> None:
    """Make django-q2's schedules what SCHEDULES and the settings say; any others of ours from an older version go."""
    schedules = (*SCHEDULES, *settings.FURTHER_SCHEDULES)
    for name, path, minutes, timeout in schedules:
        Schedule.objects.update_or_create(
            name=name,
            defaults={
                "func": path,
                "schedule_type": Schedule.MINUTES,
                "minutes": minutes,
                "repeats": -1,
                "kwargs": repr({"q_options": {"timeout": timeout}}),
            },
        )
    ours = Q(func__startswith="triggers.") | Q(func__startswith="dashboard.")
    Schedule.objects.filter(ours).exclude(name__in=[name for name, *_ in schedules]).delete()
