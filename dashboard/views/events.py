"""Events: the log, kept live, and one event with its attempts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseStopPolling, push_url, reswap, retarget

from dashboard import exports
from dashboard.attempts import Shown, shown
from dashboard.filters import LAST, EventFilter
from dashboard.permissions import Permission, allows
from dashboard.requests import HtmxRequest
from dashboard.tables import EventTable, progress
from dashboard.templatetags.sentences import in_running_text
from triggers import search, waiting
from triggers.models import LARGEST_ID, Attempt, Event, EventQuerySet, Trigger, retention

PER_PAGE = 50
MOST_NEW = 200  # rows that are put on top; of more the page is read anew
COUNT_CAP = 100
SEARCH_SECONDS = 0.08  # for a text, in one request; then it says how far it came
MOST_EXPORTED = timedelta(hours=48)
EXPORTED_AT_ONCE = 1000  # events in memory
_CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
MOST_ATTEMPTS = 10_000  # the largest number that is looked for
MOST_REPLAYS = 20  # of one event that are listed
AROUND = 3  # events of the same trigger before and after


# --- The log -------------------------------------------------------------------------------------------


@require_GET
@vary_on_headers("HX-Request")
def index(request: HtmxRequest) -> HttpResponse:
    """The log; for htmx its live region alone, or (`since`) only what is new in it."""
    now = timezone.now()
    narrowed = EventFilter(request.GET, Event.objects.for_log(), now=now)
    is_part = bool(request.htmx) and not request.htmx.history_restore_request
    if is_part and "since" in request.GET:
        return _news(request, narrowed, now)
    older = _cursor(request, "older")
    words = _region(narrowed, now, older, _cursor(request, "newer"))
    if is_part:
        response = render(request, "events/_log_update.html", words)
        # Going on with a search is no new place to go back to.
        return response if older is not None else push_url(response, words["address"])
    return render(request, "events/log.html", words | _filter_bar(narrowed))


@require_GET
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All events of the current filter as a file, newest first, row by row: CSV, or JSON lines (`format=jsonl`)."""
    now = timezone.now()
    kind = "jsonl" if request.GET.get("format") == "jsonl" else "csv"
    narrowed = EventFilter(request.GET, Event.objects.for_log().fired_from(now - MOST_EXPORTED), now=now)
    events = _by_text(narrowed) if narrowed.text else _by_key(narrowed.qs)
    lines = exports.as_json_lines(events) if kind == "jsonl" else exports.as_csv(events)
    response = StreamingHttpResponse(lines, content_type=_CONTENT_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="events-{now:%Y%m%dT%H%M%SZ}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response


def _by_key(events: EventQuerySet) -> Iterator[Event]:
    """Yield the events, newest first, a part in memory at a time; what is fired meanwhile is left out."""
    below = LARGEST_ID
    while part := list(events.filter(pk__lt=below)[:EXPORTED_AT_ONCE]):
        yield from part
        below = part[-1].pk


def _region(narrowed: EventFilter, now: datetime, older: int | None = None, newer: int | None = None) -> dict[str, Any]:
    page = _page_of_text(narrowed, older) if narrowed.text else _page(narrowed.qs, older, newer)
    address = _address(narrowed)
    return {
        "page": page,
        "table": EventTable(page.events, now=now, query=narrowed.query),
        "address": address,
        "joined": f"{address}&" if narrowed.query else f"{address}?",
        "chosen": narrowed.chosen,
        "chosen_names": _names_in_words(narrowed.chosen),
        # An event may come to match long after it fired: then its id says nothing about what the page lacks.
        "is_late": "outcome" in narrowed.chosen,
        "text": narrowed.text,
        "goes_on": older is not None,
        "query": narrowed.query,
        "next_trigger": None if page.events or narrowed.chosen else Trigger.objects.next_fires().first(),
        "now": now,
        "active_hours": settings.EVENT_ACTIVE_HOURS,
        "kept_hours": settings.EVENT_RETENTION_HOURS,
    }


def _address(narrowed: EventFilter) -> str:
    address = reverse("event-log")
    return f"{address}?{narrowed.query}" if narrowed.query else address


def _filter_bar(narrowed: EventFilter) -> dict[str, Any]:
    chosen = narrowed.chosen
    trigger = Trigger.with_deleted.filter(pk=chosen["trigger"]).first() if "trigger" in chosen else None
    return {
        "filter_count": sum(
            name in chosen for name in ("q", "outcome", "source", "trigger", "tests", "last", "from", "until")
        ),
        "spans": LAST,
        "time_words": _time_in_words(chosen),
        "outcome_words": ", ".join(in_running_text(Event.Outcome(each).label) for each in chosen.get("outcome", ())),
        "source_words": ", ".join(in_running_text(Event.Source(each).label) for each in chosen.get("source", ())),
        "outcomes": Event.Outcome.choices,
        "sources": Event.Source.choices,
        "filter_trigger": trigger,
        "filter_trigger_id": chosen.get("trigger"),
    }


def _names_in_words(chosen: dict[str, Any]) -> str:
    """Return by what the log is narrowed: "“backup”, outcome"."""
    names = {
        "q": f"“{chosen.get('q')}”",
        "state": _("state"),
        "outcome": _("outcome"),
        "source": _("source"),
        "trigger": _("trigger"),
        "tests": _("tests left out"),
        "last": _("time"),
        "from": _("time"),
        "until": _("time"),
    }
    return ", ".join(dict.fromkeys(names[name] for name in chosen if name in names))


def _time_in_words(chosen: dict[str, Any]) -> str:
    """Return the time that is asked for, as log_filters.js says it too."""
    said = {name: str(chosen.get(name, "")).replace("T", " ") for name in ("from", "until")}
    if said["from"] and said["until"]:
        return _("%(from)s to %(until)s") % said
    if said["from"]:
        return _("From %(from)s") % said
    if said["until"]:
        return _("Until %(until)s") % said
    return _("Last %(span)s") % {"span": dict(LAST).get(chosen.get("last", ""), "48 h")}


@dataclass(frozen=True, slots=True)
class Searched:
    """How far a search for a text has come: back to the instant `to`, about so many events; `on`: where it goes on."""

    to: datetime | None
    about: int
    on: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the log, newest first. `older`, `newer`: the cursors of the neighbours, None where there is none."""

    events: list[Event]
    older: int | None
    newer: int | None
    is_first: bool
    note: str = ""
    search: Searched | None = None


def _page(events: EventQuerySet, older: int | None, newer: int | None) -> Page:
    """Return the page before (`older`) or after (`newer`) an event id, or the first one: by key, never by offset."""
    if newer is not None:
        found = list(events.filter(pk__gt=newer).order_by("pk")[: PER_PAGE + 1])
        if len(found) > PER_PAGE:
            shown = found[:PER_PAGE][::-1]
            return Page(shown, shown[-1].pk, shown[0].pk, is_first=False)
        older = None  # the newest page, and that is always a full one
    if older is not None:
        found = list(events.filter(pk__lt=older)[: PER_PAGE + 1])
        if found:
            shown = found[:PER_PAGE]
            return Page(shown, shown[-1].pk if len(found) > PER_PAGE else None, shown[0].pk, is_first=False)
        oldest = list(events.order_by("pk")[:PER_PAGE])[::-1]
        if oldest:
            note = _("The page you asked for has expired. This is the oldest one that is left.")
            return Page(oldest, None, oldest[0].pk, is_first=False, note=note)
    found = list(events[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    return Page(shown, shown[-1].pk if len(found) > PER_PAGE else None, None, is_first=True)


def _page_of_text(narrowed: EventFilter, older: int | None) -> Page:
    """Return what is found going back from an event id, or from the newest event, until the page or the time is full.

    A search does not update itself, and knows only the way back.
    """
    lowest, newest = _bounds(narrowed)
    below = newest + 1 if older is None else min(older, newest + 1)
    found: list[Event] = []
    ends_at = time.monotonic() + SEARCH_SECONDS
    parts = search.back_through(narrowed.qs, narrowed.text, below=below, lowest=lowest, most=PER_PAGE + 1)
    for part in parts:
        found += part.found
        below = part.down_to
        if len(found) > PER_PAGE or time.monotonic() > ends_at:
            break
    shown = found[:PER_PAGE]
    if len(found) > PER_PAGE:  # the rest comes on the next page
        below = shown[-1].pk
        searched = Searched(shown[-1].triggered_at, newest + 1 - below, on=None)
        return Page(shown, older=below, newer=None, is_first=False, search=searched)
    to = Event.objects.filter(pk__gte=below).order_by("pk").values_list("triggered_at", flat=True).first()
    searched = Searched(to, newest + 1 - below, on=below if below > lowest else None)
    return Page(shown, older=None, newer=None, is_first=False, search=searched)


def _by_text(narrowed: EventFilter) -> Iterator[Event]:
    lowest, newest = _bounds(narrowed)
    for part in search.back_through(narrowed.qs, narrowed.text, below=newest + 1, lowest=lowest):
        yield from part.found


def _bounds(narrowed: EventFilter) -> tuple[int, int]:
    """Return the first and the last id of the time that is asked for; (0, -1) when there is no event in it."""
    pks = narrowed.in_time.values_list("pk", flat=True)
    first, last = pks.order_by("pk").first(), pks.order_by("-pk").first()
    return (0, -1) if first is None or last is None else (first, last)


def _cursor(request: HttpRequest, name: str) -> int | None:
    return next(iter(_ids(request.GET.get(name, ""))), None)


def _ids(text: str, most: int = MOST_NEW) -> list[int]:
    """Return the ids in "7,8,9"; what is no id is left out."""
    parts = [part for part in text.split(",")[:most] if part.isascii() and part.isdigit() and len(part) < 20]
    return [int(part) for part in parts if int(part) <= LARGEST_ID]


# --- What is new in it -----------------------------------------------------------------------------------


def _news(request: HttpRequest, narrowed: EventFilter, now: datetime) -> HttpResponse:
    """Answer the page's question for news; 204 when there are none.

    `since` is the newest id it shows, `shown` all ids where the filter lets older events come to match, `unfinished`
    those with their progress ("7.pending-1"), `waiting` the number in its bar of news, `only=count` asks for no rows.
    """
    since = _cursor(request, "since") or 0
    changed = _changed(request.GET.get("unfinished", ""))
    fresh = _fresh(narrowed.qs, since, _ids(request.GET.get("shown", "")))
    if request.GET.get("only") == "count":
        count = min(len(fresh), COUNT_CAP)
        if not changed and str(count) == request.GET.get("waiting"):
            return HttpResponse(status=204)
        words = {"count": count, "cap": COUNT_CAP, "address": _address(narrowed) if count else ""}
        return render(
            request,
            "events/_news.html",
            words | {"changed": EventTable(changed, now=now, query=narrowed.query), "now": now},
        )
    if fresh and (not since or len(fresh) > MOST_NEW or min(fresh) < since):
        missed = len(fresh) > MOST_NEW
        response = render(request, "events/_log.html", _region(narrowed, now) | {"missed_many": missed})
        return reswap(retarget(response, "#log"), "outerHTML")
    if not fresh and not changed and request.GET.get("waiting", "0") == "0":
        return HttpResponse(status=204)
    new = list(narrowed.qs.filter(pk__in=fresh)) if fresh else []
    tables = {
        "changed": EventTable(changed, now=now, query=narrowed.query),
        "new": EventTable(new, now=now, query=narrowed.query),
    }
    return render(request, "events/_news.html", tables | {"count": 0, "now": now})


def _fresh(events: EventQuerySet, since: int, shown: list[int]) -> list[int]:
    """Return the ids that the page lacks, newest first, one more than MOST_NEW at most."""
    if not shown:
        return list(events.filter(pk__gt=since).values_list("pk", flat=True)[: MOST_NEW + 1])
    # A page that is not full shows all that matched, down to the oldest.
    oldest = min(shown) if len(shown) >= PER_PAGE else 0
    there = events.filter(pk__gte=oldest).values_list("pk", flat=True)[: 2 * MOST_NEW + 1]
    known = set(shown)
    return [pk for pk in there if pk not in known][: MOST_NEW + 1]


def _changed(unfinished: str) -> list[Event]:
    """Return the events of "7.pending-1,8.delivering-1" that have got further than it says."""
    known: dict[int, str] = {}
    for part in unfinished.split(",")[:MOST_NEW]:
        pk, _dot, stood = part.partition(".")
        for number in _ids(pk):
            known[number] = stood
    if not known:
        return []
    return [event for event in Event.objects.for_log().filter(pk__in=known) if progress(event) != known[event.pk]]


# --- One event -------------------------------------------------------------------------------------------


@require_GET
@vary_on_headers("HX-Request")
def detail(request: HtmxRequest, pk: int) -> HttpResponse:
    """One event; for htmx its live region, 204 while nothing has happened, 286 (stop asking) once it is final."""
    now = timezone.now()
    event = _event(pk)
    if request.htmx and request.GET.get("v") == progress(event):
        return HttpResponse(status=204)
    words = _event_words(event, now) | _neighbours(request, event, now)
    if not request.htmx:
        return render(request, "events/detail.html", words)
    response = render(request, "events/_event.html", words)
    if event.is_finished:
        response.status_code = HttpResponseStopPolling.status_code
    return response


@require_GET
def curl(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The request of one attempt as a command of a shell, as plain text; secrets are variables in it."""
    event = _event(pk)
    command = Shown(event, get_object_or_404(event.attempts, number=min(number, MOST_ATTEMPTS))).as_curl
    if not command:
        raise Http404(_("This request was never sent, so there is no command for it."))
    return HttpResponse(f"{command}\n", content_type="text/plain; charset=utf-8")


@require_GET
def request_body(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The whole body of one attempt's request, to be saved and never to be shown: its page shows its beginning."""
    event = _event(pk)
    sent = Shown(event, get_object_or_404(event.attempts, number=min(number, MOST_ATTEMPTS))).request
    if sent is None or not sent.body:
        raise Http404(_("There is no such body on record."))
    response = HttpResponse(sent.body, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="event-{event.pk}-attempt-{number}.txt"'
    response["Cache-Control"] = "no-store"
    return response


@allows(Permission.FIRE)
@require_POST
def retry(request: HtmxRequest, pk: int) -> HttpResponse:
    """Let the next attempt of a pending event be due at once."""
    event = _event(pk)
    try:
        waiting.send_now(event, timezone.now())
    except waiting.NotWaiting:
        messages.error(request, _("It does not wait any more, so it was left as it is."))
    return redirect(_address_of(request, event))


@allows(Permission.FIRE)
@require_http_methods(["GET", "POST"])
def give_up(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then end a pending event as failed (POST)."""
    event = _event(pk)
    if request.method == "GET":
        words = {"event": event, "query": EventFilter(request.GET, Event.objects.all(), now=timezone.now()).query}
        return render(request, "events/_give_up_dialog.html" if request.htmx else "events/give_up.html", words)
    try:
        waiting.give_up(event, request.user.get_username(), timezone.now())
    except waiting.NotWaiting:
        messages.error(request, _("It does not wait any more, so it was left as it is."))
    return redirect(_address_of(request, event))


def _address_of(request: HttpRequest, event: Event) -> str:
    """Return the address of the event's page within the filter that it was looked at in."""
    query = EventFilter(request.GET, Event.objects.all(), now=timezone.now()).query
    address = reverse("event-detail", args=[event.pk])
    return f"{address}?{query}" if query else address


def _neighbours(request: HttpRequest, event: Event, now: datetime) -> dict[str, Any]:
    """Return the ids of the next newer and older event within the filter of the log that the page was opened from."""
    narrowed = EventFilter(request.GET, Event.objects.order_by("pk"), now=now)
    found: dict[str, Any] = {"query": narrowed.query, "newer": None, "older": None}
    if not narrowed.text:  # which is looked for one way only
        pks = narrowed.qs.values_list("pk", flat=True)
        found["newer"] = pks.filter(pk__gt=event.pk).order_by("pk").first()
        found["older"] = pks.filter(pk__lt=event.pk).order_by("-pk").first()
    return found


def _event(pk: int) -> Event:
    """Return the event with its trigger and recipe; raises Http404 in words when it is not there, any more or ever."""
    event = Event.objects.select_related("trigger", "recipe").filter(pk=min(pk, LARGEST_ID)).first()
    if event is None:
        kept = settings.EVENT_RETENTION_HOURS
        raise Http404(
            _("There is no event %(id)s. It may have expired: events are deleted %(hours)s h after they fire.")
            % {"id": pk, "hours": kept}
        )
    return event


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt, and the wait after it until the next one (None after the last)."""

    shown: Shown
    waited: timedelta | None
    is_open: bool

    @property
    def attempt(self) -> Attempt:
        return self.shown.attempt


def _event_words(event: Event, now: datetime) -> dict[str, Any]:
    tried = _tried(shown(event, event.attempts.all()))
    return {
        "event": event,
        # It may have expired before its replay.
        "replay_of": Event.objects.filter(pk=event.replay_of_id).first() if event.replay_of_id else None,
        "replays": list(event.replays.order_by("pk")[:MOST_REPLAYS]),
        "is_archived": event.state(now) == "archived",
        "progress": progress(event),
        # A fire whose instant has not come yet is not sent before it.
        "can_be_sent": event.outcome == Event.Outcome.PENDING and (event.scheduled_for or now) <= now,
        "tried": tried[::-1],
        "in_order": tried,
        "took": _took(tried),
        "most_attempts": event.most_attempts,
        "archived_at": event.triggered_at + timedelta(hours=settings.EVENT_ACTIVE_HOURS),
        "deleted_at": event.triggered_at + retention(),
        "around": _around(event),
        "kept_hours": settings.EVENT_RETENTION_HOURS,
        "now": now,
    }


def _tried(attempts: list[Shown]) -> list[Tried]:
    tried = []
    for index, each in enumerate(attempts):
        following = attempts[index + 1].attempt if index + 1 < len(attempts) else None
        waited = following.started_at - _ended(each.attempt) if following else None
        tried.append(Tried(each, waited, is_open=following is None))
    return tried


def _ended(attempt: Attempt) -> datetime:
    return attempt.started_at + timedelta(milliseconds=attempt.duration_ms)


def _took(tried: list[Tried]) -> timedelta | None:
    """Return the time from the first attempt's start to the last one's end."""
    return _ended(tried[-1].attempt) - tried[0].attempt.started_at if tried else None


def _around(event: Event) -> list[Event]:
    """Return the event between its neighbours of the same trigger, newest first."""
    if event.trigger_id is None:  # tests of drafts have nothing in common
        return [event]
    of_trigger = Event.objects.filter(trigger=event.trigger_id)
    newer: Iterable[Event] = of_trigger.filter(pk__gt=event.pk).order_by("pk")[:AROUND]
    older = of_trigger.filter(pk__lt=event.pk).order_by("-pk")[:AROUND]
    return [*list(newer)[::-1], event, *older]
