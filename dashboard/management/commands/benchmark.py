"""`manage.py benchmark pages`: how long every page and live part takes on this server's own database.

The other kinds are the engine's (triggers/management/commands/benchmark.py).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.core.management.base import CommandError
from django.db import connection
from django.db.models import Min
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dashboard.filters import LAST
from dashboard.models import User
from dashboard.tables import progress
from triggers import benchmark, patience, stats
from triggers.management.commands import benchmark as engine
from triggers.models import LARGEST_ID, Event, ReplayBatch, Trigger, active_since

PAGES_MS, POLL_MS = 150, 5  # the aims, at p95
_BY_HTMX = {"HX-Request": "true"}
_A_LITTLE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Asked:
    """An address, and how it is asked: as a page, or by htmx as a live part."""

    label: str
    address: str
    is_part: bool = False
    aim_ms: int = PAGES_MS


class Command(engine.Command):
    def add_kinds(self, kinds: Any) -> None:
        pages = kinds.add_parser(
            "pages", help="every page and live part, on this server's own database (it only reads)"
        )
        pages.add_argument("--rounds", type=int, default=30)
        pages.add_argument("--only", default="", help="those that have this word in their name")

    def pages(self, options: dict[str, Any]) -> None:
        """Each asked in turn, round after round, by Django's test client: all of the server but the socket."""
        if connection.connection is None:  # the database is asked as the web server asks
            patience.bound_waits("benchmark")
        if not Event.objects.exists():
            raise CommandError("There is no event to show. Make some first: manage.py demo_data --preset large")
        asked = [each for each in _asked() if options["only"] in each.label]
        with _somebody() as client:
            queries = {each: self._queries(client, each) for each in asked}  # and all that is read once is read
            gc.collect()
            gc.freeze()  # as the web server does
            taken: dict[Asked, list[float]] = {each: [] for each in asked}
            worked: dict[Asked, list[float]] = {each: [] for each in asked}
            for _ in range(options["rounds"]):
                for each in asked:
                    began, idle_at = time.perf_counter(), _processor_seconds()
                    _ask(client, each)
                    taken[each].append((time.perf_counter() - began) * 1000)
                    worked[each].append((_processor_seconds() - idle_at) * 1000)
        events, triggers = Event.objects.count(), Trigger.objects.count()
        self.stdout.write(
            f"{triggers:,} triggers, {events:,} events, {connection.vendor}, {options['rounds']} rounds, test client"
        )
        # On a machine that others use too, the processor's time says more than the clock.
        self.stdout.write(f"{'':44} {'p50':>8} {'p95':>8} {'cpu p95':>8} {'queries':>8}")
        for each in asked:
            times = sorted(taken[each])
            p50, p95 = benchmark.percentile(times, 0.5), benchmark.percentile(times, 0.95)
            over = f"  over {each.aim_ms} ms" if p95 > each.aim_ms else ""
            cpu = benchmark.percentile(sorted(worked[each]), 0.95)
            self.stdout.write(f"{each.label:44} {p50:8.1f} {p95:8.1f} {cpu:8.1f} {queries[each]:8}{over}")

    def _queries(self, client: Client, each: Asked) -> int:
        with CaptureQueriesContext(connection) as captured:
            status = _ask(client, each)
        if status not in (200, 204, 286):
            raise CommandError(f"{each.label} ({each.address}) answered {status}.")
        return len(captured)


@contextmanager
def _somebody() -> Iterator[Client]:
    """Yield the client of a signed-in person who is gone afterwards."""
    person = User.objects.create(username=f"benchmark-{time.time_ns()}", role="admin")
    client = Client(SERVER_NAME="localhost")
    try:
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        yield client
    finally:
        client.logout()
        person.delete()


