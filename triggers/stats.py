"""The figures that the pages show. Cheap whatever the log holds: capped counts, the small hourly table, short samples.

Test events never count. A figure that nothing was measured for is None, never 0.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db.models import Case, Count, Exists, FloatField, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, NullIf

from triggers import bands
from triggers.models import Attempt, Beat, Event, HourlyCount, Trigger, TriggerHour, TriggerQuerySet

COUNT_CAP = 1000
LAGS_AFTER = timedelta(seconds=30)
LATENCY_SAMPLE = 1000  # the newest attempts
STRIP_LENGTH = 20
MOST_PENDING = 10_000  # that are counted
_LATELY, _BEFORE, _LEAST_BEFORE = 200, 400, 50  # deliveries of a trigger that are held against each other
_LEAST_FAILURES = 5
_NEWEST_FAILURES = 1000
LOW_RATE = 0.95
_FAILING_AMONG = 200  # newest failures, for which triggers are looked at


# --- The dispatcher ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """`state`: running, lagging (something is due for over 30 s) or stopped (no beat for 10 s)."""

    state: str
    lag: timedelta  # how long the longest waiting one has been due
    waiting: int  # events that are due, COUNT_CAP at most
    seen_at: datetime | None  # when the beat was last seen


def dispatcher(now: datetime) -> Dispatcher:
    """Return how the dispatcher is: three short queries."""
    beat = Beat.objects.filter(pk=Beat.ID).first()
    # `hand_over_at` keeps it to the small partial index of what is unfinished.
    waiting = Event.objects.filter(hand_over_at__isnull=False, outcome=Event.Outcome.PENDING, due_at__lte=now)
    due = list(waiting.order_by("hand_over_at").values_list("due_at", flat=True)[:COUNT_CAP])
    next_fire_at = Trigger.objects.next_fires().values_list("next_fire_at", flat=True).first()
    earliest = min([*due, *([next_fire_at] if next_fire_at else []), now])
    lag = now - earliest
    state = ("lagging" if lag > LAGS_AFTER else "running") if beat and beat.is_alive(now) else "stopped"
    return Dispatcher(state, lag, len(due), beat.seen_at if beat else None)


def failed_for_good() -> int:
    """Return how many events failed for good and were not fired again, counted up to one more than COUNT_CAP."""
    # In an order, or PostgreSQL looks at all that failed, and sorts it, before it counts.
    return Event.objects.failed_for_good().order_by("-pk")[: COUNT_CAP + 1].count()


# --- Sums by hour --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hour:
    """The finished events of one hour (UTC), by outcome."""

    start: datetime
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def hours(now: datetime, count: int = 48) -> list[Hour]:
    """Return the last `count` hours, oldest first, the current one last; hours without an event are there, empty."""
    starts = _last_hours(now, count)
    found: dict[datetime, dict[str, int]] = defaultdict(dict)
    for start, outcome, amount in HourlyCount.objects.filter(hour__gte=starts[0]).values_list(
        "hour", "outcome", "count"
    ):
        found[start][outcome] = amount
    return [Hour(start, found.get(start, {})) for start in starts]


def _last_hours(now: datetime, count: int) -> list[datetime]:
    current = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return [current - timedelta(hours=back) for back in reversed(range(count))]


def sums(span: Iterable[Hour | HourOfTrigger]) -> dict[str, int]:
    """Return the counts of several hours together, by outcome; outcomes that did not occur are 0."""
    totals = dict.fromkeys(Event.Outcome.values, 0)
    for hour in span:
        for outcome, amount in hour.counts.items():
            totals[outcome] += amount
    return totals


def success_rate(totals: dict[str, int]) -> float | None:
    """Return succeeded / (succeeded + failed), or None when nothing was delivered or failed."""
    succeeded, failed = totals[Event.Outcome.SUCCEEDED], totals[Event.Outcome.FAILED]
    return succeeded / (succeeded + failed) if succeeded + failed else None


# --- Sums by hour of single triggers -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HourOfTrigger:
    """The finished events of a trigger in one hour (UTC); latencies in milliseconds, of answered last attempts."""

    start: datetime
    counts: dict[str, int]  # by outcome
    latency: Latency | None
    bands: dict[int, int]  # how many took how long (bands.band_of)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def latency_over(span: Iterable[HourOfTrigger]) -> Latency | None:
    """Return the latency of several hours together."""
    counts: dict[int, int] = defaultdict(int)
    for hour in span:
        for band, amount in hour.bands.items():
            counts[band] += amount
    return _latency_in(counts)


def hours_of(trigger: int, now: datetime, count: int = 48) -> list[HourOfTrigger]:
    """Return the last `count` hours of a trigger as hours() does of all."""
    starts = _last_hours(now, count)
    outcomes: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    latencies: dict[datetime, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    # The hours by their names, as the index has them: the trigger comes after the hour.
    rows = TriggerHour.objects.filter(trigger=trigger, hour__in=starts)
    for start, outcome, band, amount in rows.values_list("hour", "outcome", "latency_band", "count"):
        outcomes[start][outcome] += amount
        latencies[start][band] += amount
    return [
        HourOfTrigger(start, dict(outcomes[start]), _latency_in(latencies[start]), dict(latencies[start]))
        for start in starts
    ]


def _latency_in(counts: dict[int, int]) -> Latency | None:
    median, p95 = bands.percentile(counts, 0.5), bands.percentile(counts, 0.95)
    return None if median is None or p95 is None else Latency(median, p95)


@dataclass(frozen=True, slots=True)
class Success:
    """How a trigger has been doing: how many events it fired and finished, and the share that succeeded.

    `rate` None: nothing was delivered or failed.
    """

    fired: int = 0
    rate: float | None = None

    @property
    def is_low(self) -> bool:
        return self.rate is not None and self.rate < LOW_RATE


def successes(triggers: Sequence[int], now: datetime, count: int = 24) -> dict[int, Success]:
    """Return how each trigger id has been doing in the last `count` hours: one query, however many events there are."""
    totals = {pk: dict.fromkeys(Event.Outcome.values, 0) for pk in triggers}
    rows = TriggerHour.objects.filter(hour__in=_last_hours(now, count), trigger__in=triggers)
    for pk, outcome, amount in rows.order_by().values_list("trigger", "outcome").annotate(Sum("count")):
        totals[pk][outcome] = amount
    return {
        pk: Success(sum(of_one.values()) - of_one[Event.Outcome.SKIPPED], success_rate(of_one))
        for pk, of_one in totals.items()
    }


def with_rate(triggers: TriggerQuerySet, now: datetime, count: int = 24) -> TriggerQuerySet:
    """Give each trigger its success rate of the last `count` hours as `rate`, to order by; None: nothing was measured.

    Only of those that failed at all is it worked out; they are few, and have an index of their own.
    """
    hours = _last_hours(now, count)
    of_one = TriggerHour.objects.filter(trigger=OuterRef("pk"), hour__in=hours)
    succeeded, failed = (
        Sum("count", filter=Q(outcome=outcome), default=0)
        for outcome in (Event.Outcome.SUCCEEDED, Event.Outcome.FAILED)
    )
    rate = (
        of_one.order_by()
        .values("trigger")
        .annotate(rate=succeeded * 1.0 / NullIf(succeeded + failed, 0))
        .values("rate")
    )
    have_failed = TriggerHour.objects.filter(outcome=Event.Outcome.FAILED, hour__in=hours).values("trigger")
    return triggers.annotate(
        rate=Case(
            When(pk__in=have_failed, then=Subquery(rate)),
            When(Exists(of_one.filter(outcome=Event.Outcome.SUCCEEDED)), then=Value(1.0)),
            output_field=FloatField(null=True),
        )
    )


# --- Triggers and latency ------------------------------------------------------------------------------


def trigger_counts() -> dict[str, int]:
    """Return how many triggers there are: `all`, `on`, and of those that are on `scheduled` and `api`."""
    return Trigger.objects.aggregate(
        all=Count("id"),
        on=Count("id", filter=Q(enabled=True)),
        scheduled=Count("id", filter=Q(enabled=True, type=Trigger.Type.SCHEDULED)),
        api=Count("id", filter=Q(enabled=True, type=Trigger.Type.API)),
    )


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the newest attempts took, in milliseconds."""

    median: float
    p95: float


