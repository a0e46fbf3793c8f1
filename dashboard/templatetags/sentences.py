"""Words that come from elsewhere, as whole sentences among ours."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def sentence(words: str) -> str:
    """Return the words with a full stop, unless they have an end of their own."""
    return words if not words or words.endswith((".", "!", "?", "…")) else f"{words}."
