"""Triggers in words."""

from __future__ import annotations

from django import template

from triggers import definition
from triggers.models import Trigger, retention

register = template.Library()


@register.filter
def schedule_words(trigger: Trigger) -> str:
    """Return "Every 15 min", "Every day at 02:30", "When called"."""
    return definition.schedule_in_words(trigger)


@register.simple_tag
def retention_hours() -> int:
    """Return after how many hours events are deleted."""
    return int(retention().total_seconds() // 3600)
