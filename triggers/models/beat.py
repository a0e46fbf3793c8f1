"""The lease of the beat, sums by hour, and totals."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from triggers.models.events import Event
from triggers.models.triggers import Trigger


class HourlyCount(models.Model):
    """How many events ended in which outcome, by the UTC hour of `triggered_at`; test events left out."""

    hour = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Event.Outcome)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["hour", "outcome"], name="hourly_count_once"),)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} {self.outcome}: {self.count}"


class TriggerHour(models.Model):
    """The same of every trigger: so many of its events ended in this outcome, with a latency in this band.

    The latency is that of an event's last attempt, if it was answered (triggers.bands). Bumped in the transaction that
    finishes the events; the log need not be read for a trigger's figures.
    """

    hour = models.DateTimeField()
    # No constraint in the database: rows may outlive the trigger, and every bump would look it up.
    trigger = models.ForeignKey(
        Trigger, on_delete=models.DO_NOTHING, related_name="hours", db_index=False, db_constraint=False
    )
    outcome = models.CharField(max_length=10, choices=Event.Outcome)
    latency_band = models.SmallIntegerField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (
            # The hour first: what is bumped now lies side by side. Asked for by a few hours and triggers, each named.
            models.UniqueConstraint(fields=["hour", "trigger", "outcome", "latency_band"], name="trigger_hour_once"),
        )
        indexes = (
            # The list of triggers, lowest success first: those that failed at all are few.
            models.Index(fields=["hour", "trigger"], name="trigger_hour_failed", condition=Q(outcome="failed")),
        )

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} trigger {self.trigger_id} {self.outcome}: {self.count}"


class Total(models.Model):
    """How many of a kind there have been since this table was made: nothing is ever taken away. /metrics shows it.

    Bumped in the transaction that finishes the events; test events left out. `label` tells those of one kind apart:
    an outcome, a cause, or the upper bound of a bucket in seconds (triggers.bands.BOUNDS).
    """

    class Kind(models.TextChoices):
        EVENTS = "events", "Events"  # finished, by outcome
        SKIPPED = "skipped", "Skipped instants"  # by cause
        LATENESS = "lateness", "Lateness"  # from the due instant to the first attempt
        DURATION = "duration", "Duration"  # from there to the end of the last

    kind = models.CharField(max_length=10, choices=Kind)
    label = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)  # of all that were counted, where the kind is a time

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "label"], name="total_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.label}: {self.count}"


class Beat(models.Model):
    """The one row that says which beat is the beat: only the holder of the newest generation may claim."""

    ID = 1
    DEAD_AFTER = timedelta(seconds=10)  # not seen for so long: nothing beats

    generation = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=200, blank=True)  # host:pid
    cluster = models.CharField(max_length=60, blank=True)  # the name of the one that it runs in
    started_at = models.DateTimeField(null=True)
    # Written about once a second, as is the number below.
    seen_at = models.DateTimeField(null=True)
    # Events that were handed over to workers, one that was lost again: by all beats that ever were.
    handed_over = models.PositiveBigIntegerField(default=0, db_default=0)
    handed_over_before = models.PositiveBigIntegerField(default=0, db_default=0)  # by those before this one

    def __str__(self) -> str:
        return f"Beat {self.generation} by {self.holder}"

    @property
    def executed(self) -> int:
        """How many events this beat has handed over since it started."""
        return self.handed_over - self.handed_over_before

    def age(self, now: datetime) -> timedelta | None:
        """How long ago it was seen; None: it was not, or has ended.

        Never less than nothing: seen in the future, by a clock that was set back since, is as far from now.
        """
        return None if self.seen_at is None else abs(now - self.seen_at)

    def is_alive(self, now: datetime) -> bool:
        age = self.age(now)
        return age is not None and age <= self.DEAD_AFTER
