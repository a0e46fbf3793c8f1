"""The lease of the beat, and sums by hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

from triggers.models.events import Event


class HourlyCount(models.Model):
    """How many events ended in which outcome, by the UTC hour of `triggered_at`; test events left out."""

    hour = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Event.Outcome)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["hour", "outcome"], name="hourly_count_once"),)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} {self.outcome}: {self.count}"


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
