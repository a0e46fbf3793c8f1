"""The threads of a web process queue up for SQLite's write lock, and not all of them, and not for long."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from triggers import faults, turns

INSERT = "INSERT INTO notes VALUES (1)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (body)")
    return path


def writer(path: Path, queue: turns.Queue, patience: float) -> Callable[[str], float]:
    """Return what runs a statement as a thread of the web does, on a connection of its own, and says for how long."""

    def run(sql: str) -> float:
        with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as raw:
            started_at = time.monotonic()
            try:
                queue(lambda *_: raw.execute(sql), sql, (), False, {"connection": SimpleNamespace(connection=raw)})
            except (OperationalError, sqlite3.OperationalError):
                return time.monotonic() - started_at
            return 0.0

    return run


def test_threads_write_one_after_another_and_none_fails(path: Path) -> None:
    run = writer(path, turns.Queue(most_waiting=4), patience=5)
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(run, [INSERT] * 400)) == {0.0}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchall() == [(400,)]


def test_half_of_the_threads_wait_while_another_program_holds_the_lock(path: Path) -> None:
    run = writer(path, turns.Queue(most_waiting=4, patience=3.0), patience=3.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor(16) as threads:
        other.execute("BEGIN IMMEDIATE")
        first = [threads.submit(run, INSERT) for _ in range(8)]
        time.sleep(turns.HELD_AFTER_SECONDS + 0.5)
        later = [threads.submit(run, INSERT) for _ in range(4)]

        # Who comes late is told at once; of the first, half leave as soon as it is plain that the lock is held.
        assert max(each.result() for each in later) < 2.5
        waited = sorted(each.result() for each in first)
        assert sum(seconds < 2.5 for seconds in waited) >= 4
        # The others wait as long as they may, turn and SQLite together.
        assert 2.5 < waited[-1] < 6


def test_reading_and_what_has_the_lock_already_wait_for_no_turn(path: Path) -> None:
    queue = turns.Queue(most_waiting=1)
    run = writer(path, queue, patience=0.1)
    inside, leave = threading.Event(), threading.Event()

    def long_statement(*_: Any) -> None:
        inside.set()
        assert leave.wait(10)

    with closing(sqlite3.connect(path, isolation_level=None)) as raw, ThreadPoolExecutor(1) as threads:
        context = {"connection": SimpleNamespace(connection=raw)}
        held = threads.submit(queue, long_statement, INSERT, (), False, context)
        assert inside.wait(10)
        assert run("SELECT count(*) FROM notes") == 0.0
        assert run("PRAGMA page_count") == 0.0
        leave.set()
        held.result()


def test_who_is_turned_away_hears_what_sqlite_would_have_said() -> None:
    assert faults.fault_of(turns._as_sqlite_says_it()) is faults.LOCKED
