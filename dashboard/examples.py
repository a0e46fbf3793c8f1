"""Three triggers to look at on the first day; each shows another way to fire.

One delivers, to the test receiver of whoever adds them: so the first delivery needs no other server.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from dashboard.models import User
from dashboard.sinks import sink_url_of
from triggers import definition
from triggers.models import Trigger

_EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "name": gettext_noop("Heartbeat"),
        "type": Trigger.Type.SCHEDULED,
        "schedule_type": Trigger.ScheduleType.FIXED_INTERVAL,
        "schedule_value": "10",
        "payload": {"message": "still here"},
    },
    {
        "name": gettext_noop("Daily report"),
        "type": Trigger.Type.SCHEDULED,
        "schedule_type": Trigger.ScheduleType.FIXED_TIME,
        "schedule_value": "09:00",
        "payload": {"report": "sales", "period": "yesterday"},
    },
    {
        "name": gettext_noop("Order paid"),
        "type": Trigger.Type.API,
        "payload": {"order_id": 10482, "total": "129.90", "currency": "EUR"},
    },
)


def add(user: User, now: datetime) -> list[Trigger]:
    """Create the examples, switched on and named in the language in use, and return them; the first fires 10 s from
    `now`."""
    common = {"time_zone": user.time_zone or settings.TIME_ZONE}
    delivered = {"api_endpoint": sink_url_of(user)}
    named = [example | {"name": gettext(example["name"])} for example in _EXAMPLES]
    return [
        definition.create(
            common | example | (delivered if example["type"] == Trigger.Type.API else {}), now, user.author
        )
        for example in named
    ]
