"""A whole server of its own for a test: `manage.py up` with its processes, on SQLite in a folder of its choice."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

MANAGE = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py")]
PREPARE = """
import json
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from dashboard.models import ApiKey, User
from triggers import definition
person = User.objects.create_user("mara", "mara@example.org", "correct horse battery", role=User.Role.ADMIN)
session = SessionStore()
session.update({{"_auth_user_id": str(person.pk), "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
                "_auth_user_hash": person.get_session_auth_hash()}})
session.save()
called = definition.create({{"type": "api"}}, timezone.now())
ticking = definition.create({{"type": "scheduled", "schedule_type": "fixed_interval", "schedule_value": "1",
                             "api_endpoint": {endpoint!r}}}, timezone.now())
print(json.dumps([ApiKey.create("test")[1], session.session_key, called.pk, ticking.pk]))
"""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    text: str
    seconds: float


@dataclass
class Running:
    """A server that runs; `called` fires by API and only logs, `ticking` every second at an endpoint."""

    folder: Path
    port: int
    log_file: Path
    key: str = ""
    session: str = ""
    called: int = 0
    ticking: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "events.sqlite3"

    @property
    def log(self) -> list[str]:
        return self.log_file.read_text(encoding="utf-8").splitlines()

    def fire(self, payload: Any = None) -> Reply:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return self.ask("POST", f"/triggers/{self.called}/fire", headers, json.dumps(payload or {}))

    def page(self, path: str = "/dashboard/") -> Reply:
        return self.ask("GET", path, {"Cookie": f"{settings.SESSION_COOKIE_NAME}={self.session}"})

    def ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> Reply:
        started_at = time.monotonic()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        return Reply(response.status, response.headers, text, time.monotonic() - started_at)

    def rows(self, sql: str) -> list[Any]:
        """Return the rows, read past Django: what is really in the database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(sql).fetchall()

    def has_caught_up(self) -> bool:
        """Whether `ticking` fired just now, and nothing that was due waits any more."""
        fired = self.count("scheduled_for > datetime('now', '-3 seconds')")
        return fired > 0 and self.count("hand_over_at IS NOT NULL AND due_at < datetime('now', '-2 seconds')") == 0

    def instants_left_out(self) -> int:
        """How many of the seconds between the first fire of `ticking` and its last have no event of their own."""
        instants = "SELECT min(scheduled_for), max(scheduled_for), count(DISTINCT scheduled_for), count(*)"
        first, last, distinct, events = self.rows(f"{instants} FROM triggers_event WHERE source = 'schedule'")[0]
        assert distinct == events  # none twice
        span = datetime.fromisoformat(last) - datetime.fromisoformat(first)
        return round(span.total_seconds()) + 1 - int(events)

    def count(self, condition: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM triggers_event WHERE {condition}")[0][0])  # noqa: S608


@contextmanager
def running(folder: Path, log_file: Path, endpoint: str, **variables: str) -> Iterator[Running]:
    """Have a server run, with an account, a session, a key and two triggers; it is stopped in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Running(folder, port, log_file)
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment |= {"DATA_DIR": str(folder), "PORT": str(port), "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8", **variables}
    if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        subprocess.run([*MANAGE, "collectstatic", "-v0", "--noinput"], env=environment, check=True)
    subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, check=True)
    code = PREPARE.format(endpoint=endpoint)
    made = subprocess.run([*MANAGE, "shell", "-v0", "-c", code], env=environment, check=True, capture_output=True)
    server.key, server.session, server.called, server.ticking = json.loads(made.stdout)
    with open(log_file, "wb") as log:
        process = subprocess.Popen([*MANAGE, "up"], env=environment, stdout=log, stderr=log)
        try:
            until(lambda: _is_up(server) and server.count("source = 'schedule' AND outcome = 'succeeded'") > 1, 120)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def until(is_true: Callable[[], bool], seconds: float) -> float:
    """Wait until it is true, and return after how many seconds."""
    started_at = time.monotonic()
    while not is_true():
        assert time.monotonic() - started_at < seconds, f"not within {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - started_at


def _is_up(server: Running) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return server.page("/healthz").status == 200
    return False
