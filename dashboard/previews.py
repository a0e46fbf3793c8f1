"""When a schedule fires next, as a person reads it: in the trigger's zone, with what a change of clocks does to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from triggers import schedules

LOOK_AHEAD_DAYS = 60  # how far off a change of clocks is worth a line


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire to come, in the zone that the schedule is read in."""

    at: datetime
    words: str  # "Today, 14:45:00", "Fri 27 Mar, 02:30"
    offset: str  # "UTC+1"
    elsewhere: str  # the same instant on the display zone's clock, "" when both clocks agree
    note: str  # why the clock does not show the usual time, or ""


def next_fires(
    timetable: schedules.Timetable, zone: ZoneInfo, after: datetime, count: int, now: datetime
) -> list[Fire]:
    """Return the next `count` fires later than `after` (aware), or fewer; `now` decides which day is today."""
    fires = schedules.preview(timetable, zone, after, count)
    # Seconds are said where a fire has any: an interval, a spread.
    clock = "%H:%M:%S" if any(fire.at.second for fire in fires) else "%H:%M"
    return [_fire(fire, clock, now) for fire in fires]


def next_clock_change(zone: ZoneInfo, after: datetime) -> date | None:
    """Return the day within LOOK_AHEAD_DAYS on which the zone's clock changes next, or None."""
    low = after.astimezone(UTC)
    found = schedules.changes(zone, low, low + timedelta(days=LOOK_AHEAD_DAYS))
    return found[0].at.astimezone(zone).date() if found else None


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


def _fire(fire: schedules.Fire, clock: str, now: datetime) -> Fire:
    there = timezone.localtime(fire.at)
    elsewhere = "" if there.utcoffset() == fire.at.utcoffset() else _in_words(there, timezone.localtime(now), clock)
    words = _in_words(fire.at, now.astimezone(fire.at.tzinfo), clock)
    return Fire(fire.at, words, offset_in_words(fire.at), elsewhere, fire.note or "")


def _in_words(at: datetime, now: datetime, clock: str) -> str:
    return f"{day_in_words(at.date(), now.date())}, {at.strftime(clock)}"
