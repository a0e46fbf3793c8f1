"""A worker delivers a batch of events: takes them, holds each until its instant, sends it, writes what came of it.

Two threads share the work: the worker's own thread speaks with the database, a loop thread that lives as long as
the worker speaks HTTP, over one session with warm connections. No transaction is open around HTTP.

Every event is held under a lease with this batch's token. The lease is renewed while the batch lasts; a worker that
dies lets it run out, and the beat hands its events over again; one that wakes up late finds another token.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from triggers import backoff, claims, liveness, outbound
from triggers.models import Event, webhook_id

logger = logging.getLogger(__name__)

CONNECTIONS = 32  # at once, of one worker
LEASE = timedelta(seconds=20)
RENEW_EVERY_SECONDS = 5.0
FLUSH_EVERY_SECONDS = 0.1
FLUSH_IN_RUSH_SECONDS = 1.0  # while every connection is busy: sending comes first, writing can wait a little
START_WITHIN_SECONDS = 30  # what is not begun by then is given back, so that a batch cannot last for ever
HOLD_AT_MOST = timedelta(seconds=2)  # the beat hands over at most a second ahead


@dataclass(slots=True)
class _Batch:
    """What the two threads share: results come in by one, and the other keeps the lease."""

    token: str
    size: int
    start_by: float  # monotonic seconds
    lease_until: float  # monotonic seconds
    in_flight: int = 0
    results: list[claims.Result] = field(default_factory=list)
    is_complete: threading.Event = field(default_factory=threading.Event)

    def add(self, result: claims.Result) -> None:
        self.results.append(result)
        if len(self.results) == self.size:
            self.is_complete.set()

    def may_start(self) -> bool:
        """Whether a request may still be begun: we hold the lease, the batch is young, the cluster goes on."""
        now = time.monotonic()
        return now < self.start_by and now < self.lease_until and not liveness.is_stopping()


def deliver(pks: Sequence[int]) -> int:
    """Deliver those of the events that are pending and due, and return how many were taken.

    When it returns, each of them is finished, waits for its retry, was given back, or is no longer ours.
    """
    courier = _courier()  # before anything is taken: without it nothing could be sent
    now, began = timezone.now(), time.monotonic()
    token = uuid.uuid4().hex
    events = claims.take(pks, token, now + HOLD_AT_MOST, now + LEASE)
    if events:
        batch = _Batch(
            token,
            len(events),
            start_by=began + START_WITHIN_SECONDS,
            lease_until=began + LEASE.total_seconds(),
        )
        sending = courier.send_all(events, batch)
        _write_as_they_come([event.id for event in events], batch, sending)
        sending.cancel()
    return len(events)


def _write_as_they_come(pks: Sequence[int], batch: _Batch, sending: Future[None]) -> None:
    """Write results in flushes, and keep the lease, until every event has one or the lease is lost."""
    written = 0  # of batch.results, which only grows
    written_at = renewed_at = time.monotonic()
    while written < batch.size:
        if sending.done() and written == len(batch.results):
            logger.error("%d events were not sent; they are when their lease ends", batch.size - written)
            return
        liveness.show_life()
        # One look in 0.1 s: a thread that wakes for every result takes the interpreter from the one that sends.
        batch.is_complete.wait(FLUSH_EVERY_SECONDS)
        is_rush = batch.in_flight == CONNECTIONS and time.monotonic() - written_at < FLUSH_IN_RUSH_SECONDS
        results = [] if is_rush else batch.results[written:]
        try:
            if results:
                with transaction.atomic():
                    claims.write_results(results, batch.token)
                written += len(results)
                written_at = time.monotonic()
            if written < batch.size and time.monotonic() - renewed_at > RENEW_EVERY_SECONDS:
                renewed_at = time.monotonic()
                # None left: we slept past the lease, others have them. The old end stands, and nothing more is begun.
                if claims.renew(pks, batch.token, timezone.now() + LEASE):
                    batch.lease_until = renewed_at + LEASE.total_seconds()
        except (DatabaseError, InterfaceError):
            logger.exception("What came of %d events could not be written yet", len(results))
            connection.close()
            if time.monotonic() > batch.lease_until:
                logger.error("The lease of %d events is lost; they are delivered again", batch.size - written)
                return
            time.sleep(0.5)


# --- The loop thread -----------------------------------------------------------------------------------


class _Courier:
    """A loop in a thread of its own with one HTTP session; both live as long as the process."""

    def __init__(self, allowed: Sequence[Any]) -> None:
        self.allowed = allowed
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="courier", daemon=True).start()
        self.session = asyncio.run_coroutine_threadsafe(self._open(), self.loop).result()
        atexit.register(self.close)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.session.close(), self.loop).result(timeout=5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        atexit.unregister(self.close)

    async def _open(self) -> aiohttp.ClientSession:
        return outbound.open_session(self.allowed, CONNECTIONS)

    def send_all(self, events: Sequence[claims.TakenEvent], batch: _Batch) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self._send_all(events, batch), self.loop)

    async def _send_all(self, events: Sequence[claims.TakenEvent], batch: _Batch) -> None:
        # So many loops over one iterator: cheaper than a task for every event, and in the order of their instants.
        remaining = iter(events)
        await asyncio.gather(*(self._send_each(remaining, batch) for _ in range(min(CONNECTIONS, len(events)))))

    async def _send_each(self, remaining: Iterator[claims.TakenEvent], batch: _Batch) -> None:
        for event in remaining:
            batch.add(await self._send_one(event, batch))

    async def _send_one(self, event: claims.TakenEvent, batch: _Batch) -> claims.Result:
        if not (await _until(event.due_at) and batch.may_start()):
            return _given_back(event)
        batch.in_flight += 1
        try:
            return await _handle(self.session, event)
        except Exception as error:
            # A fault of ours must cost this event an attempt, not the batch its worker.
            logger.exception("Event %d could not be delivered", event.id)
            words = f"The server made a mistake: {error!r}"[:500]
            return _after_failure(event, timezone.now(), 0.0, "internal", words)
        finally:
            batch.in_flight -= 1


_couriers: dict[int, _Courier] = {}  # by process: a fork does not carry threads over


def _courier() -> _Courier:
    allowed = settings.DELIVERY_ALLOWED_NETWORKS
    courier = _couriers.get(os.getpid())
    if courier is not None and courier.allowed != allowed:
        courier.close()
        courier = None
    if courier is None:
        courier = _couriers[os.getpid()] = _Courier(allowed)
    return courier


async def _until(due_at: datetime) -> bool:
    """Wait for the exact instant, never less; return False when the clock was set back and it is far off again."""
    due = due_at.timestamp()
    while (wait := due - time.time()) > 0:
        if wait > HOLD_AT_MOST.total_seconds():
            return False
        await asyncio.sleep(wait)
    return True


# --- One event ---------------------------------------------------------------------------------------


async def _handle(session: aiohttp.ClientSession, event: claims.TakenEvent) -> claims.Result:
    if not event.endpoint:
        return claims.Result(event.id, Event.Outcome.LOGGED, timezone.now())
    started_at = timezone.now()
    began = time.perf_counter()
    headers = _headers(event, started_at)
    try:
        answer = await outbound.send(
            session,
            outbound.Request("POST", event.endpoint, tuple(headers.items()), event.payload.encode(), _route()),
            timeout_seconds=settings.DELIVERY_TIMEOUT_SECONDS,
            body_limit=settings.RESPONSE_BODY_BYTES,
        )
    except outbound.OutboundError as error:
        return _after_failure(
            event,
            started_at,
            _milliseconds_since(began),
            error.kind,
            str(error),
            request_headers=tuple(headers.items()),
            remote_address=error.remote_address,
        )
    text, _ = outbound.readable(answer.body, answer.content_type)
    record: dict[str, Any] = {
        "request_headers": tuple(headers.items()),
        "status": answer.status,
        "remote_address": answer.remote_address,
        "response_headers": answer.headers,
        "response_body": text,
        "is_response_cut": answer.is_cut,
    }
    duration_ms = _milliseconds_since(began)
    if 200 <= answer.status < 300:
        return claims.Result(
            event.id,
            Event.Outcome.SUCCEEDED,
            timezone.now(),
            number=event.attempt,
            started_at=started_at,
            duration_ms=duration_ms,
            **record,
        )
    return _after_failure(event, started_at, duration_ms, "", "", **record)


def _after_failure(
    event: claims.TakenEvent, started_at: datetime, duration_ms: float, kind: str, error: str, **record: Any
) -> claims.Result:
    """Return the result of a failed attempt: pending again with a later due time, or failed for good."""
    now = timezone.now()
    # A test wants its answer now; an address that is not allowed will not be in half a minute either.
    is_over = event.source == Event.Source.TEST or kind == outbound.ErrorKind.BLOCKED
    wait = backoff.wait_after(backoff.STANDARD, event.attempt, is_over=is_over)
    return claims.Result(
        event.id,
        Event.Outcome.FAILED if wait is None else Event.Outcome.PENDING,
        now,
        due_again_at=None if wait is None else now + wait,
        reason=error,
        number=event.attempt,
        started_at=started_at,
        duration_ms=duration_ms,
        error_kind=kind,
        error=error,
        **record,
    )


def _given_back(event: claims.TakenEvent) -> claims.Result:
    """Not sent: the event waits as before, and the next worker may have it at once."""
    return claims.Result(
        event.id, Event.Outcome.PENDING, timezone.now(), due_again_at=max(event.due_at, timezone.now())
    )


def _route() -> outbound.Route:
    return outbound.Route(proxy=settings.OUTBOUND_PROXY, authorities=settings.OUTBOUND_AUTHORITIES)


def _headers(event: claims.TakenEvent, now: datetime) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": f"EventTriggerPlatform/{settings.VERSION}",
        "webhook-id": webhook_id(event.id, event.triggered_at),
        "webhook-timestamp": str(int(now.timestamp())),
        "event-attempt": str(event.attempt),
        "event-due-at": event.due_at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }


def _milliseconds_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
