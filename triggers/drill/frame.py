"""One drill: an installation under load, a fault in the middle, recovery, quiet, and the accounts."""

from __future__ import annotations

import http.client
import json
import logging
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from triggers import benchmark
from triggers.drill import plan
from triggers.drill.accounts import (
    ON_TIME_SECONDS,
    Accounts,
    Books,
    EventRow,
    Identity,
    Ledger,
    Strike,
    draw_up,
    identity_of,
    real_time,
)
from triggers.drill.callers import Callers
from triggers.drill.faults import Fault, Recovery
from triggers.drill.receiver import receiver
from triggers.drill.site import Site, environment
from triggers.drill.stores import Postgres, Sqlite, Store

logger = logging.getLogger(__name__)

CALM_SECONDS = 3.0  # all that fell due for so long came on time: it is well
WELL_WITHIN_SECONDS = 60.0  # after a start
PATIENCE_SECONDS = 75.0  # for a recovery, after the fault; longer than any promise
DRAINED_WITHIN_SECONDS = 90.0
QUIET_SECONDS = 1.5  # after the last delivery, for one that nobody expects
# Before the end of the plan: every trigger has to hear of it, and to have a fire left.
NOTICE_SECONDS = plan.LONGEST + 2
REQUESTS_AT_ONCE = 8

MAKE_KEY = """
import json
from dashboard.models import ApiKey
print(json.dumps(ApiKey.create("drill")[1]))
"""

READ_EVENTS = """
SELECT id, trigger_id, scheduled_for, triggered_at, outcome, idempotency_key, payload, skip_cause, skipped_count,
       skipped_until FROM triggers_event ORDER BY id
"""
READ_LEDGERS = "SELECT id, fired_count, missed_count, overlap_count FROM triggers_trigger"


class NotWell(Exception):
    """The installation did not come up, so that nothing can be said of the fault."""


@dataclass(frozen=True, slots=True)
class Template:
    """A store that is migrated and has a key; every drill gets a copy of it."""

    folder: Path
    store: str
    key: str
    variables: Mapping[str, str]


