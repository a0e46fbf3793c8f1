"""Latencies in bands: coarse enough to add up, fine enough for a median."""

from __future__ import annotations

import random
import statistics
from collections import Counter

import pytest

from triggers import bands


@pytest.mark.parametrize(
    ("milliseconds", "band"),
    [
        (None, bands.UNMEASURED),
        (0.0, 0),
        (1.3, 0),
        (1.5, 1),
        (2.0, 2),
        (184.0, 15),
        (10_000.0, 26),
        (1e9, bands.TOP),
    ],
)
def test_a_band_is_half_a_doubling(milliseconds: float | None, band: int) -> None:
    assert bands.band_of(milliseconds) == band


@pytest.mark.parametrize("median", [3, 42, 184, 9_000])
def test_percentiles_are_off_by_a_few_per_cent(median: int) -> None:
    chance = random.Random(median)
    taken = sorted(chance.lognormvariate(0, 0.7) * median for _ in range(2000))
    counts = Counter(bands.band_of(each) for each in taken)
    assert bands.percentile(counts, 0.5) == pytest.approx(statistics.median(taken), rel=0.08)
    assert bands.percentile(counts, 0.95) == pytest.approx(taken[1900], rel=0.08)


def test_what_was_not_measured_is_in_no_percentile() -> None:
    assert bands.percentile({bands.UNMEASURED: 7}, 0.5) is None
    counts = {bands.UNMEASURED: 70, bands.band_of(100.0): 1}
    assert bands.percentile(counts, 0.95) == pytest.approx(100, rel=0.3)
