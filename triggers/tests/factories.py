"""Plain factories: a test shows only what matters to its case."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from triggers import definition
from triggers.models import Attempt, Event, Trigger


def make_trigger(*, now: datetime | None = None, **fields: Any) -> Trigger:
    """A recurring trigger every 60 s without an endpoint, unless `fields` say otherwise."""
    defaults: dict[str, Any] = {
        "type": Trigger.Type.SCHEDULED,
        "schedule_type": Trigger.ScheduleType.FIXED_INTERVAL,
        "schedule_value": "60",
        "payload": {"greeting": "hello"},
    }
    if fields.get("type") == Trigger.Type.API:
        defaults |= {"schedule_type": "", "schedule_value": ""}
    return definition.create(defaults | fields, now or timezone.now())


def make_api_trigger(**fields: Any) -> Trigger:
    return make_trigger(type=Trigger.Type.API, **fields)


def make_event(trigger: Trigger | None = None, **fields: Any) -> Event:
    """A pending event of an API call just now, unless `fields` say otherwise; finished outcomes get their times."""
    trigger = trigger or make_api_trigger()
    triggered_at = fields.pop("triggered_at", None) or timezone.now()
    defaults: dict[str, Any] = {
        "source": Event.Source.API,
        "payload": trigger.payload,
        "endpoint": trigger.api_endpoint,
        "triggered_at": triggered_at,
        "due_at": triggered_at,
    }
    if fields.get("outcome", Event.Outcome.PENDING) in Event.UNFINISHED:
        defaults["hand_over_at"] = triggered_at
    else:
        defaults |= {"first_sent_at": triggered_at, "finished_at": triggered_at}
    return Event.objects.create(trigger=trigger, **defaults | fields)


def make_attempt(event: Event, number: int = 1, **fields: Any) -> Attempt:
    """An attempt that was answered 200 in 42 ms, unless `fields` say otherwise."""
    defaults: dict[str, Any] = {
        "started_at": event.triggered_at,
        "duration_ms": 42.0,
        "status": 200,
    }
    return Attempt.objects.create(event=event, number=number, **defaults | fields)