def make_template(store_name: str, folder: Path) -> Template:
    """Make the store once, in `folder`."""
    folder.mkdir()
    folder.chmod(0o755)  # PostgreSQL runs as another user
    store = _store(store_name, folder)
    if isinstance(store, Postgres):
        store.database.make()
    variables = {"SECRET_KEY": Fernet.generate_key().decode(), "ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    ours = environment(folder, store, variables)
    store.start()
    try:
        benchmark.run_here(ours)
        key = benchmark.script(ours, MAKE_KEY)
    finally:
        if isinstance(store, Postgres):
            store.database.stop("fast")
        store.stop()
    return Template(folder, store_name, key, variables)


def run(fault: Fault, template: Template, folder: Path, clusters: int, seed: int) -> Accounts:
    """Do one fault to an installation in `folder`, which must not exist; return the accounts. Raises NotWell."""
    chance = random.Random(seed)
    data = folder / "data"
    data.mkdir(parents=True)
    with fault.surroundings(data) as around:
        # With its owners. The folder is there already, and may be a disk of its own.
        subprocess.run(["/bin/cp", "-a", f"{template.folder}/.", str(data)], check=True)
        store = _store(template.store, data, around.host)
        book = receiver(folder / "receiver.jsonl", chance.randrange(2**32), around.host)
        with _started(store), book as receiving:
            site = Site(folder, store, receiving, {**template.variables, **around.variables})
            for number in range(clusters):
                site.add_cluster(around.prefix if number == 0 else ())
            site.start()
            try:
                return _Drill(fault, site, template.key, chance).run()
            finally:
                site.stop()


class _Drill:
    """A drill on an installation that has just been started."""

    def __init__(self, fault: Fault, site: Site, key: str, chance: random.Random) -> None:
        self.fault, self.site, self.key, self.chance = fault, site, key, chance
        self.arrived: dict[Identity | None, float] = {}  # when each thing came first

    def run(self) -> Accounts:
        self._define()
        if not _within(WELL_WITHIN_SECONDS, self._is_calm):
            raise NotWell("The installation does not deliver on time, even without a fault.")
        logger.info("%s: all is well, the fault comes", self.fault.name)
        self._wait_for_the_moment()
        strike = self._strike()
        logger.info("%s: it is over", self.fault.name)
        _within(PATIENCE_SECONDS, lambda: time.time() > strike.ended_at + CALM_SECONDS and self._is_calm())
        logger.info("%s: all is well again", self.fault.name)
        end = self._end_plan()
        self.site.callers.stop()
        _within(DRAINED_WITHIN_SECONDS, lambda: self.site.now() > end + 1 and self._is_drained())
        logger.info("%s: quiet", self.fault.name)
        time.sleep(QUIET_SECONDS)
        self._look()
        return draw_up(self._books(end, strike))

    def _define(self) -> None:
        """Make the triggers by API, and let the callers call."""
        site = self.site
        if not _within(WELL_WITHIN_SECONDS, lambda: self._answers()):
            raise NotWell("The web server does not answer.")
        if not _within(WELL_WITHIN_SECONDS, lambda: all(cluster.is_up() for cluster in site.clusters)):
            raise NotWell("A cluster does not start.")
        logger.info("%s: web and clusters are up", self.fault.name)
        began_at = time.monotonic()
        called = self._request("POST", "/api/triggers", plan.called(site.receiver.url))["id"]
        # As fast as this machine is today: all have to be made before the first instant.
        self.start = int(site.now() + 3 + 10 * (time.monotonic() - began_at))
        timed = plan.timed(self.start, site.receiver.url)
        made = self._request_all([("POST", "/scheduled/triggers", trigger.fields) for trigger in timed])
        self.triggers = [(answer["id"], trigger) for answer, trigger in zip(made, timed, strict=True)]
        self.defining_took = time.monotonic() - began_at
        if site.now() > self.start:
            raise NotWell("The triggers could not be made in time: this machine has too much else to do.")
        site.callers = Callers([f"{site.url}/triggers/{called}/fire"], self.key, self.chance.randrange(2**32))
        site.callers.start()

    def _wait_for_the_moment(self) -> None:
        """Wait for any moment, or, as often, for one at which the requests of a whole second are under way."""
        moment = self.chance.choice((self.chance.uniform(0, 1), self.chance.uniform(0.03, 0.3)))
        time.sleep((moment - time.time()) % 1)

    def _strike(self) -> Strike:
        in_flight = self.site.in_flight()
        began_at = time.time()
        self.fault.strike(self.site, self.chance)
        ended_at = time.time()
        from_when = began_at if self.fault.recovery == Recovery.FAULT else ended_at
        return Strike(began_at, ended_at, in_flight, from_when, self.fault.is_long_downtime)

    def _end_plan(self) -> int:
        """Let every trigger end at one instant a little ahead, and return it."""
        end = int(self.site.now() + NOTICE_SECONDS + self.defining_took)
        self._request_all([("PUT", f"/triggers/{pk}", {"not_after": plan.iso(end)}) for pk, _ in self.triggers])
        if self.site.now() > end - 1.2:  # the beat looks a second ahead
            raise NotWell("The triggers could not be ended in time: this machine has too much else to do.")
        return end

    def _is_calm(self) -> bool:
        """Whether all that was due in the last few seconds came on time."""
        self._look()
        until = time.time() - ON_TIME_SECONDS
        since = until - CALM_SECONDS
        if real_time(self.start, self.site.shifts) > since:
            return False
        now = int(self.site.now())
        due: dict[Identity, float] = {
            ("trigger", planned.number, instant): real_time(instant, self.site.shifts)
            for planned in plan.planned(self.triggers, max(self.start, now - 60), now)
            if not planned.skips_overlaps
            for instant in planned.instants
        }
        # One without a key that had no answer may never have reached the server.
        calls = [call for call in self.site.callers.calls if call.has_key or call.answered]
        due |= {("call", call.name): call.began_at for call in calls}
        looked_at = [(identity, at) for identity, at in due.items() if since < at <= until]
        if not any(kind == "trigger" for (kind, *_), _ in looked_at):
            return False  # the clock was set back, and shows again what it has shown
        return all(self.arrived.get(identity, at + 60) - at <= ON_TIME_SECONDS for identity, at in looked_at)

    def _look(self) -> None:
        for request in self.site.receiver.read():
            self.arrived.setdefault(identity_of(request.body), request.at)

    def _is_drained(self) -> bool:
        with suppress(Exception):  # the store may not be back
            waiting = self.site.ask("SELECT count(*) FROM triggers_trigger WHERE next_fire_at IS NOT NULL")
            return bool(waiting[0][0] == 0 and self.site.unfinished() == 0)
        return False

    def _books(self, end: int, strike: Strike) -> Books:
        return Books(
            plan.planned(self.triggers, self.start, end),
            self.site.callers.calls,
            [_event(row) for row in self.site.ask(READ_EVENTS)],
            {pk: Ledger(*counts) for pk, *counts in self.site.ask(READ_LEDGERS)},
            self.site.receiver.requests,
            strike,
            self.site.shifts,
        )

    def _answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException, RuntimeError):
            self._request("GET", "/triggers")
            return True
        return False

    def _request_all(self, requests: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[Any]:
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            return list(pool.map(lambda request: self._request(*request), requests))

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=10)
        try:
            headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {said.decode(errors='replace')[:300]}")
        return json.loads(said)


def _store(name: str, data: Path, host: str = "127.0.0.1") -> Store:
    return Sqlite(data) if name == "sqlite" else Postgres(data, host)


@contextmanager
def _started(store: Store) -> Iterator[None]:
    store.start()
    try:
        yield
    finally:
        store.stop()


def _within(seconds: float, is_true: Callable[[], bool]) -> bool:
    """Return whether it becomes true within the time."""
    ends_at = time.monotonic() + seconds
    while not (is_so := is_true()) and time.monotonic() < ends_at:
        time.sleep(0.2)
    return is_so


def _event(row: Sequence[Any]) -> EventRow:
    """Return a row as both databases have it."""
    pk, trigger_id, scheduled_for, triggered_at, outcome, key, payload, cause, count, until = row
    return EventRow(
        pk,
        trigger_id,
        _time(scheduled_for),
        _time(triggered_at) or datetime.now(UTC),
        outcome,
        key,
        json.loads(payload) if isinstance(payload, str) else payload,
        cause,
        count,
        _time(until),
    )


def _time(value: Any) -> datetime | None:
    """SQLite has times as text, in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC) if value else None
