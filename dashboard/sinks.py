"""Test receivers: one for every person, at an address of this server, so that a delivery is seen without another one.

What arrives is kept (the newest KEPT of each, for as long as events are), and answered as its person said.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from dashboard.models import Sink, SinkRequest, User, new_token
from triggers.models import retention
from triggers.outbound import readable

KEPT = 100  # requests of each
KEPT_BODY = 64 * 1024  # bytes of each
LARGEST_BODY = 256 * 1024  # bytes that are taken
PER_SECOND = 50  # requests of each, in the long run
AT_ONCE = 50  # and so many in one go
_CLOCK_WAS_SET_BACK = 60  # seconds
_LONGEST_VALUE = 4096  # characters of a header, or of a query


def sink_of(user: User) -> Sink:
    """Return the person's test receiver, made when it is first asked for."""
    return Sink.objects.get_or_create(user=user)[0]


def sink_url_of(user: User) -> str:
    """Return the address of the person's test receiver, as an endpoint of triggers here."""
    return address(sink_of(user))


def address(sink: Sink) -> str:
    return f"{settings.OWN_SINKS[0]}{sink.token}"


def move(sink: Sink) -> None:
    """Give it a new address; the old one ends."""
    Sink.objects.filter(pk=sink.pk).update(token=new_token())


def find(token: str) -> Sink | None:
    """Return the test receiver with this token, whatever stands in its place, or None."""
    if len(token) > 64 or not (token.isascii() and token.isprintable()):
        return None
    # By an index: what its time tells about 192 random bits helps nobody.
    return Sink.objects.filter(token=token).first()


# --- How much, and how long ----------------------------------------------------------------------------


def take_turn(sink: Sink, now: float) -> bool:
    """Return whether another request may come in at `now` (epoch seconds), under any number of web processes.

    Every request uses up its share of time; up to AT_ONCE of them may use what is still to come.
    """
    ahead = AT_ONCE / PER_SECOND
    is_free = Q(used_until__lte=now + ahead - 1 / PER_SECOND) | Q(used_until__gt=now + _CLOCK_WAS_SET_BACK)
    used = Greatest(Least(F("used_until"), now + ahead), now) + 1 / PER_SECOND
    return bool(Sink.objects.filter(is_free, pk=sink.pk).update(used_until=used))


# A request that is answered late holds a thread of the web server: most are always free for everybody.
MOST_DELAYED = max(1, settings.WEB_THREADS // 4)  # in one process
_delayed = threading.BoundedSemaphore(MOST_DELAYED)


@contextmanager
def room_to_wait(seconds: float) -> Iterator[bool]:
    """In this block the request may wait so long, where the value is True."""
    has_room = not seconds or _delayed.acquire(blocking=False)
    try:
        yield has_room
    finally:
        if seconds and has_room:
            _delayed.release()


# --- What arrived --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came in."""

    method: str
    query: str
    headers: Sequence[tuple[str, str]]
    content_type: str
    body: bytes
    remote_address: str


def keep(sink: Sink, arrival: Arrival, answered: int, now: datetime) -> SinkRequest:
    """Store a request with the status that it is answered; the oldest beyond KEPT go."""
    kept = arrival.body[:KEPT_BODY]
    text, is_binary = readable(kept, arrival.content_type)
    with transaction.atomic():
        headers: Any = [(name[:200], _as_utf8(value)[:_LONGEST_VALUE]) for name, value in arrival.headers]
        stored = SinkRequest.objects.create(
            sink=sink,
            at=now,
            method=arrival.method[:20],
            query=_as_utf8(arrival.query)[:_LONGEST_VALUE],
            headers=headers,
            body=text,
            body_bytes=len(arrival.body),
            is_binary=is_binary,
            is_cut=len(kept) < len(arrival.body),
            remote_address=arrival.remote_address[:45],
            answered=answered,
        )
        of_sink = SinkRequest.objects.filter(sink=sink)
        oldest = of_sink.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1].first()
        if oldest is not None:
            of_sink.filter(pk__lte=oldest).delete()
    return stored


def forget(now: datetime) -> int:
    """Delete what arrived before the retention window; return how many requests."""
    return SinkRequest.objects.filter(at__lt=now - retention()).delete()[0]


def answer_type(body: str) -> str:
    """Return the Content-Type of what a test receiver answers."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "text/plain; charset=utf-8"
    return "application/json"


def _as_utf8(text: str) -> str:
    """Return what WSGI hands over as Latin-1, as the text that is usually meant."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
