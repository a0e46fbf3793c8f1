"""What a cron expression says: which local times it names, and what is wrong with it. Knows no zones.

The fields are read and days are matched by cronsim. Its iterator is left aside: near changes of 30 or 45 minutes and at
midnight it departs from its own rule (in Pacific/Chatham, `* 2,4 * * *` loses hour 04 on 2028-09-24), so `rule` turns
local times into instants.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from triggers.schedules.errors import Over, ScheduleError

LONGEST = 100  # characters
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Field(NamedTuple):
    """One of the fields of an expression: what it is called and what it takes."""

    name: str  # in English; `label` says it to people
    lowest: int
    highest: int
    words: tuple[str, ...] = ()  # names that stand for numbers, from `lowest` on
    signs: tuple[str, ...] = ()  # what it takes beyond numbers, ranges, lists and steps

    @property
    def label(self) -> str:
        return _(self.name)

    @property
    def is_of_the_clock(self) -> bool:
        return self.lowest == 0 and self.highest > 12


WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FIELDS = (
    Field(gettext_noop("Second"), 0, 59),
    Field(gettext_noop("Minute"), 0, 59),
    Field(gettext_noop("Hour"), 0, 23),
    Field(gettext_noop("Day of month"), 1, 31, signs=("L", "LW")),
    Field(gettext_noop("Month"), 1, 12, MONTHS),
    Field(gettext_noop("Weekday"), 0, 7, WEEKDAYS, signs=("5L", "1#2")),
)
# A day that begins no month's or week's own rule, so that a probe of one field tells of that field alone.
_SOME_DAY = datetime(2028, 1, 1)  # noqa: DTZ001 local times are without a zone here


class Wheel(NamedTuple):
    """The values that one field of the clock may show, as tables for looking up."""

    first: int
    size: int  # how many there are
    at_or_after: tuple[int, ...]  # for every value the next that is shown, itself included; -1: none
    before: tuple[int, ...]  # for every value how many shown ones lie before it


@dataclass(frozen=True, slots=True)
class Expression:
    """A cron expression that fires some day; `parse` makes it."""

    fields: tuple[str, ...]  # six, in capitals: seconds first
    hours: Wheel
    minutes: Wheel
    seconds: Wheel
    follows_real_time: bool  # Debian's wildcard job: minute or hour begins with *
    has_seconds: bool  # other than :00

    def wall_from(self, low: datetime) -> datetime:
        """Return the first local time (naive) that it names, not before `low`. Raises Over at the calendar's end."""
        year, first_day = low.year, date(low.year, 1, 1).toordinal()
        days, today = self.days_of(year), low.toordinal() - first_day
        index = bisect_left(days, today)
        if index < len(days) and days[index] == today:
            if clock := self._clock_from(low.hour, low.minute, low.second):
                return datetime(low.year, low.month, low.day, *clock)  # noqa: DTZ001
            index += 1
        while index == len(days):
            year += 1
            if year > 9000:
                raise Over("schedule_value", gettext_lazy("There is no further fire before the year 9000."))
            first_day, days, index = date(year, 1, 1).toordinal(), self.days_of(year), 0
        day = date.fromordinal(first_day + days[index])
        return datetime(day.year, day.month, day.day, self.hours.first, self.minutes.first, self.seconds.first)  # noqa: DTZ001

    def count(self, low: datetime, high: datetime) -> int:
        """Return how many local times (naive) it names from `low` on and before `high`."""
        whole_years = sum(len(self.days_of(year)) for year in range(low.year, high.year))
        return whole_years * self._a_day() + self._rank_in_year(high) - self._rank_in_year(low)

    def days_of(self, year: int) -> tuple[int, ...]:
        """Return the days of the year it names, counted from 0 for 1 January."""
        return _days(self.fields[3:], date(year, 1, 1).weekday(), calendar.isleap(year))

    def _a_day(self) -> int:
        return self.hours.size * self.minutes.size * self.seconds.size

    def _rank_in_year(self, wall: datetime) -> int:
        """Return how many times it names in the year of `wall` before `wall`."""
        days, today = self.days_of(wall.year), wall.toordinal() - date(wall.year, 1, 1).toordinal()
        index = bisect_left(days, today)
        before = index * self._a_day()
        if index == len(days) or days[index] != today:
            return before
        before += self.hours.before[wall.hour] * self.minutes.size * self.seconds.size
        if self.hours.at_or_after[wall.hour] == wall.hour:
            before += self.minutes.before[wall.minute] * self.seconds.size
            if self.minutes.at_or_after[wall.minute] == wall.minute:
                before += self.seconds.before[wall.second]
        return before

    def _clock_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """Return the first time of day not before this one, or None when the day has no more."""
        next_hour = self.hours.at_or_after[hour]
        if next_hour == hour:
            next_minute = self.minutes.at_or_after[minute]
            if next_minute == minute:
                next_second = self.seconds.at_or_after[second]
                if next_second >= 0:
                    return hour, minute, next_second
                next_minute = self.minutes.at_or_after[minute + 1]
            if next_minute >= 0:
                return hour, next_minute, self.seconds.first
            next_hour = self.hours.at_or_after[hour + 1]
        return (next_hour, self.minutes.first, self.seconds.first) if next_hour >= 0 else None


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Return what the expression says. Raises ScheduleError, which names the cron field at fault and why."""
    parts = split(text)
    if len(parts) not in (5, 6):
        raise _error(_other_than_five(len(parts)))
    fields = ("0", *parts) if len(parts) == 5 else tuple(parts)
    for field, part in zip(FIELDS, fields, strict=True):
        if fault := fault_of(field, part):
            raise _error(_("%(field)s: %(fault)s") % {"field": field.label, "fault": fault})
    fields = tuple(_without_idle_steps(field, part) for field, part in zip(FIELDS, fields, strict=True))
    follows_real_time = fields[1].startswith("*") or fields[2].startswith("*")
    if len(parts) == 6 and not follows_real_time:
        raise _error(
            _(
                "Second: seconds go with a minute or an hour that begins with *. "
                "For fixed times leave them out: %(fields)s"
            )
            % {"fields": " ".join(fields[1:])}
        )
    if not _ever_fires(fields[3:]):
        raise _error(
            _("Day of month: no such day ever comes (%(fields)s). Use a day that exists.")
            % {"fields": _why_never(fields)}
        )
    sim = _probe(*fields[:3], "*", "*", "*")
    return Expression(
        fields=fields,
        hours=_wheel(frozenset(sim.hours), 24),
        minutes=_wheel(frozenset(sim.minutes), 60),
        seconds=_wheel(frozenset(sim.seconds), 60),
        follows_real_time=follows_real_time,
        has_seconds=fields[0] != "0",
    )


def split(text: str) -> list[str]:
    """Return the fields in capitals, a name such as @daily replaced by what it means. Raises ScheduleError."""
    if len(text) > LONGEST:
        raise _error(
            _("The expression is longer than %(most)s characters. Use a shorter one, or several triggers.")
            % {"most": LONGEST}
        )
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise _error(_("Use plain letters, digits and the signs * , - / # only."))
    name = text.strip().lower()
    if name.startswith("@") and name not in MACROS:
        raise _error(
            _("%(name)s is not known here. Use %(names)s or %(last)s, or five fields.")
            % {"name": name, "names": ", ".join(list(MACROS)[:-1]), "last": list(MACROS)[-1]}
        )
    return MACROS.get(name, text).upper().split()


def fault_of(field: Field, part: str) -> str:
    """Return why the field cannot be read and what to use instead, or "" when it can."""
    if _is_good(field, part):
        return ""
    term = next((term for term in part.split(",") if not _is_good(field, term)), part)
    return f"{_reason(field, term)} {_way_out(field)}"


def _without_idle_steps(field: Field, part: str) -> str:
    """Return the field with 9 for 9-9/2: cronsim would take that for 9/2, which goes on to the end."""
    terms = []
    for term in part.split(","):
        base, __, step = term.partition("/")
        low, __, high = base.partition("-")
        terms.append(low if step and high and _number(field, low) == _number(field, high) else term)
    return ",".join(terms)


def _reason(field: Field, term: str) -> str:
    if not term:
        return _("there is nothing before or after a comma.")
    if "?" in term:
        return _("? is not known here, * says the same.")
    base, slash, step = term.partition("/")
    if slash and (not step.isdigit() or int(step) == 0):
        return _("%(term)s has no step after the slash.") % {"term": term}
    for value in base.split("-"):
        if value.isdigit() and not field.lowest <= int(value) <= field.highest:
            return _("%(value)s is out of range.") % {"value": value}
    ends = [_number(field, value) for value in base.split("-")]
    if len(ends) == 2 and None not in ends:
        return _("%(range)s runs backwards; write it as two, with a comma.") % {"range": base}
    return _("%(term)s cannot be read.") % {"term": term}


def _way_out(field: Field) -> str:
    bounds: dict[str, object] = {"lowest": field.lowest, "highest": field.highest}
    if field.signs == ("L", "LW"):
        return _("Use %(lowest)s to %(highest)s, or L and LW for the last.") % bounds
    if not field.words:
        return _("Use %(lowest)s to %(highest)s.") % bounds
    bounds |= {"first": field.words[0], "last": field.words[-1]}
    if field.signs == ("5L", "1#2"):
        return (
            _(
                "Use %(lowest)s to %(highest)s, or %(first)s to %(last)s, 5L for the last Friday, "
                "1#2 for the second Monday."
            )
            % bounds
        )
    return _("Use %(lowest)s to %(highest)s, or %(first)s to %(last)s.") % bounds


def _number(field: Field, value: str) -> int | None:
    if value in field.words:
        return field.words.index(value) + field.lowest
    return int(value) if value.isdigit() else None


@lru_cache(maxsize=4096)
def _is_good(field: Field, part: str) -> bool:
    """Whether cronsim takes the field, whatever stands in the others."""
    parts = ["*"] * len(FIELDS)
    parts[FIELDS.index(field)] = part
    if len(part.split()) != 1:
        return False
    try:
        _probe(*parts)
    except CronSimError:
        # The 31st of a month that has none is no fault of one field.
        return False
    return True


def _probe(*parts: str) -> CronSim:
    return CronSim(" ".join(parts), _SOME_DAY)


def _wheel(values: frozenset[int], size: int) -> Wheel:
    ordered = sorted(values)
    at_or_after = tuple(next((shown for shown in ordered if shown >= value), -1) for value in range(size + 1))
    return Wheel(ordered[0], len(ordered), at_or_after, tuple(bisect_left(ordered, value) for value in range(size + 1)))


@lru_cache(maxsize=4096)
def _days(fields: tuple[str, ...], weekday: int, is_leap: bool) -> tuple[int, ...]:
    """Return the days, from 0, that match in a year that begins on `weekday` (Monday 0).

    There are 14 kinds of year, and each comes at least once in 40 years.
    """
    year = _YEAR_LIKE[weekday, is_leap]
    try:
        sim = _probe("0", "0", "0", *fields)
    except CronSimError:
        return ()  # cronsim's own check for the 31st of a month that has none
    first_day = date(year, 1, 1).toordinal()
    return tuple(
        day
        for day in range(366 if is_leap else 365)
        if (when := date.fromordinal(first_day + day)).month in sim.months and sim.match_day(when)
    )


_YEAR_LIKE = {(date(year, 1, 1).weekday(), calendar.isleap(year)): year for year in range(2001, 2029)}


def _ever_fires(fields: tuple[str, ...]) -> bool:
    return any(_days(fields, *kind) for kind in product(range(7), (False, True)))


def _why_never(fields: Iterable[str]) -> str:
    *__, day, month, weekday = fields
    words = [_("day %(day)s") % {"day": day}]
    words += [_("month %(month)s") % {"month": month}] if month != "*" else []
    words += [_("weekday %(weekday)s") % {"weekday": weekday}] if weekday != "*" else []
    return ", ".join(words)


def _other_than_five(count: int) -> str:
    if not count:
        return _("Use five fields: minute, hour, day of month, month and weekday. There are none here.")
    return ngettext(
        "Use five fields: minute, hour, day of month, month and weekday. There is %(count)s here.",
        "Use five fields: minute, hour, day of month, month and weekday. There are %(count)s here.",
        count,
    ) % {"count": count}


def _error(message: str) -> ScheduleError:
    return ScheduleError("schedule_value", message)
