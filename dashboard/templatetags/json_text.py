"""JSON as text for reading: indented and tinted on the server, every part of it escaped."""

from __future__ import annotations

import json
import re
from typing import Any

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# A string with its colon is a key; a string; a number or one of the three words.
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|\b(?:true|false|null)\b)')


@register.filter
def tinted_json(value: Any) -> SafeString:
    """Return a JSON value as indented, tinted, escaped markup."""
    return _tint(json.dumps(value, indent=2, ensure_ascii=False))


@register.filter
def tinted_body(text: str) -> SafeString:
    """Return a body that came from outside: indented and tinted when it is JSON, else as the plain text it is."""
    try:
        return tinted_json(json.loads(text))
    except (ValueError, RecursionError):
        return conditional_escape(text)


def _tint(text: str) -> SafeString:
    parts = []
    end = 0
    for match in _TOKEN.finditer(text):
        parts.append(conditional_escape(text[end : match.start()]))
        string, colon, plain = match.groups()
        kind = "json-number" if plain else "json-key" if colon else "json-string"
        parts.append(format_html('<span class="{}">{}</span>', kind, plain or string))
        parts.append(conditional_escape(colon or ""))
        end = match.end()
    parts.append(conditional_escape(text[end:]))
    return mark_safe("".join(parts))  # noqa: S308 (every part is escaped above)