def _processor_seconds() -> float:
    """Return what this process has worked, and the one that PostgreSQL has for it, where that runs on this machine."""
    worked = time.process_time()
    if connection.vendor == "postgresql" and connection.connection:
        there = Path(f"/proc/{connection.connection.info.backend_pid}")
        if (there / "schedstat").exists() and (there / "comm").read_text().startswith("postgres"):
            worked += int((there / "schedstat").read_text().split()[0]) / 1e9
    return worked


def _ask(client: Client, each: Asked) -> int:
    response = client.get(each.address, headers=_BY_HTMX if each.is_part else None)
    if response.streaming:  # its first rows: the rest comes as fast as it is taken
        list(islice(response, 2))
    return int(response.status_code)


# --- What is asked ---------------------------------------------------------------------------------------


def _asked() -> list[Asked]:
    return [*_of_the_overview(), *_of_triggers(), *_of_the_log(), *_of_the_api(), *_of_events(), *_others()]


def _of_the_overview() -> Iterator[Asked]:
    yield Asked("overview", reverse("overview"))
    for name in ("tiles", "attention", "chart", "next", "latest"):
        yield Asked(f"overview: {name}", reverse("overview-part", args=[name]), is_part=True)


def _of_triggers() -> Iterator[Asked]:
    address = reverse("trigger-list")
    yield Asked("triggers", address)
    yield Asked("triggers: search", f"{address}?q=invoices", is_part=True)
    yield Asked("triggers: search, nothing found", f"{address}?q=no+such+name", is_part=True)
    yield Asked("triggers: off", f"{address}?state=off", is_part=True)
    yield Asked("triggers: to one host", f"{address}?host=crm.example.com", is_part=True)
    for sort in ("next_fire", "-next_fire", "name", "-name", "success", "-success", "switch", "-switch"):
        yield Asked(f"triggers: sort={sort}", f"{address}?sort={sort}", is_part=True)
    yield Asked("triggers: sort=success, one host", f"{address}?sort=success&host=host-7.example.com", is_part=True)
    yield Asked("triggers: sort=-name, last page", f"{address}?sort=-name&page=100000", is_part=True)
    yield Asked("jump to", f"{reverse('jump')}?q=invoices", is_part=True)
    busiest = list(Trigger.objects.order_by("pk").values_list("pk", flat=True)[:25])
    yield Asked("triggers: live rows", f"{reverse('trigger-live')}?{urlencode([('id', pk) for pk in busiest])}", True)
    for label, pk in _single_triggers():
        yield Asked(f"trigger: {label}", reverse("trigger-detail", args=[pk]))
        yield Asked(f"trigger: {label}, live", reverse("trigger-detail", args=[pk]), is_part=True)
    yield Asked("trigger: changes", reverse("trigger-changes", args=[busiest[0]]))
    yield Asked("trigger: delete, the question", reverse("trigger-delete", args=[busiest[0]]))
    yield Asked("trigger: edit", reverse("trigger-edit", args=[busiest[0]]))
    yield Asked("trigger: new", reverse("trigger-create"))
    yield Asked("next 24 h", reverse("trigger-upcoming"))


def _single_triggers() -> Iterator[tuple[str, int]]:
    yield "busy", Trigger.objects.order_by("pk").values_list("pk", flat=True)[0]
    if test := Trigger.objects.filter(is_test=True).first():
        yield "tests only", test.pk
    if failing := stats.failing():
        yield "failing", failing[0].trigger.pk
    yield "quiet", Trigger.objects.order_by("-pk").values_list("pk", flat=True)[0]


