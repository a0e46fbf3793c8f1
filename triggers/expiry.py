"""`manage.py benchmark retention`: very many events expire, and are deleted while others are fired and delivered."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from triggers import benchmark

FIRES_PER_SECOND, CONNECTIONS = 50, 4
QUIET_SECONDS = 15  # before, to compare with
TRIGGERS_PER_SECOND = 20  # that the beat fires meanwhile

_FILL = """
import json
from django.core.management import call_command
call_command("demo_data", preset="large", triggers=1000, events={events}, verbosity=0, stdout=open("/dev/null", "w"))
print(json.dumps(True))
"""

# Nobody else's triggers fire, nothing waits: what moves is the benchmark's own.
_PREPARE = """
import json
from datetime import datetime
from dashboard.models import ApiKey
from triggers import definition
from triggers.models import Event, Trigger
Trigger.objects.update(enabled=False, next_fire_at=None)
Event.objects.unfinished().update(outcome="failed", hand_over_at=None, finished_at=datetime.fromisoformat({at!r}))
at = datetime.fromisoformat({at!r})
Trigger.objects.bulk_create(
    Trigger(name=f"Benchmark {{n}}", type="scheduled", schedule_type="fixed_interval", schedule_value="1",
            is_recurring=True, api_endpoint={url!r}, starts_at=at, next_fire_at=at)
    for n in range({scheduled})
)
trigger = definition.create({{"type": "api", "name": "Benchmark"}}, at)
print(json.dumps([trigger.pk, ApiKey.create("benchmark")[1], Event.objects.count()]))
"""

# As if the time had come at which so many are to go.
_FORGET = """
import json, time
from triggers import retention
from triggers.models import Event, retention as window
last = Event.objects.finished().order_by("triggered_at").values_list("triggered_at", flat=True)[{count}]
deleted, began, worked = 0, time.monotonic(), time.process_time()
while more := retention.forget_events(last + window()):
    deleted += more
print(json.dumps([deleted, time.monotonic() - began, time.process_time() - worked]))
"""

_LATENESS = """
import json
from datetime import datetime
from triggers.models import Event
rows = Event.objects.filter(endpoint={url!r}, first_sent_at__isnull=False).values_list("scheduled_for", "first_sent_at")
print(json.dumps([[due.timestamp(), (sent - due).total_seconds() * 1000] for due, sent in rows]))
"""

_ROOM = """
import json
from django.db import connection
rows = []
if connection.vendor == "postgresql":
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT relname, n_live_tup, n_dead_tup, autovacuum_count, pg_table_size(relid), pg_indexes_size(relid) "
            "FROM pg_stat_user_tables WHERE relname IN ('triggers_event', 'triggers_attempt') ORDER BY relname"
        )
        rows = cursor.fetchall()
print(json.dumps(rows))
"""


def measure(events: int, database_url: str, *, here: bool, tell: Callable[[str], Any]) -> None:
    """Let the oldest `events` expire, and tell how long their deletion takes and what others feel of it.

    In a database of its own, filled first; or, `here`, in this server's own, which is spoilt by it.
    """
    with benchmark.receiver() as receiver, _database(database_url, here=here) as environment:
        if not here:
            benchmark.script(environment, _FILL.format(events=round(events * 1.2)))
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
        facts = {"at": at.isoformat(), "url": receiver.url, "scheduled": TRIGGERS_PER_SECOND}
        trigger, key, kept = benchmark.script(environment, _PREPARE.format(**facts))
        address = f"http://127.0.0.1:{environment['PORT']}/triggers/{trigger}/fire"
        _tell_room(environment, tell)
        with benchmark.running(["web", "cluster"], environment):
            before, during, forgotten, span = asyncio.run(_fire_meanwhile(environment, events, address, key))
            time.sleep(2)
            lateness = benchmark.script(environment, _LATENESS.format(url=receiver.url))
            _tell_room(environment, tell)
    deleted, seconds, worked = forgotten
    tell(
        f"{deleted:,} of {kept:,} events deleted in {seconds:.0f} s: {deleted / seconds:,.0f} a second, "
        f"{worked / max(deleted, 1) * 1e6:.0f} µs of its own processor time each"
    )
    for words, latencies in (("before", before), ("meanwhile", during)):
        tell(f"fires by API, {FIRES_PER_SECOND} a second, {words}: {_spread(latencies)}")
    for words, late in (
        ("before", sorted(late for due, late in lateness if span[0] - QUIET_SECONDS <= due < span[0])),
        ("meanwhile", sorted(late for due, late in lateness if span[0] <= due <= span[1])),
    ):
        tell(f"{TRIGGERS_PER_SECOND} triggers a second, {words}: late {_spread(late)}")


@contextmanager
def _database(database_url: str, *, here: bool) -> Iterator[dict[str, str]]:
    """Yield the environment of a server whose own clean-up has nothing to delete."""
    variables = {"EVENT_RETENTION_HOURS": "8760", "PORT": str(_free_port())}
    if here:
        yield os.environ | {"DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8", "LOG_LEVEL": "WARNING"} | variables
    else:
        with benchmark.database(database_url, **variables) as environment:
            yield environment


async def _fire_meanwhile(
    environment: dict[str, str], events: int, address: str, key: str
) -> tuple[list[float], list[float], Any, tuple[float, float]]:
    """Fire in peace, then until the events are deleted; return both latencies, what the deletion says, and its time."""
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as session:
        await _wait_until_it_answers(session, address)
        before = await _fire(session, address, lambda: False, QUIET_SECONDS)
        began = time.time()
        with ThreadPoolExecutor(1) as beside:
            gone: Future[Any] = beside.submit(benchmark.script, environment, _FORGET.format(count=events))
            during = await _fire(session, address, gone.done, 3600)
            return before, during, gone.result(), (began, time.time())


async def _wait_until_it_answers(session: aiohttp.ClientSession, address: str) -> None:
    for _ in range(300):
        try:
            async with session.post(address, json={}) as answer:
                await answer.read()
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)


async def _fire(
    session: aiohttp.ClientSession, address: str, is_over: Callable[[], bool], most_seconds: float
) -> list[float]:
    """Fire at a fixed rate, whatever answers take; return the sorted latencies in ms, from when each was due."""
    latencies: list[float] = []
    began = time.perf_counter()

    async def work(first: int) -> None:
        due = began + first / FIRES_PER_SECOND
        while not is_over() and due < began + most_seconds:
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            async with session.post(address, json={"n": 1}) as answer:
                await answer.read()
                answer.raise_for_status()
            latencies.append((time.perf_counter() - due) * 1000)
            due += CONNECTIONS / FIRES_PER_SECOND

    await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))
    return sorted(latencies)


def _spread(values: list[float]) -> str:
    if not values:
        return "none"
    p50, p99 = benchmark.percentile(values, 0.5), benchmark.percentile(values, 0.99)
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {values[-1]:.0f} ms ({len(values):,})"


def _tell_room(environment: dict[str, str], tell: Callable[[str], Any]) -> None:
    for name, live, dead, vacuums, table, indexes in benchmark.script(environment, _ROOM):
        tell(
            f"{name}: {live:,} rows, {dead:,} dead, vacuumed {vacuums} times, "
            f"{table / 1e6:,.0f} MB and indexes of {indexes / 1e6:,.0f} MB"
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
