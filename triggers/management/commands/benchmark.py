"""`manage.py benchmark herd|steady|clusters|poll|idle|…`: the figures of docs/benchmarks.md, on this machine."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import signal
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from triggers import benchmark, expiry, loads, schedules
from triggers.peers import comparison, contenders, table

BODY = b'{"n": 1234}'
FIRST_RATE = 800  # fires a second, from which the most is looked for

MAKE_TRIGGERS = """
import json
from datetime import datetime, timedelta
from django.utils import timezone
from triggers.models import Trigger
at = datetime.fromisoformat({at!r})
Trigger.objects.bulk_create(
    [
        Trigger(name=f"Herd {{n}}", type="scheduled", schedule_type="fixed_interval", schedule_value={every!r},
                is_recurring={recurring!r}, api_endpoint={url!r}, payload={{"n": n}}, starts_at=at, next_fire_at=at)
        for n in range({count})
    ],
    batch_size=1000,
)
print(json.dumps(True))
"""

READ_LATENESS = """
import json
from triggers.models import Event
rows = Event.objects.filter(first_sent_at__isnull=False, endpoint__startswith={url!r})
rows = rows.values_list("scheduled_for", "first_sent_at")
outcomes = list(Event.objects.values_list("outcome", flat=True))
print(json.dumps({{
    "late": sorted((sent - due).total_seconds() * 1000 for due, sent in rows),
    "unfinished": sum(outcome in ("pending", "delivering") for outcome in outcomes),
    "events": len(outcomes),
}}))
"""

MAKE_API_TRIGGER = """
import json
from django.utils import timezone
from dashboard.models import ApiKey
from triggers import definition
trigger = definition.create({"type": "api", "name": "Benchmark"}, timezone.now())
print(json.dumps([trigger.pk, ApiKey.create("benchmark")[1]]))
"""


class Command(BaseCommand):
    help = "Measure this server against a bare HTTP client, on a database of its own in a temporary folder."

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True)
        herd = kinds.add_parser("herd", help="N triggers due at one second, against the bare client")
        herd.add_argument("--triggers", type=int, default=1000)
        herd.add_argument("--rounds", type=int, default=3)
        _may_name_servers(herd)
        steady = kinds.add_parser("steady", help="so many fires a second for a while: does it keep up, at what cost?")
        steady.add_argument("--rate", type=int, default=0, help="fires a second; 0: look for the most that it bears")
        _add_load(steady)
        clusters = kinds.add_parser("clusters", help="the same herd and steady load on one cluster and on two")
        clusters.add_argument("--triggers", type=int, default=10_000)
        clusters.add_argument("--rounds", type=int, default=3)
        clusters.add_argument("--rate", type=int, default=1000)
        _add_load(clusters)
        poll = kinds.add_parser("poll", help="many triggers, none of them due: what does it cost to look?")
        poll.add_argument("--triggers", type=int, default=1_000_000)
        poll.add_argument("--passes", type=int, default=2000)
        poll.add_argument("--due", type=int, default=12_000, help="so many then fall due: how fast are they claimed?")
        _may_name_servers(poll)
        idle = kinds.add_parser("idle", help="one trigger a second on an otherwise idle machine: how late is it?")
        idle.add_argument("--seconds", type=int, default=60)
        fairness = kinds.add_parser("fairness", help="a host that hangs beside one that is well: is that one late?")
        fairness.add_argument("--hanging", type=int, default=1000)
        fairness.add_argument("--seconds", type=int, default=30)
        api = kinds.add_parser("api", help="fires by API a second, and their latency")
        api.add_argument("--requests", type=int, default=5000)
        api.add_argument("--connections", type=int, default=16)
        retention = kinds.add_parser(
            "retention", help="very many events expire: what do others feel of their deletion?"
        )
        retention.add_argument("--events", type=int, default=1_000_000, help="that expire")
        retention.add_argument(
            "--database-url", default="", help="an empty database, instead of SQLite in a new folder"
        )
        retention.add_argument(
            "--spoil-mine",
            action="store_true",
            help="on this server's own database, as it is: its oldest events go, and its triggers are switched off",
        )
        kinds.add_parser("schedules", help="next-fire computations a second, on one core")
        peers = kinds.add_parser(
            "peers", help="herds and a steady load on what people would use instead (make bench-peers)"
        )
        peers.add_argument("--sizes", type=_sizes, default=[100, 1000, 10_000], help="of herds: 100,1000,10000")
        peers.add_argument("--rounds", type=int, default=3, help="of each size; fewer where one takes long")
        peers.add_argument("--limit", type=float, default=60, help="seconds that a herd may take")
        peers.add_argument("--steady-seconds", type=int, default=5, help="length of the steady load; 0: none")
        peers.add_argument("--minutes", type=float, default=20, help="for all; less means fewer rounds of large sizes")
        peers.add_argument("--only", action="append", default=[], help="those with this in their name; may be repeated")
        peers.add_argument("--python", type=Path, default=settings.BASE_DIR / ".venv-peers/bin/python")
        self.add_kinds(kinds)

    def add_kinds(self, kinds: Any) -> None:
        """For the front, which has more to measure."""

    def handle(self, *args: Any, **options: Any) -> None:
        machine = f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}"
        self.stdout.write(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {settings.CLUSTER_WORKERS} workers")
        getattr(self, options["kind"])(options)

    def herd(self, options: dict[str, Any]) -> None:
        """Plain aiohttp, no database, in one process and in as many as we have: with the same connections."""
        count, workers = options["triggers"], settings.CLUSTER_WORKERS - 1
        connections = settings.DELIVERY_REQUESTS_PER_HOST
        ratios, even_ratios = [], []
        for number in range(1, options["rounds"] + 1):
            with benchmark.receiver() as receiver:
                worked = _below_and_ended()
                bare = benchmark.bare_client(receiver.url, count, 1, connections, BODY)
                worked = _below_and_ended() - worked
                even = benchmark.bare_client(receiver.url, count, workers, connections // workers, BODY)
            drain, words = _herd(count, 1, options)
            ratios.append(bare / drain)
            even_ratios.append(even / drain)
            self.stdout.write(
                f"round {number}: {words}; bare client, {connections} connections: {bare:.2f} s in one process, "
                f"{1000 * worked / count:.3f} ms of processor time each; {even:.2f} s in {workers}"
            )
        self.stdout.write(
            f"{count} at once, median ratio of the bare client's time to ours: {statistics.median(ratios):.2f} "
            f"(one process), {statistics.median(even_ratios):.2f} ({workers} processes)"
        )

    def steady(self, options: dict[str, Any]) -> None:
        rate, most = options["rate"] or FIRST_RATE, 0
        while True:
            borne = loads.bear(_load(options, rate), options["database_url"], options["redis_url"])
            self.stdout.write(f"{rate} fires a second for {options['seconds']} s: {borne}")
            if options["rate"] or not borne.keeps_up:
                break
            rate, most = rate * 5 // 4, rate
        if most:
            self.stdout.write(f"the most that it bears, in steps of a quarter: {most} a second")

    def clusters(self, options: dict[str, Any]) -> None:
        """In turn, so that what else the machine does meets both."""
        drains: dict[int, list[float]] = {1: [], 2: []}
        costs: dict[int, list[float]] = {1: [], 2: []}
        for number in range(1, options["rounds"] + 1):
            for clusters in (1, 2):
                drain, words = _herd(options["triggers"], clusters, options)
                drains[clusters].append(drain)
                self.stdout.write(f"round {number}, herd, {clusters} cluster(s): {words}")
                borne = loads.bear(
                    _load(options, options["rate"], clusters), options["database_url"], options["redis_url"]
                )
                costs[clusters].append(borne.cluster_ms)
                self.stdout.write(f"round {number}, steady, {clusters} cluster(s): {borne}")
        one, two = (statistics.median(drains[clusters]) for clusters in (1, 2))
        self.stdout.write(
            f"two clusters against one: {one / two:.2f} x at a herd of {options['triggers']} ({two:.2f} and "
            f"{one:.2f} s); {statistics.median(costs[2]):.3f} and {statistics.median(costs[1]):.3f} ms an event at "
            f"{options['rate']} a second"
        )

    def poll(self, options: dict[str, Any]) -> None:
        found = loads.poll(*(options[name] for name in ("triggers", "passes", "due", "database_url", "redis_url")))
        idle, events, seconds = found["idle"], found["events"], found["seconds"]
        self.stdout.write(
            f"{options['triggers']:,} triggers, nothing due: a pass of the beat takes p50 "
            f"{benchmark.percentile(idle, 0.5):.3f} ms, p99 {benchmark.percentile(idle, 0.99):.3f} ms, "
            f"max {idle[-1]:.3f} ms"
        )
        self.stdout.write(
            f"{options['due']:,} of them due: {events:,} events claimed and handed over in {seconds:.2f} s, "
            f"{events / seconds:,.0f} a second; {1000 * found['cpu'] / max(events, 1):.3f} ms of processor time each"
        )

    def idle(self, options: dict[str, Any]) -> None:
        seconds = options["seconds"]
        with benchmark.receiver() as receiver, benchmark.server("cluster") as environment:
            at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15)  # after the cluster's start
            benchmark.script(
                environment,
                MAKE_TRIGGERS.format(at=at.isoformat(), every="1", recurring=True, url=receiver.url, count=1),
            )
            receiver.wait_for(seconds, seconds + 30)
            late = benchmark.script(environment, READ_LATENESS.format(url=receiver.url))["late"]
        self.stdout.write(
            f"one fire a second, {len(late)} fires: late p50 {benchmark.percentile(late, 0.5):.1f} ms, "
            f"p99 {benchmark.percentile(late, 0.99):.1f} ms, max {late[-1]:.1f} ms, min {late[0]:.2f} ms"
        )

    def fairness(self, options: dict[str, Any]) -> None:
        """So many events at once for a host that never answers; beside them ten fires a second for one that does."""
        hanging, seconds = options["hanging"], options["seconds"]
        with (
            benchmark.receiver() as receiver,
            benchmark.silent_receiver() as silent,
            benchmark.server("cluster") as environment,
        ):
            at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15)
            make = {"at": at.isoformat(), "every": "1"}
            benchmark.script(environment, MAKE_TRIGGERS.format(**make, recurring=False, url=silent, count=hanging))
            benchmark.script(environment, MAKE_TRIGGERS.format(**make, recurring=True, url=receiver.url, count=10))
            receiver.wait_for(10 * seconds, seconds + 60)
            late = benchmark.script(environment, READ_LATENESS.format(url=receiver.url))["late"]
        self.stdout.write(
            f"{hanging} events for a host that hangs, {len(late)} for one that is well: those are late "
            f"p50 {benchmark.percentile(late, 0.5):.1f} ms, p95 {benchmark.percentile(late, 0.95):.1f} ms, "
            f"max {late[-1]:.1f} ms"
        )

    def api(self, options: dict[str, Any]) -> None:
        with benchmark.server("web", PORT="8399") as environment:
            pk, key = benchmark.script(environment, MAKE_API_TRIGGER)
            url = f"http://127.0.0.1:8399/triggers/{pk}/fire"
            latencies, seconds = asyncio.run(_fire(url, key, options["requests"], options["connections"]))
        self.stdout.write(
            f"{options['requests']} fires by API over {options['connections']} connections: "
            f"{options['requests'] / seconds:.0f} a second; p50 {benchmark.percentile(latencies, 0.5):.1f} ms, "
            f"p99 {benchmark.percentile(latencies, 0.99):.1f} ms"
        )

    def retention(self, options: dict[str, Any]) -> None:
        expiry.measure(options["events"], options["database_url"], here=options["spoil_mine"], tell=self.stdout.write)

    def schedules(self, options: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        for kind, value in (
            ("fixed_interval", "7"),
            ("fixed_time", "02:30"),
            ("cron", "*/5 9-17 * * mon-fri"),
            ("cron", "30 2 L * *"),
        ):
            schedule = schedules.read(kind, value, "Europe/Berlin", now)
            instant, began = now, time.perf_counter()
            for _ in range(20_000):
                instant = schedule.next_after(instant)
            self.stdout.write(f"{kind} {value}: {20_000 / (time.perf_counter() - began):,.0f} next fires a second")

    def peers(self, options: dict[str, Any]) -> None:
        """What each run gave goes to standard error as it comes, the tables to standard output at the end."""
        order = comparison.Order(
            options["sizes"],
            options["rounds"],
            options["limit"],
            options["steady_seconds"],
            settings.DELIVERY_REQUESTS_PER_HOST,
            options["python"],
            options["minutes"],
        )
        words = [word.lower() for word in options["only"]] or [""]
        chosen = [each for each in contenders.CONTENDERS if any(word in each.name.lower() for word in words)]
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped then too
        results = comparison.compare(chosen, order, self.stderr.write)
        self.stdout.write(f"\n{table.markdown(results)}")


def _sizes(text: str) -> list[int]:
    return sorted(int(size) for size in text.split(","))


def _may_name_servers(kind: CommandParser) -> None:
    kind.add_argument("--database-url", default="", help="an empty database, instead of SQLite in a new folder")
    kind.add_argument("--redis-url", default="", help="the queue, instead of a table of the database")


def _add_load(kind: CommandParser) -> None:
    kind.add_argument("--seconds", type=int, default=30)
    kind.add_argument("--every", type=int, default=10, help="seconds between two fires of one trigger")
    kind.add_argument("--signed", action="store_true", help="every trigger has a recipe of its own, and is signed")
    _may_name_servers(kind)


def _load(options: dict[str, Any], rate: int, clusters: int = 1) -> loads.Load:
    return loads.Load(rate, options["seconds"], options["every"], options["signed"], clusters)


def _herd(count: int, clusters: int, options: dict[str, Any]) -> tuple[float, str]:
    """Let so many triggers fall due at one second; return the seconds until the last was received, and all in words."""
    redis = {"REDIS_URL": options["redis_url"]} if options["redis_url"] else {}
    with (
        benchmark.receiver() as receiver,
        benchmark.database(options["database_url"], **redis) as environment,
        benchmark.running(["cluster"] * clusters, environment) as processes,
    ):
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=12 + count // 1000)
        code = MAKE_TRIGGERS.format(at=at.isoformat(), every="86400", recurring=False, url=receiver.url, count=count)
        benchmark.script(environment, code)
        loads.sleep_until(at - timedelta(seconds=3))
        worked = loads.cpu_seconds([process.pid for process in processes])
        is_all = receiver.wait_for(count, (at - datetime.now(UTC)).total_seconds() + 120)
        drain = receiver.last_at.value - at.timestamp()
        time.sleep(2)
        worked = loads.cpu_seconds([process.pid for process in processes]) - worked
        figures = benchmark.script(environment, READ_LATENESS.format(url=receiver.url))
    late = figures["late"]
    return drain, (
        f"{receiver.count.value} of {count} received{'' if is_all else ' (TIMED OUT)'}, "
        f"{figures['unfinished']} unfinished; late p50 {benchmark.percentile(late, 0.5):.0f} ms, "
        f"p99 {benchmark.percentile(late, 0.99):.0f} ms, max {late[-1]:.0f} ms, min {late[0]:.2f} ms; "
        f"drained in {drain:.2f} s, {1000 * worked / count:.3f} ms of processor time each"
    )


def _below_and_ended() -> float:
    """Return the processor time of the processes below this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _fire(url: str, key: str, requests: int, connections: int) -> tuple[list[float], float]:
    """Fire so often over so many connections; return the sorted latencies in ms and the seconds it took."""
    latencies: list[float] = []
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as session:
        await _wait_until_it_answers(session, url)
        remaining = iter(range(requests))

        async def work() -> None:
            for _ in remaining:
                began = time.perf_counter()
                async with session.post(url, json={"n": 1}) as answer:
                    await answer.read()
                    answer.raise_for_status()
                latencies.append((time.perf_counter() - began) * 1000)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        return sorted(latencies), time.perf_counter() - began


async def _wait_until_it_answers(session: aiohttp.ClientSession, url: str) -> None:
    for _ in range(100):
        try:
            async with session.post(url, json={}) as answer:
                await answer.read()
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
