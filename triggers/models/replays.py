"""Many events that failed for good, fired again, bit by bit."""

from __future__ import annotations

from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from triggers.models.triggers import Trigger

MOST_A_MINUTE = 60_000


class ReplayBatch(models.Model):
    """A wish to fire failed events again: which, how fast, and how far it has come.

    The events are those that failed for good and are no tests, up to `last_id` (what was on record when the batch
    began), oldest first. It is worked off in small steps (triggers.replays), each in one transaction with its place.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    # Which events; None: no such bound.
    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="+", null=True)
    fired_from = models.DateTimeField(null=True)
    fired_until = models.DateTimeField(null=True)
    last_id = models.BigIntegerField()

    # How: to the endpoint of today or of then; not where a later event of the trigger has succeeded; so fast.
    uses_todays_endpoint = models.BooleanField(default=True)
    skips_superseded = models.BooleanField(default=True)
    rate_per_minute = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(MOST_A_MINUTE)]
    )

    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    begun_by = models.CharField(max_length=150)
    begun_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    total = models.PositiveIntegerField()
    # How far it has come: the id of the last event that was looked at, and what became of those so far.
    place_id = models.BigIntegerField(default=0)
    replayed_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    # When the next replay is due, so that the rate holds over steps.
    next_due_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Replay of {self.total} events"

    @property
    def interval(self) -> timedelta:
        """From one replay to the next."""
        return timedelta(minutes=1) / self.rate_per_minute

    @property
    def looked_at(self) -> int:
        return self.replayed_count + self.skipped_count
