"""Times and durations in words, as every page says them; clock.js says the relative ones in the same way."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from django import template
from django.utils import dateformat, dates, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from dashboard.templatetags.figures import decimal
from triggers import schedules

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@register.simple_tag
def relative_time(instant: datetime | None, now: datetime | None = None) -> SafeString | str:
    """Return "17 min ago" or "in 12 min 53 s" as a <time> that the page keeps true; a dash for None."""
    if instant is None:
        return "–"
    return format_html(
        '<time class="relative" datetime="{}" title="{}" data-relative>{}</time>',
        instant.isoformat(),
        exact_time(instant),
        relative_words(instant, now or timezone.now()),
    )


@register.simple_tag
def countdown(instant: datetime, now: datetime | None = None) -> SafeString:
    """Return "in 12 min 53 s" as a <time> that counts down to "due"; the part around it then asks the server again."""
    now = now or timezone.now()
    return format_html(
        '<time class="countdown" datetime="{}" title="{}" data-relative data-countdown>{}</time>',
        instant.isoformat(),
        exact_time(instant),
        _("due") if instant <= now else relative_words(instant, now),
    )


def relative_words(instant: datetime, now: datetime) -> str:
    """Return how far `instant` lies from `now`: coarse for the past, to the second for what is to come."""
    seconds = int((instant - now).total_seconds())
    if abs(seconds) >= 7 * _DAY:
        return day(instant, now)
    if instant <= now:
        return _("just now") if seconds == 0 else _ago(-seconds)
    return _("due") if seconds == 0 else _ahead(seconds)


# Whole phrases, as languages bend the words in them; clock.js has the very same.
def _ago(seconds: int) -> str:
    if seconds < _MINUTE:
        return _("%(s)s s ago") % {"s": seconds}
    if seconds < _HOUR:
        return _("%(min)s min ago") % {"min": seconds // _MINUTE}
    if seconds < _DAY:
        return _("%(h)s h ago") % {"h": seconds // _HOUR}
    days = seconds // _DAY
    return ngettext("%(days)s day ago", "%(days)s days ago", days) % {"days": days}


def _ahead(seconds: int) -> str:
    parts = _parts(seconds)
    if seconds < _MINUTE:
        return _("in %(s)s s") % parts
    if seconds < _HOUR:
        return (_("in %(min)s min %(s)s s") if parts["s"] else _("in %(min)s min")) % parts
    if seconds < _DAY:
        return (_("in %(h)s h %(min)s min") if parts["min"] else _("in %(h)s h")) % parts
    return ngettext("in %(days)s day", "in %(days)s days", parts["days"]) % parts


def _long(seconds: int) -> str:
    parts = _parts(seconds)
    if seconds < _MINUTE:
        return _("%(s)s s") % parts
    if seconds < _HOUR:
        return (_("%(min)s min %(s)s s") if parts["s"] else _("%(min)s min")) % parts
    if seconds < _DAY:
        return (_("%(h)s h %(min)s min") if parts["min"] else _("%(h)s h")) % parts
    return ngettext("%(days)s day", "%(days)s days", parts["days"]) % parts


def _parts(seconds: int) -> dict[str, int]:
    return {
        "s": seconds % _MINUTE,
        "min": seconds // _MINUTE % 60,
        "h": seconds // _HOUR,
        "days": seconds // _DAY,
    }


@register.filter
def exact_time(instant: datetime | None) -> str:
    """Return "Thu 26 Mar 2026, 14:15:00.412 Europe/Berlin", in the display zone; a dash for None."""
    if instant is None:
        return "–"
    local = timezone.localtime(instant)
    milliseconds = f".{local.microsecond // 1000:03}" if local.microsecond else ""
    return f"{_date(local, with_year=True)}, {local:%H:%M:%S}{milliseconds} {zone_name()}"


@register.filter
def clock(instant: datetime | None) -> str:
    """Return "14:15:00", in the display zone."""
    return f"{timezone.localtime(instant):%H:%M:%S}" if instant else "–"


@register.filter
def exact_clock(instant: datetime | None) -> str:
    """Return "14:15:00.412", in the display zone."""
    if instant is None:
        return "–"
    local = timezone.localtime(instant)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"


@register.simple_tag
def day_and_clock(instant: datetime | None, now: datetime | None = None) -> str:
    """Return "14:15:00" today, "Fri 27 Mar, 14:15" on another day, in the display zone; a dash for None."""
    if instant is None:
        return "–"
    local = timezone.localtime(instant)
    if local.date() == timezone.localtime(now or timezone.now()).date():
        return f"{local:%H:%M:%S}"
    return f"{day(instant, now or timezone.now())}, {local:%H:%M}"


@register.simple_tag
def day_and_time(instant: datetime, now: datetime) -> str:
    """Return "Wed 25 Mar, 09:12", also of today, in the display zone."""
    return f"{day(instant, now)}, {timezone.localtime(instant):%H:%M}"


def day(instant: datetime, now: datetime) -> str:
    """Return "Thu 26 Mar", with the year only if it is not this one, in the display zone."""
    return _day(timezone.localtime(instant), timezone.localtime(now))


def _day(local: datetime, today: datetime) -> str:
    return _date(local, with_year=local.year != today.year)


def _date(local: datetime, *, with_year: bool) -> str:
    # Translators: the letters are those of Django's date format.
    form = pgettext("date", "D j M Y") if with_year else pgettext("date", "D j M")
    return dateformat.format(local, form)


def span_words(first: datetime, last: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Return "13:00 to 13:02" today, "Mon 23 Nov, 13:00 to 13:02" on another day; in the display zone unless given."""
    begin, end, today = (timezone.localtime(instant, zone) for instant in (first, last, now))
    clock = "%H:%M:%S" if begin.second or end.second else "%H:%M"
    words = begin.strftime(clock)
    if begin.date() != today.date():
        words = f"{_day(begin, today)}, {words}"
    if first == last:
        return words
    until = end.strftime(clock)
    if end.date() != begin.date():
        until = f"{_day(end, today)}, {until}"
    return _("%(begin)s to %(end)s") % {"begin": words, "end": until}


