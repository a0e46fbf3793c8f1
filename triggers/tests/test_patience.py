"""Nobody holds a lock for ever, and nobody waits for one for ever."""

from __future__ import annotations

import os

import psycopg
import pytest
from django.conf import LazySettings
from django.db import connection

from triggers import patience

pytestmark = pytest.mark.postgres


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    """The waits of web and clusters, but shorter."""
    for name in ("PGOPTIONS", "PGAPPNAME"):
        monkeypatch.setenv(name, "")  # so that it is put back after the test
        monkeypatch.delenv(name)
    monkeypatch.setattr(patience, "IDLE_SECONDS", 1)
    monkeypatch.setattr(patience, "LOCK_SECONDS", 2)
    settings.DATABASE_STATEMENT_SECONDS = 3
    patience.bound_waits("test")


@pytest.fixture
def dsn(transactional_db: None) -> str:
    """Where the tests' own database is, for connections past Django."""
    given = connection.settings_dict
    return psycopg.conninfo.make_conninfo(
        host=given["HOST"], port=given["PORT"], user=given["USER"], password=given["PASSWORD"], dbname=given["NAME"]
    )


def test_who_freezes_in_a_transaction_lets_its_locks_go(dsn: str, bounded: None) -> None:
    lock = "INSERT INTO triggers_beat (id, generation, holder, cluster) VALUES (1, 0, '', '')"
    frozen = psycopg.connect(dsn)
    frozen.execute(lock)

    with psycopg.connect(dsn) as another:
        assert another.execute(f"{lock} ON CONFLICT DO NOTHING".encode()).rowcount == 1

    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        frozen.execute("SELECT 1")


def test_behind_a_lock_that_stays_nobody_queues_for_ever(dsn: str, bounded: None) -> None:
    with psycopg.connect(dsn, options="-c idle_in_transaction_session_timeout=0") as migration:
        migration.execute("LOCK triggers_trigger")

        with psycopg.connect(dsn) as waiter, pytest.raises(psycopg.errors.LockNotAvailable):
            waiter.execute("SELECT 1 FROM triggers_trigger")


def test_a_statement_that_takes_too_long_is_cut(dsn: str, bounded: None) -> None:
    with psycopg.connect(dsn) as another, pytest.raises(psycopg.errors.QueryCanceled):
        another.execute("SELECT pg_sleep(60)")


def test_postgresql_knows_who_is_there(dsn: str, bounded: None) -> None:
    with psycopg.connect(dsn) as another:
        assert another.execute("SHOW application_name").fetchone() == ("event-trigger test",)


def test_a_pooler_is_told_nothing_for_a_whole_session(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    monkeypatch.setenv("PGOPTIONS", "")
    monkeypatch.setenv("PGAPPNAME", "")
    settings.DATABASE_POOLER = True

    patience.bound_waits("test")

    assert os.environ["PGOPTIONS"] == ""


@pytest.mark.django_db
def test_a_way_to_the_database_that_is_gone_is_noticed_within_seconds() -> None:
    connection.ensure_connection()
    told = connection.connection.info.get_parameters()

    assert {name: told[name] for name in ("connect_timeout", "keepalives_idle", "tcp_user_timeout")} == {
        "connect_timeout": "5",
        "keepalives_idle": "5",
        "tcp_user_timeout": "10000",
    }
