"""Hints go by Redis; and by the database while Redis is gone, hangs or is full. Nobody waits for it twice."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django_q.conf import Conf

from triggers import broker
from triggers.broker import RedisBroker
from triggers.tests.redis_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_broker(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[], RedisBroker]:
    """Make the broker of another process: each finds out for itself how Redis is."""
    monkeypatch.setattr(Conf, "REDIS", redis_server.url)
    monkeypatch.setattr(broker, "PROBE_EVERY_SECONDS", float("inf"))
    monkeypatch.setattr(broker, "REDIS_LEFT_ALONE_SECONDS", 1.0)
    return lambda: RedisBroker("tests")


def received(reader: RedisBroker, count: int) -> list[str]:
    """Return the next messages, and acknowledge them, as django-q2's monitor does."""
    messages: list[str] = []
    ends_at = time.monotonic() + 30
    while len(messages) < count and time.monotonic() < ends_at:
        for message_id, package in reader.dequeue() or []:
            messages.append(package if isinstance(package, str) else package.decode())
            if message_id:
                reader.acknowledge(message_id)
    return messages


def test_a_message_goes_by_redis(make_broker: Callable[[], RedisBroker], redis_server: RedisServer) -> None:
    make_broker().enqueue("a")

    assert redis_server.client().llen("django_q:tests:q") == 1
    assert received(make_broker(), 1) == ["a"]


@pytest.mark.parametrize("fault", ["kill", "freeze", "fill"])
def test_while_redis_takes_nothing_messages_go_by_the_database(
    fault: str, make_broker: Callable[[], RedisBroker], redis_server: RedisServer
) -> None:
    sender, reader = make_broker(), make_broker()
    sender.enqueue("before")
    assert received(reader, 1) == ["before"]

    getattr(redis_server, fault)()
    began = time.monotonic()
    for number in range(100):
        sender.enqueue(str(number))
    # It was waited for a few times at most, not a hundred.
    assert time.monotonic() - began < 100 * broker.REDIS_ANSWERS_SECONDS / 2

    assert sorted(received(reader, 100), key=int) == [str(number) for number in range(100)]
    assert sender._table.get_connection().count() == 0


def test_who_reaches_redis_hears_those_who_do_not(
    make_broker: Callable[[], RedisBroker], redis_server: RedisServer
) -> None:
    reader, cut_off = make_broker(), make_broker()
    reader.dequeue()
    cut_off.left_alone_until = float("inf")

    cut_off.enqueue("by the database")
    make_broker().enqueue("by Redis")

    assert sorted(received(reader, 2)) == ["by Redis", "by the database"]


def test_once_it_is_back_messages_go_by_redis_again(
    make_broker: Callable[[], RedisBroker], redis_server: RedisServer
) -> None:
    sender, reader = make_broker(), make_broker()
    redis_server.freeze()
    sender.enqueue("meanwhile")
    assert received(reader, 1) == ["meanwhile"]

    redis_server.thaw()
    time.sleep(broker.REDIS_LEFT_ALONE_SECONDS)
    sender.enqueue("again")

    assert sender._table.get_connection().count() == 0
    # What it was sent while it was frozen may come a second time: a hint is only a hint.
    while received(reader, 1) != ["again"]:
        pass


def test_a_restart_of_redis_in_between_costs_no_message(
    make_broker: Callable[[], RedisBroker], redis_server: RedisServer
) -> None:
    sender = make_broker()
    sender.enqueue("lost with it")
    redis_server.kill()
    redis_server.start()

    sender.enqueue("by a new connection")

    assert redis_server.client().llen("django_q:tests:q") == 1


def test_a_cluster_starts_without_redis(make_broker: Callable[[], RedisBroker], redis_server: RedisServer) -> None:
    redis_server.kill()

    assert make_broker().ping()
