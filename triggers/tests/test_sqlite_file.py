"""The file of SQLite: its log is folded, its disk is looked at, and a reserve is there to make room with."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from triggers import faults, retention, sqlite_file
from triggers.models import Event
from triggers.tests.factories import make_event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite,
]


@pytest.fixture
def path() -> Iterator[Path]:
    path = sqlite_file.path()
    assert path is not None
    yield path
    sqlite_file.give_up_reserve()


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program at the same file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def log_size(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


def test_the_log_is_folded_when_it_is_large(path: Path) -> None:
    make_event(payload={"text": "x" * 100_000})
    assert not sqlite_file.fold_log(larger_than=50_000_000)
    assert log_size(path) > 100_000
    assert sqlite_file.fold_log(larger_than=100_000)
    assert log_size(path) == 0


def test_nobody_waits_for_a_long_reader_and_the_log_is_folded_after_it(path: Path, other: sqlite3.Connection) -> None:
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM triggers_event").fetchall()
    make_event()
    assert not sqlite_file.fold_log()
    make_event()  # at once
    other.execute("ROLLBACK")
    assert sqlite_file.fold_log()
    assert Event.objects.count() == 2


def test_every_connection_lets_sqlite_cut_a_log_that_has_grown() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_size_limit")
        assert cursor.fetchone() == (sqlite_file.LARGE_LOG_BYTES,)


def test_it_says_why_nothing_can_be_written(path: Path, other: sqlite3.Connection) -> None:
    assert sqlite_file.trouble(is_silent=True) is None
    other.execute("BEGIN IMMEDIATE")
    assert sqlite_file.trouble(is_silent=True) is faults.LOCKED
    assert sqlite_file.trouble(is_silent=False) is None  # something beats: whoever holds it lets go again
    other.execute("ROLLBACK")


def test_a_disk_without_room_is_trouble_before_a_write_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "NO_ROOM_BYTES", 1 << 60)
    assert sqlite_file.trouble(is_silent=False) is faults.FULL


def test_the_reserve_is_kept_where_there_is_plenty_of_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sqlite_file.keep_reserve()
    reserve = Path(f"{path}-reserve")
    assert reserve.stat().st_size == sqlite_file.RESERVE_BYTES
    assert reserve.stat().st_blocks * 512 >= sqlite_file.RESERVE_BYTES
    assert sqlite_file.give_up_reserve()
    assert not sqlite_file.give_up_reserve()
    monkeypatch.setattr(sqlite_file, "RESERVE_BYTES", 1 << 58)
    assert not sqlite_file.keep_reserve()


def test_a_reserve_that_cannot_be_made_whole_is_none(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    is_ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sqlite_file.RESERVE_BYTES // 2, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            sqlite_file.keep_reserve()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, is_ignored)

    assert not Path(f"{path}-reserve").exists()
    assert sqlite_file.keep_reserve()


def test_room_is_made_of_what_is_expired_and_of_nothing_else(path: Path) -> None:
    now = timezone.now()
    sqlite_file.keep_reserve()
    young = make_event(outcome="succeeded")
    assert retention.make_room(now) == 0
    assert Path(f"{path}-reserve").exists()  # for nothing, it is not given up

    make_event(outcome="succeeded", triggered_at=now - timedelta(hours=settings.EVENT_RETENTION_HOURS + 1))
    assert retention.make_room(now) == 1
    assert list(Event.objects.all()) == [young]
    assert Path(f"{path}-reserve").exists()  # there is room again
