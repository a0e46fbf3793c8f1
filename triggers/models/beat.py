"""The lease of the beat, and sums by hour."""

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


class Beat(models.Model):
    """The one row that says which beat is the beat: only the holder of the newest generation may claim."""

    ID = 1
    DEAD_AFTER = timedelta(seconds=10)  # not seen for so long: nothing beats

    generation = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=200, blank=True)  # host:pid
    cluster = models.CharField(max_length=60, blank=True)  # the name of the one that it runs in
    started_at = models.DateTimeField(null=True)
    # Written about once a second.
    seen_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Beat {self.generation} by {self.holder}"

    def is_alive(self, now: datetime) -> bool:
        return self.seen_at is not None and now - self.seen_at <= self.DEAD_AFTER