def _of_the_log() -> Iterator[Asked]:
    newest = Event.objects.latest("pk")
    oldest = Event.objects.aggregate(pk=Min("pk"))["pk"]
    busy, middle = newest.trigger_id, (newest.pk + oldest) // 2
    at = timezone.localtime(Event.objects.filter(pk__gte=middle).order_by("pk")[0].triggered_at)
    other = Event.Source.API if newest.source == Event.Source.SCHEDULE else Event.Source.SCHEDULE
    rare = [Event.Outcome.SKIPPED, Event.Outcome.DELIVERING]
    queries: dict[str, dict[str, Any]] = {
        "": {},
        "active": {"state": "active"},
        "archived": {"state": "archived"},
        **{outcome: {"outcome": outcome} for outcome in Event.Outcome.values},
        **{f"{outcome}, archived": {"outcome": outcome, "state": "archived"} for outcome in Event.Outcome.values},
        "skipped or delivering": {"outcome": rare},
        "failed, active, without tests": {"outcome": "failed", "state": "active", "tests": "hide"},
        **{f"source {source}": {"source": source} for source in Event.Source.values},
        "source replay, archived": {"source": "replay", "state": "archived"},
        "without tests": {"tests": "hide"},
        "search of a common word": {"q": "invoices"},
        "search of a rare word": {"q": "orders (EU)"},
        "search, nothing found": {"q": "no such name"},
        "search of a word, failed": {"q": "invoices", "outcome": "failed"},
        "search of an id": {"q": middle},
        "one trigger": {"trigger": busy},
        "one trigger, archived": {"trigger": busy, "state": "archived"},
        "one trigger, failed": {"trigger": busy, "outcome": "failed"},
        "one trigger, skipped": {"trigger": busy, "outcome": "skipped"},
        "one trigger, tests": {"trigger": busy, "source": "test"},
        "older, in the middle": {"older": middle},
        "newer, in the middle": {"newer": middle},
        "failed, older": {"outcome": "failed", "older": middle},
        "the oldest page": {"older": oldest},
        **{f"the last {words}": {"last": span} for span, words in LAST},
        "the last hour, one trigger": {"last": "1h", "trigger": busy},
        "the last 24 h, failed": {"last": "24h", "outcome": "failed"},
        "from and until": {"from": f"{at - _A_LITTLE:%Y-%m-%dT%H:%M}", "until": f"{at:%Y-%m-%dT%H:%M}"},
        "from and until, failed": {
            "from": f"{at - _A_LITTLE:%Y-%m-%dT%H:%M}",
            "until": f"{at:%Y-%m-%dT%H:%M}",
            "outcome": "failed",
        },
        # What finds nothing has to be found out too.
        "nothing: skipped tests": {"outcome": "skipped", "source": "test"},
        "nothing: logged replays": {"outcome": "logged", "source": "replay"},
        "nothing: failed, by a test, archived": {"outcome": "failed", "source": "test", "state": "archived"},
        "nothing: skipped calls": {"outcome": "skipped", "source": "api"},
        "nothing: logged schedules of a busy trigger": {"outcome": "logged", "source": "schedule", "trigger": busy},
        "nothing: another source of a busy trigger": {"source": other, "trigger": busy},
        "nothing: pending tests": {"outcome": "pending", "source": "test"},
        "nothing: a trigger that is not there": {"trigger": LARGEST_ID},
        "nothing: before all": {"until": "2001-01-01T00:00"},
        "text, found at once": {"q": "accepted", "in": "bodies"},
        "text, seldom": {"q": "worker pool", "in": "bodies"},
        "text, found nowhere": {"q": "no such text", "in": "bodies"},
        "text, in failed ones": {"q": "worker pool", "in": "bodies", "outcome": "failed"},
        "text, a step further back": {"q": "no such text", "in": "bodies", "older": middle},
        "text, in the last hour": {"q": "no such text", "in": "bodies", "last": "1h"},
    }
    address = reverse("event-log")
    for label, query in queries.items():
        yield Asked(f"log: {label}".removesuffix(": "), f"{address}?{urlencode(query, doseq=True)}")
    nothing = {"since": newest.pk, "unfinished": "", "waiting": 0}
    yield Asked("log: poll, nothing new", f"{address}?{urlencode(nothing)}", True, POLL_MS)
    yield Asked("log: poll, the number only", f"{address}?{urlencode(nothing | {'only': 'count'})}", True, POLL_MS)
    shown = list(Event.objects.failed().order_by("-pk").values_list("pk", flat=True)[:50])
    late = {"outcome": "failed", "since": shown[0] if shown else 0, "shown": ",".join(map(str, shown)), "waiting": 0}
    yield Asked("log: poll of failed, nothing new", f"{address}?{urlencode(late)}", True, POLL_MS)
    behind = newest.pk - 40
    yield Asked("log: poll, 40 new", f"{address}?{urlencode(nothing | {'since': behind})}", True)

    for label, query in (("all", {}), ("failed", {"outcome": "failed"}), ("one trigger", {"trigger": busy})):
        for kind in ("csv", "jsonl"):
            address = f"{reverse('event-export')}?{urlencode(query | {'format': kind})}"
            yield Asked(f"export: {label}, first rows, {kind}", address)


