"""The definition: what fires, when, with which payload, and where it is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from triggers.models.recipes import Recipe
from triggers.schedules import MissedPolicy, OverlapPolicy

LONGEST_SPREAD = 3600  # seconds
MOST_FIRES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of the due instants of a trigger since its schedule began: each is in one of the three counts."""

    since: datetime
    fired: int
    missed: int
    overlapped: int

    @property
    def due(self) -> int:
        return self.fired + self.missed + self.overlapped


class TriggerQuerySet(models.QuerySet["Trigger"]):
    def enabled(self) -> TriggerQuerySet:
        return self.filter(enabled=True)

    def paused(self) -> TriggerQuerySet:
        """Those that the server has switched off by itself."""
        return self.exclude(problem="").order_by("pk")

    def scheduled(self) -> TriggerQuerySet:
        return self.filter(type=Trigger.Type.SCHEDULED)

    def named_like(self, words: str) -> TriggerQuerySet:
        """Those with these words in their name, those that begin with them first."""
        begins = Case(When(name__istartswith=words, then=0), default=1, output_field=models.IntegerField())
        return self.filter(name__icontains=words).order_by(begins, "name", "pk")

    def with_delivery(self) -> TriggerQuerySet:
        """With how they deliver (no further queries), but for the secrets that nobody is shown."""
        unread = ("signing_secret", "old_signing_secret", "client_key")
        return self.select_related("recipe").defer(*(f"recipe__{name}" for name in unread))

    def next_fires(self) -> TriggerQuerySet:
        """Those that will fire by themselves, soonest first."""
        return self.filter(next_fire_at__isnull=False).order_by("next_fire_at", "id")


_TriggerManager = models.Manager.from_queryset(TriggerQuerySet)


class ExistingTriggers(_TriggerManager["Trigger"]):
    """All triggers that nobody has deleted; a deleted one only lends its name to its last events."""

    def get_queryset(self) -> TriggerQuerySet:
        return TriggerQuerySet(self.model, using=self._db).filter(deleted_at__isnull=True)


class Trigger(models.Model):
    """The definition: what fires, when, with which payload, and where it is delivered."""

    class Type(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        API = "api", _("API")

    class ScheduleType(models.TextChoices):
        FIXED_TIME = "fixed_time", _("At a time")
        FIXED_INTERVAL = "fixed_interval", _("Every…")
        CRON = "cron", _("Cron")
        DATE = "date", _("On a date")

    class MissedPolicy(models.TextChoices):
        RUN_ONCE = MissedPolicy.RUN_ONCE.value, _("Fire once when back")
        RUN_ALL = MissedPolicy.RUN_ALL.value, _("Fire all, at most the newest 100")
        SKIP = MissedPolicy.SKIP.value, _("Skip them")

    class OverlapPolicy(models.TextChoices):
        ALLOW = OverlapPolicy.ALLOW.value, _("Fire all the same")
        SKIP = OverlapPolicy.SKIP.value, _("Skip this fire")

    name = models.CharField(max_length=120)
    type = models.CharField(max_length=10, choices=Type)
    # Empty for API triggers, as is `schedule_value`.
    schedule_type = models.CharField(max_length=20, choices=ScheduleType, blank=True)
    schedule_value = models.CharField(max_length=100, blank=True)
    is_recurring = models.BooleanField(default=True)
    # ISO, 1 Monday … 7 Sunday, for fixed_time; empty: every day.
    weekdays: models.JSONField[Any, Any] = models.JSONField(default=list, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    # The first and the last instant of the schedule that count; intervals count from the first.
    not_before = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)
    # After so many scheduled fires it switches itself off.
    max_fires = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_FIRES)]
    )
    # Every fire is later by a delay below this, always the same for one trigger (schedules.spread_delay).
    spread_seconds = models.PositiveIntegerField(default=0, validators=[MaxValueValidator(LONGEST_SPREAD)])
    missed_policy = models.CharField(max_length=10, choices=MissedPolicy, default=MissedPolicy.RUN_ONCE)
    overlap_policy = models.CharField(max_length=10, choices=OverlapPolicy, default=OverlapPolicy.ALLOW)
    # Empty: its events are only logged. How they are delivered there is in the recipe.
    api_endpoint = models.CharField(max_length=2000, blank=True)
    payload: models.JSONField[Any, Any] = models.JSONField(default=dict)
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="+", null=True, editable=False)
    # All events of a test trigger are test events: they never count in figures.
    is_test = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)

    # What the machine keeps.
    # What intervals count from: creation, last change of the schedule, or one interval before `not_before`.
    starts_at = models.DateTimeField()
    # None: it does not fire by itself (API, off, or done).
    next_fire_at = models.DateTimeField(null=True, editable=False)
    # Why the server switched it off, in words; empty while all is well.
    problem = models.CharField(max_length=500, blank=True, editable=False)
    # Failed events one after another, as far as its recipe asks for them to be counted.
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    # Under a rate limit: from when on the next request may be sent (claims.reserve()).
    rate_free_at = models.DateTimeField(null=True, editable=False)
    # The ledger: what became of every instant that was due since the schedule began.
    counted_since = models.DateTimeField(default=timezone.now, editable=False)
    fired_count = models.PositiveBigIntegerField(default=0, editable=False)
    missed_count = models.PositiveBigIntegerField(default=0, editable=False)
    overlap_count = models.PositiveBigIntegerField(default=0, editable=False)
    # Counts what is saved of the definition, also that the server switches it off; moves and counts are no edits.
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, editable=False)

    with_deleted = models.Manager()
    objects = ExistingTriggers()

    class Meta:
        default_manager_name = "objects"
        base_manager_name = "with_deleted"
        indexes = (
            # claims.due_triggers() asks for exactly this, five times a second.
            models.Index(
                fields=["next_fire_at"],
                name="trigger_due",
                condition=Q(next_fire_at__isnull=False),
            ),
            # The overview and the list show what the server switched off first.
            models.Index(fields=["id"], name="trigger_paused", condition=~Q(problem="")),
            # How many there are, which every page says; the rows themselves are large.
            models.Index(fields=["type"], name="trigger_existing", condition=Q(deleted_at__isnull=True)),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_scheduled(self) -> bool:
        return self.type == self.Type.SCHEDULED

    @property
    def fires_left(self) -> int | None:
        """How often it may still fire by its schedule; None: there is no most."""
        return None if self.max_fires is None else max(self.max_fires - self.fired_count, 0)

    @property
    def is_exhausted(self) -> bool:
        """Whether it has fired as often as it may."""
        return self.fires_left == 0

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.counted_since, self.fired_count, self.missed_count, self.overlap_count)
