"""What was changed about a trigger's definition, by whom and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from triggers.models.triggers import Trigger
from triggers.sealed import SealedJSONField


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something. `kind` is one of Change.By; the name is kept as text, so that it outlives the person."""

    kind: str
    id: int | None = None
    name: str = ""


class ChangeQuerySet(models.QuerySet["Change"]):
    def newest_first(self) -> ChangeQuerySet:
        return self.order_by("-id")

    def of_switching(self) -> ChangeQuerySet:
        """Those after which the trigger was on, or off; a new one is in `created`, whichever it was."""
        return self.filter(kind__in=Change.SWITCHING)

    def after_version(self, version: int) -> ChangeQuerySet:
        """Those that somebody who saw this version of the trigger does not know of."""
        return self.filter(version__gt=version)

    def forgettable(self, now: datetime) -> ChangeQuerySet:
        return self.filter(at__lte=now - timedelta(days=settings.CHANGE_RETENTION_DAYS))


class Change(models.Model):
    """One change of a trigger's definition. It outlives the trigger, and whoever made it."""

    class By(models.TextChoices):
        USER = "user", "A person"
        API_KEY = "api_key", "An API key"
        SERVER = "server", "The server"

    class Kind(models.TextChoices):
        CREATED = "created", "Created"
        CHANGED = "changed", "Changed"
        SWITCHED_ON = "switched_on", "Switched on"
        SWITCHED_OFF = "switched_off", "Switched off"
        SECRET_REPLACED = "secret_replaced", "Signing secret replaced"
        DELETED = "deleted", "Deleted"

    SWITCHING = (Kind.CREATED, Kind.SWITCHED_ON, Kind.SWITCHED_OFF)

    # Nothing in the database holds it to the trigger, whose row is forgotten earlier.
    trigger = models.ForeignKey(
        Trigger, on_delete=models.DO_NOTHING, related_name="changes", db_index=False, db_constraint=False
    )
    at = models.DateTimeField(default=timezone.now)
    by_kind = models.CharField(max_length=10, choices=By)
    by_id = models.PositiveBigIntegerField(null=True)
    by_name = models.CharField(max_length=150, blank=True)
    kind = models.CharField(max_length=20, choices=Kind)
    # The trigger's, after the change.
    version = models.PositiveIntegerField(default=1)
    # Why, in words, where the server did it by itself.
    reason = models.CharField(max_length=500, blank=True)
    # What chronicle.differences() returns; None: nothing to say. Encrypted, as values of headers are everywhere.
    fields = SealedJSONField(null=True)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["trigger", "id"], name="change_of_trigger"),
            models.Index(fields=["at"], name="change_by_time"),  # retention.forget_changes() asks for the old ones
        )

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"

    @property
    def differences(self) -> list[dict[str, Any]]:
        """What became of each field: `field`, `old`, `new` (see chronicle.differences())."""
        return self.fields or []


SERVER = Author(Change.By.SERVER.value)
