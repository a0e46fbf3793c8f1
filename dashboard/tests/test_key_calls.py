"""The calls of API keys: counted in the process, written in bulk."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from dashboard import key_calls
from dashboard.models import DEAD_KEYS_STAY, ApiKey, KeyCalls

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 26, 14, 32, tzinfo=UTC)


@pytest.fixture
def key() -> ApiKey:
    return ApiKey.create("shop")[0]


def test_a_call_writes_nothing_by_itself(key: ApiKey) -> None:
    with CaptureQueriesContext(connection) as asked:
        key_calls.note(key.pk, NOW, "203.0.113.24")
    assert len(asked) == 0


def test_many_calls_are_one_count_an_hour(key: ApiKey) -> None:
    for minute in range(3):
        key_calls.note(key.pk, NOW + timedelta(minutes=minute), "203.0.113.24")
    key_calls.note(key.pk, NOW + timedelta(hours=1), "203.0.113.25")

    assert (key_calls.write(), key_calls.write()) == (4, 0)
    assert list(KeyCalls.objects.order_by("hour").values_list("hour__hour", "count")) == [(14, 3), (15, 1)]
    key.refresh_from_db()
    assert (key.last_used_at, key.last_used_from) == (NOW + timedelta(hours=1), "203.0.113.25")


def test_a_second_process_adds_to_the_first_and_does_not_turn_the_time_back(key: ApiKey) -> None:
    for at in (NOW, NOW - timedelta(seconds=9)):
        key_calls.note(key.pk, at, "203.0.113.24")
        key_calls.write()

    assert KeyCalls.objects.get().count == 2
    key.refresh_from_db()
    assert key.last_used_at == NOW


def test_a_key_that_is_gone_loses_its_count_and_no_other(key: ApiKey) -> None:
    gone = ApiKey.create("gone")[0]
    for each in (key, gone):
        key_calls.note(each.pk, NOW, "203.0.113.24")
    gone.delete()

    key_calls.write()
    assert list(KeyCalls.objects.values_list("key", "count")) == [(key.pk, 1)]


def test_what_cannot_be_written_waits(key: ApiKey) -> None:
    def away(*args: Any) -> None:
        raise OperationalError("the database is gone")

    key_calls.note(key.pk, NOW, "203.0.113.24")
    with connection.execute_wrapper(away):
        assert key_calls.write() == 0
    key_calls.note(key.pk, NOW, "203.0.113.24")

    assert key_calls.write() == 2
    assert KeyCalls.objects.get().count == 2


def test_threads_lose_no_call(key: ApiKey) -> None:
    def call() -> None:
        for _ in range(500):
            key_calls.note(key.pk, NOW, "203.0.113.24")

    threads = [threading.Thread(target=call) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert key_calls.write() == 2000


def test_old_counts_and_keys_that_are_over_for_long_are_forgotten(key: ApiKey) -> None:
    long_ago, lately = NOW - DEAD_KEYS_STAY - timedelta(hours=1), NOW - DEAD_KEYS_STAY + timedelta(hours=1)
    for name, field, at in (
        ("revoked long ago", "revoked_at", long_ago),
        ("expired long ago", "expires_at", long_ago),
        ("revoked lately", "revoked_at", lately),
        ("expired lately", "expires_at", lately),
    ):
        ApiKey.objects.filter(pk=ApiKey.create(name)[0].pk).update(**{field: at})
    for hours in (1, 49):
        KeyCalls.objects.create(key=key, hour=NOW - timedelta(hours=hours), count=1)

    key_calls.forget(NOW)

    assert set(ApiKey.objects.values_list("name", flat=True)) == {"shop", "revoked lately", "expired lately"}
    assert KeyCalls.objects.count() == 1
