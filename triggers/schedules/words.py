"""Schedules as a person says them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from cronsim import CronSim

from triggers.schedules import cron
from triggers.schedules.errors import ScheduleError
from triggers.schedules.reading import read_weekdays

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NTH = ("", "First", "Second", "Third", "Fourth", "Fifth")
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
        return _in_words(schedule_type, schedule_value, is_recurring, read_weekdays(weekdays), today)
    except ValueError:
        return schedule_value


def _in_words(schedule_type: str, value: str, is_recurring: bool, weekdays: tuple[int, ...], today: date | None) -> str:
    if schedule_type == "fixed_time":
        days = _days_in_words(weekdays)
        if is_recurring:
            return f"{days or 'Every day'} at {value}"
        return f"Once, {days} at {value}" if days else f"Once, at {value}"
    if schedule_type == "fixed_interval":
        length = duration_in_words(int(value))
        return f"Every {length}" if is_recurring else f"Once, after {length}"
    if schedule_type == "cron":
        words = _cron_in_words(value)
        return words if is_recurring else f"Once, at the next of: {_not_capital(words)}"
    if schedule_type == "date":
        return f"Once, {_date_in_words(datetime.fromisoformat(value), today)}"
    return "When called"


def duration_in_words(seconds: int) -> str:
    """Return "30 s", "5 min", "1 h 30 min", "2 days 1 h"."""
    if seconds == 0:
        return "0 s"
    parts = []
    for size, one, many in (
        (86400, "day", "days"),
        (3600, "h", "h"),
        (60, "min", "min"),
        (1, "s", "s"),
    ):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {one if amount == 1 else many}")
    return " ".join(parts)


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
        FieldWords(raw, field.name, "not valid", False)
        if cron.fault_of(field, raw)
        else FieldWords(raw, field.name, _field_in_words(field, raw), True)
        for field, raw in zip(cron.FIELDS[-len(parts) :], parts, strict=True)
    ]


def _field_in_words(field: cron.Field, raw: str) -> str:
    if raw in ("*", "*/1"):
        return f"every {field.name.lower().removesuffix(' of month')}"
    terms = _and([_term_in_words(field, term) for term in raw.split(",")])
    return f"at {terms}" if field.highest > 12 and field.lowest == 0 and raw.replace(",", "").isdigit() else terms


def _term_in_words(field: cron.Field, term: str) -> str:
    base, _, step = term.partition("/")
    if base in ("L", "LW"):
        return "last day" if base == "L" else "last weekday"
    if base == "*":
        return f"every {_ordinal(int(step))}" if step else f"every {field.name.lower()}"
    if "#" in base or base.endswith("L"):
        nth, day = _nth_weekday(base).split()
        return f"{nth.lower()} {day}"
    low, dash, high = base.partition("-")
    if not step:
        return f"{_value(field, low)} to {_value(field, high)}" if dash else _value(field, low)
    to = f" to {_value(field, high)}" if dash else ""
    return f"every {_ordinal(int(step))} from {_value(field, low)}{to}"


def _value(field: cron.Field, raw: str) -> str:
    number = _number(field, raw)
    if field.name == "Weekday":
        return DAY_NAMES[(number - 1) % 7][:3]
    if field.name == "Month":
        return MONTH_NAMES[number - 1][:3]
    return str(number) if field.name == "Day of month" else f"{':' * (field.name != 'Hour')}{number:02}"


def _number(field: cron.Field, raw: str) -> int:
    return field.words.index(raw) + field.lowest if raw in field.words else int(raw)


# --- A cron expression as a sentence -----------------------------------------------------------------


def _cron_in_words(value: str) -> str:
    expression = cron.parse(value)
    days, clock, often = _days_named(expression), _times_named(expression), _how_often(expression)
    if days is not None and clock:
        return f"{days or 'Every day'} at {clock}"
    if days is not None and often:
        return f"{often}, {_not_capital(days)}" if days else often
    fields = expression.fields if expression.has_seconds else expression.fields[1:]
    # The date does not matter, only that there is one.
    return CronSim(" ".join(fields), datetime(2028, 1, 1)).explain()  # noqa: DTZ001


def _times_named(expression: cron.Expression) -> str:
    """Return "09:00 and 17:30", or "" when the times are too many to name."""
    hours, minutes = _shown(expression.hours), _shown(expression.minutes)
    if expression.has_seconds or len(hours) * len(minutes) > _MOST_TIMES:
        return ""
    return _and([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])


def _how_often(expression: cron.Expression) -> str:
    """Return "Every 15 min", "Every 2 h at :30", "Every hour from 09:30 to 17:30"; "" for an uneven rhythm."""
    hours, minutes = _shown(expression.hours), _shown(expression.minutes)
    if expression.has_seconds:
        step = _step(_shown(expression.seconds), 60)
        return _every(step, "second", "s") if step and len(hours) * len(minutes) == 24 * 60 else ""
    if step := _step(minutes, 60):
        often, last = _every(step, "minute", "min"), minutes[-1]
        if len(hours) == 24:
            return often
    elif len(minutes) == 1:
        if step := _step(hours, 24):
            return _every(step, "hour", "h") + (f" at :{minutes[0]:02}" if minutes[0] else "")
        often, last = "Every hour", minutes[0]
    else:
        return ""
    if hours[-1] - hours[0] >= len(hours):
        return ""  # not one stretch of the day
    return f"{often} from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{last:02}"


def _every(step: int, one: str, unit: str) -> str:
    return f"Every {one}" if step == 1 else f"Every {step} {unit}"


def _days_named(expression: cron.Expression) -> str | None:
    """Return "Monday to Friday", "Last day of the month", "" for every day, None where it is none to name."""
    day, month, weekday = expression.fields[3:]
    months = _months_named(month)
    if months is None:
        return None
    if day == weekday == "*":
        return f"Every day in {months}" if months else ""
    if day == "*":
        return _weekdays_named(weekday, months)
    if weekday == "*":
        return _monthdays_named(day, months)
    if day.startswith("*") or weekday.startswith("*"):
        return None  # both must match; a sentence of its own
    either = _monthdays_named(day, months), _weekdays_named(weekday, months)
    return " or ".join(days for days in either if days) if all(either) else None


def _weekdays_named(raw: str, months: str) -> str | None:
    if "#" in raw or "L" in raw:
        if "," in raw:
            return None
        return f"{_nth_weekday(raw)} of {months or 'the month'}"
    if "/" in raw:
        return None
    days: set[int] = set()
    for term in raw.split(","):
        low, _, high = term.partition("-")
        first = _number(cron.FIELDS[5], low)
        days |= {
            (number - 1) % 7 + 1 for number in range(first, (_number(cron.FIELDS[5], high) if high else first) + 1)
        }
    words = _days_in_words(tuple(sorted(days))) if len(days) < 7 else "Every day" * bool(months)
    return f"{words} in {months}" if months else words


def _monthdays_named(raw: str, months: str) -> str | None:
    of = months or "the month"
    if raw in ("L", "LW"):
        return f"Last {'day' if raw == 'L' else 'weekday'} of {of}"
    if all(term.isdigit() for term in raw.split(",")):
        days = sorted({int(term) for term in raw.split(",")})
        return f"{_and([_ordinal(day) for day in days])} of {of}"
    low, _, high = raw.partition("-")
    if low.isdigit() and high.isdigit():
        return f"{_ordinal(int(low))} to {_ordinal(int(high))} of {of}"
    return None


def _months_named(raw: str) -> str | None:
    if raw == "*":
        return ""
    terms = []
    for term in raw.split(","):
        low, dash, high = term.partition("-")
        if "/" in term or "*" in term:
            return None
        names = [MONTH_NAMES[_number(cron.FIELDS[4], number) - 1] for number in ((low, high) if dash else (low,))]
        terms.append(" to ".join(names))
    return _and(terms)


def _nth_weekday(raw: str) -> str:
    """Return "Last Friday" for 5L, "Second Monday" for 1#2."""
    return f"{'Last' if raw.endswith('L') else _NTH[int(raw.partition('#')[2])]} {_weekday_of(raw)}"


