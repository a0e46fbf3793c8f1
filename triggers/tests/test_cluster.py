"""The real cluster as a process: it fires, survives what is killed in it, and stops without a trace."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from pytest_httpserver import HTTPServer

pytestmark = pytest.mark.cluster

MANAGE = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py")]

MAKE_TRIGGER = """
from django.utils import timezone
from triggers import definition
definition.create({{"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "1",
                    "api_endpoint": {url!r}}}, timezone.now())
"""


FIRE_MANY = """
from django.utils import timezone
from triggers import definition, firing
trigger = definition.create({{"type": "api", "api_endpoint": {url!r}}}, timezone.now())
for _ in range({count}):
    firing.fire(trigger, timezone.now())
"""


@dataclass
class Cluster:
    """A running `manage.py cluster` with a trigger that fires every second at the receiver."""

    watcher: subprocess.Popen[bytes]
    database_url: str
    receiver: HTTPServer
    environment: dict[str, str]
    groups: set[int] = field(default_factory=set)  # process groups of its heads so far, dead ones too

    def processes(self) -> list[tuple[int, int]]:
        """Return (pid, parent) of every process of the cluster but its watcher."""
        lines = subprocess.run(
            ["ps", "-ww", "-eo", "pid,ppid,pgid,args"], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(None, 3) for line in lines.splitlines()[1:]]
        mine = [(int(pid), int(parent), int(group)) for pid, parent, group, command in rows if "qcluster" in command]
        self.groups |= {pid for pid, parent, _ in mine if parent == self.watcher.pid}
        return [(pid, parent) for pid, parent, group in mine if group in self.groups]

    def head(self) -> int:
        return self._children(lambda: self.watcher.pid)[0]

    def guard(self) -> int:
        return self._children(self.head)[0]

    def workers(self) -> list[int]:
        return self._children(self.guard)

    def _children(self, parent: Callable[[], int]) -> list[int]:
        """Return the children, once there are any: a cluster may just be starting again."""
        found: list[int] = []

        def look() -> bool:
            above = parent()
            found[:] = sorted(pid for pid, its_parent in self.processes() if its_parent == above)
            return bool(found)

        _wait(look, 60)
        return found

    def beat(self) -> int:
        return int(self.ask("SELECT holder FROM triggers_beat")[0][0].split(":")[1])

    def ask(self, sql: str) -> list[Any]:
        """Return the rows, read past Django: what is really in the database."""
        path = self.database_url.removeprefix("sqlite:///")
        if path != self.database_url:
            with closing(sqlite3.connect(path, timeout=20)) as database:
                return database.execute(sql).fetchall()
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def do(self, sql: str) -> None:
        path = self.database_url.removeprefix("sqlite:///")
        if path != self.database_url:
            with closing(sqlite3.connect(path, timeout=20)) as database, database:
                database.execute(sql)
            return
        with psycopg.connect(self.database_url) as connection:
            connection.execute(sql.encode())

    def shell(self, code: str) -> None:
        """Run Python with the settings of the server."""
        subprocess.run([*MANAGE, "shell", "-v0", "-c", code], env=self.environment, check=True)

    def wait_for_delivery(self, seconds: float) -> None:
        """Wait until the receiver gets a request that is sent from now on."""
        count = len(self.receiver.log)
        _wait(lambda: len(self.receiver.log) > count, seconds)


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """An empty database of the kind that the tests run on, which is not the one that pytest-django holds."""
    given = os.environ.get("DATABASE_URL", "")
    if not given.startswith("postgres"):
        yield f"sqlite:///{tmp_path}/events.sqlite3"
        return
    name = f"cluster_test_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield given.rpartition("/")[0] + f"/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def cluster(tmp_path: Path, database_url: str, receiver: HTTPServer) -> Iterator[Cluster]:
    receiver.expect_request("/hook").respond_with_data("ok")
    environment = os.environ | {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, check=True)
    watcher = subprocess.Popen([*MANAGE, "cluster"], env=environment)
    running = Cluster(watcher, database_url, receiver, environment)
    try:
        running.shell(MAKE_TRIGGER.format(url=receiver.url_for("/hook")))
        running.wait_for_delivery(60)
        yield running
    finally:
        running.watcher.terminate()
        running.watcher.wait(60)


def test_it_goes_on_when_its_processes_are_killed(cluster: Cluster) -> None:
    os.kill(cluster.beat(), signal.SIGKILL)
    cluster.wait_for_delivery(20)
    # All workers but the beat: idle ones among them, which leaves the lock of their queue held.
    for worker in cluster.workers()[:3]:
        os.kill(worker, signal.SIGKILL)
    cluster.wait_for_delivery(60)
    os.kill(cluster.guard(), signal.SIGKILL)
    cluster.wait_for_delivery(60)
    os.kill(cluster.head(), signal.SIGKILL)
    cluster.wait_for_delivery(60)

    instants = cluster.ask("SELECT scheduled_for FROM triggers_event")
    assert len(instants) == len(set(instants))  # no instant twice
    assert cluster.ask("SELECT count(*) FROM triggers_event WHERE first_sent_at < scheduled_for") == [
        (0,)
    ]  # none early


def test_a_host_that_hangs_delays_no_other(cluster: Cluster) -> None:
    # Nobody accepts: the system completes the connections, and no answer ever comes.
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        cluster.shell(FIRE_MANY.format(url=url, count=500))
        _wait(lambda: cluster.ask("SELECT count(*) FROM triggers_event WHERE outcome = 'delivering'")[0][0] > 50, 60)

        for _ in range(5):
            cluster.wait_for_delivery(20)

        # All of those still have most of their way before them; of the others the last one at most is under way.
        outcomes = cluster.ask("SELECT endpoint, outcome, count(*) FROM triggers_event GROUP BY 1, 2")
        hanging = {outcome for endpoint, outcome, _ in outcomes if endpoint == url}
        others = {outcome: count for endpoint, outcome, count in outcomes if endpoint != url}
        assert hanging <= {"pending", "delivering"}
        assert others.pop("succeeded") >= 5
        assert sum(others.values()) <= 2


def test_it_stops_cleanly_and_leaves_nothing_in_its_hands(cluster: Cluster) -> None:
    cluster.processes()

    cluster.watcher.terminate()

    assert cluster.watcher.wait(60) == 0
    assert cluster.processes() == []
    outcomes = dict(cluster.ask("SELECT outcome, count(*) FROM triggers_event GROUP BY 1"))
    assert "delivering" not in outcomes
    assert outcomes["succeeded"] >= 1


def test_it_keeps_its_row_and_outlives_the_loss_of_it(cluster: Cluster) -> None:
    row = "SELECT name, workers FROM triggers_cluster"
    _wait(lambda: cluster.ask(row) == cluster.ask("SELECT cluster, 4 FROM triggers_beat"), 30)

    cluster.do("ALTER TABLE triggers_cluster RENAME TO elsewhere")
    cluster.wait_for_delivery(20)
    cluster.do("DELETE FROM elsewhere")
    cluster.do("ALTER TABLE elsewhere RENAME TO triggers_cluster")
    _wait(lambda: bool(cluster.ask(row)), 30)

    cluster.watcher.terminate()
    assert cluster.watcher.wait(60) == 0
    stopped = "SELECT workers FROM triggers_cluster WHERE stopped_at IS NOT NULL AND is_stopped_in_order"
    assert cluster.ask(stopped) == [(0,)]


def test_nothing_goes_on_when_its_watcher_is_killed(cluster: Cluster) -> None:
    assert cluster.processes()

    cluster.watcher.kill()

    _wait(lambda: not cluster.processes(), 30)


def _wait(is_true: Callable[[], bool], seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < ends_at, f"not within {seconds} s"
        time.sleep(0.1)
