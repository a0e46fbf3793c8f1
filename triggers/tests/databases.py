"""Databases of their own for tests that run commands as processes, of the kind that the tests run on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from sqlite3 import connect
from typing import Any

import psycopg
from django.conf import settings

from triggers.tests.clusters import MANAGE


@dataclass(frozen=True)
class Database:
    """A database, and the data folder of a server that runs on it. All servers of a test have the same keys."""

    url: str
    folder: Path
    # What a server has besides, or otherwise.
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.url,
            "DATA_DIR": str(self.folder),
            "ENCRYPTION_KEYS": ",".join(settings.ENCRYPTION_KEYS),
            "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8",
            **self.variables,
        }

    def with_variables(self, **variables: str) -> Database:
        """The same, as a server with other variables sees it."""
        return replace(self, variables=self.variables | variables)

    def run(self, *command: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*MANAGE, *command], env=self.environment, capture_output=True, check=False, **more)

    @contextmanager
    def cluster(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run `manage.py cluster` inside."""
        running = subprocess.Popen([*MANAGE, "cluster"], env=self.environment)
        try:
            yield running
        finally:
            running.terminate()
            running.wait(60)

    def manage(self, *command: str) -> str:
        """Run a command that must succeed; return all that it says."""
        done = self.run(*command)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode() + done.stderr.decode()

    def migrate(self, *target: str) -> None:
        self.manage("migrate", "-v0", *target)

    def shell(self, code: str) -> str:
        """Run Python with the settings of the server; return what it prints."""
        done = self.run("shell", "-v0", "-c", code)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def ask(self, sql: str) -> list[Any]:
        """Return the rows, read past Django: what is really in the database."""
        path = self.url.removeprefix("sqlite:///")
        if path != self.url:
            with closing(connect(path, timeout=20)) as database, database:
                return database.execute(sql).fetchall()
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def made(folder: Path, name: str) -> Iterator[Database]:
    """Yield an empty database, without tables, that is gone afterwards."""
    folder = folder / name
    folder.mkdir()
    given = os.environ.get("DATABASE_URL", "")
    if not given.startswith("postgres"):
        yield Database(f"sqlite:///{folder}/events.sqlite3", folder)
        return
    name = f"test_{name}_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield Database(given.rpartition("/")[0] + f"/{name}", folder)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
