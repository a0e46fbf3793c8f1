"""How long an event waits for its next attempt: the table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from triggers import backoff


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [
        (1, 5),
        (2, 30),
        (3, 120),
        (4, None),  # the last
        (5, None),  # one too many, by whatever accident
        (32_767, None),
    ],
)
def test_each_attempt_waits_longer_than_the_one_before(attempt: int, seconds: int | None) -> None:
    assert backoff.wait_after(attempt) == (None if seconds is None else timedelta(seconds=seconds))


def test_the_last_attempt_is_the_one_that_nothing_follows() -> None:
    assert backoff.wait_after(backoff.MOST_ATTEMPTS - 1)
    assert backoff.wait_after(backoff.MOST_ATTEMPTS) is None


@pytest.mark.parametrize("attempt", [1, 2, 3, 4])
def test_a_test_press_is_tried_once(attempt: int) -> None:
    assert backoff.wait_after(attempt, is_single=True) is None
