"""How an event's outcome and source look: icon and word, never the colour alone."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.templatetags.figures import number
from dashboard.templatetags.icons import icon
from dashboard.templatetags.times import span_words
from triggers.models import Cluster, Event

register = template.Library()

OUTCOME_ICONS = {
    Event.Outcome.SUCCEEDED: "check-circle-fill",
    Event.Outcome.FAILED: "x-octagon-fill",
    Event.Outcome.DELIVERING: "arrow-up-right-circle-fill",
    Event.Outcome.PENDING: "hourglass-split",
    Event.Outcome.LOGGED: "journal-text",
    Event.Outcome.SKIPPED: "skip-forward-fill",
}
SOURCE_ICONS = {
    Event.Source.SCHEDULE: "clock",
    Event.Source.API: "braces",
    Event.Source.TEST: "flask",
    Event.Source.REPLAY: "arrow-counterclockwise",
}

# Of the badge its colours, its icon and its word.
_CLUSTER_STATES = {
    Cluster.State.LEADER: ("succeeded", "check-circle-fill", gettext_lazy("Leader")),
    Cluster.State.READY: ("succeeded", "check-circle-fill", gettext_lazy("Ready")),
    Cluster.State.SILENT: ("skipped", "exclamation-triangle-fill", gettext_lazy("Silent")),
    Cluster.State.GONE: ("pending", "dash-circle", gettext_lazy("Gone")),
}


@register.simple_tag
def outcome_badge(outcome: str, archived: bool = False) -> SafeString:
    """Return the badge of an outcome; `archived` draws its quiet form."""
    kind = Event.Outcome(outcome)
    return format_html(
        '<span class="outcome outcome-{}{}">{}{}</span>',
        kind.value,
        " outcome-archived" if archived else "",
        icon(OUTCOME_ICONS[kind]),
        kind.label,
    )


@register.simple_tag
def skipped_for(event: Event, now: datetime) -> SafeString | str:
    """Return what a skipped event stands for, "120 fires, 13:00 to 13:02" or "due 13:00"; nothing for others."""
    if event.outcome != Event.Outcome.SKIPPED or event.scheduled_for is None:
        return ""
    span = span_words(event.scheduled_for, event.skipped_until or event.scheduled_for, now)
    if event.skipped_count > 1:
        words = _("%(count)s fires, %(span)s") % {"count": number(event.skipped_count), "span": span}
    else:
        words = _("due %(span)s") % {"span": span}
    return format_html('<span class="skipped-for">{}</span>', words)


@register.simple_tag
def source_tag(source: str) -> SafeString:
    """Return the tag of what made an event."""
    kind = Event.Source(source)
    return format_html(
        '<span class="source">{}<span class="word">{}</span></span>', icon(SOURCE_ICONS[kind]), kind.label
    )


@register.simple_tag
def cluster_badge(state: Cluster.State) -> SafeString:
    """Return the badge of how a cluster is."""
    colours, symbol, word = _CLUSTER_STATES[state]
    return format_html('<span class="outcome outcome-{}">{}{}</span>', colours, icon(symbol), word)