def latency() -> Latency | None:
    """Return the latency of the newest answered attempts that were no tests, or None when there are none."""
    taken = sorted(
        Attempt.objects.filter(status__isnull=False, event__is_test=False)
        .order_by("-id")
        .values_list("duration_ms", flat=True)[:LATENCY_SAMPLE]
    )
    if not taken:
        return None
    return Latency(statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.95))])


# --- Outcomes of single triggers -------------------------------------------------------------------------


def last_outcomes(triggers: Sequence[int], count: int = STRIP_LENGTH) -> dict[int, list[str]]:
    """Return the last `count` outcomes of each trigger id, oldest first; a trigger that never fired has [].

    So has a test trigger: none of its events counts, and looking for one would mean looking at all.
    """
    outcomes: dict[int, list[str]] = {pk: [] for pk in triggers}
    if not triggers:
        return outcomes
    # Two queries over the index (trigger, id), however long the log is: first where each trigger's span begins.
    of_trigger = Event.objects.counted().filter(trigger=OuterRef("pk")).order_by("-id").values("id")
    spans = Trigger.with_deleted.filter(pk__in=triggers, is_test=False).annotate(
        begins=Coalesce(Subquery(of_trigger[count - 1 : count]), 0)
    )
    wanted = Q()
    for pk, begins in spans.values_list("pk", "begins"):
        wanted |= Q(trigger_id=pk, id__gte=begins)
    if wanted:
        events = Event.objects.counted().filter(wanted).order_by("id")
        for pk, outcome in events.values_list("trigger_id", "outcome"):
            outcomes[pk].append(outcome)
    return outcomes


