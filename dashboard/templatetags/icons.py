"""`{% icon "clock" %}`: one symbol of Bootstrap Icons, inline; of the wheel's 2,000 files none is served."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Drawn here because Bootstrap Icons 1.11 has none.
_OWN = {
    "flask": (
        '<path fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round" '
        'd="M5 1.5h6M6.5 1.5v4L2.3 12.7a1.2 1.2 0 0 0 1 1.8h9.4a1.2 1.2 0 0 0 1-1.8L9.5 5.5v-4M4.6 9.5h6.8"/>'
    ),
}
_DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """Return the symbol in the colour and size of the text around it; decoration only, words stand beside it."""
    return format_html(
        '<svg class="icon {}" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>',
        classes,
        _drawing(name),
    )


@lru_cache(maxsize=256)
def _drawing(name: str) -> SafeString:
    """Return what is drawn inside the symbol's <svg>; raises TemplateSyntaxError when there is no such symbol."""
    if name in _OWN:
        return mark_safe(_OWN[name])  # noqa: S308 (written above)
    file = resources.files("js_lib_bootstrap_icons") / "static" / "bootstrap-icons" / f"{name}.svg"
    if not file.is_file():
        raise template.TemplateSyntaxError(f"There is no icon {name!r} in Bootstrap Icons.")
    match = _DRAWING.search(file.read_text(encoding="utf-8"))
    # A file of an installed package, not of a person: its markup is meant.
    return mark_safe(" ".join(match[1].split()) if match else "")  # noqa: S308
