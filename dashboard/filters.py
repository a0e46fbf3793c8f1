"""How lists are narrowed by their URL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import django_filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from triggers import schedules
from triggers.models import LARGEST_ID, MANY, Event, EventQuerySet, Trigger, TriggerQuerySet
from triggers.replays import Selection

LAST = (("1h", "1 h"), ("2h", "2 h"), ("24h", "24 h"))
MOST_CHOSEN = 1000  # by their ids; more are chosen by the filter


class TriggerFilter(django_filters.FilterSet):
    """Triggers by words in their name or endpoint, by type, by on or off, and by where they deliver.

    What cannot be read is left out, so that an old link still opens.
    """

    q = django_filters.CharFilter(method="search", max_length=200)
    type = django_filters.ChoiceFilter(choices=(("scheduled", _("Scheduled")), ("api", _("API"))))
    state = django_filters.ChoiceFilter(choices=(("on", _("on")), ("off", _("off"))), method="in_state")
    endpoint = django_filters.ChoiceFilter(
        choices=(("with", _("with an endpoint")), ("none", _("without one"))), method="by_endpoint"
    )
    host = django_filters.CharFilter(method="to_host", max_length=253)

    def search(self, triggers: TriggerQuerySet, name: str, words: str) -> TriggerQuerySet:
        return triggers.filter(Q(name__icontains=words) | Q(api_endpoint__icontains=words))

    def in_state(self, triggers: TriggerQuerySet, name: str, state: str) -> TriggerQuerySet:
        return triggers.filter(enabled=state == "on")

    def by_endpoint(self, triggers: TriggerQuerySet, name: str, choice: str) -> TriggerQuerySet:
        return triggers.filter(api_endpoint="") if choice == "none" else triggers.exclude(api_endpoint="")

    def to_host(self, triggers: TriggerQuerySet, name: str, host: str) -> TriggerQuerySet:
        """Those that deliver to this host; with a port, at that alone."""
        begins = f"://{host}"
        ends = Q(api_endpoint__iendswith=begins)
        for follows in "/:?":
            ends |= Q(api_endpoint__icontains=f"{begins}{follows}")
        return triggers.filter(ends)

    @property
    def chosen(self) -> dict[str, str]:
        """What narrows the list, by field; without what could not be read."""
        self.errors  # noqa: B018 (reads the form)
        given = self.form.cleaned_data if self.form.is_bound else {}
        return {name: str(value) for name, value in given.items() if value}

    @property
    def query(self) -> str:
        return urlencode(self.chosen)

    @property
    def in_words(self) -> list[str]:
        """What narrows the list besides the search, a few words each."""
        words = {name: dict(self.form.fields[name].choices) for name in ("type", "state", "endpoint")}
        said = [str(words[name][value]) for name, value in self.chosen.items() if name in words]
        return [*said, *([self.chosen["host"]] if "host" in self.chosen else [])]


@dataclass(frozen=True, slots=True)
class ChosenTriggers:
    """The triggers that the form over the list names: by `id`, or by `all` what its filter (`query`) matches."""

    data: QueryDict

    @property
    def is_all(self) -> bool:
        return self.data.get("all") == "1"

    @property
    def ids(self) -> list[int]:
        given = self.data.getlist("id")[:MOST_CHOSEN]
        return [int(part) for part in given if part.isascii() and part.isdigit() and len(part) < 19]

    @property
    def query(self) -> str:
        """The filter of the list, as a query string; what cannot be read is left out."""
        return TriggerFilter(QueryDict(self.data.get("query", "")), Trigger.objects.none()).query

    def triggers(self) -> TriggerQuerySet:
        if self.is_all:
            found: TriggerQuerySet = TriggerFilter(QueryDict(self.query), Trigger.objects.all()).qs
            return found
        return Trigger.objects.filter(pk__in=self.ids)


class IdFilter(django_filters.Filter):
    """A whole number; django-filter's own number filter lets fractions pass."""

    field_class = forms.IntegerField


class LocalInstant(forms.CharField):
    """An instant as a person says it by the display zone's clock; it stays the text that it was."""

    def clean(self, value: Any) -> str:
        said = str(super().clean(value))
        try:
            if said:
                _read_instant("from", said)
        except schedules.ScheduleError as error:
            raise forms.ValidationError(str(error)) from error
        return said


class InstantFilter(django_filters.Filter):
    field_class = LocalInstant


