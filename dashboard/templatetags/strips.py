"""The outcome strip: the last 20 outcomes of a trigger as ticks, newest on the right, told by height and shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from triggers.models import Event

register = template.Library()

TICKS = 20
_STEP, _WIDTH, _HEIGHT = 7, 5, 22

# (x offset, y, width, height, class) of the rectangles that make a tick.
_Rectangle = tuple[float, float, float, float, str]
_SHAPES: dict[str, tuple[_Rectangle, ...]] = {
    Event.Outcome.SUCCEEDED: ((0, 10, 5, 12, "succeeded"),),
    Event.Outcome.FAILED: ((0, 2, 5, 20, "failed"),),
    Event.Outcome.LOGGED: ((0, 16, 5, 6, "logged"),),
    Event.Outcome.SKIPPED: ((0.75, 10.75, 3.5, 10.5, "skipped"),),
    Event.Outcome.PENDING: ((0, 10, 5, 3, "pending"), (0, 14.5, 5, 3, "pending"), (0, 19, 5, 3, "pending")),
    Event.Outcome.DELIVERING: ((0, 10, 5, 6, "delivering-rest"), (0, 16, 5, 6, "delivering")),
}
_IN_WORDS = {
    Event.Outcome.PENDING: gettext_lazy("%(count)s pending"),
    Event.Outcome.DELIVERING: gettext_lazy("%(count)s delivering"),
    Event.Outcome.SUCCEEDED: gettext_lazy("%(count)s succeeded"),
    Event.Outcome.FAILED: gettext_lazy("%(count)s failed"),
    Event.Outcome.LOGGED: gettext_lazy("%(count)s logged"),
    Event.Outcome.SKIPPED: gettext_lazy("%(count)s skipped"),
}
_NONE: tuple[_Rectangle, ...] = ((1.5, 20, 2, 2, "none"),)


@register.simple_tag
def outcome_strip(outcomes: Sequence[str]) -> SafeString:
    """Return the strip of up to 20 outcomes, given oldest first, with what it shows in words."""
    shown = list(outcomes)[-TICKS:]
    rectangles = [
        (index * _STEP + x, y, width, height, kind)
        for index, outcome in enumerate([""] * (TICKS - len(shown)) + shown)
        for x, y, width, height, kind in _SHAPES.get(outcome, _NONE)
    ]
    return format_html(
        '<svg class="strip" role="img" aria-label="{}" width="{}" height="{}">{}</svg>',
        strip_in_words(shown),
        TICKS * _STEP - 2,
        _HEIGHT,
        format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" rx="1" class="{}"></rect>', rectangles),
    )


@register.simple_tag
def tick(outcome: str) -> SafeString:
    """Return one tick alone, for the legend."""
    return format_html(
        '<svg class="strip" aria-hidden="true" width="{}" height="{}">{}</svg>',
        _WIDTH,
        _HEIGHT,
        format_html_join(
            "", '<rect x="{}" y="{}" width="{}" height="{}" rx="1" class="{}"></rect>', _SHAPES.get(outcome, _NONE)
        ),
    )


def strip_in_words(outcomes: Sequence[str]) -> str:
    """Return "Last 20: 13 succeeded, 5 failed"."""
    if not outcomes:
        return _("No events yet")
    counts = Counter(outcomes)
    parts = [str(words) % {"count": counts[outcome]} for outcome, words in _IN_WORDS.items() if counts[outcome]]
    return _("Last %(count)s: %(outcomes)s") % {"count": len(outcomes), "outcomes": ", ".join(parts)}
