"""The plan: triggers whose instants are known by plain arithmetic, without asking the server.

`{{…}}` in their bodies say which instant a delivery is of, so that the receiver's book needs no other to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triggers.drill.accounts import Planned

# Seconds between two fires: 20 of them each second, others less often.
INTERVALS = (*[1] * 20, 2, 2, 3, 3)
# Six fields, seconds first; each with what it means: from which second of the minute, every so many.
CRONS = (("*/2 * * * * *", 0, 2), ("1-59/3 * * * * *", 1, 3))
LONGEST = 3  # seconds between two fires of any
OVERLAP_SKIPS = 2  # of those that fire each second, so many skip a fire while their last one is not finished
BODY = '{"trigger": {{payload.trigger}}, "instant": "{{scheduled_for}}", "event": {{event.id}}}'
RETRIES = {"delays": [1, 2, 2, 3, 3, 5, 5, 5, 10, 10, 10, 10, 10, 20, 20, 30]}  # outlast any fault here


@dataclass(frozen=True, slots=True)
class Timed:
    """One trigger of the plan, and its rhythm."""

    number: int
    fields: dict[str, Any]  # as the API takes them
    every: int
    cron_from: int | None = None  # None: an interval, which counts from the start

    @property
    def skips_overlaps(self) -> bool:
        return bool(self.fields["overlap_policy"] == "skip")

    def instants(self, start: int, end: int) -> list[int]:
        """Return its fires from `start` to `end` (epoch seconds, both included)."""
        if self.cron_from is None:
            return list(range(start, end + 1, self.every))
        return [at for at in range(start, end + 1) if at % 60 >= self.cron_from and at % 60 % self.every == self.phase]

    @property
    def phase(self) -> int:
        return (self.cron_from or 0) % self.every


def timed(start: int, endpoint: str) -> list[Timed]:
    """Return the triggers of a drill whose first instant is `start` (epoch seconds)."""
    common = {
        "api_endpoint": endpoint,
        "body_template": BODY,
        "retries": RETRIES,
        "time_zone": "UTC",
        "not_before": iso(start),
    }
    found = []
    for number, every in enumerate(INTERVALS, 1):
        policy = "skip" if number <= OVERLAP_SKIPS else "allow"
        fields = {"schedule_type": "fixed_interval", "schedule_value": str(every), "overlap_policy": policy}
        found.append(Timed(number, common | fields | {"payload": {"trigger": number}}, every))
    for number, (value, first, every) in enumerate(CRONS, len(INTERVALS) + 1):
        fields = {"schedule_type": "cron", "schedule_value": value, "overlap_policy": "allow"}
        found.append(Timed(number, common | fields | {"payload": {"trigger": number}}, every, first))
    return found


def called(endpoint: str) -> dict[str, Any]:
    """Return the trigger that is fired by API, as the API takes it."""
    return {"name": "Called", "api_endpoint": endpoint, "retries": RETRIES}


def planned(triggers: Sequence[tuple[int, Timed]], start: int, end: int) -> list[Planned]:
    """Return the instants of triggers (id, trigger) from `start` to `end`."""
    return [
        Planned(pk, trigger.number, trigger.instants(start, end), trigger.skips_overlaps) for pk, trigger in triggers
    ]


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
