"""`{% if user|may:"write" %}`: a control that a person may not use is not there."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def may(user: Any, permission: str) -> bool:
    """Return whether the person's role has this permission (permissions.Permission); a stranger has none."""
    return bool(user and user.is_authenticated and user.may(permission))
