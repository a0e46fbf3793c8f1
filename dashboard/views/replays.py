"""Failed for good, and what is done about it: one event is fired again, or many, and how far those are."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseStopPolling

from dashboard.charts import bar_parts
from dashboard.filters import FailedFilter
from dashboard.forms import ReplayForm
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from dashboard.tables import EventTable, FailedTable
from triggers import firing, replays, stats
from triggers.models import LARGEST_ID, Event, ReplayBatch, Trigger

PER_PAGE = 50
MOST_TRIGGERS = 200  # to choose from
LATEST = 20  # replays of a batch
MOST_RUNNING = 5  # batches that are named above the list


# --- Failed for good -----------------------------------------------------------------------------------


@require_GET
@vary_on_headers("HX-Request")
def failed(request: HtmxRequest) -> HttpResponse:
    """What failed for good; for htmx its live region alone."""
    now = timezone.now()
    narrowed = FailedFilter(request.GET)
    words = _list(narrowed, now, request.GET.get("older", ""), may_fire=request.user.may(Permission.FIRE))
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "replays/_failed.html", words)
    failing = Event.objects.failed_for_good().order_by().values("trigger")
    triggers = Trigger.with_deleted.filter(Q(pk__in=failing) | Q(pk=narrowed.selection.trigger_id)).order_by(
        "name", "pk"
    )
    return render(request, "replays/failed.html", words | {"triggers": triggers[:MOST_TRIGGERS]})


def _list(narrowed: FailedFilter, now: datetime, older: str, *, may_fire: bool) -> dict[str, Any]:
    selected = narrowed.selection.events()
    events = selected.for_log()
    if older.isascii() and older.isdigit() and len(older) < 20:
        events = events.filter(pk__lt=min(int(older), LARGEST_ID))
    else:
        older = ""
    found = list(events[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    cancelled = Event.objects.filter(replay_of__in=[event.pk for event in shown]).order_by().values_list("replay_of")
    return {
        "table": FailedTable(
            shown,
            now=now,
            cancelled=dict(cancelled.annotate(Max("pk"))),
            exclude=() if may_fire else ("action",),
        ),
        "count": selected.order_by("-pk")[: stats.COUNT_CAP + 1].count(),
        "count_cap": stats.COUNT_CAP,
        "older": shown[-1].pk if len(found) > PER_PAGE else None,
        "after": older,
        "chosen": narrowed.chosen,
        "query": narrowed.query,
        "running": _running(),
        "kept_hours": settings.EVENT_RETENTION_HOURS,
        "now": now,
    }


def _running() -> list[ReplayBatch]:
    """Return the batches that are not over, each with its `progress`."""
    waiting = Event.objects.filter(hand_over_at__isnull=False, batch__isnull=False).values("batch")
    is_begun = Q(state=ReplayBatch.State.RUNNING) | Q(pk__in=waiting)
    running = list(ReplayBatch.objects.filter(is_begun).order_by("pk")[:MOST_RUNNING])
    for batch in running:
        batch.progress = replays.progress(batch)  # type: ignore[attr-defined]
    return running


# --- One -----------------------------------------------------------------------------------------------


@allows(Permission.FIRE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def replay_one(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask where to (GET), then fire the event again and go to the new one (POST)."""
    event = get_object_or_404(Event.objects.select_related("trigger"), pk=min(pk, LARGEST_ID))
    if request.method == "GET":
        words = {"event": event, "has_today": firing.has_endpoint_of_today(event), "now": timezone.now()}
        return render(request, "replays/_one_dialog.html" if request.htmx else "replays/one.html", words)
    try:
        today = request.POST.get("endpoint") != "then"
        replay = firing.replay(event, timezone.now(), uses_todays_endpoint=today).event
    except firing.NotFinished:
        messages.error(request, _("It is not finished yet: its own delivery goes on."))
        return redirect("event-detail", event.pk)
    except firing.NoEndpointOfToday:
        messages.error(request, _("Its trigger was deleted meanwhile. It can only be sent as it was then."))
        return redirect("event-replay", event.pk)
    return redirect("event-detail", replay.pk)


# --- Many ----------------------------------------------------------------------------------------------