def _weekday_of(raw: str) -> str:
    return DAY_NAMES[(_number(cron.FIELDS[5], raw.removesuffix("L").partition("#")[0]) - 1) % 7]


def _days_in_words(weekdays: Sequence[int]) -> str:
    """Return "Monday to Friday", "Saturday and Sunday", "" for every day."""
    if not weekdays:
        return ""
    # A week has no end: Friday to Monday is one stretch too. It begins after a day that is left out.
    first = next(day for day in weekdays if (day - 2) % 7 + 1 not in weekdays)
    stretch = [(first - 1 + number) % 7 + 1 for number in range(len(weekdays))]
    if len(weekdays) > 2 and set(stretch) == set(weekdays):
        return f"{DAY_NAMES[stretch[0] - 1]} to {DAY_NAMES[stretch[-1] - 1]}"
    return _and([DAY_NAMES[day - 1] for day in weekdays])


def _date_in_words(at: datetime, today: date | None) -> str:
    year = "" if today and today.year == at.year else f" {at.year}"
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    zone = f" ({at:%Z})" if at.tzinfo else ""
    return f"{DAY_NAMES[at.weekday()][:3]} {at.day} {MONTH_NAMES[at.month - 1][:3]}{year} at {clock}{zone}"


def _shown(wheel: cron.Wheel) -> list[int]:
    return [value for value, following in enumerate(wheel.at_or_after) if value == following]


def _step(values: Sequence[int], size: int) -> int | None:
    """Return N when the values are every Nth from 0 and come round evenly, else None."""
    step = values[1] - values[0] if len(values) > 1 else size
    return step if size % step == 0 and list(values) == list(range(0, size, step)) and step < size else None


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _not_capital(words: str) -> str:
    """Return words for the middle of a sentence; the names of days keep their capital."""
    return words if words.startswith(DAY_NAMES) else f"{words[0].lower()}{words[1:]}"
