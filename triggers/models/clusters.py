"""Which clusters there are, and what the last clean-up did: what System health shows of the processes at work."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

SILENT_AFTER = timedelta(seconds=15)  # five beats of a row that is written every 3 s
GONE_AFTER = timedelta(minutes=5)


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def living_workers(self, now: datetime) -> int:
        """How many workers the clusters have that were seen lately and have not stopped."""
        lately = self.filter(stopped_at=None, seen_at__gt=now - SILENT_AFTER, seen_at__lt=now + SILENT_AFTER)
        return lately.aggregate(workers=models.Sum("workers"))["workers"] or 0


class Cluster(models.Model):
    """One `manage.py cluster`. Its own watcher keeps the row, and nobody else writes it."""

    class State(models.TextChoices):
        LEADER = "leader", "Leader"  # the beat runs in it
        READY = "ready", "Ready"
        SILENT = "silent", "Silent"  # not seen for 15 s
        GONE = "gone", "Gone"  # stopped, or not seen for minutes

    name = models.CharField(max_length=60, unique=True)  # "north-kilo-seven", made anew at every start
    host = models.CharField(max_length=200)
    pid = models.PositiveBigIntegerField()  # of the watcher
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    workers = models.PositiveIntegerField(default=0)  # processes that live
    delivering = models.PositiveIntegerField(default=0)  # events in the hands of those
    executed = models.PositiveBigIntegerField(default=0, db_default=0)  # events finished since it started
    stopped_at = models.DateTimeField(null=True)
    # What it had begun was finished, and the rest given back.
    is_stopped_in_order = models.BooleanField(default=False)

    objects = ClusterQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def age(self, now: datetime) -> timedelta:
        """How long ago it was seen; by a clock that was set back since, how long it is until then."""
        return abs(now - self.seen_at)

    def state(self, now: datetime, leader: str) -> State:
        """Return how it is; `leader` is the name of the cluster that beats, "" when nothing does."""
        if self.stopped_at or self.age(now) > GONE_AFTER:
            return self.State.GONE
        if self.age(now) > SILENT_AFTER:
            return self.State.SILENT
        return self.State.LEADER if self.name == leader else self.State.READY


class CleanUp(models.Model):
    """The one row that says when expired events were last deleted, and how many were."""

    ID = 1

    at = models.DateTimeField()
    deleted = models.PositiveBigIntegerField(default=0)  # events, in that run

    def __str__(self) -> str:
        return f"Clean-up at {self.at}: {self.deleted} events"
