"""When a schedule fires next, as a person reads it: in the trigger's zone, with what a change of clocks does to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.utils import timezone

from triggers.schedules import FixedTime, Schedule

LOOK_AHEAD_DAYS = 60  # how far off a change of clocks is worth a line


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire to come, in the zone that the schedule is read in."""

    at: datetime
    words: str  # "Today, 14:45:00", "Fri 27 Mar, 02:30"
    offset: str  # "UTC+1"
    elsewhere: str  # the same instant on the display zone's clock, "" when both clocks agree
    note: str  # why the clock does not show the usual time, or ""


def next_fires(schedule: Schedule, zone: ZoneInfo, after: datetime, count: int, now: datetime) -> list[Fire]:
    """Return the next `count` fires later than `after` (aware); `now` decides which day is today."""
    return [_fire(schedule, at.astimezone(zone), now) for at in islice(_instants(schedule, after), count)]


def next_clock_change(zone: ZoneInfo, after: datetime) -> date | None:
    """Return the first day within LOOK_AHEAD_DAYS whose noon has another offset than the noon before, or None."""
    noon = after.astimezone(zone).replace(hour=12, minute=0, second=0, microsecond=0)
    for days in range(1, LOOK_AHEAD_DAYS + 1):
        # Adding to a local time keeps the clock's hour: noon of each day.
        if (day := noon + timedelta(days=days)).utcoffset() != (day - timedelta(days=1)).utcoffset():
            return day.date()
    return None


def day_in_words(day: date, today: date) -> str:
    """Return "Today", "Fri 27 Mar", or with its year when that is not this one."""
    if day == today:
        return "Today"
    return f"{day:%a} {day.day} {day:%b}{f' {day.year}' if day.year != today.year else ''}"


def offset_in_words(at: datetime) -> str:
    """Return "UTC+1", "UTC−4", "UTC+5:30", "UTC"."""
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    if not minutes:
        return "UTC"
    return f"UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"


def _instants(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    while True:
        after = schedule.next_after(after)
        yield after


def _fire(schedule: Schedule, at: datetime, now: datetime) -> Fire:
    clock = "%H:%M" if isinstance(schedule, FixedTime) else "%H:%M:%S"
    there = timezone.localtime(at)
    elsewhere = "" if there.utcoffset() == at.utcoffset() else _in_words(there, timezone.localtime(now), clock)
    words = _in_words(at, now.astimezone(at.tzinfo), clock)
    return Fire(at, words, offset_in_words(at), elsewhere, _note(schedule, at))


def _in_words(at: datetime, now: datetime, clock: str) -> str:
    return f"{day_in_words(at.date(), now.date())}, {at.strftime(clock)}"


def _note(schedule: Schedule, at: datetime) -> str:
    if not isinstance(schedule, FixedTime):
        return ""
    usual = f"{schedule.at:%H:%M}"
    if at.time() != schedule.at:
        return f"Clocks go forward: {usual} does not exist, so this one fires at {at:%H:%M}."
    if at.replace(fold=1).utcoffset() != at.utcoffset():
        return f"Clocks go back: {usual} comes twice, this fires at the first."
    return ""
