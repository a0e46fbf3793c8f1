"""How this server is: all that System health shows, the one sentence on top, and the same as text for a bug report."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from dashboard import checks
from dashboard.checks import Check
from dashboard.templatetags.figures import size_words
from dashboard.templatetags.times import day_and_clock, duration_words
from triggers import health, sqlite_file, stats
from triggers.faults import FULL, Fault
from triggers.models import Beat, Cluster

LOW_DISK, FULL_DISK = 1_000_000_000, 200_000_000  # bytes
CLEAN_UP_IS_LATE_AFTER = timedelta(minutes=10)
MONITORS = "/healthz"


@dataclass(frozen=True, slots=True)
class Sentence:
    """The worst thing, and the way out. `level` is "ok", "warn" or "bad"; `others`: how many more there are."""

    level: str
    words: str
    remedy: str = ""
    others: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    now: datetime
    dispatcher: stats.Dispatcher
    recent: health.Recent
    queue: health.Queue
    busiest: float | None
    oldest: health.Due | None
    lag_hours: list[health.LagHour]
    clusters: list[health.Member]
    last_beat: Beat | None
    kept: health.Kept
    store: health.Store
    trouble: Fault | None  # that keeps SQLite from being written
    checks: list[Check]

    @property
    def waited(self) -> timedelta | None:
        """How long the oldest has been due."""
        return self.now - self.oldest.since if self.oldest else None

    @property
    def beat(self) -> Beat | None:
        """The beat, while it lives."""
        return self.last_beat if self.last_beat and self.last_beat.is_alive(self.now) else None

    @property
    def disk_level(self) -> str:
        free = self.store.free
        if free is None or free >= LOW_DISK:
            return "ok"
        return "warn" if free >= FULL_DISK else "bad"

    @property
    def is_clean_up_late(self) -> bool:
        last = self.kept.last
        return last is not None and self.now - last.at > CLEAN_UP_IS_LATE_AFTER

    @property
    def sentence(self) -> Sentence:
        found = sorted(_problems(self), key=lambda problem: problem.level != "bad")
        if not found:
            return Sentence("ok", _("Everything is running."))
        return Sentence(found[0].level, found[0].words, found[0].remedy, len(found) - 1)


def look(request: HttpRequest, now: datetime) -> Health:
    """Look at everything. About twenty short queries; the first look of a process makes some more (lag by hour)."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    dispatcher = stats.dispatcher(now)
    return Health(
        now=now,
        dispatcher=dispatcher,
        recent=health.recent(now),
        queue=health.queue(),
        busiest=health.busiest_hour(midnight),
        oldest=health.oldest_due(now),
        lag_hours=health.lag_hours(now),
        clusters=health.clusters(now),
        last_beat=health.beat(),
        kept=health.kept(now),
        store=health.store(),
        trouble=sqlite_file.trouble(dispatcher.state == "stopped"),
        checks=[
            checks.database(),
            checks.clock(),
            checks.migrations(),
            checks.queue(),
            checks.keys(),
            checks.public_url(request),
        ],
    )


def _problems(found: Health) -> Iterator[Sentence]:
    """Everything that is not as it should be, those that stop the server first."""
    dispatcher = found.dispatcher
    if found.trouble:
        yield Sentence("bad", str(found.trouble.words), str(found.trouble.remedy))
    elif dispatcher.state == "stopped":
        start = _("Start it with manage.py cluster; nothing that was accepted is lost.")
        # A beat that ended in order leaves no time; the clusters do.
        since = dispatcher.seen_at or max((member.cluster.seen_at for member in found.clusters), default=None)
        if since is None:
            yield Sentence("bad", _("The dispatcher is not running: nothing fires."), start)
        else:
            words = _("The dispatcher stopped, nothing fires since %(time)s.")
            yield Sentence("bad", words % {"time": day_and_clock(since, found.now)}, start)
    if found.disk_level != "ok" and found.trouble is not FULL:
        words = (
            _("Disk almost full: %(size)s left.")
            if found.disk_level == "bad"
            else _("Disk space is low: %(size)s left.")
        )
        yield Sentence(
            found.disk_level,
            words % {"size": size_words(found.store.free or 0)},
            _("At a full disk nothing is accepted: make room, or keep events for less time (EVENT_RETENTION_HOURS)."),
        )
    if dispatcher.state == "lagging":
        words = _("The dispatcher lags: something has been due for %(time)s.") % {
            "time": duration_words(dispatcher.lag)
        }
        yield Sentence(
            "warn", words, _("Look at the clusters below; a further one, or more CLUSTER_WORKERS, takes more.")
        )
    for member in found.clusters:
        if member.state == Cluster.State.SILENT:
            words = _("Cluster %(name)s has not been seen since %(time)s.")
            values = {"name": member.cluster.name, "time": day_and_clock(member.cluster.seen_at, found.now)}
            yield Sentence("warn", words % values, _("Its process was killed, or cannot reach the database."))
    if found.is_clean_up_late and dispatcher.state != "stopped" and found.kept.last:
        words = _("The last clean-up was at %(time)s.") % {"time": day_and_clock(found.kept.last.at, found.now)}
        yield Sentence("warn", words, _("It should run each minute: the log of the clusters says why it does not."))
    for check in found.checks:
        if check.level != "ok":
            yield Sentence(check.level, f"{check.name}: {check.words}.", check.remedy)


