"""The lists, as tables: which columns, in which order, drawn by which template."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import django_tables2 as tables
from django.db.models import Case, F, IntegerField, QuerySet, Value, When
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise, lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_tables2.utils import A

from dashboard.templatetags.badges import outcome_badge, skipped_for, source_tag
from dashboard.templatetags.figures import number
from dashboard.templatetags.icons import icon
from dashboard.templatetags.times import clock, countdown, day_and_clock, duration_words, relative_time
from triggers import definition, stats
from triggers.models import Event, Trigger, TriggerQuerySet
from triggers.upcoming import Upcoming

_CAUTION = "exclamation-triangle-fill"
_COPY = icon("copy")


def _cell(name: str, **options: Any) -> tables.Column:
    """A column of cells that templates/triggers/_<name>.html draws."""
    return tables.Column(attrs={"th": {"class": f"trigger-{name}"}}, **options)


class TriggerTable(tables.Table):
    """The list of triggers. Unless another order is asked for: `attention` (ids) first, then next fire, then name.

    It knows the columns and their orders; triggers/_table.html draws the rows. (A column with a template of its own
    makes the context of a request anew for every cell.)
    """

    select = _cell("select", verbose_name=gettext_lazy("Select"), orderable=False)
    name = _cell("name", verbose_name=gettext_lazy("Name"))
    schedule = _cell("schedule", verbose_name=gettext_lazy("Schedule"), orderable=False)
    next_fire = _cell("next_fire", verbose_name=gettext_lazy("Next fire"), accessor=A("next_fire_at"))
    outcomes = _cell("outcomes", verbose_name=gettext_lazy("Last 20 outcomes"), orderable=False)
    success = _cell("success", verbose_name=gettext_lazy("Success, 24 h"), accessor=A("pk"))
    switch = _cell("switch", verbose_name=gettext_lazy("State"), accessor=A("enabled"))
    actions = _cell("actions", verbose_name=gettext_lazy("Actions"), orderable=False)

    class Meta:
        order_by_field = "sort"

    def __init__(self, data: QuerySet[Trigger], *args: Any, attention: Sequence[int] = (), **kwargs: Any) -> None:
        self.now: datetime = kwargs.pop("now")
        super().__init__(_in_default_order(data, attention), *args, **kwargs)

    def order_next_fire(self, triggers: QuerySet[Trigger], is_descending: bool) -> tuple[QuerySet[Trigger], bool]:
        """By next fire; those that do not fire by themselves come last, either way."""
        by_time = F("next_fire_at").desc(nulls_last=True) if is_descending else F("next_fire_at").asc(nulls_last=True)
        return triggers.order_by(by_time, "name", "pk"), True

    def order_name(self, triggers: QuerySet[Trigger], is_descending: bool) -> tuple[QuerySet[Trigger], bool]:
        return triggers.order_by("-name" if is_descending else "name", "pk"), True

    def order_success(self, triggers: TriggerQuerySet, is_descending: bool) -> tuple[QuerySet[Trigger], bool]:
        """Lowest success first; those of which nothing was measured come last, either way."""
        by_rate = F("rate").desc(nulls_last=True) if is_descending else F("rate").asc(nulls_last=True)
        return stats.with_rate(triggers, self.now).order_by(by_rate, "name", "pk"), True

    def order_switch(self, triggers: QuerySet[Trigger], is_descending: bool) -> tuple[QuerySet[Trigger], bool]:
        """On before off."""
        return triggers.order_by("enabled" if is_descending else "-enabled", "name", "pk"), True


def _in_default_order(triggers: QuerySet[Trigger], attention: Sequence[int]) -> QuerySet[Trigger]:
    order = (F("next_fire_at").asc(nulls_last=True), "name", "pk")
    if not attention:  # without a case it would be a bare number, which PostgreSQL takes for a column's place
        return triggers.order_by(*order)
    worst_first = [When(pk=pk, then=Value(place)) for place, pk in enumerate(attention)]
    place = Case(*worst_first, default=Value(len(attention)), output_field=IntegerField())
    return triggers.order_by(place, *order)


class UpcomingTable(tables.Table):
    """Fires to come as they are given (soonest first), a row each; a frequent trigger is one row."""

    fires = tables.Column(verbose_name=gettext_lazy("Fires"), empty_values=(), orderable=False)
    at = tables.Column(
        verbose_name=gettext_lazy("At"), empty_values=(), orderable=False, attrs={"td": {"class": "tabular"}}
    )
    trigger = tables.Column(verbose_name=gettext_lazy("Trigger"), empty_values=(), orderable=False)
    schedule = tables.Column(verbose_name=gettext_lazy("Schedule"), empty_values=(), orderable=False)

    class Meta:
        template_name = "upcoming/_table.html"
        row_attrs = {"class": lambda record: "has-note" if record.note else ""}

    def __init__(self, data: Sequence[Upcoming], *args: Any, now: datetime, **kwargs: Any) -> None:
        self.now = now
        super().__init__(list(data), *args, **kwargs)

    def render_fires(self, record: Upcoming) -> SafeString:
        return countdown(record.at, self.now)

    def render_at(self, record: Upcoming) -> SafeString:
        here = day_and_clock(record.at, self.now)
        if timezone.localtime(record.at).utcoffset() == record.at.utcoffset():
            return format_html("{}", here)
        there = f"{record.at:%H:%M} {record.at.tzinfo}"
        return format_html('{}<span class="line-2">{}</span>', here, there)

    def render_trigger(self, record: Upcoming) -> SafeString:
        address = reverse("trigger-detail", args=[record.trigger.pk])
        name = format_html('<a class="name" href="{}">{}</a>', address, record.trigger.name)
        if not record.note:
            return name
        return format_html('{}<span class="line-2 text-skip">{} {}</span>', name, icon(_CAUTION), record.note)

    def render_schedule(self, record: Upcoming) -> SafeString:
        words = definition.schedule_in_words(record.trigger)
        more = _("and %(count)s more in this time") % {"count": number(record.more)} if record.more else ""
        return format_html('{}<span class="line-2">{}</span>', words, more)


# --- Events ----------------------------------------------------------------------------------------------


_format_html_lazy = lazy(format_html, SafeString)


def _event_column(title: Promise, name: str, is_number: bool = False, hidden_title: bool = False) -> tables.Column:
    heading = _format_html_lazy('<span class="visually-hidden">{}</span>', title) if hidden_title else title
    side = " number" if is_number else ""
    return tables.Column(
        empty_values=(),
        orderable=False,
        verbose_name=heading,
        attrs={"td": {"class": f"log-{name}{side}"}, "th": {"class": f"log-{name}{side}", "scope": "col"}},
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is drawn: the attributes of its <tr>, and its cells, each with the attributes of its <td>."""

    attributes: SafeString
    is_archived: bool
    cells: list[tuple[SafeString, SafeString | str]]


