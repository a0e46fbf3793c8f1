"""The fires to come, with what changes of the clock do to each, in the words of the rule that fires them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from triggers.schedules.errors import ScheduleError
from triggers.schedules.kinds import Cron, FixedInterval, FixedTime, OnDate, Schedule
from triggers.schedules.timetable import Timetable
from triggers.schedules.zones import SECOND, Change, change_at, changes


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire to come."""

    at: datetime  # by the clock of the zone asked for
    note: str | None  # how daylight saving moves, leaves out or doubles it


def preview(timetable: Timetable, zone: ZoneInfo, after: datetime, count: int) -> list[Fire]:
    """Return the next `count` fires later than `after` (aware), or fewer when they come to an end."""
    if not 1970 <= after.year <= 8999:
        raise ScheduleError("from", _("Use an instant from 1970 to 8999."))
    fires: list[Fire] = []
    while len(fires) < count and (at := timetable.next_after(after)):
        # Clocks change under the schedule's own instants; a delay comes after.
        said = note(timetable.schedule, timetable.within(after), at - timetable.delay)
        fires.append(Fire(at.astimezone(zone), said))
        after = at
    return fires


def next_touched(timetable: Timetable, after: datetime, until: datetime) -> Fire | None:
    """Return the first fire that a change of clock between the two (aware) moves, leaves out or doubles, or None."""
    schedule = timetable.schedule
    if isinstance(schedule, FixedInterval):
        return None
    for change in changes(schedule.zone, after.astimezone(UTC), until.astimezone(UTC)):
        # A gap shows at the first fire from its end on, a doubled hour at the first fire in it.
        begin = change.at - SECOND if change.is_forward else change.at - (change.before - change.after) - SECOND
        low = max(begin, after) + timetable.delay
        if (at := timetable.next_after(low)) and (said := note(schedule, timetable.within(low), at - timetable.delay)):
            return Fire(at.astimezone(schedule.zone), said)
    return None


def note(schedule: Schedule, after: datetime, at: datetime) -> str | None:
    """Return what a change of clock does to the fire `at`, the first later than `after`; None when nothing."""
    if isinstance(schedule, FixedInterval):
        return None  # real time knows no daylight saving
    wall = at.astimezone(schedule.zone)
    shown = f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"
    change = change_at(wall.replace(tzinfo=None), schedule.zone)
    if change and not isinstance(schedule, OnDate) and schedule.expression.follows_real_time:
        if wall.fold:
            return _("Clocks go back: %(time)s comes twice and fires twice; this is the second.") % {"time": shown}
        return _("Clocks go back: %(time)s comes twice and fires twice; this is the first.") % {"time": shown}
    if change and wall.fold:  # only a date says so
        return _("Clocks go back: %(time)s comes twice, this fires at the second.") % {"time": shown}
    if change:
        return _("Clocks go back: %(time)s comes twice, this fires at the first.") % {"time": shown}
    if isinstance(schedule, OnDate):
        return None
    for change in changes(schedule.zone, after.astimezone(UTC), at.astimezone(UTC)):
        if change.is_forward and (lost := schedule.expression.count(change.low, change.high)):
            return _gap_in_words(schedule, change, lost, wall)
    return None


def _gap_in_words(schedule: FixedTime | Cron, change: Change, lost: int, wall: datetime) -> str:
    """Return what becomes of the `lost` local times in a gap, at the first fire from its end on."""
    first = schedule.expression.wall_from(change.low)
    clock = "%H:%M:%S" if schedule.expression.has_seconds else "%H:%M"
    # Where a whole day is left out, the time alone would not say which.
    said = f"{first:{clock}}" if first.date() == wall.date() else f"{first:%Y-%m-%d} {first:{clock}}"
    places = {
        "time": said,
        "low": f"{change.low:%H:%M}",
        "high": f"{change.high:%H:%M}",
        "count": lost,
        "fire": f"{wall:%H:%M}",
    }
    if schedule.expression.follows_real_time:
        words = (
            _("Clocks go forward: %(time)s does not exist and is left out.")
            if lost == 1
            else _(
                "Clocks go forward from %(low)s to %(high)s: the %(count)s times between do not exist and are left out."
            )
        )
    elif schedule.expression.count(change.high, change.high + SECOND):
        words = (
            _("Clocks go forward: %(time)s does not exist, so it falls together with %(fire)s.")
            if lost == 1
            else _(
                "Clocks go forward from %(low)s to %(high)s: the %(count)s times between do not exist, "
                "so they fall together with %(fire)s."
            )
        )
    else:
        words = (
            _("Clocks go forward: %(time)s does not exist, so this one fires at %(fire)s.")
            if lost == 1
            else _(
                "Clocks go forward from %(low)s to %(high)s: the %(count)s times between do not exist, "
                "so they fire as one at %(fire)s."
            )
        )
    return words % places
