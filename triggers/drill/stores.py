"""The databases and the queue of a drill, as servers of its own: started, asked, and done violence to.

A store is made once as a template (migrated, with a key for the API), and copied for every drill.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
import redis

from triggers.drill import processes


class Store(Protocol):
    """Where the server of a drill keeps its data."""

    name: str

    def variables(self) -> dict[str, str]:
        """Return what the server's processes need in their environment."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def ask(self, sql: str) -> list[Any]:
        """Return the rows, read past Django: what is really in the database."""


class Sqlite:
    """A file; the queue is a table in it."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.sqlite3"

    def variables(self) -> dict[str, str]:
        return {"DATABASE_URL": f"sqlite:///{self.path}", "REDIS_URL": ""}

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def ask(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(sql).fetchall()


class Postgres:
    """PostgreSQL and Redis on free ports."""

    name = "postgres"

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.host = host
        self.database = PostgresServer(folder / "postgres", host)
        self.queue = RedisServer(folder, host)

    def variables(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database.url, "REDIS_URL": self.queue.url}

    def start(self) -> None:
        self.database.start()
        self.queue.start()

    def stop(self) -> None:
        self.queue.kill()
        self.database.stop("immediate")

    def ask(self, sql: str) -> list[Any]:
        with psycopg.connect(self.database.url, connect_timeout=5, options="-c timezone=UTC") as connection:
            return connection.execute(sql.encode()).fetchall()


class PostgresServer:
    """A PostgreSQL whose data lie in `folder`; as root it runs as the user postgres, for it refuses to be root."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder, self.host, self.port = folder, host, free_port(host)
        self.url = f"postgres://postgres@{host}:{self.port}/postgres"

    def make(self) -> None:
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        arguments = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", "-D", str(self.folder), *arguments)
        with (self.folder / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("host all all 10.213.77.0/24 trust\n")  # the network of faults.outside

    def start(self) -> None:
        options = (
            f"-c listen_addresses={self.host} -c port={self.port} -c unix_socket_directories= "
            "-c max_wal_size=64MB -c min_wal_size=32MB"
        )
        # It may still be on its way up, by itself, after a crash of one of its processes.
        _until(lambda: self._try_to_start(options), 60, "PostgreSQL does not start")

    def stop(self, mode: str = "fast") -> None:
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "stop")

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def pid(self) -> int:
        return int((self.folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    def kill(self) -> None:
        """Kill the postmaster; its children notice, and go."""
        pids = self.processes()
        os.kill(self.pid(), signal.SIGKILL)
        _until(lambda: not any(processes.is_there(pid) for pid in pids), 30, "PostgreSQL's processes do not end")

    def freeze(self) -> list[int]:
        pids = self.processes()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def thaw(self, pids: Sequence[int]) -> None:
        for pid in reversed(pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def processes(self) -> list[int]:
        """Return the postmaster and all that it has started."""
        return [self.pid(), *processes.children(self.pid())]

    def backends(self) -> list[int]:
        """Return the processes that serve a connection."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return [pid for (pid,) in rows]

    def _try_to_start(self, options: str) -> bool:
        try:
            log = str(self.folder / "log")
            self._run("pg_ctl", "-D", str(self.folder), "-w", "-t", "20", "-l", log, "-o", options, "start")
        except subprocess.CalledProcessError:
            return self.answers()
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_postgres_binaries() / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)


class RedisServer:
    """A Redis that keeps nothing on disk."""

    def __init__(self, folder: Path, host: str) -> None:
        self._folder, self._host, self._port = folder, host, free_port(host)
        self.url = f"redis://{host}:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self._port), "--bind", self._host, "--save", "", "--appendonly", "no"]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--protected-mode", "no"], stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        _until(self.answers, 20, "Redis does not start")

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        return redis.from_url(self.url, socket_timeout=5)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)


def has_postgres() -> bool:
    return bool(_postgres_folders() or shutil.which("initdb"))


def has_redis() -> bool:
    return bool(shutil.which("redis-server"))


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as listening:
        return int(listening.getsockname()[1])


def _postgres_binaries() -> Path:
    """Return where PostgreSQL's programs are; Debian has them off the path."""
    if folders := _postgres_folders():
        return folders[-1]
    return Path(shutil.which("initdb") or "/usr/bin/initdb").parent


def _postgres_folders() -> list[Path]:
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(
        (folder for folder in folders if (folder / "initdb").exists()), key=lambda each: int(each.parent.name)
    )


def _until(is_true: Callable[[], bool], seconds: float, words: str) -> None:
    ends_at = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{words} within {seconds:g} s")
        time.sleep(0.1)