class EventFilter(django_filters.FilterSet):
    """Events as the log's URL narrows them. What cannot be read is left out, so that an old link still opens.

    `in=bodies` makes `q` a text to be looked for in what events carry, which no condition here does: see
    triggers.search. `from` and `until` are told by the display zone's clock.
    """

    q = django_filters.CharFilter(label=_("Trigger, event id or text"), method="search", max_length=200)
    state = django_filters.ChoiceFilter(
        choices=(("active", _("Active")), ("archived", _("Archived"))), method="in_state"
    )
    outcome = django_filters.MultipleChoiceFilter(choices=Event.Outcome.choices, method="with_outcomes")
    source = django_filters.MultipleChoiceFilter(choices=Event.Source.choices, method="from_sources")
    trigger = IdFilter(field_name="trigger_id", min_value=1, max_value=LARGEST_ID)
    tests = django_filters.ChoiceFilter(choices=(("show", "show"), ("hide", "hide")), method="with_tests")
    last = django_filters.ChoiceFilter(choices=LAST, method="in_the_last")

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        # Their names are Python's own words.
        further = {
            "in": django_filters.ChoiceFilter(choices=(("bodies", "bodies"),), method="as_it_is"),
            "from": InstantFilter(method="fired_from"),
            "until": InstantFilter(method="fired_until"),
        }
        for name, each in further.items():
            each.parent, each.model, each.field_name = self, Event, name
            self.filters[name] = each

    @property
    def text(self) -> str:
        """What is looked for in payloads and answers, or ""."""
        return str(self.chosen.get("q", "")) if self.chosen.get("in") else ""

    @property
    def in_time(self) -> EventQuerySet:
        """All events of the time that is asked for, whatever else narrows the log."""
        events: EventQuerySet = Event.objects.all()
        for name in ("state", "last", "from", "until"):
            if name in self.chosen:
                events = self.filters[name].filter(events, self.chosen[name])
        return events

    def search(self, events: EventQuerySet, name: str, words: str) -> EventQuerySet:
        """By words of the trigger's name (deleted ones too), or by the event's id."""
        if self.text:
            return events
        named = Trigger.with_deleted.filter(name__icontains=words)
        of_named = Event.objects.filter(trigger__in=named).values_list("pk", flat=True)[:MANY]
        if not (words.isascii() and words.isdigit() and int(words) <= LARGEST_ID):
            is_many = of_named.count() == MANY
            return _back_through(events, named) if is_many else events.filter(trigger__in=named)
        # An id too. Two conditions with an OR between them make PostgreSQL look through the whole log.
        pks = list(of_named)
        if len(pks) < MANY:
            return events.filter(pk__in=[*pks, int(words)])
        return _back_through(events, named, Q(pk=int(words)))

    def as_it_is(self, events: EventQuerySet, name: str, value: str) -> EventQuerySet:
        return events

    def in_the_last(self, events: EventQuerySet, name: str, span: str) -> EventQuerySet:
        return events.fired_from(self.now - timedelta(hours=int(span.removesuffix("h"))))

    def fired_from(self, events: EventQuerySet, name: str, said: str) -> EventQuerySet:
        return events.fired_from(_read_instant(name, said))

    def fired_until(self, events: EventQuerySet, name: str, said: str) -> EventQuerySet:
        return events.fired_until(_read_instant(name, said))

    def in_state(self, events: EventQuerySet, name: str, state: str) -> EventQuerySet:
        return events.active(self.now) if state == "active" else events.archived(self.now)

    def with_outcomes(self, events: EventQuerySet, name: str, outcomes: list[str]) -> EventQuerySet:
        return events.with_outcomes(outcomes) if outcomes else events

    def from_sources(self, events: EventQuerySet, name: str, sources: list[str]) -> EventQuerySet:
        if not sources:
            return events
        return events.filter(source=sources[0]) if len(sources) == 1 else events.filter(source__in=sources)

    def with_tests(self, events: EventQuerySet, name: str, tests: str) -> EventQuerySet:
        return events.counted() if tests == "hide" else events

    @property
    def chosen(self) -> dict[str, Any]:
        """What narrows the log, by field; without what could not be read, and without what is the default."""
        self.errors  # noqa: B018 (reads the form)
        given = self.form.cleaned_data if self.form.is_bound else {}
        without_use = {"in"} if not given.get("q") else set()
        return {
            name: value
            for name, value in given.items()
            if value and (name, value) != ("tests", "show") and name not in without_use
        }

    @property
    def query(self) -> str:
        """The same as a query string, in one fixed order, for links that stay in this view of the log."""
        return urlencode(self.chosen, doseq=True)


def _back_through(events: EventQuerySet, triggers: QuerySet[Trigger], or_else: Q | None = None) -> EventQuerySet:
    """Return the events of so many triggers that the newest are soon found by going back through the log.

    By the index of triggers all of them would have to be sorted. (A sum is not in any index.)
    """
    return events.alias(trigger_key=F("trigger_id") + 0).filter(
        Q(trigger_key__in=triggers.values("pk")) | (or_else or Q())
    )


@dataclass(frozen=True, slots=True)
class FailedFilter:
    """What failed for good, as a URL or a form narrows it: `trigger`, `from`, `until` (by the display zone's clock).

    What cannot be read is left out.
    """

    data: QueryDict

    @property
    def chosen(self) -> dict[str, str]:
        """What narrows the list, as it was given."""
        selection = self.selection
        bounds = {"trigger": selection.trigger_id, "from": selection.fired_from, "until": selection.fired_until}
        return {name: str(self.data[name]) for name, bound in bounds.items() if bound is not None}

    @property
    def query(self) -> str:
        return urlencode(self.chosen)

    @property
    def selection(self) -> Selection:
        return Selection(self._id("trigger"), self._instant("from"), self._instant("until"), self._id("last_id"))

    def _id(self, name: str) -> int | None:
        text = self.data.get(name, "")
        return min(int(text), LARGEST_ID) if text.isascii() and text.isdigit() and len(text) < 20 else None

    def _instant(self, name: str) -> datetime | None:
        try:
            return _read_instant(name, self.data.get(name, ""))
        except schedules.ScheduleError:
            return None


def _read_instant(name: str, said: str) -> datetime:
    """Return the instant that is said by the display zone's clock; raises ScheduleError."""
    return schedules.read_instant(name, said, schedules.zone(timezone.get_current_timezone_name()))
