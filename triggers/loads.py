"""What `manage.py benchmark steady|poll|clusters` runs: a load that lasts, and what it costs those who bear it.

The cost is processor time, as the system counts it: on a machine that others use too it holds where seconds do not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from triggers import benchmark

WARM_SECONDS = 3  # of a load, before anything is measured: sessions are opened, statements are met for the first time
KEEPS_UP_MS = 1000  # so late, half of the events of the last part may be, at most
_TICKS = os.sysconf("SC_CLK_TCK")  # a second, in which the system counts

MAKE_STEADY = """
import json
from datetime import datetime, timedelta
from triggers import definition, signing
from triggers.models import Recipe, Trigger
count, at = {count}, datetime.fromisoformat({at!r})
step = timedelta(seconds={every}) / count
recipes = [None] * count
if {is_signed}:
    recipes = Recipe.objects.bulk_create(
        [Recipe(signing_secret=signing.new_secret()) for _ in range(count)], batch_size=1000
    )
Trigger.objects.bulk_create(
    [
        Trigger(name=f"Steady {{n}}", type="scheduled", schedule_type="fixed_interval", schedule_value="{every}",
                api_endpoint={url!r}, payload={{"n": n}}, starts_at=at + n * step, next_fire_at=at + n * step,
                recipe=recipe)
        for n, recipe in enumerate(recipes)
    ],
    batch_size=1000,
)
print(json.dumps(True))
"""

STOP = """
import json
from datetime import datetime, timedelta
from django.utils import timezone
from triggers.models import Event, Trigger
long_ago = datetime.fromisoformat({until!r}) - timedelta(seconds=1)
overdue = Event.objects.in_hand().filter(scheduled_for__lt=long_ago).count()
Trigger.objects.update(next_fire_at=None)
print(json.dumps(overdue))
"""

READ = """
import json
from datetime import datetime
from triggers.models import Event
since, until = datetime.fromisoformat({since!r}), datetime.fromisoformat({until!r})
rows = Event.objects.filter(scheduled_for__gte=since, scheduled_for__lt=until)
late = [
    ((due - since).total_seconds(), (sent - due).total_seconds() * 1000)
    for due, sent in rows.filter(first_sent_at__isnull=False).values_list("scheduled_for", "first_sent_at")
]
print(json.dumps({{"late": late, "due": rows.count(), "unfinished": rows.in_hand().count()}}))
"""

DATABASE_PROCESS = """
import json
from django.db import connection
from triggers.loads import parent_of
found = 0
if connection.vendor == "postgresql":
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = parent_of(cursor.fetchone()[0], "postgres")
print(json.dumps(found))
"""

QUEUE_PROCESS = """
import json
import redis
from django.conf import settings
print(json.dumps(redis.from_url(settings.REDIS_URL).info("server")["process_id"] if settings.REDIS_URL else 0))
"""

MAKE_SLEEPERS = """
import json
from datetime import timedelta
from django.db import connection
from django.db.models import F
from django.utils import timezone
from triggers.models import Trigger
at = timezone.now() + timedelta(days=1)
Trigger.objects.create(name="Sleeper", type="scheduled", schedule_type="fixed_interval", schedule_value="86400",
                       starts_at=at, next_fire_at=at)
names = [field.column for field in Trigger._meta.concrete_fields if not field.primary_key]
made = 1
while made < {count}:
    # They double, each half a little later than the one before: a million rows in seconds, on either database.
    later = {{"next_fire_at": F("next_fire_at") + timedelta(seconds=made * 0.08)}}
    rows = Trigger.objects.order_by("id").values_list(*(later.get(name, name) for name in names))[: {count} - made]
    sql, parameters = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO triggers_trigger ({{', '.join(names)}}) {{sql}}", parameters)
    made = min(2 * made, {count})
with connection.cursor() as cursor:
    cursor.execute("ANALYZE triggers_trigger")
print(json.dumps(Trigger.objects.count()))
"""

POLL = """
import json, time
from datetime import timedelta
from django.utils import timezone
from triggers import claims, dispatch
from triggers.models import Event, Trigger
generation = claims.start_beat("benchmark", timezone.now())
idle = []
for _ in range({passes}):
    began = time.perf_counter()
    dispatch.hand_over_due(generation, timezone.now())
    idle.append((time.perf_counter() - began) * 1000)
pks = list(Trigger.objects.order_by("id").values_list("pk", flat=True)[:{due}])
for start in range(0, len(pks), 500):
    Trigger.objects.filter(pk__in=pks[start : start + 500]).update(next_fire_at=timezone.now())
began, worked = time.perf_counter(), time.process_time()
while dispatch.hand_over_due(generation, timezone.now()):
    pass
