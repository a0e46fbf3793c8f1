"""Words that come from elsewhere, as whole sentences among ours."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import translation

register = template.Library()


@register.filter
def sentence(words: str) -> str:
    """Return the words with a full stop, unless they have an end of their own."""
    return words if not words or words.endswith((".", "!", "?", "…")) else f"{words}."


@register.filter
def in_running_text(label: Any) -> str:
    """Return a label as it stands within a sentence: with a small letter, unless it is an "API" or its language has
    capitals for all nouns."""
    words = str(label)
    keeps_capital = words[1:2].isupper() or (translation.get_language() or "").startswith("de")
    return words if keeps_capital else words[:1].lower() + words[1:]
