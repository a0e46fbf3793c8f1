"""What was fired, and every attempt to deliver it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Cast, Coalesce
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_noop, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from triggers.models.recipes import Recipe
from triggers.models.replays import ReplayBatch
from triggers.models.triggers import Trigger
from triggers.schedules import Cause

# Ids follow the times that events were fired at, out of order by this at most: a replay is written a little ahead of
# its time, and clocks differ and are set.
OUT_OF_ORDER = timedelta(hours=1)
DRAFT_NAME = gettext_noop("Test of a draft")  # what stands for a trigger's name where an event has none

MANY = 5000  # events: from here on it is quicker to look for some of them along the log than to sort all
LARGEST_ID = 2**63 - 1  # of any row, in both databases


class EventQuerySet(models.QuerySet["Event"]):
    def for_log(self) -> EventQuerySet:
        """Newest first, with all that a row of the log table shows (no further queries)."""
        # Of the recipe only what a row says; reading its secrets costs more than the row.
        planned = models.F("recipe__retry_delays")
        return self.select_related("trigger").annotate(planned_delays=planned).order_by("-id")

    def with_plan(self) -> EventQuerySet:
        """With what an event says of its recipe (no further queries), and none of the secrets in it."""
        return self.annotate(planned_delays=models.F("recipe__retry_delays"), planned_method=models.F("recipe__method"))

    def with_recipe(self) -> EventQuerySet:
        """With how they are delivered (no further queries), but for what is encrypted of it."""
        sealed = ("headers", "signing_secret", "old_signing_secret", "client_key")
        return self.select_related("recipe").defer(*(f"recipe__{name}" for name in sealed))

    def counted(self) -> EventQuerySet:
        """Without test events, which never count in figures."""
        return self.filter(is_test=False)

    def failed(self) -> EventQuerySet:
        return self.filter(outcome=Event.Outcome.FAILED)

    def failed_for_good(self) -> EventQuerySet:
        """Failed, no tests, and not fired again: what somebody may want to replay.

        A replay stands for its event, whatever came of it, unless it was cancelled: one that failed too is in the list
        in its place. Of several replays of one event the last stands.
        """
        standing = Event.objects.exclude(outcome=Event.Outcome.SKIPPED)
        its_replay = standing.filter(replay_of=OuterRef("pk"))
        later_replay = standing.filter(replay_of=OuterRef("replay_of"), pk__gt=OuterRef("pk"))
        return self.failed().counted().filter(~Exists(its_replay), ~Exists(later_replay))

    def unfinished(self) -> EventQuerySet:
        return self.filter(outcome__in=Event.UNFINISHED)

    def with_outcomes(self, outcomes: Sequence[str]) -> EventQuerySet:
        """With one of the outcomes, so that a few of them are soon found, newest first, in a log of any length.

        It asks for what is not finished (one short query) where only that is wanted.
        """
        events = self
        if set(outcomes) <= set(Event.UNFINISHED):
            unfinished = list(Event.objects.in_hand().values_list("pk", flat=True)[:MANY])
            if len(unfinished) < MANY:  # else the newest are soon found along the log
                events = events.filter(pk__in=unfinished)
        # A single one by equality: the partial indexes of rare outcomes answer that, and no list.
        return events.filter(outcome=outcomes[0]) if len(outcomes) == 1 else events.filter(outcome__in=outcomes)

    def in_hand(self) -> EventQuerySet:
        """The same, as the small index of what is to be handed over has them."""
        return self.filter(hand_over_at__isnull=False)

    def finished(self) -> EventQuerySet:
        return self.exclude(outcome__in=Event.UNFINISHED)

    def active(self, now: datetime) -> EventQuerySet:
        """Fired so lately that they are not yet archived."""
        return self.fired_from(active_since(now)).filter(triggered_at__gt=active_since(now))

    def archived(self, now: datetime) -> EventQuerySet:
        return self.fired_until(active_since(now))

    def fired_from(self, instant: datetime) -> EventQuerySet:
        """Fired at `instant` or later. Its id says so too, so that going back through the log ends there."""
        before = Event.objects.filter(triggered_at__lt=instant - OUT_OF_ORDER).order_by("-triggered_at")
        return self.filter(triggered_at__gte=instant, pk__gt=Coalesce(Subquery(before.values("pk")[:1]), 0))

    def fired_until(self, instant: datetime) -> EventQuerySet:
        """Fired at `instant` or earlier. Its id says so too, so that going back through the log begins there."""
        after = Event.objects.filter(triggered_at__gt=instant + OUT_OF_ORDER).order_by("triggered_at")
        return self.filter(triggered_at__lte=instant, pk__lt=Coalesce(Subquery(after.values("pk")[:1]), 2**63 - 1))

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
        PENDING = "pending", pgettext_lazy("outcome", "Pending")
        DELIVERING = "delivering", pgettext_lazy("outcome", "Delivering")
        SUCCEEDED = "succeeded", pgettext_lazy("outcome", "Succeeded")
        FAILED = "failed", pgettext_lazy("outcome", "Failed")
        LOGGED = "logged", pgettext_lazy("outcome", "Logged")
        SKIPPED = "skipped", pgettext_lazy("outcome", "Skipped")

    class Source(models.TextChoices):
        SCHEDULE = "schedule", pgettext_lazy("source of an event", "Schedule")
        API = "api", pgettext_lazy("source of an event", "API")
        TEST = "test", pgettext_lazy("source of an event", "Test")
        REPLAY = "replay", pgettext_lazy("source of an event", "Replay")

    class SkipCause(models.TextChoices):
        MISSED = Cause.MISSED.value, _("Missed")
        OVERLAP = Cause.OVERLAP.value, _("Overlap")

    UNFINISHED = (Outcome.PENDING, Outcome.DELIVERING)

    # None: a test of a draft that was never saved.
    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="events", db_index=False, null=True)
    source = models.CharField(max_length=10, choices=Source)
    is_test = models.BooleanField(default=False)
    payload: models.JSONField[Any, Any] = models.JSONField(default=dict)
    endpoint = models.CharField(max_length=2000, blank=True)
    # How it is delivered. No constraint in the database: it would look through all events whenever a recipe goes.
    recipe = models.ForeignKey(
        Recipe, on_delete=models.DO_NOTHING, related_name="+", null=True, db_index=False, db_constraint=False
    )
    # The event that this one fires again.
    replay_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, related_name="replays", null=True, db_index=False, db_constraint=False
    )
    batch = models.ForeignKey(
        ReplayBatch, on_delete=models.SET_NULL, related_name="events", null=True, db_index=False, db_constraint=False
    )
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
    # Under a rate limit: the `due_at` that was reserved for it.
    paced_for = models.DateTimeField(null=True)
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
            # claims.hold_due_events() asks for exactly this, five times a second.
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
            # claims.skip_pending() and triggers.replays.progress() ask for the events of a batch, by outcome.
            models.Index(fields=["batch", "outcome"], name="event_of_batch", condition=Q(batch__isnull=False)),
            # The event's page, and the list of what failed for good, ask for the replays of an event.
            models.Index(fields=["replay_of"], name="event_replay", condition=Q(replay_of__isnull=False)),
            models.Index(fields=["triggered_at", "outcome"], name="event_by_time"),
            models.Index(fields=["id"], name="event_failed", condition=Q(outcome="failed")),
            # The log, when it is narrowed to what may be rare: else it would look through all to find none.
            models.Index(fields=["id"], name="event_skipped", condition=Q(outcome="skipped")),
            models.Index(fields=["id"], name="event_logged", condition=Q(outcome="logged")),
            models.Index(fields=["id"], name="event_by_test", condition=Q(source="test")),
            models.Index(fields=["id"], name="event_by_replay", condition=Q(source="replay")),
            models.Index(
                fields=["trigger", "id"],
                name="event_failed_of_trigger",
                condition=Q(outcome="failed"),
            ),
        )

    def __str__(self) -> str:
        return f"Event {self.pk}"

    @property
    def trigger_name(self) -> str:
        """As people read it; in the body of a request a draft has its English name."""
        return self.trigger.name if self.trigger else gettext(DRAFT_NAME)

    @property
    def method(self) -> str:
        """How it is delivered."""
        if "planned_method" in self.__dict__:
            return str(self.planned_method or Recipe.Method.POST)  # type: ignore[attr-defined]
        return self.recipe.method if self.recipe else str(Recipe.Method.POST)

    @property
    def webhook_id(self) -> str:
        return webhook_id(self.pk, self.triggered_at)

    @cached_property
    def payload_as_sent(self) -> str:
        """The payload as its requests carry it, to the letter: just as the database has it."""
        texts = Event.objects.filter(pk=self.pk).annotate(text=Cast("payload", models.TextField()))
        return str(texts.values_list("text", flat=True).get())

    @property
    def most_attempts(self) -> int:
        """How often it is tried at most."""
        if self.source == self.Source.TEST:
            return 1
        if "planned_delays" in self.__dict__:
            return 1 + len(self.planned_delays or ())  # type: ignore[attr-defined]
        return self.recipe.retries.most_attempts if self.recipe else 1

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

    # No constraint in the database: it looked the event up for every attempt, and the attempts for every event deleted.
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="attempts", db_index=False, db_constraint=False
    )
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.FloatField()
    # None: no answer came; `error` says why in words, `error_kind` in one of outbound.ErrorKind.
    status = models.PositiveSmallIntegerField(null=True)
    error_kind = models.CharField(max_length=20, blank=True)
    error = models.CharField(max_length=500, blank=True)
    remote_address = models.CharField(max_length=64, blank=True)
    # Where a redirect pointed; it was not followed.
    location = models.CharField(max_length=500, blank=True)
    # How long each part took, as far as it was measured (outbound.Timing).
    dns_ms = models.FloatField(null=True)
    connect_ms = models.FloatField(null=True)
    tls_ms = models.FloatField(null=True)
    first_byte_ms = models.FloatField(null=True)
    body_ms = models.FloatField(null=True)
    # What the success rule says: [name, passed, words]; empty when no answer came.
    checks: models.JSONField[Any, Any] = models.JSONField(default=list)
    request_headers: models.JSONField[Any, Any] = models.JSONField(default=list)  # pairs [name, value]
    response_headers: models.JSONField[Any, Any] = models.JSONField(default=list)  # pairs [name, value]
    response_body = models.TextField(blank=True)
    # Bytes that were read of the body; a binary one is counted and not kept.
    response_bytes = models.PositiveIntegerField(default=0)
    is_response_binary = models.BooleanField(default=False)
    is_response_cut = models.BooleanField(default=False)

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=["event", "number"], name="attempt_number"),)

    def __str__(self) -> str:
        return f"Attempt {self.number} of event {self.event_id}"

    @property
    def succeeded(self) -> bool:
        if self.status is None or not self.checks:
            return self.status is not None and 200 <= self.status < 300
        return all(passed for _, passed, _ in self.checks)