class EventRows(tables.Table):
    """A table of events as they are given. `now`: the instant that its times are relative to.

    Its templates draw `drawn`. Through django-tables2's own rows, which look up each cell's method and its signature
    anew, a page of 50 took three times as long.
    """

    def __init__(self, data: Iterable[Event], *args: Any, now: datetime, **kwargs: Any) -> None:
        self.now = now
        self.events = list(data)
        super().__init__(self.events, *args, **kwargs)

    @property
    def drawn(self) -> Iterator[Row]:
        columns = [
            (mark_safe(column.attrs["td"].as_html()), getattr(self, f"render_{column.name}"))  # noqa: S308 (our names)
            for column in self.columns
        ]
        for event in self.events:
            is_archived = event.state(self.now) == "archived"
            yield Row(self.row_attributes(event, is_archived), is_archived, [(td, draw(event)) for td, draw in columns])

    def row_attributes(self, record: Event, is_archived: bool) -> SafeString:
        return SafeString()


class EventTable(EventRows):
    """Events as they are given (newest first), a row each. The row's id and `data-` attributes are for the live log."""

    fired = _event_column(gettext_lazy("Fired"), "fired")
    name = _event_column(gettext_lazy("Trigger"), "name")
    outcome = _event_column(gettext_lazy("Outcome"), "outcome")
    source = _event_column(gettext_lazy("Source"), "source")
    attempts = _event_column(gettext_lazy("Attempts"), "attempts")
    status = _event_column(gettext_lazy("Status"), "status", is_number=True)
    bar = _event_column(gettext_lazy("Duration, drawn"), "bar", hidden_title=True)
    duration = _event_column(gettext_lazy("Duration"), "duration", is_number=True)
    event = _event_column(gettext_lazy("Event"), "id", is_number=True)

    class Meta:
        template_name = "events/_table.html"

    def __init__(self, data: Iterable[Event], *args: Any, now: datetime, query: str = "", **kwargs: Any) -> None:
        """`query`: how the log is narrowed, for the events' pages: they know their neighbours then."""
        self.suffix = f"?{query}" if query else ""
        super().__init__(data, *args, now=now, **kwargs)

    def row_attributes(self, record: Event, is_archived: bool) -> SafeString:
        # How it stood: the page sends it back to learn whether it has changed.
        unfinished = "" if record.is_finished else format_html(' data-unfinished="{}"', progress(record))
        archived = " is-archived" if is_archived else ""
        return format_html(
            'id="event-{0}" class="is-{1}{2}" data-id="{0}"{3}', record.pk, record.outcome, archived, unfinished
        )

    def render_fired(self, record: Event) -> SafeString:
        return format_html(
            '{}<span class="exact">{}</span>',
            relative_time(record.triggered_at, self.now),
            clock(record.triggered_at),
        )

    def render_name(self, record: Event) -> SafeString:
        address = reverse("event-detail", args=[record.pk]) + self.suffix
        return format_html('<a class="name" href="{}">{}</a>', address, record.trigger_name)

    def render_outcome(self, record: Event) -> SafeString:
        badge = outcome_badge(record.outcome, archived=record.state(self.now) == "archived")
        return format_html("{}{}", badge, skipped_for(record, self.now))

    def render_source(self, record: Event) -> SafeString:
        return source_tag(record.source)

    def render_attempts(self, record: Event) -> SafeString | str:
        if not record.attempt_count:
            return _DASH
        if record.is_finished and record.attempt_count == 1:
            return format_html('<span class="is-single">{}</span>', 1)
        return format_html('{}<span class="only-narrow"> {}</span>', attempts_in_words(record), _attempts(2))

    def render_status(self, record: Event) -> SafeString:
        if record.last_status is None:
            return _DASH
        is_good = 200 <= record.last_status < 300
        return format_html('<span class="status{}">{}</span>', "" if is_good else " is-bad", record.last_status)

    def render_bar(self, record: Event) -> SafeString | str:
        length = _sent_for(record)
        if length is None:
            return ""
        return format_html(
            '<svg width="64" height="6" aria-hidden="true"><rect width="{}" height="6" rx="2"></rect></svg>',
            _bar_width(length),
        )

    def render_duration(self, record: Event) -> SafeString | str:
        length = _sent_for(record)
        return _DASH if length is None else duration_words(length)

    def render_event(self, record: Event) -> SafeString:
        return format_html(
            '<button type="button" class="copy-id needs-js" data-copy-text="{0}" aria-label="{1}">{2}</button>{0}',
            record.pk,
            _("Copy the id of event %(id)s") % {"id": record.pk},
            _COPY,
        )


