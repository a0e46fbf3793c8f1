"""Time zones: which names there are, when a zone's clock changes, and which instant a local time is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils.translation import gettext as _

from triggers.schedules.errors import ScheduleError

SECOND = timedelta(seconds=1)
# Two changes of one zone lie at least 6 days apart (tzdata from 1970 on; Brazil, October 2000): this misses none.
_LOOK_EVERY = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Change:
    """A zone's clock is set forward or back: up to `at` it has the offset `before`, from `at` on `after`."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def is_forward(self) -> bool:
        return self.after > self.before

    @property
    def low(self) -> datetime:
        """The local time (naive) at which the gap begins, or the hour that comes twice."""
        return self.at.replace(tzinfo=None) + min(self.before, self.after)

    @property
    def high(self) -> datetime:
        """The local time (naive) at which the gap ends, or the hour that comes twice; itself outside."""
        return self.at.replace(tzinfo=None) + max(self.before, self.after)


@lru_cache(maxsize=1024)  # zoneinfo itself keeps eight and reads the others from disk again
def zone(name: str) -> ZoneInfo:
    """Return the IANA zone of this name; raises ScheduleError for any other name."""
    if name not in zone_names():
        raise ScheduleError("time_zone", _("Use an IANA time zone name, such as Europe/Berlin."))
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """All zone names that are allowed."""
    # "localtime" is another zone on every machine.
    return frozenset(available_timezones() - {"localtime"})


def changes(in_zone: ZoneInfo, low: datetime, high: datetime) -> list[Change]:
    """Return the zone's changes of clock with `low` < at <= `high` (both UTC), in order."""
    return [
        change
        for year in range(low.year, high.year + 1)
        for change in _changes_in(in_zone, year)
        if low < change.at <= high
    ]


@lru_cache(maxsize=8192)
def _changes_in(in_zone: ZoneInfo, year: int) -> tuple[Change, ...]:
    """Return the changes later than the beginning of the year in UTC, up to the beginning of the next."""
    found = []
    low, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    before = offset(low.astimezone(in_zone))
    while low < end:
        high = min(low + _LOOK_EVERY, end)
        after = offset(high.astimezone(in_zone))
        if after != before:
            found.append(Change(_turn(in_zone, low, high, before), before, after))
        low, before = high, after
    return tuple(found)


def _turn(in_zone: ZoneInfo, low: datetime, high: datetime, before: timedelta) -> datetime:
    """Return the first instant after `low` whose offset is not `before`; changes happen at whole seconds."""
    while high - low > SECOND:
        middle = low + (high - low) // 2 // SECOND * SECOND
        if offset(middle.astimezone(in_zone)) == before:
            low = middle
        else:
            high = middle
    return high


def offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta()


def instant_of(wall: datetime, in_zone: ZoneInfo) -> datetime:
    """Return when the zone's clock first shows `wall` (naive) or a later time, in UTC.

    So a local time that comes twice means the first, and one in a gap the first instant after the gap.
    """
    local = wall.replace(tzinfo=in_zone, fold=0)
    first, second = offset(local), offset(local.replace(fold=1))
    if first >= second:
        return (wall - first).replace(tzinfo=UTC)
    # In a gap the two readings lie on both sides of the change (PEP 495).
    return changes(in_zone, (wall - second).replace(tzinfo=UTC), (wall - first).replace(tzinfo=UTC))[0].at


def change_at(wall: datetime, in_zone: ZoneInfo) -> Change | None:
    """Return the change of clock that leaves out `wall` (naive) or lets it come twice; None for an ordinary time."""
    local = wall.replace(tzinfo=in_zone, fold=0)
    readings = sorted((wall - offset(local.replace(fold=fold))).replace(tzinfo=UTC) for fold in (0, 1))
    return next(iter(changes(in_zone, *readings)), None)
