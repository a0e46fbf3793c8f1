"""Events by a text in what they carry: their payload, why they failed, what their endpoints answered.

A database has no index for that, so it is looked for going back through the log, part by part: the caller stops when
it has enough, or when its time is up. All of it is stored in clear, secrets taken out; of an answer the first
RESPONSE_BODY_BYTES are kept, and of a binary one nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from triggers.models import Attempt, Event, EventQuerySet

SMALLEST_PART, LARGEST_PART = 500, 20_000  # ids
_QUICK_SECONDS = 0.02  # a part that took less is followed by a larger one


@dataclass(frozen=True, slots=True)
class Part:
    """The events that were found, newest first, with ids from `down_to` to where the part before ended."""

    found: list[Event]
    down_to: int


def back_through(
    events: EventQuerySet, text: str, *, below: int, lowest: int, most: int | None = None
) -> Iterator[Part]:
    """Yield those of the events that carry the text, in parts from id `below` (excluded) down to `lowest` (included).

    A part has `most` events at most, and ends at the last of them then. Large and small letters are the same; on
    SQLite those of ASCII only.
    """
    high, size = below, SMALLEST_PART
    while high > lowest:
        low = max(high - size, lowest)
        began = time.perf_counter()
        found = _found(events, text, low, high)[:most]
        part = Part(list(found), low)
        if most is not None and len(part.found) == most:
            part = Part(part.found, part.found[-1].pk)
        is_quick = time.perf_counter() - began < _QUICK_SECONDS
        size = min(size * 2, LARGEST_PART) if is_quick else max(size // 2, SMALLEST_PART)
        yield part
        high = part.down_to


def _found(events: EventQuerySet, text: str, low: int, high: int) -> EventQuerySet:
    # Two queries over ranges of keys; answers asked for event by event would take eight times as long.
    carries = _contains("text", text) | Q(reason__icontains=text)
    fired = Event.objects.alias(text=Cast("payload", TextField())).filter(carries, pk__gte=low, pk__lt=high)
    answered = Attempt.objects.filter(_contains("response_body", text), event_id__gte=low, event_id__lt=high)
    pks = {*fired.values_list("pk", flat=True), *answered.values_list("event_id", flat=True)}
    return events.filter(pk__in=pks).order_by("-pk")


def _contains(field: str, text: str) -> Q:
    """Return the condition that a JSON text has the words, as they are or as JSON writes them (“ü”, a quotation)."""
    written = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return reduce(or_, (Q(**{f"{field}__icontains": each}) for each in sorted(written)))
