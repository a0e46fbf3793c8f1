"""A real cluster whose Redis is killed, frozen, full or emptied: it goes on at once, and starts without it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from triggers.tests import clusters
from triggers.tests.clusters import Cluster
from triggers.tests.redis_servers import RedisServer

pytestmark = pytest.mark.cluster


@pytest.fixture
def on_redis(tmp_path: Path, database_url: str, receiver: HTTPServer, redis_server: RedisServer) -> Iterator[Cluster]:
    receiver.expect_request("/hook").respond_with_data("ok")
    environment = clusters.surroundings(tmp_path, database_url) | {"REDIS_URL": redis_server.url}
    clusters.migrate(environment)
    with clusters.running(environment, receiver) as running:
        yield running


def test_it_goes_on_whatever_happens_to_redis(on_redis: Cluster, redis_server: RedisServer) -> None:
    redis_server.freeze()
    _deliver(on_redis, 5)
    redis_server.thaw()
    _deliver(on_redis, 3)
    redis_server.fill()
    _deliver(on_redis, 3)
    redis_server.kill()
    _deliver(on_redis, 5)
    redis_server.start()
    _deliver(on_redis, 3)
    redis_server.empty()
    _deliver(on_redis, 3)

    late = "SELECT scheduled_for, first_sent_at FROM triggers_event WHERE first_sent_at IS NOT NULL"
    assert len(on_redis.ask(late)) == len({scheduled_for for scheduled_for, _ in on_redis.ask(late)})


def test_it_starts_without_redis(
    tmp_path: Path, database_url: str, receiver: HTTPServer, redis_server: RedisServer
) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    environment = clusters.surroundings(tmp_path, database_url) | {"REDIS_URL": redis_server.url}
    clusters.migrate(environment)
    redis_server.kill()

    with clusters.running(environment, receiver) as running:
        _deliver(running, 3)


def _deliver(cluster: Cluster, count: int) -> None:
    """Wait for so many more deliveries, less than HINT_LOST_AFTER each."""
    for _ in range(count):
        cluster.wait_for_delivery(20)
