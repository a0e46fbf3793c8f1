"""The sums by hour, bumped with the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from triggers.claims.sql import aware, instant, rows_table, run


def count_finished(finished: Iterable[Sequence[Any]]) -> None:
    """Add finished events (outcome, triggered_at, is_test) to the sums by hour; test events never count."""
    counts = Counter(
        (aware(at).replace(minute=0, second=0, microsecond=0), outcome)
        for outcome, at, is_test in finished
        if not is_test
    )
    if not counts:
        return
    table, values = rows_table(
        {"hour": "timestamptz", "outcome": "text", "count": "bigint"},
        # In one order for every writer, so that two of them never wait for each other in a circle.
        [(instant(hour), outcome, count) for (hour, outcome), count in sorted(counts.items())],
    )
    run(
        f"INSERT INTO triggers_hourlycount (hour, outcome, count) SELECT hour, outcome, count FROM {table} WHERE true "
        "ON CONFLICT (hour, outcome) DO UPDATE SET count = triggers_hourlycount.count + excluded.count",
        *values,
    )
