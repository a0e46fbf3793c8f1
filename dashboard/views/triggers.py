"""Triggers: the list, one of them, and what is done to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_tables2 import RequestConfig

from dashboard import calls, charts, deliveries, examples, fresh_secrets, histories, ledgers, previews
from dashboard.filters import TriggerFilter
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from dashboard.tables import TriggerTable
from triggers import definition, firing, outbound, schedules, stats
from triggers.models import Attempt, Event, Trigger

PER_PAGE = 25
RECENT_EVENTS = 8
CHANGES_SHOWN, CHANGES_PER_PAGE = 20, 100
FIRES_SHOWN = 3
HOURS_SHOWN = 24
RESULT_STAYS = timedelta(seconds=10)  # on the Test button
GIVE_UP_AFTER = timedelta(seconds=settings.DELIVERY_TIMEOUT_SECONDS + 2)  # watching a test, not the test itself

_NO_ANSWER = {
    outbound.ErrorKind.DNS: gettext_lazy("host not found"),
    outbound.ErrorKind.REFUSED: gettext_lazy("connection refused"),
    outbound.ErrorKind.UNREACHABLE: gettext_lazy("not reachable"),
    outbound.ErrorKind.TLS: gettext_lazy("certificate or TLS"),
    outbound.ErrorKind.CONNECT_TIMEOUT: gettext_lazy("no connection"),
    outbound.ErrorKind.TIMEOUT: gettext_lazy("no answer"),
    outbound.ErrorKind.READ_TIMEOUT: gettext_lazy("answer not complete"),
    outbound.ErrorKind.TOTAL: gettext_lazy("answer too slow"),
    outbound.ErrorKind.RESET: gettext_lazy("connection broke off"),
    outbound.ErrorKind.BLOCKED: gettext_lazy("address not allowed"),
    outbound.ErrorKind.TOO_LARGE: gettext_lazy("answer too large"),
    outbound.ErrorKind.PROTOCOL: gettext_lazy("answer not readable"),
    outbound.ErrorKind.PROXY: gettext_lazy("outbound proxy"),
}


_SORTS = {
    "": gettext_lazy("Sort: attention first"),
    "next_fire": gettext_lazy("Sort: next fire"),
    "-next_fire": gettext_lazy("Sort: last fire to come"),
    "name": gettext_lazy("Sort: name"),
    "-name": gettext_lazy("Sort: name, from Z"),
    "success": gettext_lazy("Sort: lowest success"),
    "-success": gettext_lazy("Sort: highest success"),
    "switch": gettext_lazy("Sort: on first"),
    "-switch": gettext_lazy("Sort: off first"),
}


# --- The list ------------------------------------------------------------------------------------------


@require_GET
@vary_on_headers("HX-Request")
def index(request: HtmxRequest) -> HttpResponse:
    now = timezone.now()
    narrowed = TriggerFilter(request.GET, Trigger.objects.annotate(method=F("recipe__method")))
    may_choose = request.user.may(Permission.WRITE) or request.user.may(Permission.FIRE)
    table = TriggerTable(narrowed.qs, now=now, attention=_attention(), exclude=() if may_choose else ("select",))
    RequestConfig(request, paginate=False).configure(table)
    table.paginate(per_page=PER_PAGE)  # ours alone: from the URL it may be -1, or a million
    table.page = table.paginator.get_page(request.GET.get("page"))
    rows = _with_figures([row.record for row in table.paginated_rows], now)
    words = {
        "table": table,
        "rows": rows,
        "filter": narrowed,
        "may_choose": may_choose,
        "is_all_chosen": may_choose and request.GET.get("select") == "all",
        "own_address": _without_choice(request),
        "live_url": _live_url(rows),
        "now": now,
    }
    if request.htmx:
        return render(request, "triggers/_list.html", words)
    return render(request, "triggers/list.html", words | {"counts": _counts(), "sorts": _sorts(request)})


@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """What changes by itself on the rows of a page, but for names and schedules; each cell has its place by its id."""
    given = request.GET.getlist("id")[:PER_PAGE]
    ids = [int(part) for part in given if part.isascii() and part.isdigit() and len(part) < 19]
    now = timezone.now()
    rows = _with_figures(list(Trigger.objects.filter(pk__in=ids)), now)
    return render(request, "triggers/_live.html", {"rows": rows, "now": now})


@allows(Permission.WRITE)
@require_POST
def add_examples(request: HtmxRequest) -> HttpResponse:
    examples.add(request.user, timezone.now())
    messages.success(request, _("Three examples added. The first fires every 10 s."))
    return redirect("trigger-list")


# --- One trigger ---------------------------------------------------------------------------------------


@require_GET
@vary_on_headers("HX-Request")
def detail(request: HtmxRequest, pk: int) -> HttpResponse:
    now = timezone.now()
    trigger = get_object_or_404(Trigger.objects.select_related("recipe"), pk=pk)
    _with_outcomes([trigger])
    outlook = _outlook(trigger, now)
    history = histories.of(trigger, now, CHANGES_SHOWN)
    is_still = trigger.is_scheduled and not (outlook and outlook.fires)
    words = {
        "trigger": trigger,
        "outlook": outlook,
        "why_none": ledgers.why_none(trigger, now, history.off_since) if is_still else "",
        "history": history,
        "kept_days": settings.CHANGE_RETENTION_DAYS,
        "ledger": ledgers.in_words(trigger, now) if trigger.is_scheduled else "",
        "events": list(trigger.events.for_log()[:RECENT_EVENTS]),
        **_figures(trigger, now),
        "failure": _failure(trigger),
        # Else it is the schedule that has to be mended.
        "is_off_by_failures": bool(trigger.problem and trigger.failures_in_a_row),
        "now": now,
    }
    if request.htmx:
        return render(request, "triggers/_state_update.html", words)
    fire_url = request.build_absolute_uri(f"/triggers/{trigger.pk}/fire")
    facts = {
        "fire_url": fire_url,
        "calls": calls.calls(fire_url, trigger.payload),
        "kept_hours": settings.EVENT_RETENTION_HOURS,
        "payload_bytes": len(json.dumps(trigger.payload, ensure_ascii=False).encode()),
        "bounds": previews.bounds_in_words(trigger, now),
        "is_zone_known": previews.is_zone_known(trigger),
        "delivery": deliveries.facts(trigger, now),
        "fresh_secret": fresh_secrets.take(request.session, pk),
    }
    answer = render(request, "triggers/detail.html", words | facts)
    if facts["fresh_secret"]:
        add_never_cache_headers(answer)
    return answer


@require_GET
@allows(Permission.READ)
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """All that is on record of what was changed, in pages."""
    trigger, now = get_object_or_404(Trigger, pk=pk), timezone.now()
    before = request.GET.get("before", "")
    is_id = before.isascii() and before.isdigit() and len(before) < 19
    history = histories.of(trigger, now, CHANGES_PER_PAGE, int(before) if is_id else None)
    words = {"trigger": trigger, "history": history, "now": now, "kept_days": settings.CHANGE_RETENTION_DAYS}
    return render(request, "triggers/changes.html", words | {"is_newest": not is_id})


@require_GET
def curl(request: HttpRequest, pk: int) -> HttpResponse:
    """How a program fires it, as a command of a shell, as plain text."""
    trigger = get_object_or_404(Trigger, pk=pk)
    command = calls.calls(request.build_absolute_uri(f"/triggers/{pk}/fire"), trigger.payload)[0].code
    return HttpResponse(f"{command}\n", content_type="text/plain; charset=utf-8")


# --- What is done to it --------------------------------------------------------------------------------


@allows(Permission.WRITE)
@require_POST
def switch(request: HtmxRequest, pk: int) -> HttpResponse:
    """Switch on or off, as `on` asks: pressing twice is not switching back."""
    now = timezone.now()
    try:
        trigger = definition.switch(pk, on=request.POST.get("on") == "1", now=now, by=request.user.author)
    except Trigger.DoesNotExist:
        return _gone(request)
    except ValidationError as error:  # its date has passed, say, or its zone is not known here any more
        return _not_switched(request, get_object_or_404(Trigger, pk=pk), error, now)
    if not request.htmx:
        return redirect("trigger-detail", pk)
    return trigger_client_event(_switched(request, trigger, now), "trigger-changed")


@allows(Permission.FIRE)
@require_POST
def test(request: HtmxRequest, pk: int) -> HttpResponse:
    trigger = get_object_or_404(Trigger, pk=pk)
    event = firing.test(trigger, timezone.now())
    if not request.htmx:
        return redirect("event-detail", event.pk)
    return render(request, "triggers/_test.html", {"trigger": trigger, "result": _result(event, timezone.now())})


@require_GET
def test_result(request: HttpRequest, pk: int, event_pk: int) -> HttpResponse:
    """The Test button as it stands: testing, the result for a while, then the button again."""
    trigger = get_object_or_404(Trigger, pk=pk)
    event = get_object_or_404(Event, pk=event_pk, trigger=trigger)
    return render(request, "triggers/_test.html", {"trigger": trigger, "result": _result(event, timezone.now())})


@allows(Permission.FIRE)
@require_http_methods(["GET", "POST"])
def fire(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then fire a real event that counts (POST)."""
    trigger = get_object_or_404(Trigger, pk=pk)
    if request.method == "GET":
        return _ask(request, "fire", {"trigger": trigger})
    try:
        event = firing.fire(trigger, timezone.now()).event
    except firing.TriggerIsOff:
        messages.error(request, _("It is switched off, so it does not fire. Switch it on, or press Test."))
        return _answer(request, reverse("trigger-detail", args=[pk]))
    return _answer(request, reverse("event-detail", args=[event.pk]))


