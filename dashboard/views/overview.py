"""The overview: figures, 48 hours, what needs attention, what fires next, the latest events."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import charts
from dashboard.tables import EventTable, progress
from triggers import stats
from triggers.models import Event, Trigger

LATEST = 9
NEXT_FIRES = 6
ATTENTION = 5
_DAY_HOURS = 24
_MOST_PAUSED = 50  # as many as stats.failing() looks at


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    words: dict[str, Any] = {"now": now, "versions": {}}
    for read in PARTS.values():
        words |= read(now)
    return render(request, "overview/page.html", words)


@require_GET
def part(request: HttpRequest, name: str) -> HttpResponse:
    """One live part alone; 204 when it still is as the page shows it (`v`)."""
    if name not in PARTS:
        raise Http404("The overview has no such part.")
    now = timezone.now()
    words = PARTS[name](now)
    if request.GET.get("v") == words[f"{name}_version"]:
        return HttpResponse(status=204)
    return render(request, f"overview/_{name}.html", words | {"now": now})


# --- The parts: each returns what its template shows, with a version that changes when that does ----------


def _tiles(now: datetime) -> dict[str, Any]:
    hours = stats.hours(now, 2 * _DAY_HOURS)
    day, day_before = stats.sums(hours[_DAY_HOURS:]), stats.sums(hours[:_DAY_HOURS])
    fired, fired_before = sum(day.values()), sum(day_before.values())
    latency = stats.latency()
    words = {
        "triggers": stats.trigger_counts(),
        "fired": fired if fired or fired_before else None,
        "change": (fired - fired_before) / fired_before if fired_before else None,
        "success": stats.success_rate(day),
        "failed": day[Event.Outcome.FAILED],
        "skipped": day[Event.Outcome.SKIPPED],
        "latency": latency,
        "dispatcher": stats.dispatcher(now),
    }
    return {"tiles": words, "tiles_version": _version(words)}


def _chart(now: datetime) -> dict[str, Any]:
    pending = stats.pending_by_hour()
    hours = [
        stats.Hour(hour.start, hour.counts | {Event.Outcome.PENDING.value: pending.get(hour.start, 0)})
        for hour in stats.hours(now, settings.EVENT_RETENTION_HOURS)
    ]
    sums = stats.sums(hours)
    chart = charts.hours_chart(hours, timedelta(hours=settings.EVENT_ACTIVE_HOURS), now)
    return {
        "chart": chart,
        "chart_sums": [(outcome, sums[outcome]) for outcome in charts.OUTCOMES],
        "chart_hours": len(hours),
        "active_hours": settings.EVENT_ACTIVE_HOURS,
        "chart_version": _version(hours),
    }


def _attention(now: datetime) -> dict[str, Any]:
    paused = list(Trigger.objects.paused()[:_MOST_PAUSED])
    failing = [each for each in stats.failing() if not each.trigger.problem]
    declining = stats.declining({each.pk for each in paused} | {each.trigger.pk for each in failing})
    words = [
        [(each.pk, each.name, each.problem) for each in paused],
        [(each.trigger.pk, each.in_a_row, each.event.pk, each.outcomes) for each in failing],
        [(each.trigger.pk, each.failed, each.of, each.outcomes) for each in declining],
    ]
    count = len(paused) + len(failing) + len(declining)
    outcomes = stats.last_outcomes([each.pk for each in paused[:ATTENTION]])
    for trigger in paused[:ATTENTION]:
        trigger.last_outcomes = outcomes[trigger.pk]  # type: ignore[attr-defined]
    return {
        "paused": paused[:ATTENTION],
        "attention": failing[: max(ATTENTION - len(paused), 0)],
        "declining": declining[: max(ATTENTION - len(paused) - len(failing), 0)],
        "attention_count": count,
        "attention_more": max(count - ATTENTION, 0),
        "attention_version": _version(words),
    }


def _next(now: datetime) -> dict[str, Any]:
    triggers = list(Trigger.objects.next_fires()[:NEXT_FIRES])
    return {
        "next_fires": triggers,
        "next_version": _version([(each.pk, each.name, each.next_fire_at) for each in triggers]),
    }


def _latest(now: datetime) -> dict[str, Any]:
    events = list(Event.objects.for_log()[:LATEST])
    table = EventTable(events, now=now, exclude=("attempts", "bar", "event"))
    return {
        "latest": table,
        "latest_count": len(events),
        "latest_version": _version([(event.pk, progress(event)) for event in events]),
    }


PARTS: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "tiles": _tiles,
    "attention": _attention,
    "chart": _chart,
    "next": _next,
    "latest": _latest,
}


def _version(shown: object) -> str:
    return f"{zlib.crc32(repr(shown).encode()):x}"
