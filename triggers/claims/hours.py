"""The sums by hour, of all triggers and of each, and the totals, bumped with the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from triggers import bands
from triggers.claims.sql import aware, instant, rows_table, run


class Finished(NamedTuple):
    """An event that has just ended, as the database says it. `latency_ms` None: no answer came, or nothing was sent.

    Seconds from its due instant to the first attempt, and from there to the end of the last; None: not measured. A
    skipped one with a cause stands for so many instants.
    """

    trigger_id: int | None
    outcome: str
    triggered_at: datetime | str
    is_test: bool
    latency_ms: float | None = None
    lateness: float | None = None
    duration: float | None = None
    skip_cause: str = ""
    skipped_count: int = 0


def count_finished(finished: Iterable[Finished]) -> None:
    """Add finished events to the sums by hour, to those of their triggers, and to the totals; tests never count."""
    counted = [event for event in finished if not event.is_test and event.trigger_id is not None]
    if not counted:
        return
    _count_hours(counted)
    _count_totals(counted)


def _count_hours(finished: Sequence[Finished]) -> None:
    counts = Counter(
        (
            aware(event.triggered_at).replace(minute=0, second=0, microsecond=0),
            event.trigger_id,
            event.outcome,
            bands.band_of(event.latency_ms),
        )
        for event in finished
    )
    of_all: Counter[tuple[datetime, str]] = Counter()
    for (hour, _, outcome, _), count in counts.items():
        of_all[hour, outcome] += count
    instants = {hour: instant(hour) for hour, _ in of_all}  # once, not for every row of a herd
    # In one order for every writer, so that two of them never wait for each other in a circle.
    table, values = rows_table(
        {"hour": "timestamptz", "outcome": "text", "count": "bigint"},
        [(instants[hour], outcome, count) for (hour, outcome), count in sorted(of_all.items())],
    )
    run(
        f"INSERT INTO triggers_hourlycount (hour, outcome, count) SELECT hour, outcome, count FROM {table} WHERE true "
        "ON CONFLICT (hour, outcome) DO UPDATE SET count = triggers_hourlycount.count + excluded.count",
        *values,
    )
    table, values = rows_table(
        {"hour": "timestamptz", "trigger_id": "bigint", "outcome": "text", "band": "bigint", "count": "bigint"},
        [(instants[hour], *key, count) for (hour, *key), count in sorted(counts.items())],
    )
    run(
        "INSERT INTO triggers_triggerhour (hour, trigger_id, outcome, latency_band, count) "
        f"SELECT hour, trigger_id, outcome, band, count FROM {table} WHERE true "
        "ON CONFLICT (hour, trigger_id, outcome, latency_band) "
        "DO UPDATE SET count = triggers_triggerhour.count + excluded.count",
        *values,
    )


def _count_totals(finished: Sequence[Finished]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    seconds: dict[tuple[str, str], float] = {}
    for outcome, count in Counter(event.outcome for event in finished).items():
        counts["events", outcome] = count
    for event in finished:
        if event.skip_cause:
            counts["skipped", event.skip_cause] += event.skipped_count
    for kind, times in (
        ("lateness", [event.lateness for event in finished if event.lateness is not None]),
        ("duration", [event.duration for event in finished if event.duration is not None]),
    ):
        for bound, bucket in bands.buckets(times).items():
            counts[kind, str(bound)] = len(bucket)
            seconds[kind, str(bound)] = sum(bucket)
    table, values = rows_table(
        {"kind": "text", "label": "text", "count": "bigint", "seconds": "double precision"},
        [(*key, count, seconds.get(key, 0.0)) for key, count in sorted(counts.items())],
    )
    run(
        "INSERT INTO triggers_total (kind, label, count, seconds) "
        f"SELECT kind, label, count, seconds FROM {table} WHERE true ON CONFLICT (kind, label) DO UPDATE "
        "SET count = triggers_total.count + excluded.count, seconds = triggers_total.seconds + excluded.seconds",
        *values,
    )
