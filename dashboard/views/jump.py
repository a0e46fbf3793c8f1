"""Jump to: one field that finds a page, a trigger by its name, an event by its id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from dashboard.models import User
from dashboard.permissions import Permission
from dashboard.requests import HtmxRequest
from triggers.models import LARGEST_ID, Event, Trigger

MOST_TRIGGERS = 8
LONGEST_QUESTION = 200  # characters
Words = str | Promise
_WEBHOOK_ID = re.compile(r"evt_([0-9]{1,19})_[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go: `kind` and `icon` say what it is, `detail` says which one."""

    title: Words
    url: str
    icon: str
    kind: Words
    detail: str = ""


# Name of the URL, title, icon, other words that people look for it by, and what one has to be allowed.
_PAGES: tuple[tuple[str, Words, str, Words, Permission], ...] = (
    ("overview", gettext_lazy("Overview"), "activity", gettext_lazy("dashboard home figures chart"), Permission.READ),
    ("trigger-list", gettext_lazy("Triggers"), "lightning-charge", gettext_lazy("list schedules"), Permission.READ),
    ("trigger-create", gettext_lazy("New trigger"), "plus-lg", gettext_lazy("create add schedule"), Permission.WRITE),
    (
        "trigger-upcoming",
        gettext_lazy("Upcoming fires"),
        "calendar3",
        gettext_lazy("next calendar schedule"),
        Permission.READ,
    ),
    ("event-log", gettext_lazy("Events"), "list-ul", gettext_lazy("log history"), Permission.READ),
    (
        "failed-list",
        gettext_lazy("Failed events"),
        "x-octagon",
        gettext_lazy("replay errors dead letters"),
        Permission.READ,
    ),
    ("key-list", gettext_lazy("API keys"), "key", gettext_lazy("tokens access settings"), Permission.MANAGE),
    ("key-create", gettext_lazy("New API key"), "plus-lg", gettext_lazy("create add token"), Permission.MANAGE),
    ("people-list", gettext_lazy("People"), "people", gettext_lazy("users roles invite settings"), Permission.MANAGE),
    ("sink", gettext_lazy("Test receiver"), "inbox", gettext_lazy("endpoint sink"), Permission.OWN),
    (
        "health",
        gettext_lazy("System health"),
        "heart-pulse",
        gettext_lazy("status clusters dispatcher lag disk checks"),
        Permission.READ,
    ),
    ("settings", gettext_lazy("Settings"), "gear", gettext_lazy("profile time zone language"), Permission.OWN),
    ("password-change", gettext_lazy("Change password"), "key", gettext_lazy("profile"), Permission.OWN),
    ("swagger_ui", gettext_lazy("API reference"), "braces", gettext_lazy("swagger openapi docs"), Permission.READ),
)


@require_GET
@vary_on_headers("HX-Request")
def jump(request: HtmxRequest) -> HttpResponse:
    question = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_QUESTION]
    words = {"question": question, "places": _places(question, request.user)}
    return render(request, "jump/_places.html" if request.htmx else "jump/page.html", words)


def _places(question: str, person: User) -> list[Place]:
    """Return where `question` may lead, the likeliest first; every page when nothing is asked."""
    return [*_events(question), *_triggers(question), *_pages(question, person)]


def _pages(question: str, person: User) -> list[Place]:
    asked = question.casefold().split()
    return [
        Place(title, reverse(name), icon, gettext("Page"))
        for name, title, icon, other_words, permission in _PAGES
        if person.may(permission) and all(word in f"{title} {other_words}".casefold() for word in asked)
    ]


def _triggers(question: str) -> list[Place]:
    if not question:
        return []
    return [
        Place(trigger.name, reverse("trigger-detail", args=[trigger.pk]), "lightning-charge", gettext("Trigger"))
        for trigger in Trigger.objects.named_like(question)[:MOST_TRIGGERS]
    ]


def _events(question: str) -> list[Place]:
    """Return the event with this id: a whole number, or the `webhook-id` that its receiver saw."""
    webhook_id = _WEBHOOK_ID.fullmatch(question)
    number = webhook_id.group(1) if webhook_id else question.removeprefix("#")
    if not (number.isascii() and number.isdigit()) or int(number) > LARGEST_ID:
        return []
    event = Event.objects.for_log().filter(pk=int(number)).first()
    if event is None or (webhook_id and event.webhook_id != question):
        return []
    title = gettext("Event %(id)s") % {"id": event.pk}
    return [Place(title, reverse("event-detail", args=[event.pk]), "list-ul", gettext("Event"), event.trigger_name)]
