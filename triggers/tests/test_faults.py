"""What is wrong with the database, told apart: by real faults of SQLite, and by what PostgreSQL's errors carry."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.utils import translation

from triggers import faults

pytestmark = pytest.mark.django_db  # connections of its own, which only tests that have a database may open

SETTINGS = {
    "ENGINE": "django.db.backends.sqlite3",
    "OPTIONS": {"timeout": 0.05, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    **dict.fromkeys(("TIME_ZONE", "CONN_MAX_AGE")),
    **dict.fromkeys(("ATOMIC_REQUESTS", "CONN_HEALTH_CHECKS"), False),
    "AUTOCOMMIT": True,
    "TEST": {"NAME": None},
}


@contextmanager
def database(path: Path) -> Iterator[DatabaseWrapper]:
    """A connection of Django's own to a file of SQLite, beside that of the tests."""
    connection = DatabaseWrapper({**SETTINGS, "NAME": str(path)}, alias="beside")
    try:
        yield connection
    finally:
        connection.close()


def write(connection: DatabaseWrapper, size: int = 10) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO notes VALUES (zeroblob(%s))", [size])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (body)")
    return path


def fault_when_written(connection: DatabaseWrapper, size: int = 10) -> faults.Fault | None:
    with pytest.raises(DatabaseError) as caught:
        write(connection, size)
    return faults.fault_of(caught.value)


def test_a_write_lock_that_another_holds(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other, database(path) as connection:
        other.execute("BEGIN IMMEDIATE")
        assert fault_when_written(connection) is faults.LOCKED
        other.execute("ROLLBACK")
        write(connection)


def test_a_database_that_may_not_grow_as_on_a_full_disk(path: Path) -> None:
    with database(path) as connection:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 2")
        assert fault_when_written(connection, 100_000) is faults.FULL


def test_a_file_that_may_not_be_written(path: Path) -> None:
    with database(path) as connection:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = 1")
        assert fault_when_written(connection) is faults.READ_ONLY


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database at all " * 500)
    with database(path) as connection:
        assert fault_when_written(connection) is faults.DAMAGED


def test_a_file_with_damaged_pages(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    with database(path) as connection:
        assert fault_when_written(connection) is faults.DAMAGED


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with database(tmp_path / "gone" / "events.sqlite3") as connection:
        assert fault_when_written(connection) is faults.AWAY


def test_a_database_without_its_migrations(path: Path) -> None:
    with database(path) as connection:
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("DROP TABLE notes")
        assert fault_when_written(connection) is faults.OUTDATED


def test_what_is_a_bug_of_ours_is_no_fault(path: Path) -> None:
    with database(path) as connection, connection.cursor() as cursor:
        with pytest.raises(OperationalError) as caught:
            cursor.execute("SELECT nonsense(1) FROM notes")
        assert faults.fault_of(caught.value) is None
    assert faults.fault_of(IntegrityError("a key twice")) is None
    assert faults.fault_of(ValueError("database is locked")) is None


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (psycopg.errors.DiskFull("could not extend file"), faults.FULL),
        (psycopg.errors.TooManyConnections("sorry"), faults.CROWDED),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT"), faults.READ_ONLY),
        (psycopg.errors.QueryCanceled("canceling statement due to statement timeout"), faults.SLOW),
        (psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"), faults.SLOW),
        (psycopg.errors.SerializationFailure("could not serialize access"), faults.SLOW),
        (psycopg.errors.DeadlockDetected("deadlock detected"), faults.SLOW),
        (psycopg.errors.DataCorrupted("invalid page"), faults.DAMAGED),
        (psycopg.errors.AdminShutdown("terminating connection"), faults.AWAY),
        # Said before a session began, without a SQLSTATE.
        (psycopg.OperationalError("connection failed: Connection refused"), faults.AWAY),
        (psycopg.OperationalError("FATAL: sorry, too many clients already"), faults.CROWDED),
    ],
)
def test_what_postgresql_says(error: psycopg.Error, fault: faults.Fault) -> None:
    with pytest.raises(OperationalError) as caught:
        raise OperationalError(str(error)) from error
    assert faults.fault_of(caught.value) is fault


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_was_idle_for_too_long() -> None:
    @transaction.atomic
    def idle() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            time.sleep(0.5)
            cursor.execute("SELECT 1")

    with pytest.raises(DatabaseError) as caught:
        idle()

    assert faults.fault_of(caught.value) is faults.SLOW
    with connection.cursor() as cursor:  # on a new connection
        cursor.execute("SELECT 1")


def test_a_fault_is_logged_in_one_line_of_english_and_not_in_a_flood(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([100.0, 100.1, 150.0, 161.0])
    monkeypatch.setattr("triggers.faults.time.monotonic", lambda: next(seconds))
    monkeypatch.setattr(faults, "_said", {})
    with translation.override("de"):
        for _ in range(4):
            faults.log(logging.getLogger("a"), "The beat could not write", OperationalError("connection refused"))

    first, second = caplog.messages
    assert first.startswith("The beat could not write: The database does not answer just now.")
    assert first.endswith("[connection refused]")
    assert second.endswith("(2 times more since it was last said)")
    assert not any(record.exc_info for record in caplog.records)


def test_any_other_error_is_logged_whole(caplog: pytest.LogCaptureFixture) -> None:
    faults.log(logging.getLogger("a"), "The task failed", ValueError("a bug"))
    assert caplog.records[0].exc_info
