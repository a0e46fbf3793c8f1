"""The form of a trigger: create, edit, the fires that a draft would have, and a test of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget

from dashboard import attempts, fresh_secrets, histories, previews
from dashboard.forms import TriggerForm
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from triggers import definition, doctor, firing
from triggers.models import Event, Recipe, Trigger

FIRES_SHOWN = 5
CRON_EXAMPLES = (
    (gettext_lazy("Every 5 min"), "*/5 * * * *"),
    (gettext_lazy("Hourly"), "0 * * * *"),
    (gettext_lazy("Daily"), "0 8 * * *"),
    (gettext_lazy("Weekdays"), "0 8 * * 1-5"),
    (gettext_lazy("Weekly"), "0 8 * * 1"),
    (gettext_lazy("Monthly"), "0 8 1 * *"),
)
WATCHED_LONGER = timedelta(seconds=2)  # than a test may take
LAST_VALID_LENGTH = 200  # characters of the last valid sentence that the page carries along


@allows(Permission.WRITE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def create(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "GET":
        kind = request.GET.get("type")
        initial = {"type": kind} if kind in Trigger.Type.values else {}
        return _show(request, TriggerForm(initial=initial, copy_of=_named(request, "from"), now=now), now)
    form = TriggerForm(request.POST, copy_of=_named(request, "from"), now=now)
    if form.is_valid():
        try:
            trigger = definition.create(form.fields_of_trigger(), now, request.user.author)
        except ValidationError as error:
            form.blame(error)
        else:
            if trigger.api_endpoint and trigger.recipe:
                fresh_secrets.keep(request.session, trigger.pk, trigger.recipe.signing_secret)
            return _saved(request, trigger, _("Trigger created."))
    return _show(request, form, now)


@allows(Permission.WRITE)
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
            seen = _seen_version(request)
            trigger = definition.change(
                pk, form.fields_of_trigger(), now, request.user.author, seen=None if seen is None else (seen,)
            )
        except definition.Conflict:
            return _show_conflict(request, pk, now)
        except ValidationError as error:
            form.blame(error)
        except Trigger.DoesNotExist:
            messages.error(request, _("Someone deleted this trigger while you were editing it."))
            return _go(request, reverse("trigger-list"))
        else:
            return _saved(request, trigger, _("Trigger saved."))
    return _show(request, form, now)


@allows(Permission.WRITE)
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """What follows from the draft while one types: its fires, the words at its fields, the cron fields in words."""
    now = timezone.now()
    form = TriggerForm(request.POST, trigger=_named(request, "trigger"), copy_of=_named(request, "from"), now=now)
    form.is_valid()
    shown = _preview_of(form, now, request.POST.get("last_valid", ""))
    if shown.is_empty and "refused" not in request.POST:
        form.errors.clear()  # nothing is wrong with what is not yet written
    return render(request, "triggers/_preview_update.html", {"form": form, "preview": shown, "now": now})


def _show(request: HtmxRequest, form: TriggerForm, now: datetime, refused_to: str = "saved") -> HttpResponse:
    """The whole page, or the form alone to htmx; 422 when something in it is wrong."""
    words = _form_words(request, form, now) | {"refused_to": refused_to}
    template = "triggers/_form.html" if request.htmx else "triggers/form.html"
    answer = render(request, template, words, status=422 if form.errors else 200)
    if form.is_bound:
        add_never_cache_headers(answer)  # a secret that was typed stands in it, until it is saved
    return answer


def _show_conflict(request: HtmxRequest, pk: int, now: datetime) -> HttpResponse:
    """Somebody saved it meanwhile: what they changed, and the form as it was sent; saved again, it takes its place."""
    trigger = get_object_or_404(Trigger, pk=pk)
    form = TriggerForm(request.POST, trigger=trigger, now=now)
    form.is_valid()
    unseen = histories.since(trigger, _seen_version(request) or 0, now)
    words = _form_words(request, form, now) | {"is_conflict": True, "unseen": unseen, "version": trigger.version}
    answer = render(request, "triggers/_form.html" if request.htmx else "triggers/form.html", words, status=409)
    add_never_cache_headers(answer)
    return answer


def _form_words(request: HttpRequest, form: TriggerForm, now: datetime) -> dict[str, Any]:
    shown = _preview_of(form, now, request.POST.get("last_valid", ""))
    seen = _seen_version(request)
    return {
        "form": form,
        "trigger": form.trigger,
        # What the form's addresses say of it.
        "about": _about(form),
        "version": form.trigger.version if form.trigger and seen is None else seen,
        "preview": shown,
        "now": now,
        "cron_examples": CRON_EXAMPLES,
    }


def _about(form: TriggerForm) -> str:
    if form.trigger:
        return f"?trigger={form.trigger.pk}"
    return f"?from={form.copy_of.pk}" if form.copy_of else ""


def _seen_version(request: HttpRequest) -> int | None:
    """Return the version of the trigger that the form was filled from; None: it does not say."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


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
        form = TriggerForm(shown, trigger=form.trigger, copy_of=form.copy_of, now=now)
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


