"""The sums by hour, of all triggers and of each, bumped with the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from triggers import bands
from triggers.claims.sql import aware, instant, rows_table, run


class Finished(NamedTuple):
    """An event that has just ended, as the database says it. `latency_ms` None: no answer came, or nothing was sent."""

    trigger_id: int | None
    outcome: str
    triggered_at: datetime | str
    is_test: bool
    latency_ms: float | None = None


def count_finished(finished: Iterable[Finished]) -> None:
    """Add finished events to the sums by hour, and to those of their triggers; test events never count."""
    counts = Counter(
        (
            aware(event.triggered_at).replace(minute=0, second=0, microsecond=0),
            event.trigger_id,
            event.outcome,
            bands.band_of(event.latency_ms),
        )
        for event in finished
        if not event.is_test and event.trigger_id is not None
    )
    if not counts:
        return
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
