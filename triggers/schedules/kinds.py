"""The kinds of schedule, all asked the same: which is the first fire after this instant, how many lie between two?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from triggers.schedules import rule
from triggers.schedules.cron import Expression, parse
from triggers.schedules.errors import Over


@dataclass(frozen=True, slots=True)
class FixedTime:
    """At a local time, every day or on some weekdays (1 Monday … 7 Sunday; none means every day)."""

    at: time
    zone: ZoneInfo
    weekdays: tuple[int, ...] = ()

    @property
    def expression(self) -> Expression:
        """The same as a cron expression."""
        return parse(f"{self.at.minute} {self.at.hour} * * {','.join(map(str, self.weekdays)) or '*'}")

    def next_after(self, after: datetime) -> datetime:
        """Return the first fire later than `after` (aware), in UTC: the clock of the zone first shows `at`."""
        return rule.next_fire(self.expression, self.zone, after)

    def count(self, low: datetime, high: datetime) -> int:
        """Return how many fires are later than `low` and not later than `high` (both aware)."""
        return rule.count_fires(self.expression, self.zone, low, high)


@dataclass(frozen=True, slots=True)
class FixedInterval:
    """The k-th fire is `start + k * every` (k >= 1), whatever the load."""

    every: timedelta
    start: datetime

    def next_after(self, after: datetime) -> datetime:
        """Return the first fire later than `after` (aware), in UTC."""
        # In UTC: sums within another zone would follow the clock on the wall.
        start = self.start.astimezone(UTC)
        return start + (self._passed(after) + 1) * self.every

    def count(self, low: datetime, high: datetime) -> int:
        """Return how many fires are later than `low` and not later than `high` (both aware)."""
        return max(self._passed(high) - self._passed(low), 0)

    def _passed(self, at: datetime) -> int:
        return max((at.astimezone(UTC) - self.start.astimezone(UTC)) // self.every, 0)


@dataclass(frozen=True, slots=True)
class Cron:
    """At the local times that a cron expression names."""

    expression: Expression
    zone: ZoneInfo

    def next_after(self, after: datetime) -> datetime:
        """Return the first fire later than `after` (aware), in UTC. Raises Over at the calendar's end."""
        return rule.next_fire(self.expression, self.zone, after)

    def count(self, low: datetime, high: datetime) -> int:
        """Return how many fires are later than `low` and not later than `high` (both aware)."""
        return rule.count_fires(self.expression, self.zone, low, high)


@dataclass(frozen=True, slots=True)
class OnDate:
    """At one instant, and never again."""

    at: datetime  # UTC
    zone: ZoneInfo  # whose clock it was said by

    def next_after(self, after: datetime) -> datetime:
        """Return the instant. Raises Over when it is not later than `after` (aware)."""
        if self.at > after:
            return self.at
        local = self.at.astimezone(self.zone)
        raise Over(
            "schedule_value",
            format_lazy(
                _("{time} in {zone} has passed. Use a later date and time."),
                time=f"{local:%Y-%m-%d %H:%M}",
                zone=self.zone.key,
            ),
        )

    def count(self, low: datetime, high: datetime) -> int:
        """Return 1 when the instant is later than `low` and not later than `high` (both aware), else 0."""
        return int(low < self.at <= high)


Schedule = FixedTime | FixedInterval | Cron | OnDate