class FailedTable(EventRows):
    """Events that failed for good, as they are given. `cancelled`: the newest replay that was cancelled, by event."""

    fired = _event_column(gettext_lazy("Fired"), "fired")
    name = _event_column(gettext_lazy("Trigger"), "name")
    why = _event_column(gettext_lazy("Why"), "why")
    attempts = _event_column(gettext_lazy("Attempts"), "attempts", is_number=True)
    action = _event_column(gettext_lazy("Action"), "action", hidden_title=True)

    class Meta:
        template_name = "replays/_table.html"

    def __init__(
        self, data: Iterable[Event], *args: Any, now: datetime, cancelled: Mapping[int, int], **kwargs: Any
    ) -> None:
        self.cancelled = cancelled
        super().__init__(data, *args, now=now, **kwargs)

    def render_fired(self, record: Event) -> SafeString:
        exact = day_and_clock(record.triggered_at, self.now)
        return format_html('{}<span class="exact">{}</span>', relative_time(record.triggered_at, self.now), exact)

    def render_name(self, record: Event) -> SafeString:
        address = reverse("event-detail", args=[record.pk])
        return format_html('<a class="name" href="{}">{}</a>', address, record.trigger_name)

    def render_why(self, record: Event) -> SafeString:
        return format_html("{}{}", record.reason or _("No answer"), self._replay_in_words(record))

    def render_attempts(self, record: Event) -> SafeString:
        return format_html(
            '{}<span class="only-narrow"> {}</span>', record.attempt_count, _attempts(record.attempt_count)
        )

    def render_action(self, record: Event) -> SafeString:
        return format_html(
            '<a class="btn btn-quiet btn-sm" href="{0}" hx-get="{0}" hx-target="#dialogs" hx-swap="innerHTML">{1}'
            '<span class="visually-hidden"> {2}</span></a>',
            reverse("event-replay", args=[record.pk]),
            _("Replay…"),
            _("event %(id)s of %(trigger)s") % {"id": record.pk, "trigger": record.trigger_name},
        )

    def _replay_in_words(self, record: Event) -> SafeString | str:
        if record.replay_of_id:
            linked, words = record.replay_of_id, _("Replay of event %(id)s") % {"id": record.replay_of_id}
        elif record.pk in self.cancelled:
            linked = self.cancelled[record.pk]
            words = _("Replayed as event %(id)s, cancelled") % {"id": linked}
        else:
            return ""
        address = reverse("event-detail", args=[linked])
        return format_html('<span class="line-2"><a href="{}">{}</a></span>', address, words)


