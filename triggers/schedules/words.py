"""Schedules as a person says them.

Phrases are put together in the form that they have in the middle of a sentence; the whole gets its capital at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from cronsim import CronSim
from django.contrib.humanize.templatetags.humanize import ordinal
from django.utils import dates
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_noop, ngettext, pgettext
from django.utils.translation import gettext as _

from triggers.schedules import cron
from triggers.schedules.errors import ScheduleError
from triggers.schedules.reading import read_weekdays

DAY_NAMES = tuple(dates.WEEKDAYS.values())
MONTH_NAMES = tuple(dates.MONTHS.values())
_MOST_TIMES = 4  # times of day that are named one by one


def in_words(
    schedule_type: str,
    schedule_value: str,
    is_recurring: bool,
    weekdays: Iterable[int] = (),
    today: date | None = None,
) -> str:
    """Return the schedule as a person says it: "Every 15 min", "Every day at 02:30", "Once, at 02:30".

    What cannot be read comes back as it is. Of a date, the year is left out when it is that of `today`.
    """
    try:
        return _capital(_in_words(schedule_type, schedule_value, is_recurring, read_weekdays(weekdays), today))
    except ValueError:
        return schedule_value


def _in_words(schedule_type: str, value: str, is_recurring: bool, weekdays: tuple[int, ...], today: date | None) -> str:
    if schedule_type == "fixed_time":
        days = _days_in_words(weekdays)
        if is_recurring:
            return _days_at(days, value)
        if days:
            return _("once, %(days)s at %(time)s") % {"days": days, "time": value}
        return _("once, at %(time)s") % {"time": value}
    if schedule_type == "fixed_interval":
        if is_recurring:
            return _every_length(int(value))
        return _("once, after %(length)s") % {"length": duration_in_words(int(value))}
    if schedule_type == "cron":
        words = _cron_in_words(value)
        return words if is_recurring else _("once, at the next of: %(schedule)s") % {"schedule": words}
    if schedule_type == "date":
        return _date_in_words(datetime.fromisoformat(value), today)
    return _("when called")


def duration_in_words(seconds: int) -> str:
    """Return "30 s", "5 min", "1 h 30 min", "2 days 1 h"."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        (days, ngettext("%(count)s day", "%(count)s days", days)),
        (hours, _("%(count)s h")),
        (minutes, _("%(count)s min")),
        (seconds, _("%(count)s s")),
    ]
    said = [words % {"count": amount} for amount, words in parts if amount]
    return " ".join(said) or _("%(count)s s") % {"count": 0}


def day_in_words(day: date, today: date | None = None) -> str:
    """Return "Fri 27 Mar 2026"; without the year when it is that of `today`."""
    if today and day.year == today.year:
        # Translators: a day without its year, as Django's date filter takes it: "Fri 27 Mar".
        return date_format(day, _("D j M"))
    # Translators: a day with its year, as Django's date filter takes it: "Fri 27 Mar 2026".
    return date_format(day, _("D j M Y"))


class FieldWords(NamedTuple):
    """One field of a cron expression for the guide under the form."""

    raw: str
    name: str
    words: str
    is_valid: bool


def field_guide(expression: str) -> list[FieldWords]:
    """Return every field of a cron expression with its name and meaning; a field at fault is "not valid".

    Empty when it has not five fields, or six with seconds first.
    """
    try:
        parts = cron.split(expression)
    except ScheduleError:
        return []
    if len(parts) not in (5, 6):
        return []
    return [
        FieldWords(raw, field.label, _("not valid"), False)
        if cron.fault_of(field, raw)
        else FieldWords(raw, field.label, _field_in_words(field, raw), True)
        for field, raw in zip(cron.FIELDS[-len(parts) :], parts, strict=True)
    ]


_EVERY_VALUE = {
    "Second": gettext_noop("every second"),
    "Minute": gettext_noop("every minute"),
    "Hour": gettext_noop("every hour"),
    "Day of month": gettext_noop("every day"),
    "Month": gettext_noop("every month"),
    "Weekday": gettext_noop("every weekday"),
}


