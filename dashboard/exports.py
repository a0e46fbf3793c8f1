"""The event log as a file: CSV for a spreadsheet, JSON lines for a program. Row by row, whatever its size."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from triggers.models import Event

# In this order, and by these names; docs/operations.md says what each is.
COLUMNS = (
    "id",
    "webhook_id",
    "trigger_id",
    "trigger",
    "source",
    "is_test",
    "outcome",
    "reason",
    "scheduled_for",
    "triggered_at",
    "first_sent_at",
    "finished_at",
    "lateness_seconds",
    "duration_seconds",
    "attempt_count",
    "last_status",
    "endpoint",
    "replay_of",
    "skipped_count",
    "payload",
)
# What makes a spreadsheet take a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def as_csv(events: Iterable[Event]) -> Iterator[str]:
    """Yield the lines of a CSV file with a head; a text that a spreadsheet would run begins with an apostrophe."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in events:
        row = _row(event) | {"payload": json.dumps(event.payload, ensure_ascii=False)}
        yield writer.writerow([_cell(value) for value in row.values()])


def as_json_lines(events: Iterable[Event]) -> Iterator[str]:
    """Yield a JSON object for each event, a line each."""
    for event in events:
        yield json.dumps(_row(event) | {"payload": event.payload}, ensure_ascii=False) + "\n"


def _row(event: Event) -> dict[str, Any]:
    """Return the values of COLUMNS, in their order."""
    return {
        "id": event.pk,
        "webhook_id": event.webhook_id,
        "trigger_id": event.trigger_id,
        "trigger": event.trigger_name,
        "source": event.source,
        "is_test": event.is_test,
        "outcome": event.outcome,
        "reason": event.reason,
        "scheduled_for": _instant(event.scheduled_for),
        "triggered_at": _instant(event.triggered_at),
        "first_sent_at": _instant(event.first_sent_at),
        "finished_at": _instant(event.finished_at),
        "lateness_seconds": _seconds(event.lateness),
        "duration_seconds": _seconds(event.duration),
        "attempt_count": event.attempt_count,
        "last_status": event.last_status,
        "endpoint": event.endpoint,
        "replay_of": event.replay_of_id,
        "skipped_count": event.skipped_count,
        "payload": None,
    }


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def _seconds(length: timedelta | None) -> float | None:
    return round(length.total_seconds(), 6) if length is not None else None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA) else value


class _Echo:
    """A file that hands back what is written to it, as csv.writer's `writerow` then does."""

    def write(self, line: str) -> str:
        return line