_DASH = format_html('<span class="is-dash">{}</span>', "–")
_BAR_STARTS_AT, _BAR_ENDS_AT, _BAR_WIDTH = 0.05, 15.0, 64  # seconds, seconds, pixels


def progress(event: Event) -> str:
    """Return how far an event is, as one word: it changes with every step of the delivery."""
    return f"{event.outcome}-{event.attempt_count}"


def attempts_in_words(event: Event) -> str:
    """Return "2 of 4" while attempts may follow, then how many it took."""
    if event.is_finished or event.source == Event.Source.TEST:
        return str(event.attempt_count)
    return _("%(made)s of %(most)s") % {"made": event.attempt_count, "most": event.most_attempts}


def _attempts(count: int) -> str:
    """The word behind a number, where a row is narrow."""
    return ngettext("attempt", "attempts", count)


def _sent_for(event: Event) -> timedelta | None:
    """Return how long the delivery took, or None where nothing was sent."""
    return event.duration if event.attempt_count else None


def _bar_width(length: timedelta) -> int:
    """Return the pixels of a duration on a logarithmic scale, the same for every row of every page."""
    seconds = min(max(length.total_seconds(), _BAR_STARTS_AT), _BAR_ENDS_AT)
    share = math.log(seconds / _BAR_STARTS_AT) / math.log(_BAR_ENDS_AT / _BAR_STARTS_AT)
    return max(2, round(share * _BAR_WIDTH))
