"""When does a trigger fire next? Pure: no model, no clock of its own; every instant is passed in.

A fixed time is read in the trigger's zone by Debian cron's rule: a local time that does not exist fires at
the first instant after the gap; one that exists twice fires at the first only. Intervals follow real time and
count from the trigger's start, so they do not drift.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

LONGEST_INTERVAL = 31_622_400  # seconds: a leap year
_HH_MM = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


class ScheduleError(ValueError):
    """The schedule cannot be read; the words say the rule and the way out. `field` is the field to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class FixedTime:
    """Every day at a local time, or once at its next occurrence."""

    at: time
    zone: ZoneInfo

    def next_after(self, after: datetime) -> datetime:
        """Return the first instant later than `after` (aware) at which the clock of the zone shows `at`, in UTC."""
        day = after.astimezone(self.zone).date()
        # A gap at midnight can move an instant into the next day: begin a day early.
        for offset in range(-1, 4):
            instant = self._on(day + timedelta(days=offset))
            if instant > after:
                return instant
        raise AssertionError("a local time comes round within three days")

    def _on(self, day: date) -> datetime:
        # fold=0: of a time that exists twice, the first. In a gap, zoneinfo reads fold=0 by the offset from
        # before the change, which lies past the gap by as much as the time lay in it.
        local = datetime.combine(day, self.at, tzinfo=self.zone)
        instant = local.astimezone(UTC)
        if instant.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return instant
        return _end_of_gap(local, self.zone)


@dataclass(frozen=True, slots=True)
class FixedInterval:
    """The k-th fire is `start + k * every` (k >= 1), whatever the load."""

    every: timedelta
    start: datetime

    def next_after(self, after: datetime) -> datetime:
        """Return the first fire later than `after` (aware), in UTC."""
        # In UTC: sums within another zone would follow the clock on the wall.
        start = self.start.astimezone(UTC)
        fires_passed = (after.astimezone(UTC) - start) // self.every
        return start + max(fires_passed + 1, 1) * self.every


Schedule = FixedTime | FixedInterval


def missed(schedule: Schedule, first: datetime, until: datetime) -> tuple[int, datetime]:
    """Return how many fires lie in `first` … `until`, both included, and the last of them; `first` is a fire."""
    if isinstance(schedule, FixedInterval):
        further = (until - first) // schedule.every
        return 1 + further, first + further * schedule.every
    count, latest = 1, first
    while (following := schedule.next_after(latest)) <= until:
        count, latest = count + 1, following
    return count, latest


def read(schedule_type: str, schedule_value: str, time_zone: str, start: datetime) -> Schedule:
    """Return the schedule that the words mean; `start` is the instant that intervals count from.

    Raises ScheduleError for what cannot be read.
    """
    if schedule_type == "fixed_time":
        if not _HH_MM.fullmatch(schedule_value):
            raise ScheduleError("schedule_value", "Use a time as HH:MM, from 00:00 to 23:59.")
        return FixedTime(time.fromisoformat(schedule_value), zone(time_zone))
    if schedule_type == "fixed_interval":
        return FixedInterval(timedelta(seconds=_seconds(schedule_value)), start)
    raise ScheduleError("schedule_type", "Use fixed_time or fixed_interval.")


def zone(name: str) -> ZoneInfo:
    """Return the IANA zone of this name; raises ScheduleError for any other name."""
    if name not in zone_names():
        raise ScheduleError("time_zone", "Use an IANA time zone name, such as Europe/Berlin.")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """All zone names that are allowed."""
    # "localtime" is another zone on every machine.
    return frozenset(available_timezones() - {"localtime"})


def _seconds(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= 8 and 1 <= int(value) <= LONGEST_INTERVAL:
        return int(value)
    raise ScheduleError(
        "schedule_value",
        f"Use a whole number of seconds, from 1 to {LONGEST_INTERVAL}.",
    )


def _end_of_gap(local: datetime, in_zone: ZoneInfo) -> datetime:
    """Return the first instant after the gap that `local` lies in."""
    # Both readings of a time in a gap straddle the change: fold=1 (the offset of after) lies before it,
    # fold=0 (the offset of before) after it. Zone changes happen at whole seconds.
    low, high = (local.replace(fold=fold).astimezone(UTC) for fold in (1, 0))
    before = low.astimezone(in_zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(in_zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def in_words(schedule_type: str, schedule_value: str, is_recurring: bool) -> str:
    """Return the schedule as a person says it: "Every 15 min", "Every day at 02:30", "Once, at 02:30"."""
    if schedule_type == "fixed_time":
        return f"Every day at {schedule_value}" if is_recurring else f"Once, at {schedule_value}"
    if schedule_type == "fixed_interval":
        length = duration_in_words(int(schedule_value))
        return f"Every {length}" if is_recurring else f"Once, after {length}"
    return "When called"


def duration_in_words(seconds: int) -> str:
    """Return "30 s", "5 min", "1 h 30 min", "2 days 1 h"."""
    if seconds == 0:
        return "0 s"
    parts = []
    for size, one, many in (
        (86400, "day", "days"),
        (3600, "h", "h"),
        (60, "min", "min"),
        (1, "s", "s"),
    ):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {one if amount == 1 else many}")
    return " ".join(parts)