def failures_in_a_row(outcomes: Sequence[str]) -> int:
    """Return how many of the newest finished outcomes (given oldest first) failed one after another."""
    failed = 0
    for outcome in reversed(outcomes):
        if outcome in Event.UNFINISHED:
            continue
        if outcome != Event.Outcome.FAILED:
            break
        failed += 1
    return failed


def attention_count(limit: int = 50) -> int:
    """Return how many triggers are failing, or were switched off by the server: three short queries."""
    paused = set(Trigger.objects.paused().values_list("pk", flat=True)[:limit])
    newest = Event.objects.failed().counted().order_by("-id").values_list("trigger_id", flat=True)[:_FAILING_AMONG]
    recent = list(dict.fromkeys(newest))[:limit]
    finished = Event.objects.counted().finished().filter(trigger=OuterRef("pk")).order_by("-id")
    last = Trigger.objects.filter(pk__in=recent).annotate(last=Subquery(finished.values("outcome")[:1]))
    return len(paused | set(last.filter(last=Event.Outcome.FAILED).values_list("pk", flat=True)))


@dataclass(frozen=True, slots=True)
class Failing:
    """A trigger whose last fire failed."""

    trigger: Trigger
    outcomes: list[str]  # oldest first
    in_a_row: int
    event: Event  # the last failed one


def failing(limit: int = 50) -> list[Failing]:
    """Return the triggers whose newest finished event failed, worst first, looked for among the newest failures."""
    recent: dict[int, int] = {}
    newest = Event.objects.failed().counted().order_by("-id").values_list("trigger_id", "id")
    for trigger_id, event_id in newest[:_FAILING_AMONG]:
        recent.setdefault(trigger_id, event_id)
    candidates = Trigger.objects.in_bulk(list(recent)[:limit])
    outcomes = last_outcomes(list(candidates))
    rows = {pk: failures_in_a_row(of_one) for pk, of_one in outcomes.items()}
    bad = sorted((pk for pk in rows if rows[pk]), key=lambda pk: (-rows[pk], -recent[pk]))
    events = Event.objects.in_bulk([recent[pk] for pk in bad])
    return [Failing(candidates[pk], outcomes[pk], rows[pk], events[recent[pk]]) for pk in bad if recent[pk] in events]


@dataclass(frozen=True, slots=True)
class Declining:
    """A trigger that fails far more than it used to, though not every time."""

    trigger: Trigger
    outcomes: list[str]  # the last of them, oldest first
    rate: float  # of its last `of` deliveries, 0 to 1
    usual: float  # of those before
    of: int
    failed: int  # of the last
    since: datetime  # when the first of those was fired


def declining(besides: Collection[int] = (), limit: int = 5) -> list[Declining]:
    """Return the triggers whose success rate is well below what it was, worst first; `besides`: known to be bad.

    The last 200 deliveries are held against the 400 before: five failed at the least, and three standard deviations
    more than were to be expected. Looked for among the triggers that have most of the newest failures.
    """
    newest = Event.objects.failed().counted().order_by("-id").values_list("trigger_id", flat=True)[:_NEWEST_FAILURES]
    failures = Counter(pk for pk in newest if pk is not None and pk not in besides)
    candidates = [pk for pk, count in failures.most_common(limit) if count >= _LEAST_FAILURES]
    triggers = Trigger.objects.in_bulk(candidates)
    judged = [verdict for pk in triggers if (verdict := _judged(triggers[pk]))]
    outcomes = last_outcomes([each.trigger.pk for each in judged])
    found = [replace(each, outcomes=outcomes[each.trigger.pk]) for each in judged]
    return sorted(found, key=lambda each: each.rate - each.usual)


def _judged(trigger: Trigger) -> Declining | None:
    delivered = (Event.Outcome.SUCCEEDED, Event.Outcome.FAILED)
    events = Event.objects.counted().filter(trigger=trigger, outcome__in=delivered).order_by("-id")
    rows = list(events.values_list("outcome", "pk")[: _LATELY + _BEFORE])
    lately, before = rows[:_LATELY], rows[_LATELY:]
    failures = [pk for outcome, pk in lately if outcome == Event.Outcome.FAILED]
    if len(before) < _LEAST_BEFORE or len(failures) < _LEAST_FAILURES:
        return None
    usual = sum(outcome == Event.Outcome.SUCCEEDED for outcome, _ in before) / len(before)
    expected = (1 - usual) * len(lately)
    if len(failures) <= expected + 3 * math.sqrt(expected + 1):
        return None
    rate = 1 - len(failures) / len(lately)
    since = Event.objects.filter(pk=failures[-1]).values_list("triggered_at", flat=True).first()
    if since is None:  # it has expired this very moment
        return None
    return Declining(trigger, [], rate, usual, len(lately), len(failures), since)


# --- What waits, by hour -----------------------------------------------------------------------------------


def pending_by_hour() -> dict[datetime, int]:
    """Return how many events are not finished, by the hour (UTC) they were fired in; at most MOST_PENDING of them."""
    fired = Event.objects.in_hand().counted().values_list("triggered_at", flat=True)[:MOST_PENDING]
    return Counter(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for at in fired)
