"""What might surprise the owner of a trigger, said when it is written: never in its way, only beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings

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
            "Certificates are not checked: whoever sits on the line may read and change what is sent, its secrets too. "
            "An authority of your own can be trusted instead (OUTBOUND_CA_FILE).",
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
        f"Its fires are {schedules.duration_in_words(round(shortest.total_seconds()))} apart, and a delivery may take "
        f"up to {timeout} s: events may overlap. Fire less often, or skip overlaps.",
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
        f"About {a_day:,} events a day. Kept for {settings.EVENT_RETENTION_HOURS} h, that is {rows:,} rows in the log, "
        f"about {_megabytes(rows * size)}.",
    )


def _far_away(trigger: Trigger, first: datetime, now: datetime) -> Iterator[Finding]:
    if first - now <= FAR_AWAY:
        return
    local = first.astimezone(schedules.zone(trigger.time_zone))
    yield Finding(
        "next_fire_far_away",
        "warn",
        "schedule_value",
        f"Its next fire is more than a year away: {_day_in_words(local)} at {local:%H:%M}.",
    )


def _crowd(trigger: Trigger, first: datetime) -> Iterator[Finding]:
    second = first.replace(microsecond=0)
    same = Trigger.objects.filter(next_fire_at__gte=second, next_fire_at__lt=second + timedelta(seconds=1))
    others = same.exclude(pk=trigger.pk)[:COUNTED_AT_MOST].count()
    if not others:
        return
    count = (
        f"{others:,}{'+' if others == COUNTED_AT_MOST else ''} other {'trigger is' if others == 1 else 'triggers are'}"
    )
    advice = " A spread keeps them from arriving all at once." if others >= CROWD else ""
    yield Finding(
        "same_second",
        "warn" if others >= CROWD else "info",
        "spread_seconds",
        f"{count} due at the same second.{advice}",
    )


def _clock_change(
    trigger: Trigger, timetable: schedules.Timetable, first: datetime, now: datetime
) -> Iterator[Finding]:
    begin = min(first - timedelta(microseconds=1), now)
    touched = schedules.next_touched(timetable, begin, begin + LOOK_AHEAD)
    if touched and touched.note and (trigger.is_recurring or touched.at == first):
        yield Finding("clock_change", "info", "time_zone", f"{_day_in_words(touched.at)}: {touched.note}")


def _day_in_words(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b %Y}"


def _megabytes(size: int) -> str:
    if size < 950_000:
        return f"{max(size / 1e6, 0.1):.1f} MB"
    return f"{size / 1e6:,.0f} MB" if size < 950e6 else f"{size / 1e9:,.1f} GB"
