"""One deed that is done to many triggers."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from triggers.models.changes import Author, Change


class BulkDeed(models.Model):
    """A wish to do one thing to many triggers, and how far it has come.

    It is worked off in small steps (triggers.bulk), each in one transaction with its place.
    """

    class Deed(models.TextChoices):
        SWITCH_ON = "switch_on", "Turn on"
        SWITCH_OFF = "switch_off", "Turn off"
        TEST = "test", "Test"
        DELETE = "delete", "Delete"

    deed = models.CharField(max_length=10, choices=Deed)
    # Those that it has something to change of, in the order in which it is done.
    trigger_ids: models.JSONField[Any, Any] = models.JSONField()
    # How many were chosen besides, and are as they should be.
    settled_count = models.PositiveIntegerField(default=0)
    by_kind = models.CharField(max_length=10, choices=Change.By)
    by_id = models.PositiveBigIntegerField(null=True)
    by_name = models.CharField(max_length=150, blank=True)
    begun_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    # The deed that took this one back.
    undone_by = models.OneToOneField("self", on_delete=models.SET_NULL, related_name="undoes", null=True)

    # How far it has come: so many of them have been looked at, and so many could not be done.
    place = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    # Pairs [trigger id, why not, in words] of the first of those.
    refusals: models.JSONField[Any, Any] = models.JSONField(default=list)

    class Meta:
        indexes = (
            # bulk.go_on() asks for what is begun and not ended.
            models.Index(fields=["id"], name="bulk_under_way", condition=Q(ended_at__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.get_deed_display()} {self.total} triggers"

    @property
    def author(self) -> Author:
        return Author(self.by_kind, self.by_id, self.by_name)

    @property
    def total(self) -> int:
        return len(self.trigger_ids)

    @property
    def done_count(self) -> int:
        return self.place - self.refused_count

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None

    @property
    def can_be_undone(self) -> bool:
        """Whether what was switched off can be switched on again, in one press."""
        return self.is_over and self.deed == self.Deed.SWITCH_OFF and self.done_count > 0 and self.undone_by_id is None
