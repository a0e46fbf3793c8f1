"""The whole installation of one drill: web, clusters and their store in a folder of its own, kept running.

A keeper starts again what ends, a second later, as systemd, Docker or `manage.py up` would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from triggers.drill import processes
from triggers.drill.accounts import Shift
from triggers.drill.callers import Callers
from triggers.drill.receiver import Receiver
from triggers.drill.stores import Store, free_port

STARTED_AGAIN_AFTER_SECONDS = 1.0
MARK = "DRILL_SITE"  # in the environment of every process of a drill, so that none is ever left


class Service:
    """A long-running `manage.py` command, kept alive until it is told to stop."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path, prefix: Sequence[str] = ()) -> None:
        self.name, self.log, self.prefix = name, log, prefix
        self._environment = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None
        self._ended_at: float | None = None

    @property
    def pid(self) -> int:
        assert self.process  # noqa: S101 (whoever asks has started it)
        return self.process.pid

    def start(self) -> None:
        command = [*self.prefix, sys.executable, str(settings.BASE_DIR / "manage.py"), self.name.partition("-")[0]]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._ended_at = None

    def is_up(self) -> bool:
        """Whether it has started its workers."""
        return bool(processes.children(self.pid))

    def keep(self) -> None:
        """Start it again when it has ended a while ago."""
        if self.process is None or self.process.poll() is None:
            return
        self._ended_at = self._ended_at or time.monotonic()
        if time.monotonic() - self._ended_at > STARTED_AGAIN_AFTER_SECONDS:
            self.start()


class Cluster(Service):
    """A `manage.py cluster`, and which of its processes is which."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path, prefix: Sequence[str] = ()) -> None:
        self._signs = Path(environment["TMPDIR"])
        super().__init__(name, environment, log, prefix)

    def head(self) -> int:
        return processes.children(self.pid)[0]

    def guard(self) -> int:
        return processes.children(self.head())[0]

    def workers(self) -> dict[int, int]:
        """Return the workers, each with how many events it said to have in hand."""
        signs = {int(path.name.removeprefix("worker-")): path for path in self._signs.glob("*/worker-*[0-9]")}
        return {
            pid: int(signs[pid].read_text(encoding="ascii").split()[0])
            for pid in processes.children(self.guard())
            if pid in signs
        }

    def monitor(self) -> int:
        return self._others()[0]

    def pusher(self) -> int:
        return self._others()[1]

    def is_up(self) -> bool:
        with suppress(IndexError, OSError):
            return len(self._others()) >= 2 and len(self.workers()) >= 2
        return False

    def _others(self) -> list[int]:
        """The monitor and the pusher, which django-q2 starts in this order after the workers."""
        workers = self.workers()
        return [pid for pid in processes.children(self.guard()) if pid not in workers]


def environment(data: Path, store: Store, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the processes of an installation whose data are in `data` have in their environment."""
    return {
        **os.environ,
        "DATA_DIR": str(data),
        "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG_LEVEL": "INFO",
        MARK: str(data),
        **store.variables(),
        **variables,
    }


class Site:
    """What a fault is done to. Its data lie in a folder of their own, whose disk may be full; its logs beside it."""

    def __init__(self, folder: Path, store: Store, receiver: Receiver, variables: Mapping[str, str]) -> None:
        self.folder, self.store, self.receiver = folder, store, receiver
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.shifts: list[Shift] = []
        self.callers: Callers  # set by the frame, before any fault
        self._environment = environment(self.data, store, variables) | {"PORT": str(self.port)}
        self.services: list[Service] = []
        self.clusters: list[Cluster] = []
        self.web = self._add(Service("web", self._environment, folder / "web.log"))
        self._is_kept = threading.Event()
        self._lock = threading.Lock()

    def add_cluster(self, prefix: Sequence[str] = (), **variables: str) -> Cluster:
        name = f"cluster-{len(self.clusters) + 1}"
        signs = self.folder / name
        signs.mkdir()
        environment = self._environment | {"TMPDIR": str(signs)} | variables
        cluster = Cluster(name, environment, self.folder / f"{name}.log", prefix)
        self.clusters.append(cluster)
        self._add(cluster)
        return cluster

    def start(self) -> None:
        for service in self.services:
            service.start()
        self._is_kept.set()
        threading.Thread(target=self._keep, name="keeper", daemon=True).start()

    def stop(self) -> None:
        """Leave no process of this drill."""
        with self._lock:
            self._is_kept.clear()
        while pids := processes.with_variable(MARK, str(self.data)):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for service in self.services:
                if service.process:
                    service.process.poll()
            time.sleep(0.05)

    def now(self) -> float:
        """Return what the server's clock shows."""
        return time.time() + (self.shifts[-1].seconds if self.shifts else 0.0)

    def ask(self, sql: str) -> list[Any]:
        return self.store.ask(sql)

    def beat(self) -> int:
        """Return the process that beats."""
        return int(self.ask("SELECT holder FROM triggers_beat")[0][0].rpartition(":")[2])

    def leader(self) -> Cluster:
        """Return the cluster that the beat runs in."""
        beat = self.beat()
        return next(cluster for cluster in self.clusters if beat in cluster.workers())

    def in_flight(self) -> int:
        """Return how many events are held by workers, handed over, or about to be."""
        horizon = datetime.fromtimestamp(self.now() + 1.5, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return int(
            self.ask(
                f"SELECT count(*) FROM triggers_event WHERE hand_over_at IS NOT NULL AND due_at <= '{horizon}'"  # noqa: S608
            )[0][0]
        )

    def unfinished(self) -> int:
        return int(self.ask("SELECT count(*) FROM triggers_event WHERE hand_over_at IS NOT NULL")[0][0])

    def _add(self, service: Service) -> Service:
        self.services.append(service)
        return service

    def _keep(self) -> None:
        while True:
            with self._lock:
                if not self._is_kept.is_set():
                    return
                for service in self.services:
                    service.keep()
            time.sleep(0.1)