def _field_in_words(field: cron.Field, raw: str) -> str:
    if raw in ("*", "*/1"):
        return _(_EVERY_VALUE[field.name])
    terms = _and([_term_in_words(field, term) for term in raw.split(",")])
    if field.is_of_the_clock and raw.replace(",", "").isdigit():
        # Translators: of a field of a cron expression: "at 09 and 17" hours, "at :30".
        return _("at %(values)s") % {"values": terms}
    return terms


def _term_in_words(field: cron.Field, term: str) -> str:
    base, __, step = term.partition("/")
    if base in ("L", "LW"):
        return _("last day") if base == "L" else _("last weekday")
    if base == "*":
        if step:
            return _every_nth(field, int(step))
        return _("every day of month") if field.name == "Day of month" else _(_EVERY_VALUE[field.name])
    if field.name == "Weekday" and ("#" in base or base.endswith("L")):
        # Translators: of the weekdays of a month: "second Monday", "last Friday".
        return _("%(nth)s %(weekday)s") % {"nth": _nth_of(base), "weekday": _weekday_of(base)}
    low, dash, high = base.partition("-")
    first, last = _value(field, low), _value(field, high) if dash else ""
    if not step:
        return _to(first, last) if dash else first
    places = {"every": _every_nth(field, int(step)), "first": first, "last": last}
    if dash:
        return _("%(every)s from %(first)s to %(last)s") % places
    return _("%(every)s from %(first)s") % places


def _every_nth(field: cron.Field, step: int) -> str:
    if field.is_of_the_clock:
        return pgettext("second, minute or hour", "every %(nth)s") % {"nth": ordinal(step)}
    return pgettext("day, month or weekday", "every %(nth)s") % {"nth": ordinal(step)}


def _value(field: cron.Field, raw: str) -> str:
    number = _number(field, raw)
    if field.name == "Weekday":
        return str(dates.WEEKDAYS_ABBR[(number - 1) % 7])
    if field.name == "Month":
        return date_format(date(2028, number, 1), "M")
    return str(number) if field.name == "Day of month" else f"{':' * (field.name != 'Hour')}{number:02}"


def _number(field: cron.Field, raw: str) -> int:
    return field.words.index(raw) + field.lowest if raw in field.words else int(raw)


# --- A cron expression as a sentence -----------------------------------------------------------------


def _cron_in_words(value: str) -> str:
    expression = cron.parse(value)
    days, clock, often = _days_named(expression), _times_named(expression), _how_often(expression)
    if days is not None and clock:
        return _days_at(days, clock)
    if days is not None and often:
        # Translators: "every 5 min from 09:00 to 17:55, Monday to Friday".
        return _("%(often)s, %(days)s") % {"often": often, "days": days} if days else often
    return _field_by_field(expression)


def _field_by_field(expression: cron.Expression) -> str:
    """Return an odd one in cronsim's words, which are English, and in another language as its fields one by one."""
    fields = expression.fields if expression.has_seconds else expression.fields[1:]
    if (get_language() or "en").startswith("en"):
        # The date does not matter, only that there is one.
        words = CronSim(" ".join(fields), datetime(2028, 1, 1)).explain()  # noqa: DTZ001
        return words[0].lower() + words[1:]
    named = zip(cron.FIELDS[-len(fields) :], fields, strict=True)
    return "; ".join(
        # Translators: a field of a cron expression, and what it says: "Hour: every 2nd from 00 to 20".
        _("%(field)s: %(words)s") % {"field": field.label, "words": _field_in_words(field, raw)}
        for field, raw in named
        if raw != "*" or field.is_of_the_clock
    )


def _days_at(days: str, times: str) -> str:
    if days:
        # Translators: "Monday to Friday at 09:00 and 17:30", "last day of the month at 18:00".
        return _("%(days)s at %(times)s") % {"days": days, "times": times}
    return _("every day at %(times)s") % {"times": times}


def _times_named(expression: cron.Expression) -> str:
    """Return "09:00 and 17:30", or "" when the times are too many to name."""
    hours, minutes = _shown(expression.hours), _shown(expression.minutes)
    if expression.has_seconds or len(hours) * len(minutes) > _MOST_TIMES:
        return ""
    return _and([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])


