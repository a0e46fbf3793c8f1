"""Upcoming: what fires in the hours to come, all triggers together."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from dashboard.requests import HtmxRequest
from dashboard.tables import UpcomingTable
from triggers import upcoming

HOURS = (6, 24, 168)
PER_PAGE = 50


@require_GET
@vary_on_headers("HX-Request")
def index(request: HtmxRequest) -> HttpResponse:
    """The fires to come in their order; a frequent trigger is one line. What cannot be read in the URL is left out."""
    now = timezone.now()
    hours = next((hours for hours in HOURS if request.GET.get("hours") == str(hours)), 24)
    place = upcoming.Place.of_text(request.GET.get("after", ""))
    found = upcoming.fires(now + timedelta(hours=hours), PER_PAGE + 1, place, is_folded=True)
    shown = found[:PER_PAGE]
    words = {
        "table": UpcomingTable(shown, now=now),
        "count": len(shown),
        "hours": hours,
        "choices": HOURS,
        "is_first": place is None,
        "next": shown[-1].place.as_text() if len(found) > PER_PAGE else "",
        "now": now,
    }
    return render(request, "upcoming/_list.html" if request.htmx else "upcoming/page.html", words)
