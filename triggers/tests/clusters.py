"""Real clusters as processes, for tests: started, looked into past Django, and stopped."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from pytest_httpserver import HTTPServer

MANAGE = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py")]

MAKE_TRIGGER = """
from django.utils import timezone
from triggers import definition
definition.create({{"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "1",
                    "api_endpoint": {url!r}}}, timezone.now())
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

        wait(look, 60)
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
        wait(lambda: len(self.receiver.log) > count, seconds)


@contextmanager
def running(environment: dict[str, str], receiver: HTTPServer) -> Iterator[Cluster]:
    """Run a cluster with a trigger that fires every second at the receiver, on a database that has been migrated."""
    watcher = subprocess.Popen([*MANAGE, "cluster"], env=environment)
    cluster = Cluster(watcher, environment["DATABASE_URL"], receiver, environment)
    try:
        cluster.shell(MAKE_TRIGGER.format(url=receiver.url_for("/hook")))
        cluster.wait_for_delivery(60)
        yield cluster
    finally:
        watcher.terminate()
        watcher.wait(60)


def migrate(environment: dict[str, str]) -> None:
    subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, check=True)


def surroundings(folder: Path, database_url: str) -> dict[str, str]:
    """Return the environment of a server of its own, with its data in `folder`."""
    return os.environ | {
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url,
        "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def wait(is_true: Callable[[], bool], seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < ends_at, f"not within {seconds} s"
        time.sleep(0.1)