def _of_the_api() -> Iterator[Asked]:
    newest = Event.objects.latest("pk")
    middle = (newest.pk + Event.objects.aggregate(pk=Min("pk"))["pk"]) // 2
    queries: dict[str, dict[str, Any]] = {
        "": {},
        "1000 events": {"limit": 1000},
        **{outcome: {"outcome": outcome} for outcome in Event.Outcome.values},
        "active": {"state": "active"},
        "archived": {"state": "archived"},
        "failed, archived": {"outcome": "failed", "state": "archived"},
        "delivering, archived": {"outcome": "delivering", "state": "archived"},
        "one trigger": {"trigger_id": newest.trigger_id},
        "one trigger, failed, active": {"trigger_id": newest.trigger_id, "outcome": "failed", "state": "active"},
        "from the middle": {"cursor": middle},
        "failed, from the middle": {"outcome": "failed", "cursor": middle},
        "archived, from the middle": {"state": "archived", "cursor": middle},
    }
    for label, query in queries.items():
        yield Asked(f"api events: {label}".removesuffix(": "), f"/event_logs?{urlencode(query)}")
    yield Asked("api event", f"/event_logs/{newest.pk}")
    yield Asked("api triggers", "/triggers")


def _of_events() -> Iterator[Asked]:
    now = timezone.now()
    found = {
        "succeeded": Event.objects.filter(outcome="succeeded").order_by("-pk").first(),
        "failed": Event.objects.failed().order_by("-pk").first(),
        "pending": Event.objects.filter(hand_over_at__isnull=False).order_by("-pk").first(),
        "archived": Event.objects.filter(triggered_at__lte=active_since(now)).order_by("-triggered_at").first(),
    }
    for label, event in found.items():
        if event:
            yield Asked(f"event: {label}", reverse("event-detail", args=[event.pk]))
    if pending := found["pending"]:
        address = reverse("event-detail", args=[pending.pk])
        yield Asked("event: poll, nothing new", f"{address}?v={progress(pending)}", is_part=True)


def _others() -> Iterator[Asked]:
    address = reverse("failed-list")
    yield Asked("failed for good", address)
    yield Asked("failed for good, live", address, is_part=True)
    failed = Event.objects.failed_for_good().order_by("-pk")
    if newest := failed.first():
        yield Asked("failed for good: one trigger", f"{address}?trigger={newest.trigger_id}")
        yield Asked("failed for good: older", f"{address}?older={newest.pk}")
        yield Asked("event: replay, the question", reverse("event-replay", args=[newest.pk]))
    if batch := ReplayBatch.objects.order_by("-total").first():
        yield Asked("replays: a batch", reverse("replay-detail", args=[batch.pk]))
    yield Asked("failed: replay them, the question", reverse("failed-replay"))
    yield Asked("test receiver", reverse("sink"))
    yield Asked("dispatcher", reverse("dispatcher"), is_part=True)
    yield Asked("system health", reverse("health"))
    yield Asked("system health, live", reverse("health"), is_part=True)
    yield Asked("system health, as text", reverse("health-text"))
    yield Asked("password", reverse("password-change"))
