"""Times in fixed steps, so that what was counted apart can be added up and still be read.

Latencies in bands of a log scale, two to a doubling: a percentile that is read from them is off by a few per cent,
whatever its size. Seconds up to bounds, the buckets of a histogram as Prometheus knows it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

UNMEASURED = -1  # nothing was sent, or no answer came
TOP = 39  # from 741 s on
_PER_DOUBLING = 2
# The upper bounds of the buckets, in seconds. Others must never take their place: what was counted stays counted.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, math.inf)


def band_of(milliseconds: float | None) -> int:
    """Return the band of a latency; the first has all below 1.4 ms, the last has no end."""
    if milliseconds is None:
        return UNMEASURED
    return min(max(math.floor(_PER_DOUBLING * math.log2(max(milliseconds, 1.0))), 0), TOP)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the milliseconds below which this share of the measured ones (counts by band) lies; None of none.

    Within a band they count as spread evenly.
    """
    measured = sorted((band, count) for band, count in counts.items() if band != UNMEASURED and count)
    wanted = share * sum(count for _, count in measured)
    for band, count in measured:
        if wanted <= count:
            begins = 2 ** (band / _PER_DOUBLING) if band else 0.0
            return begins + (2 ** ((band + 1) / _PER_DOUBLING) - begins) * wanted / count
        wanted -= count
    return None


def buckets(times: Iterable[float]) -> dict[float, list[float]]:
    """Return times in seconds by the bound of their bucket, the lowest that they are not above; none is below 0."""
    found: dict[float, list[float]] = defaultdict(list)
    for seconds in times:
        found[BOUNDS[bisect_left(BOUNDS, seconds)]].append(max(seconds, 0.0))  # a clock was set back
    return found