@register.filter
def duration_words(length: timedelta | float | str | None) -> str:
    """Return "61 ms", "30.2 s", "10 min 43 s", "1 h 43 min" for a timedelta or seconds; a dash for None."""
    if length is None or length == "":  # what a template has in place of a missing value
        return "–"
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    seconds = max(seconds, 0.0)
    if seconds < 0.0005:
        return _("%(ms)s ms") % {"ms": 0}
    if seconds < 0.9995:
        return _("%(ms)s ms") % {"ms": decimal(seconds * 1000, 1 if seconds < 0.01 else 0)}
    if seconds < 59.95:
        return _("%(s)s s") % {"s": decimal(seconds, 1)}
    return _long(round(seconds))


@register.filter
def milliseconds(amount: float | None) -> str:
    """Return a duration that was measured in milliseconds, in words; a dash for None."""
    return "–" if amount is None else duration_words(amount / 1000)


@register.simple_tag
def split_unit(amount: float) -> list[str]:
    """Return a duration in milliseconds as its figure and its unit, for a tile: ["412", "ms"]."""
    return milliseconds(amount).split(" ", 1)


@register.simple_tag
def split_lag(lag: timedelta) -> list[str]:
    """Return a lag as its figure and its unit, for a tile: ["0", "s"], ["12.5", "s"], ["3", "min 5 s"]."""
    seconds = lag.total_seconds()
    if not seconds:
        return (_("%(s)s s") % {"s": 0}).split(" ", 1)
    short = _("%(s)s s") % {"s": decimal(seconds, 1)}
    return (short if seconds < 59.95 else duration_words(lag)).split(" ", 1)


@register.filter
def short_day(number: int | str) -> str:
    """Return "Mon" for 1, as the language shortens it, to "Sun" for 7."""
    return str(dates.WEEKDAYS_ABBR[int(number) - 1])


@register.simple_tag
def today() -> str:
    """Return "Thu 26 Mar" in the display zone."""
    return schedules.day_in_words(timezone.localdate(), timezone.localdate())


@register.simple_tag
def zone_with_offset() -> str:
    """Return the display zone as "Europe/Berlin (UTC+1)"; UTC stays "UTC"."""
    name = zone_name()
    offset = timezone.localtime().utcoffset() or timedelta()
    if name == "UTC":
        return name
    minutes = int(offset.total_seconds() // _MINUTE)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"{name} (UTC{sign}{hours}{f':{rest:02}' if rest else ''})"


@register.simple_tag
def zone_name() -> str:
    """Return the IANA name of the display zone."""
    return str(timezone.get_current_timezone())


@register.simple_tag
def zone_city() -> str:
    """Return the last part of the display zone's name, where room is short: "Berlin"."""
    return zone_name().rpartition("/")[2].replace("_", " ")