# --- A test of the draft --------------------------------------------------------------------------------


@allows(Permission.WRITE)
@require_POST
@vary_on_headers("HX-Request")
def draft_test(request: HtmxRequest) -> HttpResponse:
    """Test what stands in the form: nothing of it is saved but a test event of no trigger."""
    now = timezone.now()
    form = TriggerForm(request.POST, trigger=_named(request, "trigger"), copy_of=_named(request, "from"), now=now)
    draft = _checked_draft(form, now)
    if draft is None:
        answer = _show(request, form, now, refused_to="tested")
        return reswap(retarget(answer, "#trigger-form"), "outerHTML") if request.htmx else answer
    event = firing.test_draft(draft, now)
    if not request.htmx:
        return redirect("event-detail", event.pk)
    if "refused" not in request.POST:
        return render(request, "triggers/_draft_test.html", _test_words(event, now))
    # Nothing is wrong any more: the form says so.
    answer = render(request, "triggers/_form.html", _form_words(request, form, now) | _test_words(event, now))
    return reswap(retarget(answer, "#trigger-form"), "outerHTML")


@allows(Permission.WRITE)
@require_GET
def draft_test_result(request: HttpRequest, event_pk: int) -> HttpResponse:
    """The test's panel as it stands: delivering, then what came back; `stop`: the reader looks no longer."""
    now = timezone.now()
    found = Event.objects.select_related("trigger", "recipe").filter(source=Event.Source.TEST, trigger__isnull=True)
    event = get_object_or_404(found, pk=event_pk)
    return render(request, "triggers/_draft_test.html", _test_words(event, now, is_watched="stop" not in request.GET))


@dataclass(frozen=True, slots=True)
class DraftTest:
    """How a test stands. `is_watched`: the panel asks on."""

    event: Event
    attempt: attempts.Shown | None
    ran: timedelta
    most: int  # seconds that it may take
    is_watched: bool


def _test_words(event: Event, now: datetime, *, is_watched: bool = True) -> dict[str, Any]:
    attempt = event.attempts.last()
    recipe = event.recipe or Recipe()
    most = recipe.timeout_seconds or settings.DELIVERY_TIMEOUT_SECONDS
    ran = now - event.triggered_at
    is_watched = is_watched and not event.is_finished and ran < timedelta(seconds=most) + WATCHED_LONGER
    shown = attempts.Shown(event, attempt) if attempt and event.is_finished else None
    return {"test": DraftTest(event, shown, ran, most, is_watched), "method": recipe.method, "now": now}


def _named(request: HttpRequest, name: str) -> Trigger | None:
    """Return the trigger that the form edits, or is a copy of; None of a new one, or one that was deleted meanwhile."""
    pk = request.GET.get(name, "")
    return Trigger.objects.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None


def _checked_draft(form: TriggerForm, now: datetime) -> Trigger | None:
    """Return the trigger that saving would make; None when something is wrong, and the form says what."""
    form.is_valid()
    if not form.has_endpoint:
        form.add_error("api_endpoint", _("There is nothing to test without an endpoint: its events are only logged."))
    if form.errors:
        return None
    try:
        # Whether it fires ever again does not matter to a test.
        return definition.draft(form.fields_of_trigger() | {"enabled": False}, now, form.trigger)
    except ValidationError as error:
        form.blame(error)
        return None
