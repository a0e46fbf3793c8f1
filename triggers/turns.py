"""Who writes next: SQLite lets one writer in at a time, and the threads of a web process queue up here for it.

Left to SQLite they would sleep in coarse steps: with 16 callers at once the p99 of a fire was 160 ms, with turns 80 ms.
And when another program holds the write lock for long, half of the threads may wait for it, for PATIENCE_SECONDS; the
others are told at once that it is held, so that pages can be read meanwhile. Workers and the beat have the longer
patience of settings.py: they have nothing better to do.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, connections
from django.db.backends.signals import connection_created

PATIENCE_SECONDS = 5.0
LOOK_EVERY_SECONDS = 0.2  # of a thread that is one too many, and leaves when the lock is held for long
HELD_AFTER_SECONDS = 1.0  # who has its turn gets the lock within milliseconds, unless somebody holds it for long

_BEGIN_TO_WRITE = ("BEGIN", "INSERT", "UPDATE", "DELETE", "REPLACE")  # transactions here are IMMEDIATE


class Queue:
    """Of the threads that want to write. At most `most_waiting` of them wait while the lock is held for long."""

    def __init__(self, most_waiting: int, patience: float = PATIENCE_SECONDS) -> None:
        self._most_waiting, self._patience = most_waiting, patience
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._began_at: float | None = None  # when the one whose turn it is asked SQLite for the lock

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Run a statement, after a turn if it begins to write. (A wrapper as Django's `execute_wrapper` wants it.)"""
        raw: sqlite3.Connection = context["connection"].connection
        if raw.in_transaction or not sql.startswith(_BEGIN_TO_WRITE):
            return execute(sql, params, many, context)
        with self._my_turn(raw):
            return execute(sql, params, many, context)

    @contextmanager
    def _my_turn(self, raw: sqlite3.Connection) -> Iterator[None]:
        left = self._patience
        if not self._turn.acquire(blocking=False):
            started_at = time.monotonic()
            if not self._wait():
                raise _as_sqlite_says_it()
            left -= time.monotonic() - started_at
        self._began_at = time.monotonic()
        try:
            with _patience(raw, max(left, 0.0), self._patience):
                yield
        finally:
            self._began_at = None
            self._turn.release()

    def _wait(self) -> bool:
        """Wait for a turn; return whether it came."""
        with self._counting:
            self._waiting += 1
            is_one_too_many = self._waiting >= self._most_waiting  # the one whose turn it is waits too
        ends_at = time.monotonic() + self._patience
        try:
            while time.monotonic() < ends_at and not (is_one_too_many and self._is_held_for_long):
                if self._turn.acquire(timeout=LOOK_EVERY_SECONDS):
                    return True
            return False
        finally:
            with self._counting:
                self._waiting -= 1

    @property
    def _is_held_for_long(self) -> bool:
        began_at = self._began_at
        return began_at is not None and time.monotonic() - began_at > HELD_AFTER_SECONDS


@contextmanager
def _patience(raw: sqlite3.Connection, left: float, usual: float) -> Iterator[None]:
    """Let SQLite wait for what is left of a thread's patience, when it has waited for its turn already."""
    if usual - left < 0.1:
        yield
        return
    raw.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(usual * 1000)}")


def _as_sqlite_says_it() -> OperationalError:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = OperationalError(*cause.args)
    error.__cause__ = cause
    return error


def begin() -> None:
    """From now on the threads of this web process queue up, where the database is SQLite."""
    if connections["default"].vendor != "sqlite":
        return
    queue = Queue(most_waiting=max(1, settings.WEB_THREADS // 2))
    connections.settings["default"]["OPTIONS"]["timeout"] = PATIENCE_SECONDS

    def join(connection: Any, **_: Any) -> None:
        if queue not in connection.execute_wrappers:
            connection.execute_wrappers.append(queue)

    connection_created.connect(join, dispatch_uid="turns", weak=False)
