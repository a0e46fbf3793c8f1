"""Forgotten after 48 h: expired events go in small chunks, so that no writer waits for long. Changes stay 90 days."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from triggers import liveness, sqlite_file
from triggers.models import (
    Attempt,
    BulkDeed,
    Change,
    CleanUp,
    Cluster,
    Event,
    HourlyCount,
    Recipe,
    ReplayBatch,
    Trigger,
    TriggerHour,
    retention,
)

CHUNK = 1000  # rows in one transaction
PAUSE_SECONDS = 0.01  # between two chunks, for the writers that wait
SMALLEST_CHUNK, LARGEST_CHUNK = 200, 5000  # events in one transaction
LASTS_SECONDS = 40.0  # of one clean-up; the next comes in a minute, and a worker has other things to do
LASTS_ALONE_SECONDS = 5.0  # where every hint waits meanwhile, for the one other worker is the beat's


class _Pace(NamedTuple):
    """How long a chunk is to last, and the pause behind it, times as long as the chunk took."""

    chunk_seconds: float
    pause_ratio: float


# SQLite has one writer at a time. The others look for their turn in steps of up to 0.1 s, and have to find it free.
_SQLITE = _Pace(0.03, 2.0)
# Nobody waits for what PostgreSQL deletes.
_POSTGRES = _Pace(0.1, 0.2)
LONGEST_PAUSE_SECONDS = 0.5
LET_GO_AFTER = timedelta(minutes=1)  # a call that read the trigger before it was deleted may still write its event
CLUSTERS_KEPT = timedelta(days=1)  # after they were last seen
COMPARED = timedelta(hours=48)  # the overview compares a day with the day before, however short events are kept


def lasts_seconds() -> float:
    """Return for how long one clean-up may hold a worker of this cluster."""
    return LASTS_SECONDS if settings.CLUSTER_WORKERS > 2 else LASTS_ALONE_SECONDS


def forget_events(now: datetime, lasts_seconds: float = LASTS_SECONDS) -> int:
    """Delete events that are older than the retention window and wait for no delivery, oldest first; return how many.

    It ends after so many seconds; what is left is for the next time.
    """
    pace = _SQLITE if connection.vendor == "sqlite" else _POSTGRES
    deleted, size, place = 0, SMALLEST_CHUNK, None
    ends_at = time.monotonic() + lasts_seconds
    while time.monotonic() < ends_at:
        liveness.show_life()
        # From where it is, or it would pass by all that it has just deleted: PostgreSQL clears that away much later.
        expired = (
            Event.objects.expired(now) if place is None else Event.objects.expired(now).filter(triggered_at__gte=place)
        )
        chunk = list(expired.order_by("triggered_at").values_list("pk", "triggered_at")[:size])
        if not chunk:
            break
        pks, place = [pk for pk, _ in chunk], chunk[-1][1]
        with transaction.atomic():
            began = time.perf_counter()
            # Asked again: an event may have been revived (a retry, one day) since it was read. What somebody holds, to
            # replay it, is left for the next time: to wait for it could be to wait in a circle.
            free = Event.objects.expired(now).filter(pk__in=pks).select_for_update(skip_locked=True)
            if not (pks := list(free.values_list("pk", flat=True))):
                break
            Attempt.objects.filter(event__in=pks)._raw_delete(using="default")
            deleted += Event.objects.filter(pk__in=pks)._raw_delete(using="default")
        took = time.perf_counter() - began
        size = round(max(min(size * pace.chunk_seconds / took, size * 2, LARGEST_CHUNK), SMALLEST_CHUNK))
        time.sleep(min(took * pace.pause_ratio, LONGEST_PAUSE_SECONDS))
    return deleted


def make_room(now: datetime) -> int:
    """Delete what is expired although the disk is full, by giving up the reserve; return how many events.

    Nothing is given up when nothing can be deleted.
    """
    if not Event.objects.expired(now).exists() or not sqlite_file.give_up_reserve():
        return 0
    deleted = forget_events(now)
    sqlite_file.fold_log()
    sqlite_file.keep_reserve()
    return deleted


def forget_triggers(now: datetime) -> int:
    """Delete the rows of triggers deleted a while ago whose last event is gone; return how many.

    Their recipes, which hold secrets, count as replaced from then on.
    """
    has_events = Exists(Event.objects.filter(trigger=OuterRef("pk")))
    gone = Trigger.with_deleted.filter(~has_events, deleted_at__lte=now - LET_GO_AFTER)
    with transaction.atomic():
        recipes = list(gone.values_list("recipe", flat=True))
        deleted = gone.delete()[0]
        is_used = Exists(Trigger.with_deleted.filter(recipe=OuterRef("pk")))
        Recipe.objects.filter(~is_used, pk__in=recipes).update(superseded_at=now)
    return deleted


def forget_recipes(now: datetime) -> int:
    """Delete recipes that were replaced, once no event can be of theirs any more; return how many."""
    # Events of theirs that still wait are few, and stand in a small index; finished ones are as old as the recipe.
    waiting = Event.objects.filter(hand_over_at__isnull=False, recipe__isnull=False).values("recipe")
    gone = Recipe.objects.filter(superseded_at__lt=now - retention() - LET_GO_AFTER).exclude(pk__in=waiting)
    return gone.delete()[0]


def forget_batches(now: datetime) -> int:
    """Delete the batches of replays that ended so long ago that their events are gone; return how many."""
    has_events = Exists(Event.objects.filter(batch=OuterRef("pk")))
    return ReplayBatch.objects.filter(~has_events, ended_at__lte=now - retention()).delete()[0]


def forget_deeds(now: datetime) -> int:
    """Delete what is on record of deeds to many triggers that ended before the retention window; return how many."""
    return BulkDeed.objects.filter(ended_at__lte=now - retention()).delete()[0]


def forget_hours(now: datetime) -> int:
    """Delete the sums of hours that no chart shows any more; return how many."""
    shown_since = now - max(retention(), COMPARED) - timedelta(hours=1)
    deleted = HourlyCount.objects.filter(hour__lt=shown_since).delete()[0]
    gone = TriggerHour.objects.filter(hour__lt=shown_since).order_by("hour")
    while pks := list(gone.values_list("pk", flat=True)[:CHUNK]):
        liveness.show_life()
        deleted += TriggerHour.objects.filter(pk__in=pks).delete()[0]
        time.sleep(PAUSE_SECONDS)
    return deleted


def forget_changes(now: datetime) -> int:
    """Delete what was on record of definitions for CHANGE_RETENTION_DAYS; return how many changes."""
    deleted = 0
    while pks := list(Change.objects.forgettable(now).order_by("at").values_list("pk", flat=True)[:CHUNK]):
        liveness.show_life()
        deleted += Change.objects.filter(pk__in=pks)._raw_delete(using="default")
        time.sleep(PAUSE_SECONDS)
    return deleted


def forget_clusters(now: datetime) -> int:
    """Delete the rows of clusters that have not been seen for a day; return how many."""
    return Cluster.objects.filter(seen_at__lt=now - CLUSTERS_KEPT).delete()[0]


def record(now: datetime, deleted: int) -> None:
    """Put down that the clean-up has run, and how many events it deleted."""
    CleanUp.objects.update_or_create(pk=CleanUp.ID, defaults={"at": now, "deleted": deleted})
