"""How long an event waits for its next attempt. Pure."""

from __future__ import annotations

from datetime import timedelta

RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))
MOST_ATTEMPTS = 1 + len(RETRY_AFTER)


def wait_after(attempt: int, *, is_single: bool = False) -> timedelta | None:
    """Return how long to wait after the failed `attempt` (counted from 1), or None when it was the last.

    `is_single`: a test press wants its answer now and is tried once.
    """
    if is_single or attempt > len(RETRY_AFTER):
        return None
    return RETRY_AFTER[attempt - 1]
