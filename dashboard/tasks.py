"""What django-q2 calls for the front, by the dotted paths of settings.FURTHER_SCHEDULES."""

from __future__ import annotations

from django.core.management import call_command
from django.utils import timezone

from dashboard import key_calls, sinks
from triggers.tasks import never_raises


@never_raises
def clean_up_sinks() -> None:
    """Delete what arrived at test receivers before the retention window."""
    sinks.forget(timezone.now())


@never_raises
def clean_up_api_keys() -> None:
    """Delete keys that have been over for long, and counts of calls that no figure shows."""
    key_calls.forget(timezone.now())


@never_raises
def clean_up_sessions() -> None:
    """Delete the sessions of people that are over."""
    call_command("clearsessions")
