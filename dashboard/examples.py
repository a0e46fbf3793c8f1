"""Three triggers to look at on the first day; each shows another way to fire, and none needs an endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings

from triggers import definition
from triggers.models import Trigger

_EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "name": "Heartbeat",
        "type": Trigger.Type.SCHEDULED,
        "schedule_type": Trigger.ScheduleType.FIXED_INTERVAL,
        "schedule_value": "10",
        "payload": {"message": "still here"},
    },
    {
        "name": "Daily report",
        "type": Trigger.Type.SCHEDULED,
        "schedule_type": Trigger.ScheduleType.FIXED_TIME,
        "schedule_value": "09:00",
        "payload": {"report": "sales", "period": "yesterday"},
    },
    {
        "name": "Order paid",
        "type": Trigger.Type.API,
        "payload": {"order_id": 10482, "total": "129.90", "currency": "EUR"},
    },
)


def add(now: datetime) -> list[Trigger]:
    """Create the examples, switched on, and return them; the first fires 10 s from `now`."""
    return [definition.create({"time_zone": settings.TIME_ZONE} | example, now) for example in _EXAMPLES]
