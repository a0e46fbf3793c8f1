"""The database is restarted, killed, hangs, is locked, or its disk is full."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from triggers.drill.faults.fault import Fault, Need, Recovery, Surroundings
from triggers.drill.site import Site
from triggers.drill.stores import Postgres, PostgresServer, Sqlite

AWAY_SECONDS = 3.0
FROZEN_SECONDS = 15.0
LOCKED_SECONDS = 15.0
FULL_SECONDS = 12.0
DISK_BYTES = 256 * 1024 * 1024


def _database(site: Site) -> PostgresServer:
    assert isinstance(site.store, Postgres)  # noqa: S101 (the faults below are of this store alone)
    return site.store.database


def _restart_fast(site: Site, chance: random.Random) -> None:
    _database(site).stop("fast")
    _database(site).start()


def _restart_immediate(site: Site, chance: random.Random) -> None:
    _database(site).stop("immediate")
    _database(site).start()


def _kill(site: Site, chance: random.Random) -> None:
    _database(site).kill()
    time.sleep(AWAY_SECONDS)
    _database(site).start()


def _kill_backend(site: Site, chance: random.Random) -> None:
    """All others are ended with it, and PostgreSQL recovers as after a crash."""
    os.kill(chance.choice(_database(site).backends()), signal.SIGKILL)


def _freeze(site: Site, chance: random.Random) -> None:
    pids = _database(site).freeze()
    time.sleep(FROZEN_SECONDS)
    _database(site).thaw(pids)


def _lock(site: Site, chance: random.Random) -> None:
    assert isinstance(site.store, Sqlite)  # noqa: S101
    with closing(sqlite3.connect(site.store.path, timeout=20, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(LOCKED_SECONDS)
        other.execute("ROLLBACK")


@contextmanager
def _small_disk(folder: Path) -> Iterator[Surroundings]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "drill", str(folder)], check=True)  # noqa: S607
    try:
        yield Surroundings()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def _fill_disk(site: Site, chance: random.Random) -> None:
    filler = site.data / "filler"
    ends_at = time.monotonic() + FULL_SECONDS
    with filler.open("ab", buffering=0) as file:
        while time.monotonic() < ends_at:
            for size in (1 << 20, 1 << 12, 1):  # to the last byte
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            time.sleep(0.1)
    filler.unlink()
    if isinstance(site.store, Postgres):
        site.store.database.start()  # it ends when it cannot write its log; whoever made room starts it


_POSTGRES, _SQLITE = ("postgres",), ("sqlite",)
DATABASE = (
    Fault("postgres-fast", "PostgreSQL is restarted (fast)", _restart_fast, _POSTGRES, Recovery.ITS_END),
    Fault("postgres-immediate", "PostgreSQL is restarted (immediate)", _restart_immediate, _POSTGRES, Recovery.ITS_END),
    Fault(
        "postgres-killed",
        "PostgreSQL is killed, and started 3 s later",
        _kill,
        _POSTGRES,
        Recovery.ITS_END,
        is_quick=True,
    ),
    Fault("postgres-backend", "a backend of PostgreSQL is killed: all are ended", _kill_backend, _POSTGRES),
    Fault("postgres-stopped", "PostgreSQL hangs for 15 s", _freeze, _POSTGRES, Recovery.ITS_END),
    Fault(
        "sqlite-locked",
        "another process holds SQLite's write lock for 15 s",
        _lock,
        _SQLITE,
        Recovery.ITS_END,
        is_quick=True,
    ),
    Fault(
        "disk-full",
        "the disk under the database is full for 12 s",
        _fill_disk,
        recovery=Recovery.ITS_END,
        needs=(Need.ROOT,),
        surroundings=_small_disk,
    ),
)