# --- As text ---------------------------------------------------------------------------------------------


def report(request: HttpRequest, now: datetime) -> str:
    """Return all of it for a bug report, in English: no keys, no addresses, no hosts, no names that people gave."""
    with translation.override("en"), timezone.override(UTC):
        return "\n".join(_lines(look(request, now))) + "\n"


def _lines(found: Health) -> Iterator[str]:
    sentence = found.sentence
    more = f" ({sentence.others} more below)" if sentence.others else ""
    yield f"Event Trigger Platform {settings.VERSION}, {found.now:%Y-%m-%d %H:%M:%S} UTC"
    yield f"{sentence.words}{more}"
    yield ""
    yield f"Dispatcher   {found.dispatcher.state}, lag {duration_words(found.dispatcher.lag)}, {_lag(found.recent.lag)}"
    queue = found.queue
    plus = "+" if queue.is_capped else ""
    yield (
        f"Queue        {queue.total:,}{plus}: {queue.delivering:,} delivering, {queue.retrying:,} waiting for a retry, "
        f"{queue.waiting:,} for their first attempt"
    )
    yield f"Oldest due   {duration_words(found.now - found.oldest.since) if found.oldest else 'nothing is due'}"
    yield f"Deliveries   {found.recent.deliveries_per_minute:.1f} per min"
    yield f"Lag, 24 h    {_worst(found.lag_hours)}"
    kept = found.kept
    yield f"Events       {_amount(kept.active)} active, {_amount(kept.archived)} archived"
    if kept.last:
        ago = duration_words(found.now - kept.last.at)
        yield f"Clean-up     {ago} ago, deleted {kept.last.deleted:,}"
    free = f", {size_words(found.store.free)} free on its disk" if found.store.free is not None else ""
    yield f"Size         {size_words(found.store.size)}{free}"
    yield ""
    if found.beat and found.beat.started_at and found.beat.seen_at:
        up_for, seen = map(duration_words, (found.now - found.beat.started_at, abs(found.now - found.beat.seen_at)))
        work = f"{found.beat.executed:,} events handed over, {found.beat.handed_over:,} by all beats"
        yield f"Beat         up for {up_for}, seen {seen} ago, {work}"
    yield f"Clusters     {'' if found.clusters else 'none'}".rstrip()
    for member in found.clusters:
        cluster = member.cluster
        line = f"  {cluster.name}: {member.state}, seen {duration_words(cluster.age(found.now))} ago"
        if member.is_heard:
            work = f"{cluster.workers} workers, {cluster.delivering:,} delivering, {cluster.executed:,} finished"
            line += f", {work}, up for {duration_words(member.up_for)}"
        elif cluster.stopped_at:
            line += ", stopped in order" if cluster.is_stopped_in_order else ", stopped, work cut off"
        yield line
    yield ""
    yield "Checks"
    for check in found.checks:
        yield f"  {check.level:4} {check.name}: {check.public or check.words}"
    yield ""
    yield (
        f"Python {platform.python_version()}, Django {version('django')}, django-q2 {version('django-q2')}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"{settings.WEB_WORKERS} web processes of {settings.WEB_THREADS} threads, "
        f"{settings.CLUSTER_WORKERS} workers a cluster, events kept {settings.EVENT_RETENTION_HOURS} h"
    )


def _lag(lag: health.Lag | None) -> str:
    if lag is None:
        return "nothing sent in the last 5 min"
    return f"in the last 5 min median {duration_words(lag.median)}, p95 {duration_words(lag.p95)}"


def _worst(hours: Sequence[health.LagHour]) -> str:
    worst = max((hour.lag.p95 for hour in hours if hour.lag), default=None)
    return "nothing sent" if worst is None else f"p95 of the worst hour {duration_words(worst)}"


def _amount(amount: health.Amount) -> str:
    return f"{amount.count:,}" if amount.is_exact else f"about {amount.count:,}"