def _how_often(expression: cron.Expression) -> str:
    """Return "every 15 min", "every 2 h at :30", "every hour from 09:30 to 17:30"; "" for an uneven rhythm."""
    hours, minutes = _shown(expression.hours), _shown(expression.minutes)
    if expression.has_seconds:
        step = _step(_shown(expression.seconds), 60)
        return _every_seconds(step) if step and len(hours) * len(minutes) == 24 * 60 else ""
    if step := _step(minutes, 60):
        often, last = _every_minutes(step), minutes[-1]
        if len(hours) == 24:
            return often
    elif len(minutes) == 1:
        if step := _step(hours, 24):
            often, minute = _every_hours(step), f":{minutes[0]:02}"
            return _("%(often)s at %(minute)s") % {"often": often, "minute": minute} if minutes[0] else often
        often, last = _("every hour"), minutes[0]
    else:
        return ""
    if hours[-1] - hours[0] >= len(hours):
        return ""  # not one stretch of the day
    return _("%(often)s from %(first)s to %(last)s") % {
        "often": often,
        "first": f"{hours[0]:02}:{minutes[0]:02}",
        "last": f"{hours[-1]:02}:{last:02}",
    }


def _every_seconds(step: int) -> str:
    return _("every second") if step == 1 else _every_length(step)


def _every_minutes(step: int) -> str:
    return _("every minute") if step == 1 else _every_length(step * 60)


def _every_hours(step: int) -> str:
    return _("every hour") if step == 1 else _every_length(step * 3600)


def _every_length(seconds: int) -> str:
    """Return "every 15 min", "every 1 h 30 min"; whole days, hours, minutes and seconds as messages of their own."""
    if seconds % 86_400 == 0:
        count = seconds // 86_400
        words = ngettext("every %(count)s day", "every %(count)s days", count)
    elif seconds % 3600 == 0 and seconds < 86_400:
        count = seconds // 3600
        words = ngettext("every %(count)s h", "every %(count)s h", count)
    elif seconds % 60 == 0 and seconds < 3600:
        count = seconds // 60
        words = ngettext("every %(count)s min", "every %(count)s min", count)
    elif seconds < 60:
        count = seconds
        words = ngettext("every %(count)s s", "every %(count)s s", count)
    else:
        return _("every %(length)s") % {"length": duration_in_words(seconds)}
    return words % {"count": count}


def _days_named(expression: cron.Expression) -> str | None:
    """Return "Monday to Friday", "last day of the month", "" for every day, None where it is none to name."""
    day, month, weekday = expression.fields[3:]
    months = _months_named(month)
    if months is None:
        return None
    if day == weekday == "*":
        return _("every day in %(months)s") % {"months": months} if months else ""
    if day == "*":
        return _weekdays_named(weekday, months)
    if weekday == "*":
        return _monthdays_named(day, months)
    if day.startswith("*") or weekday.startswith("*"):
        return None  # both must match; a sentence of its own
    either = _monthdays_named(day, months), _weekdays_named(weekday, months)
    if not all(either):
        return None
    # Translators: days of a month or weekdays: "1st of the month or Monday".
    return _("%(these)s or %(those)s") % {"these": either[0], "those": either[1]}


def _weekdays_named(raw: str, months: str) -> str | None:
    if "#" in raw or "L" in raw:
        if "," in raw:
            return None
        places = {"nth": _nth_of(raw), "weekday": _weekday_of(raw), "months": months}
        if months:
            return _("%(nth)s %(weekday)s of %(months)s") % places
        return _("%(nth)s %(weekday)s of the month") % places
    if "/" in raw:
        return None
    days: set[int] = set()
    for term in raw.split(","):
        low, __, high = term.partition("-")
        first = _number(cron.FIELDS[5], low)
        days |= {
            (number - 1) % 7 + 1 for number in range(first, (_number(cron.FIELDS[5], high) if high else first) + 1)
        }
    words = _days_in_words(tuple(sorted(days))) if len(days) < 7 else ""
    if not months:
        return words
    if not words:
        return _("every day in %(months)s") % {"months": months}
    return _("%(days)s in %(months)s") % {"days": words, "months": months}


