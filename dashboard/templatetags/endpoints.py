"""Endpoints as a person reads them."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def without_scheme(url: str) -> str:
    """Return "crm.example.com/hooks/sync" of "https://crm.example.com/hooks/sync"."""
    return url.partition("://")[2]
