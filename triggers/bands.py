"""Latencies in bands: fixed steps of a log scale, so that hours can be added up and still have a median.

Two bands to a doubling: a percentile that is read from them is off by a few per cent, whatever its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

UNMEASURED = -1  # nothing was sent, or no answer came
TOP = 39  # from 741 s on
_PER_DOUBLING = 2


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
