"""What is done to many triggers at once: switched, tested or deleted; how far that is, and taking it back."""

from __future__ import annotations

import json
import zlib
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from dashboard import deeds
from dashboard.charts import bar_parts
from dashboard.filters import ChosenTriggers
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from triggers import bulk
from triggers.models import BulkDeed, Event, Trigger

TESTS_UNASKED = 5  # more at once are asked about first
AT_ONCE_SECONDS = 1.5  # what is not done by then is left to the cluster, and has a page of its own
NAMES_SHOWN = 10


@allows(Permission.WRITE)
@require_POST
def switch(request: HtmxRequest) -> HttpResponse:
    """Switch the chosen triggers on or off, as `on` asks."""
    is_on = request.POST.get("on") == "1"
    return _do(request, BulkDeed.Deed.SWITCH_ON if is_on else BulkDeed.Deed.SWITCH_OFF)


@allows(Permission.FIRE)
@require_POST
def test(request: HtmxRequest) -> HttpResponse:
    """Test the chosen triggers; many only once it was asked (`sure`)."""
    chosen = ChosenTriggers(request.POST)
    if "sure" not in request.POST and chosen.triggers().count() > TESTS_UNASKED:
        return _ask(request, "bulk_test", chosen)
    return _do(request, BulkDeed.Deed.TEST)


@allows(Permission.WRITE)
@require_POST
def delete(request: HtmxRequest) -> HttpResponse:
    """Delete the chosen triggers, once it was asked (`sure`)."""
    chosen = ChosenTriggers(request.POST)
    if "sure" not in request.POST and chosen.triggers().exists():
        return _ask(request, "bulk_delete", chosen)
    return _do(request, BulkDeed.Deed.DELETE)


@allows(Permission.READ)
@require_GET
@vary_on_headers("HX-Request")
def detail(request: HtmxRequest, pk: int) -> HttpResponse:
    """How far a deed is; for htmx its live region alone, 204 when that still is as the page shows it (`v`)."""
    deed = get_object_or_404(BulkDeed, pk=pk)
    version = f"{zlib.crc32(json.dumps([deed.place, deed.is_over, deed.undone_by_id]).encode()):x}"
    if request.htmx and request.GET.get("v") == version:
        return HttpResponse(status=204)
    words = _words(deed) | {"version": version, "refusals": deeds.refusals(deed), "now": timezone.now()}
    return render(request, "triggers/_bulk_progress.html" if request.htmx else "triggers/bulk.html", words)


@allows(Permission.WRITE)
@require_POST
def undo(request: HtmxRequest, pk: int) -> HttpResponse:
    """Switch on again what a deed has switched off."""
    undoing = bulk.undo(pk, request.user.author, timezone.now())
    if undoing is None:
        return _refuse(request, _("That can not be undone any more."), reverse("trigger-list"))
    return _worked_off(request, undoing, reverse("trigger-list"))


def _do(request: HtmxRequest, deed: BulkDeed.Deed) -> HttpResponse:
    chosen = ChosenTriggers(request.POST)
    back = f"{reverse('trigger-list')}?{chosen.query}"
    begun = bulk.begin(deed, chosen.triggers(), request.user.author, timezone.now())
    if not begun.total and not begun.settled_count:
        begun.delete()
        return _refuse(request, _("Nothing is selected. Tick the triggers first."), back)
    return _worked_off(request, begun, back)


def _worked_off(request: HtmxRequest, deed: BulkDeed, back: str) -> HttpResponse:
    """Do what can be done at once, and answer: with what was done, or with the page that shows how far it is."""
    bulk.go_on(lasts_seconds=AT_ONCE_SECONDS, only=deed.pk)
    deed.refresh_from_db()
    if not deed.is_over:
        bulk.ask_to_go_on()
        address = reverse("trigger-bulk", args=[deed.pk])
        return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    return _done(request, deed, back)


def _done(request: HtmxRequest, deed: BulkDeed, back: str) -> HttpResponse:
    title, text = deeds.outcome(deed), deeds.remarks(deed)
    level = "bad" if deed.refused_count else "ok"
    page = reverse("trigger-bulk", args=[deed.pk])
    if not request.htmx:
        more = _("Undo") if deed.can_be_undone else _("See which") if deed.refused_count else ""
        link = format_html(' <a href="{}">{}</a>', page, more) if more else ""
        say = messages.error if deed.refused_count else messages.success
        say(request, format_html("{} {}{}", title, text, link))
        return redirect(back)
    toast = {"level": level, "title": title, "text": text}
    if deed.can_be_undone:
        toast |= {"post": reverse("trigger-bulk-undo", args=[deed.pk]), "label": _("Undo")}
    elif deed.refused_count:
        toast |= {"href": page, "label": _("See which")}
    answer = trigger_client_event(HttpResponse(status=204), "toast", toast)
    return trigger_client_event(answer, "triggers-changed")


def _refuse(request: HtmxRequest, words: str, back: str) -> HttpResponse:
    if not request.htmx:
        messages.error(request, words)
        return redirect(back)
    return trigger_client_event(HttpResponse(status=204), "toast", {"level": "bad", "title": "", "text": words})


def _ask(request: HtmxRequest, verb: str, chosen: ChosenTriggers) -> HttpResponse:
    """Ask before the deed: as a dialog over the page, or as a page of its own."""
    triggers = chosen.triggers()
    names = list(triggers.order_by("name", "pk").values_list("name", flat=True)[:NAMES_SHOWN])
    count = triggers.count()
    words = {
        "count": count,
        "names": names,
        "more": count - len(names),
        "scheduled": triggers.filter(next_fire_at__isnull=False).count(),
        "called": triggers.filter(type=Trigger.Type.API).count(),
        "with_endpoint": triggers.exclude(api_endpoint="").count(),
        "chosen": chosen,
        "back": f"{reverse('trigger-list')}?{chosen.query}",
    }
    return render(request, f"triggers/_{verb}_dialog.html" if request.htmx else f"triggers/{verb}.html", words)


def _words(deed: BulkDeed) -> dict[str, Any]:
    done, refused = deed.done_count, deed.refused_count
    parts = bar_parts({"succeeded": done, "failed": refused, "left": deed.total - done - refused})
    return {
        "deed": deed,
        "title": deeds.title(deed),
        "outcome": deeds.outcome(deed) if deed.is_over else "",
        "remarks": deeds.remarks(deed),
        "parts": parts,
        "tests": Event.Source.TEST if deed.deed == BulkDeed.Deed.TEST else "",
    }
