"""The form of a trigger: create, edit, and the fires that a draft would have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from dashboard import previews
from dashboard.forms import TriggerForm
from triggers import definition, schedules
from triggers.models import Trigger

FIRES_SHOWN = 5
_ABOUT_WHEN = ("type", "schedule_type", "at", "every", "unit", "is_recurring", "time_zone")


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def create(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "GET":
        kind = request.GET.get("type")
        initial = {"type": kind} if kind in Trigger.Type.values else {}
        return _show(request, TriggerForm(initial=initial, now=now), None, now)
    form = TriggerForm(request.POST, now=now)
    if form.is_valid():
        try:
            trigger = definition.create(form.fields_of_trigger(), now)
        except ValidationError as error:
            form.blame(error)
        else:
            return _saved(request, trigger, "Trigger created.")
    return _show(request, form, None, now)


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def edit(request: HtmxRequest, pk: int) -> HttpResponse:
    now = timezone.now()
    trigger = get_object_or_404(Trigger, pk=pk)
    if request.method == "GET":
        return _show(request, TriggerForm(initial=TriggerForm.initial_of(trigger), now=now), trigger, now)
    form = TriggerForm(request.POST, initial=TriggerForm.initial_of(trigger), now=now)
    if form.is_valid():
        try:
            trigger = definition.change(pk, form.fields_of_trigger(), now)
        except ValidationError as error:
            form.blame(error)
        except Trigger.DoesNotExist:
            messages.error(request, "Someone deleted this trigger while you were editing it.")
            return _go(request, reverse("trigger-list"))
        else:
            return _saved(request, trigger, "Trigger saved.")
    return _show(request, form, trigger, now)


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The fires of the draft alone; what else is wrong with it does not matter here."""
    now = timezone.now()
    pk = request.GET.get("trigger", "")
    trigger = Trigger.objects.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 20 else None
    form = TriggerForm(request.POST, now=now)
    form.is_valid()
    return render(request, "triggers/_preview.html", {"preview": _preview_of(form, trigger, now), "now": now})


def _show(request: HtmxRequest, form: TriggerForm, trigger: Trigger | None, now: datetime) -> HttpResponse:
    """The whole page, or the form alone to htmx; 422 when something in it is wrong."""
    words = {"form": form, "trigger": trigger, "preview": _preview_of(form, trigger, now), "now": now}
    template = "triggers/_form.html" if request.htmx else "triggers/form.html"
    return render(request, template, words, status=422 if form.errors else 200)


def _preview_of(form: TriggerForm, trigger: Trigger | None, now: datetime) -> dict[str, Any]:
    """Return what the side column says: the sentence, the fires, the next change of clocks, or why there is none."""
    if not form.is_bound:
        # The draft as the page shows it, read by the same rules as one that is sent.
        shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
        form = TriggerForm(shown, now=now)
        form.is_valid()
    if form.cleaned_data.get("type") == Trigger.Type.API:
        return {"is_api": True}
    fields = form.fields_of_schedule()
    is_interval = fields["schedule_type"] == Trigger.ScheduleType.FIXED_INTERVAL
    # An interval is the same in every zone: its fires are shown on the reader's own clock.
    words = {
        "zone": str(timezone.get_current_timezone()) if is_interval else fields["time_zone"],
        "is_recurring": fields["is_recurring"],
    }
    value_field = TriggerForm.VALUE_FIELDS.get(fields["schedule_type"])
    if value_field and not str(form[value_field].value() or "").strip():
        return words | {"is_empty": True}
    wrong = [form.errors[name][0] for name in _ABOUT_WHEN if name in form.errors]
    if wrong:
        return words | {"error": wrong[0]}
    try:
        schedule = schedules.read(
            fields["schedule_type"], fields["schedule_value"], fields["time_zone"], _start(fields, trigger, now)
        )
    except schedules.ScheduleError as error:
        return words | {"error": str(error)}
    zone = schedules.zone(words["zone"])
    fires = previews.next_fires(
        schedules.Timetable(schedule), zone, now, FIRES_SHOWN if fields["is_recurring"] else 1, now
    )
    change = None if is_interval else previews.next_clock_change(zone, now)
    return words | {
        "sentence": schedules.in_words(fields["schedule_type"], fields["schedule_value"], fields["is_recurring"]),
        "fires": fires,
        # A change within the fires shown is said at its fire.
        "clock_change": change and fires[-1].at.date() < change and previews.day_in_words(change, now.date()),
        "a_day": _a_day(schedule) if fields["is_recurring"] else 0,
    }


def _start(fields: dict[str, Any], trigger: Trigger | None, now: datetime) -> datetime:
    """Return what intervals of the draft count from: an unchanged schedule keeps its start."""
    if trigger and trigger.is_recurring and all(getattr(trigger, name) == value for name, value in fields.items()):
        return trigger.starts_at
    return now


def _a_day(schedule: schedules.Schedule) -> int:
    """Return how many events a day an interval makes, 0 for other schedules."""
    return round(86_400 / schedule.every.total_seconds()) if isinstance(schedule, schedules.FixedInterval) else 0


def _saved(request: HtmxRequest, trigger: Trigger, words: str) -> HttpResponse:
    messages.success(request, words)
    return _go(request, reverse("trigger-detail", args=[trigger.pk]))


def _go(request: HtmxRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
