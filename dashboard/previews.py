"""What is to come of a trigger, as a person reads it: its schedule in words, and its fires by the clock of its zone.

The same for a trigger and for a draft of one, and by the timetable that the beat fires from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from triggers import definition, schedules
from triggers.models import Trigger

LOOK_AHEAD_DAYS = 60  # how far off a change of clocks is worth a line
NEAR_DAYS = 7  # after that a relative time is a date again
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire to come, in the zone that the schedule is read in."""

    at: datetime
    words: str  # "Today, 14:45:00", "Fri 27 Mar, 02:30"
    offset: str  # "UTC+1"
    elsewhere: str  # the same instant on the display zone's clock, "" when both clocks agree
    note: str  # why the clock does not show the usual time, or ""
    is_near: bool  # so near that it is worth saying in how long


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to come of a trigger."""

    sentence: str
    bounds: str  # "From Thu 2 Apr, 22:00. At most 12 fires.", or ""
    zone: str
    fires: list[Fire]
    end: str  # what follows on the last of `fires` when it is the last of all, or ""
    delay: str  # what a spread does to every fire, or ""
    clock_change: str  # the day of the next change of clocks, when it lies behind `fires`, or ""


def outlook(trigger: Trigger, now: datetime, count: int) -> Outlook:
    """Return what is to come, with up to `count` fires; none when it is off, or done. Raises ScheduleError."""
    zone = zone_of(trigger)
    fires = _fires(trigger, zone, now, count + 1)
    is_end = 0 < len(fires) <= count
    fires = fires[:count]
    return Outlook(
        sentence=definition.schedule_in_words(trigger, now.astimezone(zone).date()),
        bounds=bounds_in_words(trigger, now),
        zone=zone.key,
        fires=fires,
        end=_end_in_words(trigger, len(fires)) if is_end else "",
        delay=_delay_in_words(trigger),
        clock_change=_change_behind(trigger, zone, fires, now),
    )


def zone_of(trigger: Trigger) -> ZoneInfo:
    """Return the zone to say a trigger's fires in: an interval alone is the same in all, so the reader's own.

    The reader's own too where this machine does not know the trigger's.
    """
    is_interval = trigger.schedule_type == Trigger.ScheduleType.FIXED_INTERVAL
    if (is_interval and not (trigger.not_before or trigger.not_after)) or not is_zone_known(trigger):
        return ZoneInfo(timezone.get_current_timezone_name())
    return schedules.zone(trigger.time_zone)


def is_zone_known(trigger: Trigger) -> bool:
    return trigger.time_zone in schedules.zone_names()


def bounds_in_words(trigger: Trigger, now: datetime) -> str:
    """Return "From Thu 2 Apr, 22:00. Until Fri 3 Apr, 22:00. At most 12 fires."; "" when nothing bounds it."""
    words = []
    if trigger.not_before:
        words.append(_("From %(moment)s.") % {"moment": moment_in_words(trigger.not_before, zone_of(trigger), now)})
    if trigger.not_after:
        words.append(_("Until %(moment)s.") % {"moment": moment_in_words(trigger.not_after, zone_of(trigger), now)})
    if trigger.max_fires and trigger.is_recurring:
        most = ngettext("At most %(count)s fire.", "At most %(count)s fires.", trigger.max_fires)
        words.append(most % {"count": number_format(trigger.max_fires, force_grouping=True)})
    return " ".join(words)


def moment_in_words(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Return "today, 14:45", "Fri 27 Mar, 02:30:15" by the clock of the zone, for the middle of a sentence."""
    local = at.astimezone(zone)
    clock = local.strftime("%H:%M:%S" if local.second else "%H:%M")
    if local.date() == now.astimezone(zone).date():
        return _("today, %(time)s") % {"time": clock}
    return _day_and_time(day_in_words(local.date(), now.astimezone(zone).date()), clock)


def _fires(trigger: Trigger, zone: ZoneInfo, now: datetime, count: int) -> list[Fire]:
    timetable = schedules.timetable_of(trigger)
    if trigger.next_fire_at is None:
        return []
    if not trigger.is_recurring:
        count = 1
    elif trigger.max_fires is not None:
        count = min(count, trigger.max_fires - trigger.fired_count)
    # One that is overdue is said as such, and what lies behind it is not listed. A new spread may leave one out.
    is_next = trigger.next_fire_at <= now or trigger.next_fire_at == timetable.next_after(now)
    return next_fires(timetable, zone, now if is_next else trigger.next_fire_at - _INSTANT, count, now)


def _end_in_words(trigger: Trigger, count: int) -> str:
    if not trigger.is_recurring:
        return _("The trigger switches itself off afterwards.")
    if count == 1:
        return _("This is the last; the trigger then switches itself off.")
    return _("The last of these is the last; the trigger then switches itself off.")


def _delay_in_words(trigger: Trigger) -> str:
    if not trigger.spread_seconds:
        return ""
    if not trigger.pk:
        words = _(
            "With the spread, every fire comes up to %(seconds)s s later, by a share that is fixed when you save."
        )
        return words % {"seconds": trigger.spread_seconds}
    delay = schedules.spread_delay(trigger.pk, trigger.spread_seconds).total_seconds()
    words = _("With the spread, every fire comes %(seconds)s s after its time.")
    return words % {"seconds": number_format(f"{delay:.1f}")}


def _change_behind(trigger: Trigger, zone: ZoneInfo, fires: list[Fire], now: datetime) -> str:
    """Return the day of the next change of clocks; one among the fires is said there."""
    if trigger.schedule_type == Trigger.ScheduleType.FIXED_INTERVAL or not trigger.is_recurring or not fires:
        return ""
    change = next_clock_change(zone, now)
    return day_in_words(change, now.astimezone(zone).date()) if change and fires[-1].at.date() < change else ""


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
        return _("Today")
    return schedules.day_in_words(day, today)


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
    is_near = fire.at - now < timedelta(days=NEAR_DAYS)
    return Fire(fire.at, words, offset_in_words(fire.at), elsewhere, fire.note or "", is_near)


def _in_words(at: datetime, now: datetime, clock: str) -> str:
    return _day_and_time(day_in_words(at.date(), now.date()), at.strftime(clock))


def _day_and_time(day: str, time: str) -> str:
    return _("%(day)s, %(time)s") % {"day": day, "time": time}
