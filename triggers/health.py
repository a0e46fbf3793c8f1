"""The figures of System health: how late, how much waits, who works, how much is kept. Cheap whatever the log holds.

What cannot be counted in a moment is taken from samples: rows that stand evenly spread between two ids, for ids follow
the order of time. A figure that nothing was measured for is None, never 0.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django_q.models import Schedule

from triggers import sqlite_file
from triggers.models import Beat, CleanUp, Cluster, Event, HourlyCount, Trigger, active_since, retention

RECENT = timedelta(minutes=5)
SAMPLE = 300  # events of an hour, or of the last minutes
LAG_HOURS = 24
SETTLED_AFTER = timedelta(minutes=2)  # after its end an hour's lag is kept, and not asked for again
QUEUE_CAP = 10_000  # so many events that wait are counted one by one
EXACT_CAP = 10_000  # so many events that are kept are counted one by one; above that it is reckoned
DUE_CAP = 1000
CLUSTERS_SHOWN = 20
CLEAN_UP = "triggers.tasks.clean_up"
_DELIVERED = (Event.Outcome.SUCCEEDED, Event.Outcome.FAILED)

# --- How late ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lag:
    """How long after its instant an event was sent (or logged, where it has no endpoint), in seconds."""

    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class LagHour:
    """An hour (UTC), and its lag; None when nothing was sent in it."""

    start: datetime
    lag: Lag | None


def lag_hours(now: datetime) -> list[LagHour]:
    """Return the lag of the last 24 hours, oldest first, the current one last; hours that are over are remembered."""
    current = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [current - timedelta(hours=back) for back in reversed(range(LAG_HOURS))]
    keys = {start: f"lag-hour-{start:%Y%m%d%H}" for start in starts}
    known: dict[str, LagHour] = cache.get_many(keys.values())
    first_id = functools.cache(_first_id)  # where an hour ends, the next one begins
    hours = []
    for start, key in keys.items():
        hour = known.get(key) or LagHour(start, _sample(start, start + timedelta(hours=1), first_id).lag)
        if key not in known and start + timedelta(hours=1) + SETTLED_AFTER <= now:
            cache.set(key, hour, timeout=(LAG_HOURS + 1) * 3600)
        hours.append(hour)
    return hours


@dataclass(frozen=True, slots=True)
class Recent:
    """The last five minutes: their lag, and the deliveries a minute (tests left out)."""

    lag: Lag | None
    deliveries_per_minute: float


def recent(now: datetime) -> Recent:
    sample = _sample(now - RECENT, now + timedelta(seconds=1))
    return Recent(sample.lag, sample.deliveries / (RECENT / timedelta(minutes=1)))


@dataclass(frozen=True, slots=True)
class _Sample:
    lag: Lag | None
    deliveries: float  # in all of the time, about


def _first_id(since: datetime) -> int | None:
    first = Event.objects.filter(triggered_at__gte=since).order_by("triggered_at", "pk")
    return first.values_list("pk", flat=True).first()


def _sample(start: datetime, end: datetime, first_id: Callable[[datetime], int | None] = _first_id) -> _Sample:
    """Look at the events that fired in a time: at all of them, or at SAMPLE of very many."""
    first = first_id(start)
    if first is None:
        return _Sample(None, 0)
    last = (first_id(end) or _newest_id() + 1) - 1
    step = max(1, -(-(last - first + 1) // SAMPLE))
    found = Event.objects.filter(triggered_at__gte=start, triggered_at__lt=end)
    # Given as ids of their own, or the database would walk through all that lie between.
    found = found.filter(pk__in=list(range(first, last + 1, step)))
    looked_at = list(
        found.values_list(
            "outcome",
            "is_test",
            "recipe__rate_per_minute",
            Coalesce("first_sent_at", "finished_at"),
            Coalesce("scheduled_for", "triggered_at"),
        )
    )
    deliveries = sum(outcome in _DELIVERED and not is_test for outcome, is_test, *_ in looked_at)
    # What waits for its turn under a rate limit is late on purpose, and what was skipped was never sent.
    lags = sorted(
        max((sent_at - due_at).total_seconds(), 0.0)
        for outcome, _, rate, sent_at, due_at in looked_at
        if sent_at and rate is None and outcome != Event.Outcome.SKIPPED
    )
    return _Sample(_lag_of(lags), deliveries * step)


def _lag_of(lags: Sequence[float]) -> Lag | None:
    if not lags:
        return None
    return Lag(statistics.median(lags), lags[min(len(lags) - 1, int(len(lags) * 0.95))])


def _newest_id() -> int:
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


# --- How much waits ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """The events that are not finished. `is_capped`: there are more than were counted."""

    delivering: int
    retrying: int  # wait for their next attempt
    waiting: int  # for their first
    is_capped: bool

    @property
    def total(self) -> int:
        return self.delivering + self.retrying + self.waiting


def queue() -> Queue:
    unfinished = Event.objects.filter(hand_over_at__isnull=False)[: QUEUE_CAP + 1]
    counts = unfinished.aggregate(
        delivering=Count("pk", filter=Q(outcome=Event.Outcome.DELIVERING)),
        retrying=Count("pk", filter=Q(outcome=Event.Outcome.PENDING, attempt_count__gt=0)),
        waiting=Count("pk", filter=Q(outcome=Event.Outcome.PENDING, attempt_count=0)),
    )
    return Queue(**counts, is_capped=sum(counts.values()) > QUEUE_CAP)


@dataclass(frozen=True, slots=True)
class Due:
    """What has been due for longest. `trigger` None: a test of a draft."""

    since: datetime
    trigger: Trigger | None


def oldest_due(now: datetime) -> Due | None:
    """Return what has been due for longest, an event or a trigger that has not fired, or None when nothing is due."""
    pending = Event.objects.filter(hand_over_at__isnull=False, outcome=Event.Outcome.PENDING, due_at__lte=now)
    waiting = pending.order_by("hand_over_at").values_list("due_at", "trigger_id")[:DUE_CAP]
    unfired = Trigger.objects.next_fires().filter(next_fire_at__lte=now).values_list("next_fire_at", "pk")[:1]
    due = [(since, trigger) for since, trigger in (*waiting, *unfired) if since]
    if not due:
        return None
    since, trigger = min(due, key=lambda each: each[0])
    return Due(since, Trigger.with_deleted.filter(pk=trigger).only("name").first())


def busiest_hour(since: datetime) -> float | None:
    """Return the deliveries a minute in the busiest hour that began since then; None when there were none."""
    delivered = HourlyCount.objects.filter(hour__gte=since, outcome__in=_DELIVERED)
    by_hour: dict[datetime, int] = {}
    for hour, count in delivered.values_list("hour", "count"):
        by_hour[hour] = by_hour.get(hour, 0) + count
    return max(by_hour.values()) / 60 if by_hour else None


# --- Who works -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Member:
    """A cluster, and how it is."""

    cluster: Cluster
    state: Cluster.State
    up_for: timedelta

    @property
    def is_heard(self) -> bool:
        return self.state in (Cluster.State.LEADER, Cluster.State.READY)

    @property
    def is_gone(self) -> bool:
        return self.state == Cluster.State.GONE


def beat() -> Beat | None:
    """Return the beat that runs, or ran last."""
    return Beat.objects.filter(pk=Beat.ID).first()


def clusters(now: datetime, most: int | None = CLUSTERS_SHOWN) -> list[Member]:
    """Return the clusters of the last day, `most` of them: the leader first, those that are gone last."""
    beating = beat()
    leader = beating.cluster if beating and beating.is_alive(now) else ""
    found = Cluster.objects.order_by("-seen_at")[:most]
    members = [Member(each, each.state(now, leader), now - each.started_at) for each in found]
    order = list(Cluster.State)
    # The ready ones by their names, or they would change places with every look.
    members.sort(key=lambda each: (order.index(each.state), "" if each.is_gone else each.cluster.name))
    return members


# --- How much is kept ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of events; reckoned from ids where there are too many to count."""

    count: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What the log holds, and the clean-up that keeps it so."""

    active: Amount
    archived: Amount
    last: CleanUp | None
    next_at: datetime | None


def kept(now: datetime) -> Kept:
    active_from = active_since(now)
    schedule = Schedule.objects.filter(func=CLEAN_UP).values_list("next_run", flat=True).first()
    return Kept(
        active=_amount(active_from, now),
        archived=_amount(now - retention(), active_from),
        last=CleanUp.objects.filter(pk=CleanUp.ID).first(),
        next_at=schedule,
    )


def _amount(start: datetime, end: datetime) -> Amount:
    """Return how many events fired in a time; their ids say whether that is worth counting."""
    first = _first_id(start)
    if first is None:
        return Amount(0, is_exact=True)
    reckoned = (_first_id(end) or _newest_id() + 1) - first
    if reckoned > EXACT_CAP:
        return Amount(reckoned, is_exact=False)
    return Amount(Event.objects.filter(triggered_at__gte=start, triggered_at__lt=end).count(), is_exact=True)


@dataclass(frozen=True, slots=True)
class Store:
    """The room that the database takes, in bytes; `free` on its disk, None where that is another machine's matter."""

    size: int
    free: int | None


def store() -> Store:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return Store(int(cursor.fetchone()[0]), None)
    return Store(sqlite_file.size(), sqlite_file.free_bytes())