@allows(Permission.WRITE)
@require_http_methods(["GET", "POST"])
def replace_secret(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then give it a new signing secret (POST), which the next view of its page shows once."""
    trigger = get_object_or_404(Trigger, pk=pk)
    if request.method == "GET":
        return _ask(request, "replace_secret", {"trigger": trigger})
    try:
        secret = definition.rotate_signing_secret(pk, timezone.now(), request.user.author)
    except Trigger.DoesNotExist:  # between our looking and our deed
        return _gone(request)
    fresh_secrets.keep(request.session, pk, secret)
    return _answer(request, reverse("trigger-detail", args=[pk]))


@allows(Permission.WRITE)
@require_http_methods(["GET", "POST"])
def delete(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then delete (POST)."""
    trigger = get_object_or_404(Trigger, pk=pk)
    if request.method == "GET":
        return _ask(request, "delete", {"trigger": trigger, "fired": _fired_lately(trigger)})
    try:
        definition.delete(pk, timezone.now(), request.user.author)
    except Trigger.DoesNotExist:  # between our looking and our deed
        return _gone(request)
    messages.success(request, _("“%(name)s” is deleted. Its events stay until they expire.") % {"name": trigger.name})
    return _answer(request, reverse("trigger-list"))


def _switched(request: HttpRequest, trigger: Trigger, now: datetime) -> HttpResponse:
    """The switch as it stands, in a row of the list with the next fire beside it."""
    words = {"trigger": trigger, "now": now, "is_row": request.POST.get("in") == "list"}
    return render(request, "triggers/_switched.html", words)


def _not_switched(request: HtmxRequest, trigger: Trigger, error: ValidationError, now: datetime) -> HttpResponse:
    """Say why, and lead to where it can be changed."""
    title, why = _("It cannot be switched as it stands."), " ".join(error.messages)
    edit = reverse("trigger-edit", args=[trigger.pk])
    if not request.htmx:
        messages.error(request, f"{title} {why}")
        return redirect(edit)
    toast = {"level": "bad", "title": title, "text": why, "href": edit, "label": _("Edit it")}
    return trigger_client_event(_switched(request, trigger, now), "toast", toast)


# --- Parts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TestResult:
    """How a test stands: `state` is waiting, ok, bad, or late (watched long enough, it goes on by itself)."""

    __test__ = False  # for pytest: not a test itself

    event: Event
    state: str
    words: str
    is_over: bool  # shown long enough: the plain button comes back


def _result(event: Event, now: datetime) -> TestResult:
    if not event.is_finished:
        if now - event.triggered_at > GIVE_UP_AFTER:
            return TestResult(
                event, "late", _("Still waiting"), is_over=now - event.triggered_at > GIVE_UP_AFTER + RESULT_STAYS
            )
        return TestResult(event, "waiting", _("Testing"), is_over=False)
    is_over = event.finished_at is not None and now - event.finished_at > RESULT_STAYS
    attempt = event.attempts.last()
    state = "bad" if event.outcome == Event.Outcome.FAILED else "ok"
    return TestResult(event, state, _result_in_words(event, attempt), is_over)


def _result_in_words(event: Event, attempt: Attempt | None) -> str:
    if event.outcome == Event.Outcome.LOGGED:
        return str(Event.Outcome.LOGGED.label)
    if attempt is None:
        return event.get_outcome_display()
    if attempt.succeeded:
        return _("%(status)s in %(took)s ms") % {"status": attempt.status, "took": f"{attempt.duration_ms:.0f}"}
    if attempt.status:
        return _("Failed: %(why)s") % {"why": attempt.status}
    why = _NO_ANSWER.get(attempt.error_kind, _NO_ANSWER[outbound.ErrorKind.TIMEOUT])  # type: ignore[call-overload]
    return _("Failed: %(why)s") % {"why": why}


def _with_outcomes(triggers: list[Trigger]) -> list[Trigger]:
    """Give each trigger its `last_outcomes` (oldest first) and `is_failing`, with two queries for all of them."""
    outcomes = stats.last_outcomes([trigger.pk for trigger in triggers])
    for trigger in triggers:
        trigger.last_outcomes = outcomes[trigger.pk]  # type: ignore[attr-defined]
        trigger.is_failing = stats.failures_in_a_row(outcomes[trigger.pk]) > 0  # type: ignore[attr-defined]
    return triggers


def _with_figures(triggers: list[Trigger], now: datetime) -> list[Trigger]:
    """Give each trigger its outcomes and its `success` (stats.Success), with three queries for all of them."""
    successes = stats.successes([trigger.pk for trigger in triggers], now)
    for trigger in triggers:
        trigger.success = successes[trigger.pk]  # type: ignore[attr-defined]
    return _with_outcomes(triggers)


def _without_choice(request: HttpRequest) -> str:
    """Return the address of this view of the list, with nothing selected."""
    query = request.GET.copy()
    query.pop("select", None)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _sorts(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the orders that the list offers to choose from: those that are asked for most, and the one in use."""
    offered = ("", "next_fire", "name", "success")
    chosen = request.GET.get("sort", "")
    return [(sort, str(words)) for sort, words in _SORTS.items() if sort in offered or sort == chosen]


def _counts() -> dict[str, int]:
    return Trigger.objects.aggregate(
        all=Count("id"),
        scheduled=Count("id", filter=Q(type=Trigger.Type.SCHEDULED)),
        api=Count("id", filter=Q(type=Trigger.Type.API)),
    )


def _live_url(rows: list[Trigger]) -> str:
    return f"{reverse('trigger-live')}?{'&'.join(f'id={row.pk}' for row in rows)}"


def _attention() -> list[int]:
    """Return the ids that the list shows first: what the server has switched off, then what is failing."""
    paused = Trigger.objects.paused().values_list("pk", flat=True)[:PER_PAGE]
    return list(dict.fromkeys([*paused, *(bad.trigger.pk for bad in stats.failing())]))


def _outlook(trigger: Trigger, now: datetime) -> previews.Outlook | None:
    """Return what is to come; None of a trigger that fires by call only, or cannot be read."""
    if not trigger.is_scheduled:
        return None
    try:
        return previews.outlook(trigger, now, FIRES_SHOWN)
    except schedules.ScheduleError:
        return None


@dataclass(frozen=True, slots=True)
class Day:
    """How a trigger did in the last 24 hours. `success` and `latency` None: nothing was measured."""

    fired: int
    succeeded: int
    delivered: int
    in_flight: int
    success: float | None
    latency: stats.Latency | None


def _figures(trigger: Trigger, now: datetime) -> dict[str, Any]:
    """Return how the trigger did, as figures and as charts: two short queries, however many events it has."""
    hours = stats.hours_of(trigger.pk, now, HOURS_SHOWN)
    sums = stats.sums(hours)
    succeeded, failed = sums[Event.Outcome.SUCCEEDED], sums[Event.Outcome.FAILED]
    in_flight = trigger.events.counted().filter(hand_over_at__isnull=False, triggered_at__lte=now)
    day = Day(
        fired=sum(sums.values()) - sums[Event.Outcome.SKIPPED],
        succeeded=succeeded,
        delivered=succeeded + failed,
        in_flight=in_flight[: stats.COUNT_CAP].count(),
        success=stats.success_rate(sums),
        latency=stats.latency_over(hours),
    )
    return {
        "day": day,
        "success_chart": charts.success_chart(hours),
        "latency_chart": charts.latency_chart(hours),
    }


def _failure(trigger: Trigger) -> Event | None:
    """Return the last failed event of a trigger that is failing, with its run of failures: `in_a_row`, `since`."""
    in_a_row = stats.failures_in_a_row(trigger.last_outcomes)  # type: ignore[attr-defined]
    if not in_a_row:
        return None
    run = list(trigger.events.failed().counted().defer("payload").order_by("-id")[:in_a_row])
    if not run:
        return None
    event = run[0]
    event.in_a_row, event.since = in_a_row, run[-1].triggered_at  # type: ignore[attr-defined]
    return event


def _fired_lately(trigger: Trigger) -> int:
    """Return how many events of the trigger are on record, counted up to stats.COUNT_CAP."""
    return trigger.events.counted()[: stats.COUNT_CAP].count()


def _ask(request: HtmxRequest, verb: str, words: dict[str, Any]) -> HttpResponse:
    """Ask before the deed: as a dialog over the page, or as a page of its own."""
    template = f"triggers/_{verb}_dialog.html" if request.htmx else f"triggers/{verb}.html"
    return render(request, template, words)


def _answer(request: HtmxRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def _gone(request: HtmxRequest) -> HttpResponse:
    messages.error(request, _("Someone deleted this trigger."))
    return _answer(request, reverse("trigger-list"))
