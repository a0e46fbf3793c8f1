"""What might surprise the owner of a trigger, said when it is written: never in its way, only beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from triggers import schedules
from triggers.models import Trigger

MANY_A_DAY = 1440  # events: one a minute
FAR_AWAY = timedelta(days=366)
LOOK_AHEAD = timedelta(days=400)  # for the next change of clock: both of a year
CROWD = 10  # other triggers at one second that are worth more than a line
COUNTED_AT_MOST = 1000
FIRES_LOOKED_AT = 20  # for the shortest time between two

# Measured on SQLite, with headers as usual servers send them: an event 0.33 kB, an attempt 0.60 kB, in full pages.
# Pages are about two thirds full in use.
_EVENT_BYTES = 500
_ATTEMPT_BYTES = 900


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `words` are whole sentences; `field` is the one to look at; `code` is for programs."""

    code: str
    level: str  # "warn", or "info" for what is no reason to change anything
    field: str
    words: str


def examine(trigger: Trigger, now: datetime) -> list[Finding]:
    """Return what might surprise the owner of a trigger, or of a draft that definition.draft() has made."""
    findings = [*_unverified(trigger), *(_of_schedule(trigger, now) if trigger.is_scheduled else ())]
    return sorted(findings, key=lambda finding: finding.level != "warn")


def _unverified(trigger: Trigger) -> Iterator[Finding]:
    if trigger.recipe and not trigger.recipe.verify_tls:
        yield Finding(
            "tls_not_verified",
            "warn",
            "verify_tls",
            _(
                "Certificates are not checked: whoever sits on the line may read and change what is sent, its secrets "
                "too. An authority of your own can be trusted instead (OUTBOUND_CA_FILE)."
            ),
        )


def _of_schedule(trigger: Trigger, now: datetime) -> Sequence[Finding]:
    timetable = schedules.timetable_of(trigger)
    first = trigger.next_fire_at or timetable.next_after(now)
    if first is None:
        return []
    return [
        *_too_often(trigger, timetable, first),
        *_many_events(trigger, timetable, first),
        *_far_away(trigger, first, now),
        *_crowd(trigger, first),
        *_clock_change(trigger, timetable, first, now),
    ]


def _too_often(trigger: Trigger, timetable: schedules.Timetable, first: datetime) -> Iterator[Finding]:
    is_free = not trigger.api_endpoint or trigger.overlap_policy == Trigger.OverlapPolicy.SKIP
    if is_free or not trigger.is_recurring:
        return
    fires = [first]
    while len(fires) < FIRES_LOOKED_AT and (following := timetable.next_after(fires[-1])):
        fires.append(following)
    shortest = min((later - one for one, later in pairwise(fires)), default=None)
    timeout = (trigger.recipe and trigger.recipe.timeout_seconds) or settings.DELIVERY_TIMEOUT_SECONDS
    if shortest is None or shortest.total_seconds() >= timeout:
        return
    yield Finding(
        "fires_faster_than_timeout",
        "warn",
        "overlap_policy",
        _(
            "Its fires are %(length)s apart, and a delivery may take up to %(timeout)s s: events may overlap. "
            "Fire less often, or skip overlaps."
        )
        % {"length": schedules.duration_in_words(round(shortest.total_seconds())), "timeout": timeout},
    )


def _many_events(trigger: Trigger, timetable: schedules.Timetable, first: datetime) -> Iterator[Finding]:
    if not trigger.is_recurring:
        return
    a_day = 1 + timetable.count(first, first + timedelta(hours=24) - timedelta(microseconds=1))
    if a_day < MANY_A_DAY:
        return
    rows = round(a_day * settings.EVENT_RETENTION_HOURS / 24)
    if trigger.max_fires:
        rows = min(rows, trigger.max_fires)
    size = _EVENT_BYTES + len(json.dumps(trigger.payload)) + _ATTEMPT_BYTES * bool(trigger.api_endpoint)
    yield Finding(
        "many_events",
        "warn",
        "schedule_value",
        _("About %(count)s events a day. Kept for %(hours)s h, that is %(rows)s rows in the log, about %(size)s.")
        % {
            "count": number_format(a_day, force_grouping=True),
            "hours": settings.EVENT_RETENTION_HOURS,
            "rows": number_format(rows, force_grouping=True),
            "size": _megabytes(rows * size),
        },
    )


def _far_away(trigger: Trigger, first: datetime, now: datetime) -> Iterator[Finding]:
    if first - now <= FAR_AWAY:
        return
    local = first.astimezone(schedules.zone(trigger.time_zone))
    yield Finding(
        "next_fire_far_away",
        "warn",
        "schedule_value",
        _("Its next fire is more than a year away: %(day)s at %(time)s.")
        % {"day": schedules.day_in_words(local), "time": f"{local:%H:%M}"},
    )


def _crowd(trigger: Trigger, first: datetime) -> Iterator[Finding]:
    second = first.replace(microsecond=0)
    same = Trigger.objects.filter(next_fire_at__gte=second, next_fire_at__lt=second + timedelta(seconds=1))
    others = same.exclude(pk=trigger.pk)[:COUNTED_AT_MOST].count()
    if not others:
        return
    count = number_format(others, force_grouping=True)
    words = ngettext(
        "%(count)s other trigger is due at the same second.",
        "%(count)s other triggers are due at the same second.",
        others,
    ) % {"count": f"{count}+" if others == COUNTED_AT_MOST else count}
    if others >= CROWD:
        words += " " + _("A spread keeps them from arriving all at once.")
    yield Finding(
        "same_second",
        "warn" if others >= CROWD else "info",
        "spread_seconds",
        words,
    )


def _clock_change(
    trigger: Trigger, timetable: schedules.Timetable, first: datetime, now: datetime
) -> Iterator[Finding]:
    begin = min(first - timedelta(microseconds=1), now)
    touched = schedules.next_touched(timetable, begin, begin + LOOK_AHEAD)
    if touched and touched.note and (trigger.is_recurring or touched.at == first):
        # Translators: a day, and what a change of clocks does on it.
        words = _("%(day)s: %(note)s") % {"day": schedules.day_in_words(touched.at), "note": touched.note}
        yield Finding("clock_change", "info", "time_zone", words)


def _megabytes(size: int) -> str:
    if size < 950_000:
        return _("%(size)s MB") % {"size": number_format(f"{max(size / 1e6, 0.1):.1f}")}
    if size < 950e6:
        return _("%(size)s MB") % {"size": number_format(f"{size / 1e6:.0f}")}
    return _("%(size)s GB") % {"size": number_format(f"{size / 1e9:.1f}", force_grouping=True)}
