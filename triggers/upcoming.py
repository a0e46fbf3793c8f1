"""The fires to come of all triggers together, in their order: merged from the timetables, none computed in vain."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q

from triggers import schedules
from triggers.models import Trigger

FREQUENT = 24  # fires in the time asked for; one that has more is a single line where lines are few
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
CHUNK = 200  # rows read at once


class Place(NamedTuple):
    """Where a list went on to: the fire of this trigger at this instant was its last."""

    at: datetime
    trigger_id: int

    def as_text(self) -> str:
        """Return it for an address; of_text() reads it back."""
        return f"{(self.at - _EPOCH) // _INSTANT}-{self.trigger_id}"

    @classmethod
    def of_text(cls, text: str) -> Place | None:
        """Return the place that as_text() said, or None for any other text."""
        microseconds, _, pk = text.partition("-")
        if not all(part.isascii() and part.isdigit() and len(part) <= 17 for part in (microseconds, pk)):
            return None
        return cls(_EPOCH + int(microseconds) * _INSTANT, int(pk))


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A fire to come. `more`: so many further fires of the trigger in the time asked for stand behind this one."""

    at: datetime  # by the clock of the trigger's zone
    trigger: Trigger
    note: str | None  # what a change of clock does to it
    more: int = 0

    @property
    def place(self) -> Place:
        return Place(self.at, self.trigger.pk)


def fires(
    until: datetime,
    limit: int,
    after: Place | None = None,
    *,
    is_folded: bool = False,
    only: Collection[int] | None = None,
) -> list[Upcoming]:
    """Return the first `limit` fires up to `until`, those after a place only, in order of their instants.

    `is_folded`: a trigger that fires more than FREQUENT times in between is there once, with the rest as a number.
    `only`: of the triggers with these ids; None: of all.
    """
    found: list[Upcoming] = []
    for upcoming in _merged(until, after, is_folded, only):
        found.append(upcoming)
        if len(found) == limit:
            break
    return found


@dataclass(slots=True)
class _Row:
    """A trigger on its way through its timetable."""

    trigger: Trigger
    zone_name: str
    timetable: schedules.Timetable | None  # None: it cannot be read, only the stored fire is known
    first: datetime  # the fire that is stored
    at: datetime  # the fire that comes next here
    before: datetime  # the fire before it, for what changes of clock do in between

    def move_on(self, until: datetime) -> bool:
        """Go to the next fire; return whether there is one."""
        following = self._following(self.at)
        if not following or following > until:
            return False
        self.before, self.at = self.at, following
        return True

    def jump_behind(self, place: Place) -> bool:
        """Go to the first fire behind a place; return whether there is one."""
        while (self.at, self.trigger.pk) <= place:
            low = max(self.at, place.at - _INSTANT)
            if not (following := self._following(low)):
                return False
            self.before, self.at = low, following
        return True

    def rest(self, until: datetime) -> int:
        """Return how many fires there are later than this one."""
        if self.timetable is None or not self.trigger.is_recurring:
            return 0
        count = self.timetable.count(self.at, until)
        left = self.trigger.fires_left
        return count if left is None else min(count, left - 1 - self.timetable.count(self.first, self.at))

    def upcoming(self, more: int = 0) -> Upcoming:
        said = None
        if self.timetable:
            delay = self.timetable.delay
            said = schedules.note(self.timetable.schedule, self.timetable.within(self.before), self.at - delay)
        return Upcoming(self.at.astimezone(schedules.zone(self.zone_name)), self.trigger, said, more)

    def _following(self, after: datetime) -> datetime | None:
        """Return the first fire later than `after`, as far as it may fire."""
        if self.timetable is None or not self.trigger.is_recurring:
            return None
        following = self.timetable.next_after(after)
        left = self.trigger.fires_left
        if following and left is not None and self.timetable.count(self.first, following) >= left:
            return None
        return following


def _merged(until: datetime, after: Place | None, is_folded: bool, only: Collection[int] | None) -> Iterator[Upcoming]:
    waiting: list[tuple[datetime, int, _Row]] = []
    rows = _rows(until, only)
    coming = next(rows, None)
    while coming or waiting:
        # A trigger joins when the merge has come to the fire that is stored with it.
        while coming and (not waiting or coming.first <= waiting[0][0]):
            if not after or coming.jump_behind(after):
                heapq.heappush(waiting, (coming.at, coming.trigger.pk, coming))
            coming = next(rows, None)
        if not waiting:
            continue
        _, pk, row = heapq.heappop(waiting)
        if row.at > until:
            continue
        more = row.rest(until) if is_folded else 0
        if more >= FREQUENT:
            yield row.upcoming(more)
            continue
        yield row.upcoming()
        if row.move_on(until):
            heapq.heappush(waiting, (row.at, pk, row))


def _rows(until: datetime, only: Collection[int] | None) -> Iterator[_Row]:
    due = Trigger.objects.next_fires().filter(next_fire_at__lte=until).defer("payload")
    if only is not None:
        due = due.filter(pk__in=only)
    behind = Q()
    while part := list(due.filter(behind)[:CHUNK]):
        for trigger in part:
            if at := trigger.next_fire_at:
                timetable, zone_name = _read(trigger)
                yield _Row(trigger, zone_name, timetable, at, at, at - _INSTANT)
        if len(part) < CHUNK:
            break
        # By key: behind a pooler there is no cursor, and all rows would come at once.
        at, pk = part[-1].next_fire_at, part[-1].pk
        behind = Q(next_fire_at__gte=at) & (Q(next_fire_at__gt=at) | Q(pk__gt=pk))


def _read(trigger: Trigger) -> tuple[schedules.Timetable | None, str]:
    """Return the timetable, and the zone to say its fires in."""
    try:
        return schedules.timetable_of(trigger), schedules.zone(trigger.time_zone).key
    except schedules.ScheduleError:
        # The beat will switch it off; until then it stands with the fire that is stored.
        return None, "UTC"