@allows(Permission.FIRE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
def replay_many(request: HtmxRequest) -> HttpResponse:
    """Say what would happen and ask how (GET), then begin and go to the progress (POST).

    What the page asks for while its form is filled in is the forecast alone.
    """
    data = request.POST if request.method == "POST" else request.GET
    form = ReplayForm(data) if "endpoint" in data else ReplayForm()
    narrowed = FailedFilter(data)
    if request.method == "POST" and "count" not in data and form.is_valid():
        selection = narrowed.selection
        if not selection.events().exists():
            messages.error(request, _("Nothing was replayed: what failed has been replayed meanwhile, or has expired."))
            return redirect("failed-list")
        batch = replays.begin(selection, form.how(), request.user.get_username(), timezone.now())
        return redirect("replay-detail", batch.pk)
    words = _question(narrowed, form)
    if request.htmx:
        is_part = request.htmx.target == "replay-forecast"
        return render(request, "replays/_forecast.html" if is_part else "replays/_many_dialog.html", words)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "replays/many.html", words, status=status)


def _question(narrowed: FailedFilter, form: ReplayForm) -> dict[str, Any]:
    selection, how = narrowed.selection, form.how()
    if selection.last_id is None:
        # So that what is replayed is what is counted here, whatever fails meanwhile.
        newest = selection.events().order_by("-pk").values_list("pk", flat=True).first()
        last_id = newest or 0
    else:
        last_id = selection.last_id
    forecast = replays.count(selection, how)
    return {
        "form": form,
        "forecast": forecast,
        "how": how,
        "lasts": how.lasts(forecast.replayed),
        "chosen": narrowed.chosen,
        "query": narrowed.query,
        "last_id": last_id,
        "trigger": Trigger.with_deleted.filter(pk=selection.trigger_id).first() if selection.trigger_id else None,
        "fired_from": selection.fired_from,
        "fired_until": selection.fired_until,
    }


@require_GET
@vary_on_headers("HX-Request")
def detail(request: HtmxRequest, pk: int) -> HttpResponse:
    """How far many replays are; for htmx the live region, 204 while nothing moves, 286 (stop asking) at its end."""
    batch = get_object_or_404(ReplayBatch.objects.select_related("trigger"), pk=min(pk, LARGEST_ID))
    words = _progress(batch, timezone.now())
    if not request.htmx:
        return render(request, "replays/detail.html", words)
    if request.GET.get("v") == words["version"]:
        return HttpResponse(status=204)
    response = render(request, "replays/_progress.html", words)
    if words["progress"].is_over:
        response.status_code = HttpResponseStopPolling.status_code
    return response


@allows(Permission.FIRE)
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        batch = replays.cancel(min(pk, LARGEST_ID), request.user.get_username(), timezone.now())
    except ReplayBatch.DoesNotExist:
        messages.error(request, _("These replays are over, and were forgotten with their events."))
        return redirect("failed-list")
    if batch.state != ReplayBatch.State.CANCELLED:
        messages.error(request, _("There was nothing left to cancel."))
    return redirect("replay-detail", pk)


def _progress(batch: ReplayBatch, now: datetime) -> dict[str, Any]:
    progress = replays.progress(batch)
    untold = (Event.Outcome.PENDING, Event.Outcome.SKIPPED)
    latest = batch.events.for_log().exclude(outcome__in=untold)[:LATEST]
    waiting = progress.left + progress.outcomes.get(Event.Outcome.PENDING, 0)
    return {
        "batch": batch,
        "progress": progress,
        "parts": _parts(batch, progress),
        "ends_at": now + waiting * batch.interval if waiting else None,
        "table": EventTable(latest, now=now, exclude=("source", "bar")),
        "version": f"{zlib.crc32(repr((batch.state, progress)).encode()):x}",
        "now": now,
    }


def _parts(batch: ReplayBatch, progress: replays.Progress) -> list[dict[str, Any]]:
    """Return the pieces of the bar, from left to right: what, how many, and where in percent."""
    outcomes = progress.outcomes
    counts = {
        **{outcome.value: outcomes.get(outcome, 0) for outcome in _IN_ORDER},
        "out": batch.skipped_count,
        "left": progress.left,
    }
    return bar_parts(counts)


_IN_ORDER = (
    Event.Outcome.SUCCEEDED,
    Event.Outcome.LOGGED,
    Event.Outcome.FAILED,
    Event.Outcome.SKIPPED,
    Event.Outcome.DELIVERING,
    Event.Outcome.PENDING,
)
