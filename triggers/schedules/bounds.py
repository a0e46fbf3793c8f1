"""What bounds a schedule from outside: a first and a last instant, and a delay that spreads a herd."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from triggers.schedules.errors import Over, ScheduleError
from triggers.schedules.kinds import Schedule

_GOLDEN = 2_654_435_769  # 2**32 divided by the golden ratio: neighbouring ids land far apart, any run of them evenly


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when a schedule fires, both included (aware); None is no bound."""

    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if self.not_before and self.not_after and self.not_before > self.not_after:
            raise ScheduleError("not_after", "The end lies before the start. Use a later end, or none.")

    def next_after(self, schedule: Schedule, after: datetime) -> datetime | None:
        """Return the first fire later than `after` (aware) within the window, in UTC; None when there is none."""
        if self.not_before and self.not_before > after:
            after = self.not_before - timedelta(microseconds=1)
        try:
            fire = schedule.next_after(after)
        except Over:
            return None
        return None if self.not_after and fire > self.not_after else fire


def spread_seconds(trigger_id: int, spread: float) -> float:
    """Return the delay of this trigger, from 0 and below `spread` seconds: always the same, evenly over many ids."""
    return trigger_id * _GOLDEN % 2**32 / 2**32 * spread
