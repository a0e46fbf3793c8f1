"""The form of a trigger: create, edit, and the fires that a draft would have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

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
from triggers import definition, doctor
from triggers.models import Trigger

FIRES_SHOWN = 5
CRON_EXAMPLES = (
    ("Every 5 min", "*/5 * * * *"),
    ("Hourly", "0 * * * *"),
    ("Daily", "0 8 * * *"),
    ("Weekdays", "0 8 * * 1-5"),
    ("Weekly", "0 8 * * 1"),
    ("Monthly", "0 8 1 * *"),
)
LAST_VALID_LENGTH = 200  # characters of the last valid sentence that the page carries along


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def create(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "GET":
        kind = request.GET.get("type")
        initial = {"type": kind} if kind in Trigger.Type.values else {}
        return _show(request, TriggerForm(initial=initial, now=now), now)
    form = TriggerForm(request.POST, now=now)
    if form.is_valid():
        try:
            trigger = definition.create(form.fields_of_trigger(), now)
        except ValidationError as error:
            form.blame(error)
        else:
            return _saved(request, trigger, "Trigger created.")
    return _show(request, form, now)


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def edit(request: HtmxRequest, pk: int) -> HttpResponse:
    now = timezone.now()
    trigger = get_object_or_404(Trigger, pk=pk)
    if request.method == "GET":
        return _show(request, TriggerForm(trigger=trigger, now=now), now)
    form = TriggerForm(request.POST, trigger=trigger, now=now)
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
    return _show(request, form, now)


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """What follows from the draft while one types: its fires, the words at its fields, the cron fields in words."""
    now = timezone.now()
    pk = request.GET.get("trigger", "")
    trigger = Trigger.objects.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None
    form = TriggerForm(request.POST, trigger=trigger, now=now)
    form.is_valid()
    shown = _preview_of(form, now, request.POST.get("last_valid", ""))
    if shown.is_empty and "refused" not in request.POST:
        form.errors.clear()  # nothing is wrong with what is not yet written
    return render(request, "triggers/_preview_update.html", {"form": form, "preview": shown, "now": now})


def _show(request: HtmxRequest, form: TriggerForm, now: datetime) -> HttpResponse:
    """The whole page, or the form alone to htmx; 422 when something in it is wrong."""
    shown = _preview_of(form, now, request.POST.get("last_valid", ""))
    words = {"form": form, "trigger": form.trigger, "preview": shown, "now": now, "cron_examples": CRON_EXAMPLES}
    template = "triggers/_form.html" if request.htmx else "triggers/form.html"
    return render(request, template, words, status=422 if form.errors else 200)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the side column says: what is to come of the draft, or why that cannot be said."""

    outlook: previews.Outlook | None = None
    findings: list[doctor.Finding] = field(default_factory=list)
    is_api: bool = False
    is_empty: bool = False  # nothing is written yet
    wrong: dict[str, str] = field(default_factory=dict)  # words by the label of the field
    last_valid: str = ""  # the last sentence that could be said


def _preview_of(form: TriggerForm, now: datetime, last_valid: str) -> Preview:
    """Return what follows from the form; what only the definition sees to be wrong is then at its fields, too."""
    if not form.is_bound:
        # The draft as the page shows it, read by the same rules as one that is sent.
        shown = {name: form.get_initial_for_field(each, name) for name, each in form.fields.items()}
        form = TriggerForm(shown, trigger=form.trigger, now=now)
        form.is_valid()
    if form.cleaned_data.get("type") == Trigger.Type.API:
        return Preview(is_api=True)
    last_valid = last_valid[:LAST_VALID_LENGTH]
    if form.is_empty_schedule:
        return Preview(is_empty=True, last_valid=last_valid)
    draft, wrong = _draft(form, now)
    if draft is None:
        return Preview(wrong=wrong, last_valid=last_valid)
    outlook = previews.outlook(draft, now, FIRES_SHOWN)
    findings = doctor.examine(draft, now)
    if any(fire.note for fire in outlook.fires):  # it is said at that fire
        findings = [finding for finding in findings if finding.code != "clock_change"]
    return Preview(outlook, findings, last_valid=outlook.sentence[:LAST_VALID_LENGTH])


def _draft(form: TriggerForm, now: datetime) -> tuple[Trigger | None, dict[str, str]]:
    """Return the trigger that saving would make, switched on; or None, and what is wrong by the field's label."""
    if form.errors_about_when or "type" in form.errors:
        return None, form.errors_about_when
    fields = form.fields_of_draft()
    try:
        return definition.draft(fields | {"enabled": True}, now, form.trigger), {}
    except ValidationError as error:
        # A schedule that never fires may be saved all the same, switched off.
        if fields["enabled"]:
            form.blame(error)
            return None, form.errors_about_when
        words = form.at_fields(error).items()
        return None, {str(form.fields[name].label): said[0] for name, said in words if name}


def _saved(request: HtmxRequest, trigger: Trigger, words: str) -> HttpResponse:
    messages.success(request, words)
    return _go(request, reverse("trigger-detail", args=[trigger.pk]))


def _go(request: HtmxRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
