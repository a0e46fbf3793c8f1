"""`manage.py benchmark retention`: very many events expire, and are deleted while others are fired and delivered."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from triggers import benchmark

FIRES_PER_SECOND = 50
QUIET_SECONDS = 20  # before, to compare with
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
print(json.dumps([trigger.pk, Event.objects.count()]))
"""

# What a call of the API does, without the call: each from when it was due to when it is committed.
_FIRE = """
import json, time
from pathlib import Path
from django.utils import timezone
from triggers import firing
from triggers.models import Trigger
trigger, due, taken = Trigger.objects.get(pk={trigger}), time.time(), []
while not Path({until!r}).exists():
    time.sleep(max(due - time.time(), 0))
    firing.fire(trigger, timezone.now(), {{"n": 1}})
    taken.append([due, (time.time() - due) * 1000])
    due += 1 / {rate}
print(json.dumps(taken))
"""

# As if the time had come at which so many are to go.
_FORGET = """
import json, time
from triggers import retention
from triggers.models import Event, retention as window
last = Event.objects.finished().order_by("triggered_at").values_list("triggered_at", flat=True)[{count}]
deleted, began, worked = 0, time.time(), time.process_time()
while more := retention.forget_events(last + window()):
    deleted += more
print(json.dumps([deleted, began, time.time(), time.process_time() - worked]))
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
        trigger, kept = benchmark.script(environment, _PREPARE.format(**facts))
        _tell_room(environment, tell)
        with benchmark.running(["cluster"], environment), tempfile.TemporaryDirectory() as folder:
            until = Path(folder) / "until"
            fire = _FIRE.format(trigger=trigger, until=str(until), rate=FIRES_PER_SECOND)
            with ThreadPoolExecutor(1) as beside:
                fired = beside.submit(benchmark.script, environment, fire)
                time.sleep(QUIET_SECONDS)
                deleted, began, ended, worked = benchmark.script(environment, _FORGET.format(count=events))
                until.touch()
            time.sleep(2)
            late = benchmark.script(environment, _LATENESS.format(url=receiver.url))
            _tell_room(environment, tell)
    tell(
        f"{deleted:,} of {kept:,} events deleted in {ended - began:.0f} s: {deleted / (ended - began):,.0f} a second, "
        f"{worked / max(deleted, 1) * 1e6:.0f} µs of its own processor time each"
    )
    for words, start, end in (("before", began - QUIET_SECONDS / 2, began), ("meanwhile", began, ended)):
        tell(f"{FIRES_PER_SECOND} fires a second, {words}: committed after {_spread(fired.result(), start, end)}")
        tell(f"{TRIGGERS_PER_SECOND} triggers a second, {words}: late {_spread(late, start, end)}")


@contextmanager
def _database(database_url: str, *, here: bool) -> Iterator[dict[str, str]]:
    """Yield the environment of a server whose own clean-up has nothing to delete."""
    variables = {"EVENT_RETENTION_HOURS": "8760"}
    if here:
        yield os.environ | {"DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8", "LOG_LEVEL": "WARNING"} | variables
    else:
        with benchmark.database(database_url, **variables) as environment:
            yield environment


def _spread(measured: list[tuple[float, float]], start: float, end: float) -> str:
    """Return the spread of what was due in a time; each with when that was (epoch seconds), and its milliseconds."""
    values = sorted(taken for due, taken in measured if start <= due <= end)
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
