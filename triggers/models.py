"""What is stored: triggers, their events with every attempt, sums by hour, and the lease of the beat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from triggers.schedules import Cause, MissedPolicy, OverlapPolicy

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

    def scheduled(self) -> TriggerQuerySet:
        return self.filter(type=Trigger.Type.SCHEDULED)

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
        SCHEDULED = "scheduled", "Scheduled"
        API = "api", "API"

    class ScheduleType(models.TextChoices):
        FIXED_TIME = "fixed_time", "At a time"
        FIXED_INTERVAL = "fixed_interval", "Every…"
        CRON = "cron", "Cron"
        DATE = "date", "On a date"

    class MissedPolicy(models.TextChoices):
        RUN_ONCE = MissedPolicy.RUN_ONCE.value, "Fire once when back"
        RUN_ALL = MissedPolicy.RUN_ALL.value, "Fire all, at most the newest 100"
        SKIP = MissedPolicy.SKIP.value, "Skip them"

    class OverlapPolicy(models.TextChoices):
        ALLOW = OverlapPolicy.ALLOW.value, "Fire all the same"
        SKIP = OverlapPolicy.SKIP.value, "Skip this fire"

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
    # Empty: its events are only logged.
    api_endpoint = models.CharField(max_length=2000, blank=True)
    payload: models.JSONField[Any, Any] = models.JSONField(default=dict)
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
    # The ledger: what became of every instant that was due since the schedule began.
    counted_since = models.DateTimeField(default=timezone.now, editable=False)
    fired_count = models.PositiveBigIntegerField(default=0, editable=False)
    missed_count = models.PositiveBigIntegerField(default=0, editable=False)
    overlap_count = models.PositiveBigIntegerField(default=0, editable=False)
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


class EventQuerySet(models.QuerySet["Event"]):
    def for_log(self) -> EventQuerySet:
        """Newest first, with all that a row of the log table shows (no further queries)."""
        return self.select_related("trigger").order_by("-id")

    def counted(self) -> EventQuerySet:
        """Without test events, which never count in figures."""
        return self.filter(is_test=False)

    def failed(self) -> EventQuerySet:
        return self.filter(outcome=Event.Outcome.FAILED)

    def unfinished(self) -> EventQuerySet:
        return self.filter(outcome__in=Event.UNFINISHED)

    def finished(self) -> EventQuerySet:
        return self.exclude(outcome__in=Event.UNFINISHED)

    def active(self, now: datetime) -> EventQuerySet:
        """Fired so lately that they are not yet archived."""
        return self.filter(triggered_at__gt=active_since(now))

    def archived(self, now: datetime) -> EventQuerySet:
        return self.filter(triggered_at__lte=active_since(now))

    def expired(self, now: datetime) -> EventQuerySet:
        """To be deleted: older than the retention window, and not waiting for a delivery."""
        return self.finished().filter(triggered_at__lte=now - retention())


def active_since(now: datetime) -> datetime:
    """Return the instant after which an event is active."""
    return now - timedelta(hours=settings.EVENT_ACTIVE_HOURS)


def retention() -> timedelta:
    """Return how long an event is kept, counted from `triggered_at`."""
    return timedelta(hours=settings.EVENT_RETENTION_HOURS)


def webhook_id(event_id: int, triggered_at: datetime) -> str:
    """Return the id that receivers de-duplicate by: the same over all attempts, unlike that of any other event.

    The instant is part of it so that a server which starts again with an empty database does not repeat one.
    """
    return f"evt_{event_id}_{round(triggered_at.timestamp() * 1_000_000):x}"


class Event(models.Model):
    """One firing and its record. It carries its own payload and endpoint: an edit never changes what was fired."""

    class Outcome(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERING = "delivering", "Delivering"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        LOGGED = "logged", "Logged"
        SKIPPED = "skipped", "Skipped"

    class Source(models.TextChoices):
        SCHEDULE = "schedule", "Schedule"
        API = "api", "API"
        TEST = "test", "Test"
        REPLAY = "replay", "Replay"

    class SkipCause(models.TextChoices):
        MISSED = Cause.MISSED.value, "Missed"
        OVERLAP = Cause.OVERLAP.value, "Overlap"

    UNFINISHED = (Outcome.PENDING, Outcome.DELIVERING)

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="events", db_index=False)
    source = models.CharField(max_length=10, choices=Source)
    is_test = models.BooleanField(default=False)
    payload: models.JSONField[Any, Any] = models.JSONField(default=dict)
    endpoint = models.CharField(max_length=2000, blank=True)
    # The instant of the schedule; None for every other source.
    scheduled_for = models.DateTimeField(null=True)
    triggered_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.PENDING)
    # Why it was skipped, or why it failed for good, in words.
    reason = models.CharField(max_length=500, blank=True)
    # A skipped event stands for so many instants, from `scheduled_for` to `skipped_until`, and says why.
    skipped_count = models.PositiveIntegerField(default=0)
    skipped_until = models.DateTimeField(null=True)
    skip_cause = models.CharField(max_length=10, choices=SkipCause, blank=True)

    # The delivery as it stands.
    due_at = models.DateTimeField()
    attempt_count = models.PositiveSmallIntegerField(default=0)
    first_sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)

    # Who holds it. From `hand_over_at` on the beat may hand it to a worker: while pending this is when it is
    # due (or when its last hint counts as lost), while delivering the end of the worker's lease; None when finished.
    hand_over_at = models.DateTimeField(null=True)
    # Every result is written `WHERE token = mine`; a worker whose lease ran out finds another token.
    token = models.CharField(max_length=32, blank=True)

    # Promise 2: the same key (for this trigger) is the same event, as long as the event is kept.
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 (NULLs are distinct in the unique constraint)
    request_digest = models.CharField(max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = (
            # Promise 1, the last line: no second event for one instant, whoever writes it.
            models.UniqueConstraint(fields=["trigger", "scheduled_for"], name="event_once_per_instant"),
            models.UniqueConstraint(fields=["trigger", "idempotency_key"], name="event_once_per_key"),
        )
        indexes = (
            # claims.due_events() asks for exactly this, five times a second.
            models.Index(
                fields=["hand_over_at"],
                name="event_to_hand_over",
                condition=Q(hand_over_at__isnull=False),
            ),
            # claims.due_triggers() asks whether a trigger that skips overlaps has an event that is not finished.
            models.Index(
                fields=["trigger"],
                name="event_unfinished_of_trigger",
                condition=Q(hand_over_at__isnull=False),
            ),
            models.Index(fields=["trigger", "id"], name="event_of_trigger"),
            models.Index(fields=["triggered_at", "outcome"], name="event_by_time"),
            models.Index(fields=["id"], name="event_failed", condition=Q(outcome="failed")),
            models.Index(
                fields=["trigger", "id"],
                name="event_failed_of_trigger",
                condition=Q(outcome="failed"),
            ),
        )

    def __str__(self) -> str:
        return f"Event {self.pk}"

    @property
    def webhook_id(self) -> str:
        return webhook_id(self.pk, self.triggered_at)

    @property
    def is_finished(self) -> bool:
        return self.outcome not in self.UNFINISHED

    def state(self, now: datetime) -> str:
        return "active" if self.triggered_at > active_since(now) else "archived"

    @property
    def lateness(self) -> timedelta | None:
        """How long after its due instant the first attempt began; None when it was not sent."""
        return self.first_sent_at - (self.scheduled_for or self.triggered_at) if self.first_sent_at else None

    @property
    def duration(self) -> timedelta | None:
        """From the first attempt's start to the last one's end, waits included; None when not sent or not finished."""
        return self.finished_at - self.first_sent_at if self.finished_at and self.first_sent_at else None


class Attempt(models.Model):
    """One HTTP request for an event, and what came back."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.FloatField()
    # None: no answer came; `error` says why in words, `error_kind` in one of outbound.ErrorKind.
    status = models.PositiveSmallIntegerField(null=True)
    error_kind = models.CharField(max_length=20, blank=True)
    error = models.CharField(max_length=500, blank=True)
    remote_address = models.CharField(max_length=64, blank=True)
    request_headers: models.JSONField[Any, Any] = models.JSONField(default=list)  # pairs [name, value]
    response_headers: models.JSONField[Any, Any] = models.JSONField(default=list)  # pairs [name, value]
    response_body = models.TextField(blank=True)
    is_response_cut = models.BooleanField(default=False)

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=["event", "number"], name="attempt_number"),)

    def __str__(self) -> str:
        return f"Attempt {self.number} of event {self.event_id}"

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


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

    generation = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=200, blank=True)  # host:pid
    started_at = models.DateTimeField(null=True)
    # Written about once a second; older than a few seconds means that nothing beats.
    seen_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Beat {self.generation} by {self.holder}"
