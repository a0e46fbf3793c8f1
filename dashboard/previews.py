"""When a schedule fires next, as a person reads it: in the trigger's zone, with what the change of clocks does to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from triggers.schedules import FixedTime, Schedule

LOOK_AHEAD = timedelta(days=60)  # how far off a change of clocks is worth a line


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire to come: `at` in the trigger's zone; `note` says why the clock does not show the usual time, or ""."""

    at: datetime
    note: str

    @property
    def offset(self) -> str:
        return offset_in_words(self.at)


def next_fires(schedule: Schedule, zone: ZoneInfo, after: datetime, count: int) -> list[Fire]:
    """Return the next `count` fires later than `after` (aware)."""
    return [Fire(at.astimezone(zone), _note(schedule, at.astimezone(zone))) for at in islice(_fires(schedule, after), count)]


def next_clock_change(zone: ZoneInfo, after: datetime) -> datetime | None:
    """Return local noon of the first day within LOOK_AHEAD whose clock differs from that of the day before, or None."""
    noon = after.astimezone(zone).replace(hour=12, minute=0, second=0, microsecond=0)
    for days in range(1, LOOK_AHEAD.days + 1):
        # Adding to a local time keeps the clock's hour: noon of each day.
        if (day := noon + timedelta(days=days)).utcoffset() != (day - timedelta(days=1)).utcoffset():
            return day
    return None


def offset_in_words(at: datetime) -> str:
    """Return "UTC+1", "UTC−4", "UTC+5:30", "UTC"."""
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    if not minutes:
        return "UTC"
    return f"UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"


def _fires(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    while True:
        after = schedule.next_after(after)
        yield after


def _note(schedule: Schedule, at: datetime) -> str:
    if not isinstance(schedule, FixedTime):
        return ""
    usual = f"{schedule.at:%H:%M}"
    if at.time() != schedule.at:
        return f"Clocks go forward: {usual} does not exist, so this one fires at {at:%H:%M}."
    if at.replace(fold=1).utcoffset() != at.utcoffset():
        return f"Clocks go back: {usual} comes twice, this fires at the first."
    return ""