seconds, cpu = time.perf_counter() - began, time.process_time() - worked
print(json.dumps(
    {{"idle": sorted(idle), "seconds": seconds, "cpu": cpu, "events": Event.objects.count()}}
))
"""


@dataclass(frozen=True, slots=True)
class Load:
    """So many fires a second for so long, each trigger every `every` seconds; on `clusters` clusters."""

    rate: int
    seconds: int
    every: int = 10
    is_signed: bool = False
    clusters: int = 1


@dataclass(frozen=True, slots=True)
class Borne:
    """What became of a load: lateness in ms (p50, p99), at first and at last; processor time in ms an event."""

    due: int
    delivered: int
    a_second: float
    first: tuple[float, float]
    last: tuple[float, float]
    overdue: int  # by more than a second, and not finished, at the end
    unfinished: int  # some seconds after it
    cluster_ms: float
    database_ms: float
    queue_ms: float

    @property
    def keeps_up(self) -> bool:
        return self.last[0] < KEEPS_UP_MS and self.unfinished == 0

    def __str__(self) -> str:
        (first, slowest_first), (last, slowest_last) = self.first, self.last
        costs = {"clusters": self.cluster_ms, "PostgreSQL": self.database_ms, "Redis": self.queue_ms}
        return (
            f"{self.delivered} of {self.due} delivered, {self.a_second:.0f} a second; late p50 {first:.0f} and p99 "
            f"{slowest_first:.0f} ms at first, {last:.0f} and {slowest_last:.0f} ms at last; {self.overdue} overdue at "
            f"the end, {self.unfinished} unfinished after it; processor time an event: "
            f"{', '.join(f'{name} {cost:.3f} ms' for name, cost in costs.items() if cost)}. "
            f"It {'keeps up' if self.keeps_up else 'falls behind'}"
        )


def bear(load: Load, database_url: str, redis_url: str) -> Borne:
    """Run clusters of their own under the load, and return what became of it."""
    variables = {"REDIS_URL": redis_url} if redis_url else {}
    with (
        benchmark.receiver() as receiver,
        benchmark.database(database_url, **variables) as environment,
        benchmark.running(["cluster"] * load.clusters, environment) as clusters,
    ):
        database, queue = _servers(environment)
        triggers = load.rate * load.every
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=12 + triggers // 3000)
        since, until = at + timedelta(seconds=WARM_SECONDS), at + timedelta(seconds=WARM_SECONDS + load.seconds)
        benchmark.script(
            environment,
            MAKE_STEADY.format(
                count=triggers, at=at.isoformat(), every=load.every, url=receiver.url, is_signed=load.is_signed
            ),
        )
        watched = [[process.pid for process in clusters], database, queue]
        sleep_until(since)
        received, worked = receiver.count.value, [cpu_seconds(pids) for pids in watched]
        sleep_until(until)
        received = receiver.count.value - received
        spent = [cpu_seconds(pids) - before for pids, before in zip(watched, worked, strict=True)]
        overdue = benchmark.script(environment, STOP.format(until=until.isoformat()))
        figures = _when_settled(environment, since, until)
    fifth = load.seconds / 5
    costs = [1000 * each / max(received, 1) for each in spent]
    return Borne(
        figures["due"],
        len(figures["late"]),
        received / load.seconds,
        _late(figures["late"], 0, fifth),
        _late(figures["late"], load.seconds - fifth, load.seconds),
        overdue,
        figures["unfinished"],
        *costs,
    )


def poll(triggers: int, passes: int, due: int, database_url: str, redis_url: str) -> dict[str, Any]:
    """Return the ms of each pass of the beat with nothing due, sorted, and how long it took to claim `due` triggers."""
    variables = {"REDIS_URL": redis_url} if redis_url else {}
    with benchmark.database(database_url, **variables) as environment:
        benchmark.script(environment, MAKE_SLEEPERS.format(count=triggers))
        found: dict[str, Any] = benchmark.script(environment, POLL.format(passes=passes, due=due))
    return found


def _servers(environment: dict[str, str]) -> tuple[list[int], list[int]]:
    """Return the processes of PostgreSQL and of Redis, as far as they are there and run on this machine."""
    return (
        [pid for pid in [benchmark.script(environment, DATABASE_PROCESS)] if pid],
        [pid for pid in [benchmark.script(environment, QUEUE_PROCESS)] if pid],
    )


def _when_settled(environment: dict[str, str], since: datetime, until: datetime) -> dict[str, Any]:
    """Return the figures when all is finished, or after a while in which it is not."""
    for _ in range(8):
        figures: dict[str, Any] = benchmark.script(
            environment, READ.format(since=since.isoformat(), until=until.isoformat())
        )
        if not figures["unfinished"]:
            break
        time.sleep(1)
    return figures


def _late(rows: Sequence[tuple[float, float]], start: float, end: float) -> tuple[float, float]:
    late = sorted(ms for at, ms in rows if start <= at < end) or [float("inf")]
    return benchmark.percentile(late, 0.5), benchmark.percentile(late, 0.99)


def sleep_until(at: datetime) -> None:
    time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))


# --- Processor time, as Linux tells it -----------------------------------------------------------------


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time of these processes and all below them, those that have ended included."""
    seen = {pid: fields for path in Path("/proc").glob("[0-9]*/stat") if (fields := _stat(path)) for pid in [fields[0]]}
    family, fresh = set(), set(pids)
    while fresh:
        family |= fresh
        fresh = {pid for pid, fields in seen.items() if fields[1] in fresh} - family
    return sum(sum(seen[pid][2]) for pid in family if pid in seen) / _TICKS


def parent_of(pid: int, name: str) -> int:
    """Return the process above this one; 0 when there is none of the name here: it runs on another machine."""
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return fields[1] if fields and fields[3].startswith(name) else 0


def _stat(path: Path) -> tuple[int, int, tuple[int, ...], str] | None:
    """Return a process, the one above it, its times (own and of what has ended below it), and its name."""
    try:
        pid, _, rest = path.read_text().partition(" (")
    except OSError:  # it has ended
        return None
    name, _, rest = rest.rpartition(") ")
    fields = rest.split()
    return int(pid), int(fields[1]), tuple(map(int, fields[11:15])), name
