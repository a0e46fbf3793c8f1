"""System health: the dispatcher and its clusters, what waits, what is kept, and what was checked."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from dashboard import charts, health
from dashboard.requests import HtmxRequest
from triggers.stats import LAGS_AFTER


@require_GET
@vary_on_headers("HX-Request")
def index(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    found = health.look(request, now)
    words = {
        "health": found,
        "sentence": found.sentence,
        "chart": charts.lag_chart(found.lag_hours),
        "bar": _active_share(),
        "alarm": int(LAGS_AFTER.total_seconds()),
        "active_hours": settings.EVENT_ACTIVE_HOURS,
        "kept_hours": settings.EVENT_RETENTION_HOURS,
        "monitors": health.MONITORS,
        "version": settings.VERSION,
        "now": now,
    }
    return render(request, "health/_health.html" if request.htmx else "health/page.html", words)


@require_GET
@never_cache
def report(request: HttpRequest) -> HttpResponse:
    """The same as text, for a bug report."""
    return HttpResponse(health.report(request, timezone.now()), content_type="text/plain; charset=utf-8")


def _active_share() -> float:
    """Return how much of the time that an event is kept it is active, in per cent."""
    return round(100 * settings.EVENT_ACTIVE_HOURS / settings.EVENT_RETENTION_HOURS, 2)
