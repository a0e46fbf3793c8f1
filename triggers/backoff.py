"""How long an event waits for its next attempt, and when there is none. Pure: chance and clock are passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from triggers import statuses

JITTER = 0.1  # of a wait, either way, so that a herd does not come back as a herd
LONGEST_RETRY_AFTER = 3600.0  # seconds that a receiver may ask for
GONE = 410  # the receiver says itself that nobody will ever be there
MOST_RETRIES = 50
SHORTEST_DELAY, LONGEST_DELAY = 1.0, 24 * 3600.0  # seconds
LARGEST_FACTOR = 10.0
_LONGEST_HEADER = 100  # characters of a Retry-After that are looked at
_MOST_DELAYS_IN_WORDS = 8


class RetriesError(ValueError):
    """Such retries are not allowed; the words say the rule. `field` is the field to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Retries:
    """What follows a failed attempt. The first attempt is at once and is not counted here."""

    delays: tuple[float, ...]  # seconds before each retry
    statuses: str = ""  # answers that are retried, such as "5xx, 429"; "" for every one that is a failure, but 410
    is_silence_retried: bool = True  # when no answer came: refused, timed out, broken

    @property
    def most_attempts(self) -> int:
        return 1 + len(self.delays)


NONE = Retries(())
QUICK = Retries((1, 5, 15))
PATIENT = Retries((5, 30, 120, 600, 1800, 3600))
PRESETS = {"none": NONE, "quick": QUICK, "patient": PATIENT}


def growing(count: int, first_seconds: float, factor: float, longest_seconds: float) -> tuple[float, ...]:
    """Return `count` delays, each `factor` times the one before, up to the longest; raises RetriesError."""
    _check_between("count", count, 0, MOST_RETRIES)
    _check_between("first_seconds", first_seconds, SHORTEST_DELAY, LONGEST_DELAY)
    _check_between("factor", factor, 1, LARGEST_FACTOR)
    _check_between("longest_seconds", longest_seconds, first_seconds, LONGEST_DELAY)
    return tuple(round(min(first_seconds * factor**number, longest_seconds), 3) for number in range(count))


def check(retries: Retries) -> None:
    """Raise RetriesError when there are too many, a delay is out of bounds, or the statuses cannot be read."""
    _check_between("delays", len(retries.delays), 0, MOST_RETRIES)
    for delay in retries.delays:
        _check_between("delays", delay, SHORTEST_DELAY, LONGEST_DELAY)
    if retries.statuses:
        try:
            chosen = statuses.parse(retries.statuses)
        except ValueError as error:
            raise RetriesError("statuses", str(error)) from error
        if chosen == {GONE}:
            raise RetriesError(
                "statuses", _("%(status)s (Gone) is never retried: name another status.") % {"status": GONE}
            )


def wait_after(
    retries: Retries,
    attempt: int,
    *,
    jitter: float = 0.0,
    retry_after_seconds: float | None = None,
    status: int | None = None,
    is_over: bool = False,
) -> timedelta | None:
    """Return how long to wait after the failed `attempt` (counted from 1), or None when it was the last.

    `jitter`: chance, from -1 to 1. `retry_after_seconds`: what the receiver asked for; it makes the wait longer, up
    to an hour, never shorter. `status`: that of the answer, None when none came. `is_over`: the caller knows that
    nothing may follow: a test is tried once, an address is refused, the receiver asked to stop.
    """
    if is_over or attempt > len(retries.delays) or not _is_retried(retries, status):
        return None
    seconds = retries.delays[attempt - 1] * (1 + JITTER * jitter)
    if retry_after_seconds is not None:
        seconds = max(seconds, min(retry_after_seconds, LONGEST_RETRY_AFTER))
    return timedelta(seconds=seconds)


def _is_retried(retries: Retries, status: int | None) -> bool:
    if status is None:
        return retries.is_silence_retried
    if status == GONE:
        return False
    return not retries.statuses or status in statuses.parse(retries.statuses)


def read_retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, section 10.2.3), or None if unreadable.

    It holds either seconds or a date. A date that has passed asks for none.
    """
    value = value.strip(" \t")
    if len(value) > _LONGEST_HEADER:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        if at.tzinfo is None:  # one of its old forms says no zone, and means UTC
            at = at.replace(tzinfo=UTC)
        return max(0.0, (at - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def in_words(retries: Retries) -> str:
    """Return "6, after 5 s, 30 s, 2 min, 10 min, 30 min and 1 h. Gives up after about 1 h 43 min"."""
    if not retries.delays:
        return _("None. Gives up after the first attempt")
    ends = _("Gives up after about %(sum)s") % {"sum": _length_in_words(sum(retries.delays))}
    return f"{in_short(retries)}. {ends}"


def in_short(retries: Retries) -> str:
    """Return "6, after 5 s, 30 s, 2 min, 10 min, 30 min and 1 h", or "None"; and for what alone, if not for all."""
    if not retries.delays:
        return pgettext("retries", "None")
    places = _places(retries)
    if retries.statuses:
        places["statuses"] = statuses.in_words(retries.statuses)
        if retries.is_silence_retried:
            return _("%(count)s, after %(delays)s. Only for %(statuses)s, and when no answer comes") % places
        return _("%(count)s, after %(delays)s. Only for %(statuses)s") % places
    if not retries.is_silence_retried:
        return _("%(count)s, after %(delays)s. Only for answers") % places
    return _("%(count)s, after %(delays)s") % places


def _places(retries: Retries) -> dict[str, Any]:
    """Return how many there are, and after which delays, for a message."""
    delays = [_length_in_words(delay) for delay in retries.delays]
    if len(delays) > _MOST_DELAYS_IN_WORDS:
        delays = [*delays[:4], "…", delays[-1]]
    named = delays[0]
    if len(delays) > 1:
        named = _("%(others)s and %(last)s") % {"others": ", ".join(delays[:-1]), "last": delays[-1]}
    return {"count": len(retries.delays), "delays": named}


def _length_in_words(seconds: float) -> str:
    """Two units at most: "0.5 s", "2 min 30 s", "1 h 43 min", "2 days 3 h"."""
    if seconds >= 60:
        # Rounded first: 59 min 59.9 s is an hour.
        for size, part in ((86_400, 3600), (3600, 60), (60, 1)):
            whole = math.floor(seconds / part + 0.5) * part
            if whole >= size:
                amount, rest = divmod(whole, size)
                return " ".join(_amount(each, of) for each, of in ((amount, size), (rest // part, part)) if each)
    return _("%(count)s s") % {"count": number_format(f"{seconds:.3g}")}


def _amount(count: int, unit: int) -> str:
    """Return so many days, hours, minutes or seconds."""
    words = {
        86_400: ngettext("%(count)s day", "%(count)s days", count),
        3600: _("%(count)s h"),
        60: _("%(count)s min"),
        1: _("%(count)s s"),
    }[unit]
    return words % {"count": count}


def _check_between(field: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # nor NaN
        words = _("%(value)s is not allowed: use %(least)s to %(most)s.")
        places = {"value": value, "least": least, "most": most}
        raise RetriesError(field, words % {name: number_format(f"{each:g}") for name, each in places.items()})