def _monthdays_named(raw: str, months: str) -> str | None:
    if raw == "L":
        return _("last day of %(months)s") % {"months": months} if months else _("last day of the month")
    if raw == "LW":
        return _("last weekday of %(months)s") % {"months": months} if months else _("last weekday of the month")
    if all(term.isdigit() for term in raw.split(",")):
        days = _and([str(ordinal(day)) for day in sorted({int(term) for term in raw.split(",")})])
        if months:
            # Translators: "1st and 15th of January".
            return _("%(days)s of %(months)s") % {"days": days, "months": months}
        return _("%(days)s of the month") % {"days": days}
    low, __, high = raw.partition("-")
    if low.isdigit() and high.isdigit():
        places = {"first": ordinal(int(low)), "last": ordinal(int(high)), "months": months}
        if months:
            return _("%(first)s to %(last)s of %(months)s") % places
        return _("%(first)s to %(last)s of the month") % places
    return None


def _months_named(raw: str) -> str | None:
    if raw == "*":
        return ""
    terms = []
    for term in raw.split(","):
        low, dash, high = term.partition("-")
        if "/" in term or "*" in term:
            return None
        first = str(MONTH_NAMES[_number(cron.FIELDS[4], low) - 1])
        terms.append(_to(first, str(MONTH_NAMES[_number(cron.FIELDS[4], high) - 1])) if dash else first)
    return _and(terms)


def _nth_of(raw: str) -> str:
    """Return "last" for 5L, "second" for 1#2."""
    if raw.endswith("L"):
        return pgettext("weekday of a month", "last")
    nths = (
        pgettext("weekday of a month", "first"),
        pgettext("weekday of a month", "second"),
        pgettext("weekday of a month", "third"),
        pgettext("weekday of a month", "fourth"),
        pgettext("weekday of a month", "fifth"),
    )
    return nths[int(raw.partition("#")[2]) - 1]


def _weekday_of(raw: str) -> str:
    return str(DAY_NAMES[(_number(cron.FIELDS[5], raw.removesuffix("L").partition("#")[0]) - 1) % 7])


def _days_in_words(weekdays: Sequence[int]) -> str:
    """Return "Monday to Friday", "Saturday and Sunday", "" for every day."""
    if not weekdays:
        return ""
    # A week has no end: Friday to Monday is one stretch too. It begins after a day that is left out.
    first = next(day for day in weekdays if (day - 2) % 7 + 1 not in weekdays)
    stretch = [(first - 1 + number) % 7 + 1 for number in range(len(weekdays))]
    if len(weekdays) > 2 and set(stretch) == set(weekdays):
        return _to(str(DAY_NAMES[stretch[0] - 1]), str(DAY_NAMES[stretch[-1] - 1]))
    return _and([str(DAY_NAMES[day - 1]) for day in weekdays])


def _date_in_words(at: datetime, today: date | None) -> str:
    places = {
        "day": day_in_words(at, today),
        "time": f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}",
        "zone": f"{at:%Z}",
    }
    if at.tzinfo:
        return _("once, %(day)s at %(time)s (%(zone)s)") % places
    return _("once, %(day)s at %(time)s") % places


def _shown(wheel: cron.Wheel) -> list[int]:
    return [value for value, following in enumerate(wheel.at_or_after) if value == following]


def _step(values: Sequence[int], size: int) -> int | None:
    """Return N when the values are every Nth from 0 and come round evenly, else None."""
    step = values[1] - values[0] if len(values) > 1 else size
    return step if size % step == 0 and list(values) == list(range(0, size, step)) and step < size else None


def _and(words: Sequence[str]) -> str:
    """Return "Monday, Wednesday and Friday"."""
    if len(words) == 1:
        return words[0]
    return _("%(others)s and %(last)s") % {"others": ", ".join(words[:-1]), "last": words[-1]}


def _to(first: str, last: str) -> str:
    """Return "Monday to Friday", "09 to 17"."""
    return _("%(first)s to %(last)s") % {"first": first, "last": last}


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
