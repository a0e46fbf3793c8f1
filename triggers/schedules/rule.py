"""From the local times that an expression names to instants: Debian cron's rule for changes of the clock.

- An expression with a time of day of its own fires once for each local time: when the zone's clock first shows it
  or, where the clock jumps over it, at the first instant after the gap. All that lies in one gap is one fire.
- An expression whose minute or hour begins with * follows real time: it fires whenever the clock shows what it names,
  so what a gap leaves out is left out, and what comes twice fires twice.

Source: cron(8) of Debian, NOTES: "If the time has moved forwards, those jobs which would have run in the time that was
skipped will be run soon after the change. Conversely, if the time has moved backwards …, those jobs that fall into the
repeated time will not be re-run. Only jobs that run at a particular time (not specified as @hourly, nor with '*' in the
hour or minute specifier) are affected." A * counts where the field begins with it, as in cron's own entry.c. Debian
takes changes of three hours and more for corrections of the clock; here they are changes like any other, so that a
daily fire is not lost where a zone leaves out a day.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from triggers.schedules.cron import Expression
from triggers.schedules.zones import SECOND, changes, instant_of, offset

_DAY = timedelta(days=1)


def next_fire(expression: Expression, in_zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first fire later than `after` (aware), in UTC. Raises Over at the calendar's end."""
    if not expression.follows_real_time:
        return instant_of(expression.wall_from(_first_wall_after(in_zone, after)), in_zone)
    begin = _next_second(after)
    while True:
        local = begin.astimezone(in_zone)
        here = offset(local)
        fire = (expression.wall_from(local.replace(tzinfo=None)) - here).replace(tzinfo=UTC)
        if not (turns := changes(in_zone, begin, fire)):
            return fire
        begin = turns[0].at  # up to here nothing; from here on by the new clock


def count_fires(expression: Expression, in_zone: ZoneInfo, low: datetime, high: datetime) -> int:
    """Return how many fires are later than `low` and not later than `high` (both aware)."""
    if low >= high:
        return 0
    begin, end = _next_second(low), _next_second(high)
    if expression.follows_real_time:
        edges = [begin, *(change.at for change in changes(in_zone, begin, end)), end]
        return sum(_count_at_one_offset(expression, in_zone, *edge) for edge in pairwise(edges))
    count = expression.count(_first_wall_after(in_zone, low), _first_wall_after(in_zone, high))
    for change in changes(in_zone, low.astimezone(UTC), high.astimezone(UTC)):
        if change.is_forward and (lost := expression.count(change.low, change.high)):
            # They are one fire, or none of their own where the gap's end is a fire anyway.
            count -= lost if expression.count(change.high, change.high + SECOND) else lost - 1
    return count


def _count_at_one_offset(expression: Expression, in_zone: ZoneInfo, begin: datetime, end: datetime) -> int:
    here = offset(begin.astimezone(in_zone))
    return expression.count(begin.replace(tzinfo=None) + here, end.replace(tzinfo=None) + here)


def _first_wall_after(in_zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first local time (naive, a whole second) that the zone's clock has not shown up to `after`."""
    local = after.astimezone(in_zone)
    following = local.replace(tzinfo=None, microsecond=0, fold=0) + SECOND
    if local.fold:
        # The hour comes again: all of it has been shown before.
        now = after.astimezone(UTC)
        following = max(following, *(change.high for change in changes(in_zone, now - _DAY, now)))
    return following


def _next_second(after: datetime) -> datetime:
    """Return the first whole second later than `after`, in UTC."""
    return after.astimezone(UTC).replace(microsecond=0) + SECOND
