"""A schedule with what bounds it from outside: a first and a last instant, and a delay that spreads a herd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.utils.translation import gettext as _

from triggers.schedules.errors import Over, ScheduleError
from triggers.schedules.kinds import Schedule
from triggers.schedules.reading import read
from triggers.schedules.zones import SECOND

_GOLDEN = 2_654_435_769  # 2**32 divided by the golden ratio: neighbouring ids land far apart, any run of them evenly
INSTANT = timedelta(microseconds=1)  # the least that two instants differ by


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when a schedule fires, both included (aware); None is no bound."""

    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if self.not_before and self.not_after and self.not_before > self.not_after:
            raise ScheduleError("not_after", _("The end lies before the start. Use a later end, or none."))


@dataclass(frozen=True, slots=True)
class Timetable:
    """The instants at which a trigger fires: those of its schedule within the window, each `delay` later."""

    schedule: Schedule
    window: Window = Window()
    delay: timedelta = timedelta()

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first fire later than `after` (aware), in UTC; None when there is none any more."""
        try:
            fire = self.schedule.next_after(self.within(after))
        except Over:
            return None
        return None if self.window.not_after and fire > self.window.not_after else fire + self.delay

    def count(self, low: datetime, high: datetime) -> int:
        """Return how many fires are later than `low` and not later than `high` (both aware)."""
        low, high = self.within(low), high - self.delay
        if self.window.not_after:
            high = min(high, self.window.not_after)
        return self.schedule.count(low, high) if low < high else 0

    def within(self, after: datetime) -> datetime:
        """Return what `after` is to the schedule itself: without the delay, and no earlier than the window."""
        low = after - self.delay
        if self.window.not_before and self.window.not_before > low:
            return self.window.not_before - INSTANT
        return low

    def newest(self, after: datetime, until: datetime, count: int) -> list[datetime]:
        """Return the last `count` fires, or fewer, later than `after` and not later than `until`, in order, in UTC.

        The others are counted, not walked through: a long time costs no more than a short one.
        """
        low, high = after.astimezone(UTC), until.astimezone(UTC)
        # Move `low` up until no more than `count` fires lie after it.
        if (surplus := self.count(low, until) - count) > 0:
            begin = low
            while high - low > SECOND:
                middle = low + (high - low) / 2
                if self.count(begin, middle) <= surplus:
                    low = middle
                else:
                    high = middle
        fires: list[datetime] = []
        while (fire := self.next_after(low)) and fire <= until:
            fires.append(fire)
            low = fire
        return fires[-count:] if count else []


class Terms(Protocol):
    """What says when a trigger fires: a row of the database, or a draft that has no id yet."""

    @property
    def id(self) -> int | None: ...
    @property
    def schedule_type(self) -> str: ...
    @property
    def schedule_value(self) -> str: ...
    @property
    def weekdays(self) -> Sequence[int]: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def starts_at(self) -> datetime: ...  # what intervals count from
    @property
    def not_before(self) -> datetime | None: ...
    @property
    def not_after(self) -> datetime | None: ...
    @property
    def spread_seconds(self) -> int: ...


def timetable_of(terms: Terms) -> Timetable:
    """Return when a trigger fires. Of a draft without an id the spread is left out. Raises ScheduleError."""
    return Timetable(
        read(terms.schedule_type, terms.schedule_value, terms.time_zone, terms.starts_at, terms.weekdays),
        Window(terms.not_before, terms.not_after),
        spread_delay(terms.id, terms.spread_seconds) if terms.id and terms.spread_seconds else timedelta(),
    )


def spread_delay(trigger_id: int, spread_seconds: int) -> timedelta:
    """Return the delay of this trigger, from 0 and below `spread_seconds`, in whole milliseconds.

    It is always the same, and even over many ids.
    """
    return timedelta(milliseconds=trigger_id * _GOLDEN % 2**32 * spread_seconds * 1000 // 2**32)
