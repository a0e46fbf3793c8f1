"""What is looked at on this server, and what each says when it is not as it should be."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory
from django_q.conf import Conf

from dashboard import checks
from triggers import broker
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db


def test_the_database_says_its_kind_and_how_long_it_takes() -> None:
    found = checks.database()
    assert found.level == "ok"
    assert found.words.startswith(connection.display_name)
    assert found.words.endswith(" ms")


@pytest.mark.postgres
def test_behind_a_pooler_the_database_must_know_the_time_limits(settings: LazySettings) -> None:
    settings.DATABASE_POOLER = True
    assert (checks.database().level, checks.database().words) == ("warn", "no time limits behind the pooler")

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10s'")  # as ALTER ROLE would for good
    assert checks.database().level == "ok"


def test_the_clock_is_held_against_that_of_the_database() -> None:
    found = checks.clock()
    assert found.level == "ok"
    words = "same machine" if connection.vendor == "sqlite" else "s off the database"
    assert words in found.words


def test_migrations_that_are_missing_stop_the_server() -> None:
    assert checks.migrations().level == "ok"
    MigrationRecorder(connection).record_unapplied("triggers", "0001_the_road")
    found = checks.migrations()
    assert (found.level, found.words, found.remedy) == ("bad", "1 migration is missing", "Run: manage.py migrate")


def test_a_process_that_is_older_than_the_database_says_so() -> None:
    MigrationRecorder(connection).record_applied("triggers", "9999_of_next_year")
    found = checks.migrations()
    assert (found.level, found.words) == ("warn", "1 of a newer version")


def test_a_redis_that_is_away_is_said_without_its_address(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://:sesame-7719@127.0.0.1:1/0"
    monkeypatch.setattr(Conf, "BROKER_CLASS", "triggers.broker.RedisBroker")
    monkeypatch.setattr(Conf, "REDIS", settings.REDIS_URL)
    broker._asked.cache_clear()
    try:
        found = checks.queue()
    finally:
        broker._asked.cache_clear()
    assert (found.level, found.words) == ("warn", "Redis does not answer")
    assert "sesame" not in repr(found)
    assert "127.0.0.1" not in repr(found)


def test_the_queue_answers() -> None:
    assert checks.queue().level == "ok"


def test_a_key_that_is_gone_is_missed(settings: LazySettings) -> None:
    assert "no secrets yet" in checks.keys().words
    make_api_trigger(headers=[["X-Token", "sesame-7719", True]])
    assert checks.keys().words == "1 key, secrets can be read"

    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    make_api_trigger()  # the newest can be read, the oldest cannot
    found = checks.keys()
    assert (found.level, found.words) == ("bad", "a secret cannot be read")


@pytest.mark.parametrize(
    ("public_url", "fields", "level", "words"),
    [
        ("https://events.example.org", {}, "ok", "https://events.example.org"),
        ("http://127.0.0.1:8000", {}, "warn", "only this machine"),
        ("http://127.0.0.1:8000", {"HTTP_HOST": "localhost:8000"}, "ok", "this machine"),
        ("http://events.example.org", {"behind": True}, "warn", "http, behind https"),
        ("https://elsewhere.example.org", {}, "warn", "not in ALLOWED_HOSTS"),
    ],
)
def test_the_public_address_is_one_that_others_reach(
    settings: LazySettings, public_url: str, fields: dict[str, Any], level: str, words: str
) -> None:
    settings.PUBLIC_URL = public_url
    settings.BEHIND_HTTPS = fields.pop("behind", False)
    settings.ALLOWED_HOSTS = ["events.example.org", "localhost", "127.0.0.1"]
    request = RequestFactory().get("/", **{"HTTP_HOST": "events.example.org"} | fields)
    found = checks.public_url(request)
    assert (found.level, found.words) == (level, words)
