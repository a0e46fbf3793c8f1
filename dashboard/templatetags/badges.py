"""How an event's outcome and source look: icon and word, never the colour alone."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard.templatetags.icons import icon
from triggers.models import Event

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
def source_tag(source: str) -> SafeString:
    """Return the tag of what made an event."""
    kind = Event.Source(source)
    return format_html(
        '<span class="source">{}<span class="word">{}</span></span>', icon(SOURCE_ICONS[kind]), kind.label
    )
