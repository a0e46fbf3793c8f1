"""Debian cron's rule a second time, slowly and by itself: a walk through real minutes, as the daemon does it.

cron.c keeps a *virtual* time beside the clock. Wildcard jobs run by the clock. Fixed jobs run for every minute that the
virtual time comes past, and it never goes back: minutes that the clock jumps over are made up at once, minutes that it
shows again are not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


def fires(
    walk: Iterable[tuple[datetime, datetime]], matches: Callable[[datetime], bool], is_wildcard: bool
) -> list[datetime]:
    """Return the instants that fire, of pairs (instant, what the clock shows then); the first pair only leads in."""
    found: list[datetime] = []
    virtual: datetime | None = None
    for instant, clock in walk:
        if virtual is not None and is_wildcard and matches(clock):
            found.append(instant)
        elif virtual is not None and not is_wildcard:
            passed = range(1, (clock - virtual) // MINUTE + 1)
            if any(matches(virtual + minutes * MINUTE) for minutes in passed):
                found.append(instant)
        virtual = clock if virtual is None else max(virtual, clock)
    return found
