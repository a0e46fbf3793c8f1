"""The figures of the server for Prometheus, read from the database when they are asked for.

Any web process may be asked, and all say the same: nothing is counted in a process. Counters are totals that only grow
(triggers.totals); what is large is reckoned or counted up to a cap, as for System health (triggers.health).
docs/operations.md has every name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from triggers import broker, health, stats, totals
from triggers.models import CleanUp, Cluster, Trigger

PREFIX = "event_trigger_"
TRIGGERS_COUNTED_EVERY_SECONDS = 60
_OPENMETRICS = "application/openmetrics-text"
MEDIA_TYPES = ("text/plain", _OPENMETRICS)
_NEVER = float("inf")


def expose(now: datetime, accept: str) -> tuple[bytes, str]:
    """Return all metrics as text, and its content type: OpenMetrics where `accept` names it."""
    registry = CollectorRegistry()
    registry.register(_Server(now))
    if _OPENMETRICS in accept:
        return openmetrics.generate_latest(registry), openmetrics.CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]
    return exposition.generate_latest(registry), exposition.CONTENT_TYPE_PLAIN_0_0_4


class _Server(Collector):
    """The server as it is now: some fifteen short queries."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry would collect everything once more to learn the names."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        yield from _events()
        yield from _queue(self._now)
        yield from _beat(self._now)
        yield from _clusters(self._now)
        yield from _triggers()
        yield from _kept(self._now)
        yield InfoMetricFamily(
            f"{PREFIX}build",
            "The version that answers, and what it runs on.",
            {
                "version": settings.VERSION,
                "database": connection.vendor,
                "queue": "redis" if settings.REDIS_URL else "database",
            },
        )


def _events() -> Iterator[Metric]:
    counted = totals.read()
    yield _counter("events", "Events that are finished, by outcome; tests left out.", "outcome", counted.events)
    yield _counter(
        "skipped_instants",
        "Due instants that did not fire, by cause: handled too late, or the event before was not finished.",
        "cause",
        counted.skipped,
    )
    yield _histogram(
        "lateness_seconds",
        "From the due instant of an event to its first attempt, where no rate limit makes it wait.",
        counted.lateness,
    )
    yield _histogram(
        "duration_seconds",
        "From the first attempt of an event to the end of its last one, waits for retries included.",
        counted.duration,
    )
    yield _gauge(
        "failed_for_good_events",
        f"Events that failed and were not fired again, as the page Failed lists them; {stats.COUNT_CAP + 1}: or more.",
        stats.failed_for_good(),
    )


def _queue(now: datetime) -> Iterator[Metric]:
    queue = health.queue()
    yield _gauges(
        "queue_events",
        f"Events that are not finished, by what they wait for; together at most {health.QUEUE_CAP + 1}.",
        "state",
        {"waiting": queue.waiting, "delivering": queue.delivering, "retrying": queue.retrying},
    )
    yield _gauge(
        "queue_age_seconds",
        "How long something has been due that no worker has in hand; 0: nothing is.",
        stats.dispatcher(now).lag.total_seconds(),
    )
    try:
        messages = broker.waiting_messages()
    except Exception:  # whatever a client of Redis raises: then there is no figure
        return
    yield _gauge("queue_messages", "Messages between the beat and the workers; left out when Redis is away.", messages)


def _beat(now: datetime) -> Iterator[Metric]:
    beat = health.beat()
    age = beat.age(now) if beat else None
    yield _gauge(
        "beat_age_seconds",
        "How long ago the beat was seen; +Inf: nothing beats.",
        _NEVER if age is None else age.total_seconds(),
    )
    handed_over = CounterMetricFamily(f"{PREFIX}handed_over", "Events handed to workers; one that was lost, again.")
    handed_over.add_metric([], beat.handed_over if beat else 0)
    yield handed_over


def _clusters(now: datetime) -> Iterator[Metric]:
    members = health.clusters(now, most=None)
    states = Counter(member.state.value for member in members)
    yield _gauges(
        "clusters",
        "Clusters of the last day, by state.",
        "state",
        {state.value: states[state.value] for state in Cluster.State},
    )
    labels = ("cluster", "host")
    workers = GaugeMetricFamily(f"{PREFIX}cluster_workers", "Processes of a cluster that live.", labels=labels)
    delivering = GaugeMetricFamily(
        f"{PREFIX}cluster_delivering_events", "Events in the hands of a cluster's workers.", labels=labels
    )
    seen = GaugeMetricFamily(
        f"{PREFIX}cluster_seen_age_seconds",
        "How long ago a cluster was seen; those that are gone are left out.",
        labels=labels,
    )
    executed = CounterMetricFamily(
        f"{PREFIX}cluster_executed_events", "Events that a cluster has finished since it started.", labels=labels
    )
    for member in members:
        if member.is_gone:
            continue
        cluster = member.cluster
        names = [cluster.name, cluster.host]
        workers.add_metric(names, cluster.workers)
        delivering.add_metric(names, cluster.delivering)
        seen.add_metric(names, cluster.age(now).total_seconds())
        executed.add_metric(names, cluster.executed)
    yield from (workers, delivering, seen, executed)


def _triggers() -> Iterator[Metric]:
    counts = cache.get("metrics-triggers") or _count_triggers()
    cache.add("metrics-triggers", counts, TRIGGERS_COUNTED_EVERY_SECONDS)
    yield _gauges(
        "triggers",
        "Triggers by state, counted once a minute; problem: the server has switched them off and says why.",
        "state",
        counts,
    )


def _count_triggers() -> dict[str, int]:
    counts = stats.trigger_counts()
    problem = Trigger.objects.paused().count()
    return {"on": counts["on"], "off": counts["all"] - counts["on"] - problem, "problem": problem}


def _kept(now: datetime) -> Iterator[Metric]:
    last = CleanUp.objects.filter(pk=CleanUp.ID).first()
    yield _gauge(
        "clean_up_age_seconds",
        "How long ago expired events were last deleted; +Inf: never.",
        max((now - last.at).total_seconds(), 0.0) if last else _NEVER,
    )
    store = health.store()
    yield _gauge("database_bytes", "The room that the database takes.", store.size)
    if store.free is not None:
        yield _gauge("disk_free_bytes", "Free room on the disk of SQLite.", store.free)


# --- As the library has them -----------------------------------------------------------------------------


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, words, value=value)


def _gauges(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, words, labels=[label])
    for of_one, value in values.items():
        family.add_metric([of_one], value)
    return family


def _counter(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, words, labels=[label])
    for of_one, value in values.items():
        family.add_metric([of_one], value)
    return family


def _histogram(name: str, words: str, found: totals.Histogram) -> Metric:
    buckets = [("+Inf" if bound == _NEVER else str(bound), count) for bound, count in found.buckets]
    return HistogramMetricFamily(PREFIX + name, words, buckets=buckets, sum_value=found.sum)
