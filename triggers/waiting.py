"""Somebody steps in while an event waits: it is sent at once, or given up.

Both by compare-and-set on *pending*: an event that a worker holds is under way, and stays as it is.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from triggers import claims
from triggers.models import Event

LONGEST_REASON = 500  # characters


class NotWaiting(Exception):
    """The event does not wait: a worker holds it, it is finished, or its scheduled instant has not come yet."""


def send_now(event: Event, now: datetime) -> None:
    """Let the next attempt of a pending event be due at once, within the limits of its trigger. Raises NotWaiting."""
    if not claims.hasten(event.pk, now):
        raise NotWaiting


def give_up(event: Event, by: str, now: datetime) -> None:
    """End a pending event as failed, with who gave it up on record; it can be replayed. Raises NotWaiting.

    It is no failure of the endpoint, so it does not count towards switching the trigger off.
    """
    tried = (
        f"after {event.attempt_count} of {event.most_attempts} attempts"
        if event.attempt_count
        else "before it was sent"
    )
    reason = f"Given up by {by} {tried}."
    if event.reason:
        reason = f"{reason} Before: {event.reason}"
    with transaction.atomic():
        if not claims.give_up(event.pk, reason[:LONGEST_REASON], now):
            raise NotWaiting
