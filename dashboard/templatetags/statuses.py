"""HTTP statuses in words."""

from __future__ import annotations

from http import HTTPStatus

from django import template

register = template.Library()


@register.filter
def status_words(status: int | None) -> str:
    """Return "503 Service Unavailable", or the number alone where it has no name; a dash for None."""
    if status is None:
        return "–"
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
