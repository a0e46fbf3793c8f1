"""The totals that never grow smaller: finished events by outcome, skipped instants by cause, lateness and duration.

They are for those who look from outside and reckon with differences (Prometheus): over a restart, over what retention
forgets and over several processes they only grow, for they are counted in the database (claims.count_finished).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from triggers import bands
from triggers.models import Event, Total


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many took up to so many seconds: (bound, count of all up to it), the last without a bound; and their sum."""

    buckets: tuple[tuple[float, int], ...]
    sum: float

    @property
    def count(self) -> int:
        return self.buckets[-1][1]


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything that was counted since the beginning; tests left out."""

    events: dict[str, int]  # finished, by outcome
    skipped: dict[str, int]  # instants, by cause
    lateness: Histogram
    duration: Histogram


def read() -> Totals:
    """Return the totals; what has not occurred yet is there with 0. One query of some forty rows."""
    rows = Total.objects.values_list("kind", "label", "count", "seconds")
    found = {(kind, label): (count, seconds) for kind, label, count, seconds in rows}

    def counts(kind: str, labels: list[str]) -> dict[str, int]:
        return {label: found.get((kind, label), (0, 0.0))[0] for label in labels}

    def histogram(kind: str) -> Histogram:
        of_bounds = [found.get((kind, str(bound)), (0, 0.0)) for bound in bands.BOUNDS]
        running = accumulate(count for count, _ in of_bounds)
        return Histogram(tuple(zip(bands.BOUNDS, running, strict=True)), sum(seconds for _, seconds in of_bounds))

    finished = [outcome.value for outcome in Event.Outcome if outcome not in Event.UNFINISHED]
    return Totals(
        counts(Total.Kind.EVENTS, finished),
        counts(Total.Kind.SKIPPED, Event.SkipCause.values),
        histogram(Total.Kind.LATENESS),
        histogram(Total.Kind.DURATION),
    )
