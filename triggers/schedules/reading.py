"""What people and programs write for a schedule, and what it means; what cannot be read is refused with the way out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, pgettext

from triggers.schedules import cron
from triggers.schedules.errors import ScheduleError
from triggers.schedules.kinds import Cron, FixedInterval, FixedTime, OnDate, Schedule
from triggers.schedules.zones import change_at, zone

LONGEST_INTERVAL = 31_622_400  # seconds: a leap year
KINDS = ("fixed_time", "fixed_interval", "cron", "date")

_HH_MM = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>Z|[+-]\d\d:?\d\d)?", re.ASCII)
_AMOUNT = re.compile(r"(?P<amount>[0-9]{1,8})\s*(?P<unit>[^\W\d_]*)(\s*,\s*|\s+|$|(?=[0-9]))")
# What people write for a unit of time. Translators: give the words of your language; these are understood as well.
_UNITS = (
    (1, gettext_noop("s sec secs second seconds")),
    (60, gettext_noop("m min mins minute minutes")),
    (3600, gettext_noop("h hr hrs hour hours")),
    (86_400, gettext_noop("d day days")),
    (604_800, gettext_noop("w week weeks")),
)


def read(
    schedule_type: str, schedule_value: str, time_zone: str, start: datetime, weekdays: Iterable[int] = ()
) -> Schedule:
    """Return the schedule that the words mean; `start` is the instant that intervals count from.

    fixed_time: HH:MM, on `weekdays` (ISO: 1 Monday … 7 Sunday; none means every day). fixed_interval: whole seconds.
    cron: five fields, or six with seconds first where minute or hour begins with *, or a name such as @daily.
    date: YYYY-MM-DDTHH:MM, by the zone's clock unless it ends with an offset.
    Raises ScheduleError for what cannot be read, or never fires.
    """
    if schedule_type == "fixed_time":
        if not _HH_MM.fullmatch(schedule_value):
            raise ScheduleError("schedule_value", _("Use a time as HH:MM, from 00:00 to 23:59."))
        return FixedTime(time.fromisoformat(schedule_value), zone(time_zone), read_weekdays(weekdays))
    if schedule_type == "fixed_interval":
        return FixedInterval(timedelta(seconds=_whole_seconds(schedule_value)), start)
    if schedule_type == "cron":
        return Cron(cron.parse(schedule_value), zone(time_zone))
    if schedule_type == "date":
        return OnDate(read_instant("schedule_value", schedule_value, zone(time_zone)), zone(time_zone))
    raise ScheduleError(
        "schedule_type", _("Use %(kinds)s or %(last)s.") % {"kinds": ", ".join(KINDS[:-1]), "last": KINDS[-1]}
    )


def read_weekdays(weekdays: Iterable[int]) -> tuple[int, ...]:
    """Return the days in order, each once; all seven, like none, are () for every day. Raises ScheduleError."""
    days = list(weekdays) if isinstance(weekdays, Iterable) else [None]
    if any(type(day) is not int or not 1 <= day <= 7 for day in days):
        raise ScheduleError("weekdays", _("Use numbers from 1 for Monday to 7 for Sunday."))
    return tuple(sorted(set(days))) if len(set(days)) < 7 else ()


def seconds_of(text: str) -> int:
    """Return the seconds that a length such as "90", "90s", "5 min", "1 h 30 min" or "2 days" has.

    Units may be written in the language in use too. Raises ScheduleError.
    """
    sizes = {name: size for size, names in _UNITS for name in (*names.split(), *_(names).split())} | {"": 1}
    rest, total, seen = _without_and(text.strip().lower()), 0, set()
    while rest and (found := _AMOUNT.match(rest)):
        size = sizes.get(found["unit"])
        if size is None or size in seen:
            break
        seen.add(size)
        total += int(found["amount"]) * size
        rest = rest[found.end() :]
    if rest or not 1 <= total <= LONGEST_INTERVAL:
        raise ScheduleError(
            "schedule_value", _("Use a length such as 90 s, 5 min, 1 h 30 min or 2 days, from 1 s to 366 days.")
        )
    return total


def _without_and(text: str) -> str:
    """Return "1 h 30 min" of "1 h and 30 min"."""
    joining = pgettext("between lengths of time, as in 1 h and 30 min", "and")
    return re.sub(rf"(?<=\w)\s+(and|{re.escape(joining)})\s+(?=[0-9])", " ", text)


def _whole_seconds(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= 8 and 1 <= int(value) <= LONGEST_INTERVAL:
        return int(value)
    raise ScheduleError(
        "schedule_value",
        _("Use a whole number of seconds, from 1 to %(most)s.") % {"most": LONGEST_INTERVAL},
    )


def read_instant(field: str, value: str, in_zone: ZoneInfo) -> datetime:
    """Return the instant of a date and time, in UTC; of a local time that comes twice, the first.

    It is read by the zone's clock unless it ends with an offset. Raises ScheduleError that blames `field`.
    """
    if not _DATE_TIME.fullmatch(value):
        raise ScheduleError(field, _("Use a date and time as YYYY-MM-DDTHH:MM, such as 2026-04-02T22:00."))
    if not 1970 <= int(value[:4]) <= 8999:
        # Further out, another zone's clock or a sum would fall off the calendar's end.
        raise ScheduleError(field, _("Use a date from 1970 to 8999."))
    try:
        said = datetime.fromisoformat(value)
        if said.tzinfo:
            return said.astimezone(UTC)
        change = change_at(said, in_zone)
        instant = said.replace(tzinfo=in_zone).astimezone(UTC)
    except ValueError as error:
        raise ScheduleError(field, _("There is no such date and time. Use one that the calendar has.")) from error
    if change and change.is_forward:
        raise ScheduleError(
            field,
            _(
                "This time does not exist in %(zone)s: clocks go forward from %(low)s to %(high)s. "
                "Use an earlier or a later time."
            )
            % {"zone": in_zone.key, "low": _clock(change.low), "high": _clock(change.high)},
        )
    return instant


def _clock(wall: datetime) -> str:
    return _("%(time)s on %(day)s") % {"time": f"{wall:%H:%M}", "day": f"{wall:%Y-%m-%d}"}
